/* `kanal profiles`: folds everything that is stored into profiles anew, while the gateway goes on. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/request.h"
#include "kanal/sdk/json.h"

#define WAIT_MS 10000
#define LOOK_MS 500    /* how often it is asked how far it is */
#define BEGIN_MS 60000 /* nobody is the projector */

enum { OPTION_NO_WAIT = CLIENT_OPTION_OWN, OPTION_JSON };

static const struct option long_options[] = { { "no-wait", no_argument, NULL, OPTION_NO_WAIT },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

struct call {
    const struct cli_command *command;
    struct client_options client_options;
    struct client client;
    int with_json, is_terminal, has_begun, no_wait;
    char id[64], state[16];
};

static int ask(struct call *call, yyjson_doc **ret_document)
{
    struct request request = { call->command, &call->client, WAIT_MS, call->with_json };
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    if (call->id[0])
        kanal_json_member_text(&json, "id", call->id);
    kanal_json_object_end(&json);
    int code = request_send(&request, "profile-rebuild", kanal_buffer_view(&body), ret_document);
    kanal_buffer_release(&body);
    return code;
}

/* A terminal sees one line that changes; anything else a line for each change of state. */
static void show(struct call *call, yyjson_val *rebuild)
{
    kanal_str state = kanal_json_text_at(rebuild, "state");
    int64_t events = kanal_json_int_at(rebuild, "events", 0), total = kanal_json_int_at(rebuild, "total", 0);
    int is_new = !kanal_str_is(state, call->state);
    kanal_str_keep(call->state, sizeof call->state, state);
    if (call->with_json || (!is_new && !call->is_terminal))
        return;
    int percent = total > 0 ? (int)(100 * (double)events / (double)total) : 100;
    if (call->is_terminal)
        fprintf(stderr, "\r\033[K%s: %lld of %lld events (%d %%)", call->state, (long long)events,
                (long long)total, percent);
    else
        fprintf(stderr, "%s: %lld of %lld events (%d %%)\n", call->state, (long long)events, (long long)total,
                percent);
}

static int is_done(const struct call *call)
{
    return strcmp(call->state, "done") == 0;
}

static int look(struct call *call)
{
    yyjson_doc *document = NULL;
    int code = ask(call, &document);
    yyjson_val *rebuild = kanal_json_at(yyjson_doc_get_root(document), "rebuild");
    if (code == CLI_OK) {
        kanal_str_keep(call->id, sizeof call->id, kanal_json_text_at(rebuild, "id"));
        show(call, rebuild);
        call->has_begun |= strcmp(call->state, "asked") != 0;
        if (is_done(call) && !call->with_json)
            printf("%sprofiles were made anew of %lld events\n", call->is_terminal ? "\n" : "",
                   (long long)kanal_json_int_at(rebuild, "total", 0));
    }
    yyjson_doc_free(document);
    return code;
}

static int wait_for_end(struct call *call)
{
    int code = look(call);
    int64_t patience_ms = BEGIN_MS;
    while (code == CLI_OK && !call->no_wait && !is_done(call)) {
        enum client_event event = client_wait(&call->client, LOOK_MS);
        if (event == CLIENT_INTERRUPTED) {
            fprintf(stderr, "%skanal profiles: the rebuild %s goes on without being watched\n",
                    call->is_terminal ? "\n" : "", call->id);
            return CLI_TIMEOUT;
        }
        patience_ms -= call->has_begun ? 0 : LOOK_MS;
        if (patience_ms <= 0) {
            fprintf(stderr,
                    "kanal profiles: nobody has begun: no gateway is the projector (projector.enabled)\n");
            return CLI_TIMEOUT;
        }
        code = look(call);
    }
    if (code == CLI_OK && call->no_wait && !call->with_json)
        printf("%s\n", call->id);
    return code;
}

static int rebuild(struct call *call)
{
    int code = client_open(&call->client, &call->client_options, call->command);
    call->is_terminal = isatty(STDERR_FILENO);
    if (code == CLI_OK)
        code = wait_for_end(call);
    client_close(&call->client);
    return code == CLI_OK && fflush(stdout) != 0 ? CLI_FAILED : code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct call call = { .command = command };
    for (int option; (option = getopt_long(argc, argv, CLIENT_SHORT, long_options, NULL)) != -1;) {
        if (option == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (option == OPTION_NO_WAIT)
            call.no_wait = 1;
        else if (option == OPTION_JSON)
            call.with_json = 1;
        else {
            int taken = client_option(&call.client_options, option, optarg);
            if (taken <= 0)
                return cli_usage(command, taken < 0 ? "too many servers" : "unknown option");
        }
    }
    if (optind >= argc || strcmp(argv[optind], "rebuild") != 0)
        return cli_usage(command, "expected rebuild%s%s", optind < argc ? ", found " : "",
                         optind < argc ? argv[optind] : "");
    if (optind + 1 < argc)
        return cli_usage(command, "unexpected argument '%s'", argv[optind + 1]);
    return rebuild(&call);
}

const struct cli_command command_profiles = {
    .name = "profiles",
    .arguments = "rebuild [OPTION …]",
    .summary = "Folds all stored events into profiles anew, while the gateway goes on.",
    .help =
        "      --no-wait        prints the id of the rebuild and does not wait for its end\n"
        "      --json           the gateway's answers as they are, a line each: how far it is, twice a "
        "second\n\n" CLIENT_HELP "\n"
        "Until it has ended everybody reads the profiles as they were. What the streams do not keep any more "
        "(retention) is in the new ones no longer.\n"
        "Interrupted, or when its gateway ends, it goes on; asked for once more, the one under way is "
        "watched.\n"
        "The user needs PREFIX.api.profile-rebuild and an inbox at the broker.\n"
        "Exit code 0: done; 1: refused; 2: wrong words; 4: no gateway; 5: it was not waited for.\n",
    .run = run,
};
