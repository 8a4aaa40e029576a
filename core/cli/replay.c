/* `kanal replay`: kept requests are run through the channel's plugin once more, as it is now, and what it makes of them is compared with what
 * is stored. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "broker/topology.h"
#include "cli/replay_inside.h"
#include "cli/request.h"
#include "inbound/kept.h"

enum { OPTION_CHANNEL = CLIENT_OPTION_OWN, OPTION_FROM, OPTION_TO, OPTION_PUBLISH, OPTION_JSON };

static const struct option long_options[] = { { "channel", required_argument, NULL, OPTION_CHANNEL },
                                              { "from", required_argument, NULL, OPTION_FROM },
                                              { "to", required_argument, NULL, OPTION_TO },
                                              { "publish", no_argument, NULL, OPTION_PUBLISH },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              { "plugins", required_argument, NULL, 'p' },
                                              CLIENT_LONG };

static int complain(const struct replay *r, int code, const char *why)
{
    fprintf(stderr, "kanal replay: %s\n", why && why[0] ? why : r->reason[0] ? r->reason : "out of memory");
    return code;
}

/* ---- One kept request ---- */

static void tell_notes(yyjson_val *notes)
{
    size_t index, count;
    yyjson_val *note;
    if (!yyjson_is_arr(notes))
        return;
    yyjson_arr_foreach (notes, index, count, note) {
        kanal_str text = kanal_json_text(note);
        fprintf(stderr, "kanal replay: the plugin: %.*s\n", (int)text.len, text.ptr ? text.ptr : "");
    }
}

static int take_reply(struct replay *r, yyjson_val *reply, int64_t time_ms)
{
    size_t index, count;
    yyjson_val *event, *events = kanal_json_at(reply, "events");
    int64_t status = kanal_json_int_at(reply, "status", 0);
    int code = CLI_OK;
    tell_notes(kanal_json_at(reply, "notes"));
    if (status < 200 || status > 299) {
        r->count.refused++;
        fprintf(stderr, "kanal replay: the request of %lld ms after 1970 is answered %lld\n",
                (long long)time_ms, (long long)status);
    }
    if (yyjson_is_arr(events)) {
        yyjson_arr_foreach (events, index, count, event)
            if (code == CLI_OK)
                code = replay_made(r, event);
    }
    if (code == CLI_OK)
        replay_tell_gone(r, r->traceparent);
    return code;
}

static int on_kept(void *user, const struct replay_message *message)
{
    struct replay *r = user;
    struct kanal_buffer text = { 0 };
    const char *kind = NULL, *cuts = NULL, *trace = NULL;
    size_t missing = 0;
    if (natsMsgHeader_Get(message->msg, KEPT_KIND_HEADER, &kind) != NATS_OK || strcmp(kind, "request") != 0) {
        r->count.payloads++;
        return CLI_OK;
    }
    if (natsMsgHeader_Get(message->msg, KEPT_CUTS_HEADER, &cuts) != NATS_OK)
        cuts = "";
    if (natsMsgHeader_Get(message->msg, "traceparent", &trace) != NATS_OK)
        trace = "";
    kept_restore(r->channel, message->payload, kanal_str_c(cuts), &text, &missing);
    if (missing > 0)
        fprintf(stderr, "kanal replay: %zu secret%s of a request %s not configured any more\n", missing,
                missing == 1 ? "" : "s", missing == 1 ? "is" : "are");
    r->count.requests++;
    r->traceparent = kanal_str_c(trace);
    yyjson_doc *reply =
        text.failed ? NULL
                    : replay_child_run(r->child, message->time_ms, kanal_buffer_view(&text), r->reason);
    int code = reply ? take_reply(r, yyjson_doc_get_root(reply), message->time_ms) : CLI_FAILED;
    yyjson_doc_free(reply);
    if (text.data)
        explicit_bzero(text.data, text.capacity);
    kanal_buffer_release(&text);
    return code;
}

/* ---- The whole ---- */

static void tell_summary(const struct replay *r)
{
    if (r->with_json) {
        printf(
            "{\"requests\":%lld,\"payloads\":%lld,\"new\":%lld,\"changed\":%lld,\"gone\":%lld,\"same\":%lld,"
            "\"refused\":%lld,\"published\":%lld}\n",
            (long long)r->count.requests, (long long)r->count.payloads, (long long)r->count.made_new,
            (long long)r->count.changed, (long long)r->count.gone, (long long)r->count.same,
            (long long)r->count.refused, (long long)r->count.published);
        return;
    }
    printf("%lld requests: %lld new, %lld changed, %lld gone, %lld the same\n", (long long)r->count.requests,
           (long long)r->count.made_new, (long long)r->count.changed, (long long)r->count.gone,
           (long long)r->count.same);
    if (r->count.refused > 0)
        printf("%lld refused (see above)\n", (long long)r->count.refused);
    if (r->count.payloads > 0)
        printf("%lld payloads that came without a request (polls, connections) are not run\n",
               (long long)r->count.payloads);
    if (r->is_publishing)
        printf("%lld published\n", (long long)r->count.published);
    else if (r->count.made_new + r->count.changed > 0)
        printf("nothing was published; --publish does\n");
}

/* The child is made first: from client_open() on there are threads. */
static int find_channel(struct replay *r)
{
    const struct config *config = r->setup.config;
    for (size_t i = 0; i < config->channel_count; i++) {
        if (strcmp(config->channels[i].id, r->channel_id) != 0)
            continue;
        r->channel = &config->channels[i];
        r->child = replay_child_new(&r->setup, i, r->reason);
        return r->child ? CLI_OK : complain(r, CLI_FAILED, NULL);
    }
    snprintf(r->reason, sizeof r->reason, "there is no channel '%.64s' in the configuration", r->channel_id);
    return complain(r, CLI_FAILED, NULL);
}

static int prepare(struct replay *r)
{
    const struct config *config = r->setup.config;
    if (ids_new(&r->ids, config->identity.salt) != 0)
        return complain(r, CLI_CONFIG, "identity.salt cannot be used");
    if (config->http.public_url)
        snprintf(r->base_url, sizeof r->base_url, "%s", config->http.public_url);
    else
        snprintf(r->base_url, sizeof r->base_url, "http://%s", config->http.listen);
    r->context = (struct envelope_context){ .ids = r->ids,
                                            .prefix = kanal_str_c(r->client.prefix),
                                            .base_url = kanal_str_c(r->base_url) };
    return CLI_OK;
}

static int run_all(struct replay *r)
{
    char stream[64], subject[128];
    int code = replay_load_stored(r);
    topology_stream_name(r->client.prefix, "RAW", stream);
    snprintf(subject, sizeof subject, "%s.raw.%s", r->client.prefix, r->channel->id);
    if (code == CLI_OK)
        code = replay_stream(&r->client, stream, subject, r->from_ms, r->to_ms, on_kept, r, r->reason);
    if (code != CLI_OK)
        complain(r, code, NULL);
    tell_summary(r);
    return code == CLI_OK && fflush(stdout) != 0 ? CLI_FAILED : code;
}

static int replay(struct replay *r)
{
    const char *path = r->client_options.config ? r->client_options.config : CLI_CONFIG_DEFAULT;
    int is_open = 0, code = setup_load(&r->setup, SETUP_USED, path, r->plugins);
    if (code == CLI_OK)
        code = find_channel(r);
    if (code == CLI_OK) {
        is_open = 1;
        code = client_open(&r->client, &r->client_options, r->command);
    }
    if (code == CLI_OK)
        code = prepare(r);
    if (code == CLI_OK)
        code = run_all(r);
    replay_child_free(r->child);
    replay_release_stored(r);
    envelope_release(&r->envelope);
    if (is_open)
        client_close(&r->client);
    ids_free(r->ids);
    setup_release(&r->setup);
    return code;
}

/* ---- The words of the call ---- */

static int read_option(struct replay *r, int option, const char *value)
{
    switch (option) {
    case OPTION_CHANNEL:
        r->channel_id = value;
        return CLI_OK;
    case OPTION_FROM:
    case OPTION_TO:
        return request_time(r->command, value, option == OPTION_FROM ? &r->from_ms : &r->to_ms);
    case OPTION_PUBLISH:
        r->is_publishing = 1;
        return CLI_OK;
    case OPTION_JSON:
        r->with_json = 1;
        return CLI_OK;
    case 'p':
        r->plugins = value;
        return CLI_OK;
    default:
        break;
    }
    int taken = client_option(&r->client_options, option, value);
    return taken > 0 ? CLI_OK : cli_usage(r->command, taken < 0 ? "too many servers" : "unknown option");
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct replay r = { .command = command };
    for (int option; (option = getopt_long(argc, argv, "p:" CLIENT_SHORT, long_options, NULL)) != -1;) {
        if (option == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        int code = read_option(&r, option, optarg);
        if (code != CLI_OK)
            return code;
    }
    if (optind < argc)
        return cli_usage(command, "unexpected argument '%s'", argv[optind]);
    if (!r.channel_id || r.from_ms == 0)
        return cli_usage(command, "--channel and --from are needed");
    if (r.to_ms == 0)
        r.to_ms = client_unix_ms();
    if (r.to_ms < r.from_ms)
        return cli_usage(command, "--to is before --from");
    return replay(&r);
}

const struct cli_command command_replay = {
    .name = "replay",
    .arguments = "--channel ID --from WHEN [OPTION …]",
    .summary = "Runs kept requests through a channel's plugin again, and shows what it makes of them now.",
    .help = "      --channel ID     a channel of the configuration that keeps its requests (`raw`)\n"
            "      --from WHEN      requests since then: 2h (ago), or a time (2026-11-21T20:00:00Z)\n"
            "      --to WHEN        up to then (now)\n"
            "      --publish        stores the new events, and corrections in place of the changed ones\n"
            "      --json           a JSON object a line: each difference, at the end the numbers\n"
            "  -p, --plugins DIR    look for plugins there instead of plugins.path: the repaired "
            "one\n\n" CLIENT_HELP "\n"
            "The plugin runs in a process of its own, with a host that sends no request and keeps no state. "
            "Events are "
            "compared by\n"
            "their ids: new, changed (each member that differs), gone (told, never published). A correction "
            "has an id of "
            "its own and\n"
            "names the event that it corrects. Needs the gateway's configuration with its secrets and salt, "
            "and its "
            "user's rights at\n"
            "the broker.\n"
            "Exit code 0: all was run; 1: not all; 2: wrong words; 3: the configuration is wrong; 4: no "
            "broker.\n",
    .run = run,
};
