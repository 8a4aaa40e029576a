/* `kanal channel`: the channels of running gateways, seen and changed over their API. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/connect.h"
#include "cli/terminal.h"
#include "config/memory.h"
#include "kanal/sdk/json.h"

#define LOOK_MS 5000
#define CHANGE_MS 90000 /* a handover has its own, shorter deadlines */
#define BODY_MAX (1u << 20)
#define PAGE 200

enum { OPTION_PLUGIN = CLIENT_OPTION_OWN, OPTION_DIRECTION, OPTION_REASON, OPTION_JSON };

static const struct option long_options[] = { { "plugin", required_argument, NULL, OPTION_PLUGIN },
                                              { "direction", required_argument, NULL, OPTION_DIRECTION },
                                              { "reason", required_argument, NULL, OPTION_REASON },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

struct call {
    const struct cli_command *command;
    const struct action *action;
    struct client_options client_options;
    struct client client;
    const char *argument, *plugin_file, *direction, *reason;
    int with_json;
    char before[513]; /* of list: where the next page begins */
    size_t pages, errors;
};

struct action {
    const char *name, *argument; /* NULL: takes none */
    int64_t wait_ms;
    void (*tell)(yyjson_val *answer, int is_first);
};

/* ---- What is printed ---- */

static void print(kanal_str text)
{
    struct kanal_buffer shown = { 0 };
    terminal_text(&shown, text);
    printf("%.*s", (int)shown.len, shown.data ? shown.data : "");
    kanal_buffer_release(&shown);
}

static void tell_one(yyjson_val *channel)
{
    kanal_str id = kanal_json_text_at(channel, "id");
    kanal_str reason = kanal_json_text_at(yyjson_arr_get_first(kanal_json_at(channel, "reasons")), "detail");
    static const char *const columns[] = { "plugin", "version", "state", "origin", NULL };
    printf("%-24.*s", (int)id.len, id.ptr ? id.ptr : "");
    for (const char *const *column = columns; *column; column++) {
        kanal_str text = kanal_json_text_at(channel, *column);
        printf("  %-10.*s", (int)text.len, text.ptr ? text.ptr : "");
    }
    if (reason.len > 0) {
        printf("  ");
        print(reason);
    }
    printf("\n");
}

static void tell_channel(yyjson_val *answer, int is_first)
{
    (void)is_first;
    yyjson_val *channel = kanal_json_at(answer, "channel");
    if (yyjson_is_obj(channel))
        tell_one(channel);
    else
        printf("removed\n");
}

static void tell_list(yyjson_val *answer, int is_first)
{
    yyjson_val *channels = kanal_json_at(answer, "items"), *channel;
    size_t index, count;
    if (!yyjson_is_arr(channels))
        return;
    if (is_first)
        printf("%-24s  %-10s  %-10s  %-10s  %-10s\n", "ID", "PLUGIN", "VERSION", "STATE", "ORIGIN");
    yyjson_arr_foreach (channels, index, count, channel)
        tell_one(channel);
}

static const struct action actions[] = {
    { "list", NULL, LOOK_MS, tell_list },         { "get", "ID", LOOK_MS, tell_channel },
    { "add", "FILE", CHANGE_MS, tell_channel },   { "change", "FILE", CHANGE_MS, tell_channel },
    { "remove", "ID", CHANGE_MS, tell_channel },  { "pause", "ID", CHANGE_MS, tell_channel },
    { "resume", "ID", CHANGE_MS, tell_channel },  { "restart", "ID", CHANGE_MS, tell_channel },
    { "upgrade", "ID", CHANGE_MS, tell_channel },
};

static void tell_error(const struct call *call, yyjson_val *error)
{
    kanal_str message = kanal_json_text_at(error, "detail");
    yyjson_val *violations = kanal_json_at(error, "errors"), *violation;
    size_t index, count;
    fprintf(stderr, "kanal channel %s: %.*s\n", call->action->name, (int)message.len,
            message.ptr ? message.ptr : "");
    if (!yyjson_is_arr(violations))
        return;
    yyjson_arr_foreach (violations, index, count, violation) {
        kanal_str pointer = kanal_json_text_at(violation, "pointer");
        kanal_str text = kanal_json_text_at(violation, "message");
        fprintf(stderr, "  %.*s: %.*s\n", (int)pointer.len, pointer.ptr ? pointer.ptr : "", (int)text.len,
                text.ptr ? text.ptr : "");
    }
}

static int tell(struct call *call, kanal_str body)
{
    yyjson_doc *document = kanal_json_parse(body);
    yyjson_val *answer = yyjson_doc_get_root(document), *error = kanal_json_at(answer, "error");
    kanal_str next = kanal_json_text_at(answer, "next");
    snprintf(call->before, sizeof call->before, "%.*s", (int)(next.len < 512 ? next.len : 0),
             next.ptr ? next.ptr : "");
    if (call->with_json)
        printf("%.*s\n", (int)body.len, body.ptr);
    else if (error)
        tell_error(call, error);
    else
        call->action->tell(answer, call->pages == 1);
    yyjson_doc_free(document);
    if (!document)
        fprintf(stderr, "kanal channel %s: the gateway's answer is no JSON\n", call->action->name);
    return document && !error && fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

/* ---- What is asked ---- */

static void on_wrong(void *user, kanal_str text)
{
    struct call *call = user;
    call->errors++;
    fprintf(stderr, "%.*s\n", (int)text.len, text.ptr);
}

static int write_file(struct call *call, struct kanal_json *json)
{
    struct config *config = NULL;
    if (config_load_channel_file(&config, call->argument, on_wrong, call) != 0)
        return CLI_CONFIG;
    kanal_json_key(json, "channel");
    /* The writer takes it as it is: text and commas are its own. */
    struct kanal_buffer text = { 0 };
    int status = config_channel_json(config, &config->channels[0], &text);
    kanal_json_raw(json, kanal_buffer_view(&text));
    config_wipe_free(text.data, text.capacity);
    config_free(config);
    return status == 0 ? CLI_OK : CLI_FAILED;
}

static int write_request(struct call *call, struct kanal_buffer *out)
{
    struct kanal_json json;
    int code = CLI_OK;
    kanal_buffer_reserve(out, BODY_MAX);
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    if (call->action->argument && strcmp(call->action->argument, "FILE") == 0)
        code = write_file(call, &json);
    else
        kanal_json_member_text(&json, "id", call->argument);
    kanal_json_member_text(&json, "file", call->plugin_file);
    if (call->action->tell == tell_list)
        kanal_json_member_int(&json, "limit", PAGE);
    if (call->before[0] != '\0')
        kanal_json_member_text(&json, "before", call->before);
    kanal_json_member_text(&json, "direction", call->direction);
    kanal_json_member_text(&json, "reason", call->reason);
    kanal_json_object_end(&json);
    return code == CLI_OK && out->failed ? CLI_FAILED : code;
}

static int failed(struct call *call, natsStatus status, const char *subject)
{
    char violation[256];
    client_take_violation(&call->client, violation);
    if (violation[0] != '\0')
        fprintf(stderr, "kanal channel: the broker does not allow it: %s\n", violation);
    else if (status == NATS_NO_RESPONDERS)
        fprintf(stderr, "kanal channel: no gateway answers %s at %s\n", subject, call->client.server);
    else if (status == NATS_TIMEOUT)
        fprintf(stderr, "kanal channel: no gateway has answered %s at %s within %lld s%s\n", subject,
                call->client.server, (long long)(call->action->wait_ms / 1000),
                call->action->wait_ms > LOOK_MS ? "; it may have been done: `kanal channel get` tells" : "");
    else
        fprintf(stderr, "kanal channel: %s: %s\n", subject, natsStatus_GetText(status));
    return status == NATS_TIMEOUT ? CLI_TIMEOUT : violation[0] != '\0' ? CLI_FAILED : CLI_BROKER;
}

static int ask_once(struct call *call)
{
    struct kanal_buffer body = { 0 };
    natsMsg *answer = NULL;
    char subject[128];
    int code = write_request(call, &body);
    if (code == CLI_OK && call->pages++ == 0)
        code = client_open(&call->client, &call->client_options, call->command);
    if (code == CLI_OK) {
        snprintf(subject, sizeof subject, "%s.api.channel-%s", call->client.prefix, call->action->name);
        natsStatus status = natsConnection_Request(&answer, call->client.connection, subject, body.data,
                                                   (int)body.len, call->action->wait_ms);
        code = status == NATS_OK
                   ? tell(call, kanal_str_of(natsMsg_GetData(answer), (size_t)natsMsg_GetDataLength(answer)))
                   : failed(call, status, subject);
    }
    natsMsg_Destroy(answer);
    config_wipe_free(body.data, body.capacity);
    return code;
}

static int ask(struct call *call)
{
    int code = ask_once(call);
    while (code == CLI_OK && call->before[0] != '\0')
        code = ask_once(call);
    client_close(&call->client);
    return code;
}

/* ---- The words of the call ---- */

static int run_action(struct call *call, char **arguments, int count)
{
    for (size_t i = 0; count > 0 && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, arguments[0]) == 0)
            call->action = &actions[i];
    if (!call->action)
        return cli_usage(call->command,
                         "expected list, get, add, change, remove, pause, resume, restart or upgrade%s%s",
                         count > 0 ? ", found " : "", count > 0 ? arguments[0] : "");
    int needed = 1 + (call->action->argument != NULL);
    if (count < needed)
        return cli_usage(call->command, "%s is missing", call->action->argument);
    if (count > needed)
        return cli_usage(call->command, "unexpected argument '%s'", arguments[needed]);
    if (call->plugin_file && strcmp(call->action->name, "upgrade") != 0)
        return cli_usage(call->command, "--plugin is for upgrade");
    if ((call->direction || call->reason) && strcmp(call->action->name, "pause") != 0)
        return cli_usage(call->command, "--direction and --reason are for pause");
    call->argument = needed > 1 ? arguments[1] : NULL;
    return ask(call);
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct call call = { .command = command };
    for (int option; (option = getopt_long(argc, argv, CLIENT_SHORT, long_options, NULL)) != -1;) {
        int taken = 0;
        if (option == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (option == OPTION_PLUGIN)
            call.plugin_file = optarg;
        else if (option == OPTION_DIRECTION)
            call.direction = optarg;
        else if (option == OPTION_REASON)
            call.reason = optarg;
        else if (option == OPTION_JSON)
            call.with_json = 1;
        else if ((taken = client_option(&call.client_options, option, optarg)) <= 0)
            return cli_usage(command, taken < 0 ? "too many servers" : "unknown option");
    }
    return run_action(&call, argv + optind, argc - optind);
}

const struct cli_command command_channel = {
    .name = "channel",
    .arguments =
        "list [OPTION …]\n       kanal channel get|remove|pause|resume|restart ID [OPTION …]\n       "
        "kanal channel add|change FILE [OPTION …]\n       kanal channel upgrade ID [--plugin NAME]",
    .summary = "Shows and changes the channels of running gateways, one without touching the others.",
    .help = "  list, get        state, version and health\n"
            "  add, change      FILE is one channel in YAML, like an item of `channels` in kanal.yaml; its "
            "${env:…} and\n"
            "                   ${file:…} are read here. All gateways of the cluster have it, its secrets "
            "are kept sealed\n"
            "  remove           one that was added; those of kanal.yaml are removed there (then SIGHUP)\n"
            "  pause, resume    commands wait; with --direction in or both, its provider gets 503\n"
            "      --direction D  out (default), in or both\n"
            "      --reason TEXT  shown to whoever asks why\n"
            "  restart          a fresh instance takes its place; nothing is lost\n"
            "  upgrade          the plugin's file as it is now takes its place, or another one:\n"
            "      --plugin NAME  a file of that name in the gateway's plugins.path\n"
            "      --json       the gateway's answer as it is\n\n" CLIENT_HELP "\n"
            "A change, restart or upgrade that does not become ready is undone by itself. The user needs "
            "PREFIX.api.channel-* and\n"
            "an inbox at the broker.\n"
            "Exit code 0: done; 1: refused, nothing has changed; 2: wrong words; 3: the file is wrong; 4: no "
            "gateway; 5: no answer.\n",
    .run = run,
};
