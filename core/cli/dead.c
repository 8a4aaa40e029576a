/* `kanal dead`: commands that could not be carried out: seen, tried again, dropped. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/request.h"
#include "kanal/sdk/json.h"

#define LOOK_MS 30000
#define CHANGE_MS 120000
#define PAGE 500
#define IDS_MAX 1000

enum {
    OPTION_CHANNEL = CLIENT_OPTION_OWN,
    OPTION_CODE,
    OPTION_FROM,
    OPTION_UNTIL,
    OPTION_LIMIT,
    OPTION_ALL,
    OPTION_YES,
    OPTION_JSON
};

static const struct option long_options[] = { { "channel", required_argument, NULL, OPTION_CHANNEL },
                                              { "code", required_argument, NULL, OPTION_CODE },
                                              { "from", required_argument, NULL, OPTION_FROM },
                                              { "until", required_argument, NULL, OPTION_UNTIL },
                                              { "limit", required_argument, NULL, OPTION_LIMIT },
                                              { "all", no_argument, NULL, OPTION_ALL },
                                              { "yes", no_argument, NULL, OPTION_YES },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

struct call {
    const struct cli_command *command;
    const struct action *action;
    struct client_options client_options;
    struct client client;
    const char *channel, *code;
    int64_t from_ms, until_ms, limit; /* 0: none */
    int is_all, is_yes, with_json;
    char **ids;
    int id_count;
    char before[513]; /* where the next page begins */
    int64_t shown, done, refused;
};

struct action {
    const char *name;
    int64_t wait_ms;
    int needs_ids, has_filter, is_change;
    void (*tell)(struct call *, yyjson_val *answer);
};

/* ---- What is printed ---- */

static void tell_list(struct call *call, yyjson_val *answer)
{
    yyjson_val *items = kanal_json_at(answer, "items"), *item;
    size_t index, count;
    if (!yyjson_is_arr(items))
        return;
    if (call->shown == 0 && yyjson_arr_size(items) > 0)
        printf("%-28s  %-24s  %-20s  %-14s  %-24s  %s\n", "ID", "TIME", "CHANNEL", "VERB", "CODE", "COMMAND");
    yyjson_arr_foreach (items, index, count, item) {
        static const struct {
            const char *member;
            int width;
        } columns[] = { { "id", 28 }, { "time", 24 }, { "channel", 20 }, { "verb", 14 } };
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            kanal_str text = kanal_json_text_at(item, columns[i].member);
            request_print(text);
            printf("%*s  ", text.len < (size_t)columns[i].width ? columns[i].width - (int)text.len : 0, "");
        }
        kanal_str code = kanal_json_text_at(kanal_json_at(item, "error"), "code");
        request_print(code);
        printf("%*s  ", code.len < 24 ? 24 - (int)code.len : 0, "");
        request_print(kanal_json_text_at(item, "command_id"));
        printf("\n");
        call->shown++;
    }
}

static void tell_letter(struct call *call, yyjson_val *answer)
{
    yyjson_val *letter = kanal_json_at(answer, "dead_letter"), *key, *value;
    size_t index, count;
    (void)call;
    yyjson_obj_foreach (letter, index, count, key, value) {
        kanal_str name = kanal_json_text(key);
        char *text = yyjson_is_str(value) ? NULL : yyjson_val_write(value, YYJSON_WRITE_PRETTY, NULL);
        printf("%-12.*s  ", (int)name.len, name.ptr);
        if (!text)
            request_print(kanal_json_text(value));
        for (char *rest = NULL, *line = text ? strtok_r(text, "\n", &rest) : NULL, *first = line; line;
             line = strtok_r(NULL, "\n", &rest)) {
            if (line != first)
                printf("\n%14s", "");
            request_print(kanal_str_c(line));
        }
        printf("\n");
        free(text);
    }
}

static void tell_change(struct call *call, yyjson_val *answer)
{
    call->done += kanal_json_int_at(answer, "count", 0);
    call->refused += kanal_json_int_at(answer, "refused", 0);
}

static const struct action actions[] = {
    { "list", LOOK_MS, 0, 1, 0, tell_list },
    { "show", LOOK_MS, 1, 0, 0, tell_letter },
    { "replay", CHANGE_MS, 1, 1, 1, tell_change },
    { "drop", CHANGE_MS, 1, 1, 1, tell_change },
};

/* ---- What is asked ---- */

static void write_request(const struct call *call, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    if (call->action->needs_ids && !call->action->is_change)
        kanal_json_member_text(&json, "id", call->ids[0]);
    if (call->action->is_change && call->id_count > 0) {
        kanal_json_key(&json, "ids");
        kanal_json_array(&json);
        for (int i = 0; i < call->id_count; i++)
            kanal_json_str(&json, kanal_str_c(call->ids[i]));
        kanal_json_array_end(&json);
    }
    if (call->action->is_change && call->is_all && !call->channel)
        kanal_json_member_bool(&json, "all", 1);
    kanal_json_member_text(&json, "channel", call->channel);
    kanal_json_member_text(&json, "code", call->code);
    if (call->from_ms > 0)
        kanal_json_member_time(&json, "from", call->from_ms);
    if (call->until_ms > 0)
        kanal_json_member_time(&json, "until", call->until_ms);
    if (call->action->tell == tell_list)
        kanal_json_member_int(&json, "limit",
                              call->limit > 0 && call->limit - call->shown < PAGE ? call->limit - call->shown
                                                                                  : PAGE);
    if (call->before[0] != '\0')
        kanal_json_member_text(&json, "before", call->before);
    kanal_json_object_end(&json);
}

static int ask_once(struct call *call)
{
    struct request request = { call->command, &call->client, call->action->wait_ms, call->with_json };
    struct kanal_buffer body = { 0 };
    yyjson_doc *document = NULL;
    char endpoint[32];
    snprintf(endpoint, sizeof endpoint, "dead-%s",
             call->action->needs_ids && !call->action->is_change ? "get" : call->action->name);
    write_request(call, &body);
    int code =
        body.failed ? CLI_FAILED : request_send(&request, endpoint, kanal_buffer_view(&body), &document);
    yyjson_val *answer = yyjson_doc_get_root(document);
    kanal_str next = kanal_json_text_at(answer, "next");
    snprintf(call->before, sizeof call->before, "%.*s", (int)(next.len < sizeof call->before ? next.len : 0),
             next.ptr ? next.ptr : "");
    if (code == CLI_OK && call->with_json) /* printed already; counted all the same, for the limit */
        call->shown += (int64_t)yyjson_arr_size(kanal_json_at(answer, "items"));
    else if (code == CLI_OK)
        call->action->tell(call, answer);
    yyjson_doc_free(document);
    kanal_buffer_release(&body);
    return code;
}

static int ask(struct call *call)
{
    int code = client_open(&call->client, &call->client_options, call->command);
    if (code == CLI_OK)
        code = ask_once(call);
    while (code == CLI_OK && call->before[0] != '\0' && (call->limit == 0 || call->shown < call->limit))
        code = ask_once(call);
    client_close(&call->client);
    if (code == CLI_OK && call->action->is_change && !call->with_json) {
        printf("%lld %s\n", (long long)call->done,
               strcmp(call->action->name, "drop") == 0 ? "dropped" : "given as commands again");
        if (call->refused > 0)
            printf("%lld left where they are: expired, or no commands (`kanal dead show` tells)\n",
                   (long long)call->refused);
    }
    return code == CLI_OK && fflush(stdout) != 0 ? CLI_FAILED : code;
}

/* ---- The words of the call ---- */

static int confirm(const struct call *call)
{
    char answer[16] = "";
    if (call->is_yes || !call->is_all)
        return CLI_OK;
    if (!isatty(STDIN_FILENO))
        return cli_usage(call->command, "--all asks first; in a script say --yes");
    fprintf(stderr, "%s every dead letter%s%s%s%s? [y/N] ", call->action->name, call->channel ? " of " : "",
            call->channel ? call->channel : "", call->code ? " with code " : "",
            call->code ? call->code : "");
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return CLI_OK;
    fprintf(stderr, "nothing was done\n");
    return CLI_FAILED;
}

static int check_words(const struct call *call)
{
    int has_filter = call->channel || call->code || call->from_ms || call->until_ms;
    const struct action *action = call->action;
    if (!action->needs_ids && call->id_count > 0)
        return cli_usage(call->command, "unexpected argument '%s'", call->ids[0]);
    if (action->needs_ids && call->id_count == 0 && !(action->is_change && call->is_all))
        return cli_usage(call->command,
                         action->is_change ? "name dead letters by ID, or say --all" : "ID is missing");
    if (!action->is_change && (call->is_all || call->is_yes))
        return cli_usage(call->command, "--all and --yes are for replay and drop");
    if (!action->is_change && action->needs_ids && call->id_count > 1)
        return cli_usage(call->command, "unexpected argument '%s'", call->ids[1]);
    if (call->id_count > IDS_MAX)
        return cli_usage(call->command, "at most %d IDs at once", IDS_MAX);
    if (call->id_count > 0 && (call->is_all || has_filter))
        return cli_usage(call->command, "either IDs, or --all with --channel, --code, --from and --until");
    if (has_filter && !action->has_filter)
        return cli_usage(call->command, "show takes an ID and no filter");
    if (call->limit > 0 && action->tell != tell_list)
        return cli_usage(call->command, "--limit is for list");
    return CLI_OK;
}

static int run_action(struct call *call, char **arguments, int count)
{
    for (size_t i = 0; count > 0 && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(actions[i].name, arguments[0]) == 0)
            call->action = &actions[i];
    if (!call->action)
        return cli_usage(call->command, "expected list, show, replay or drop%s%s",
                         count > 0 ? ", found " : "", count > 0 ? arguments[0] : "");
    call->ids = arguments + 1;
    call->id_count = count - 1;
    int code = check_words(call);
    if (code == CLI_OK)
        code = confirm(call);
    if (code != CLI_OK)
        return code;
    /* What fails again meanwhile is another letter, and no part of this. */
    if (call->is_all && call->until_ms == 0)
        call->until_ms = client_unix_ms();
    return ask(call);
}

static int read_option(struct call *call, int option, const char *value)
{
    int64_t *time = option == OPTION_FROM ? &call->from_ms : &call->until_ms;
    switch (option) {
    case OPTION_CHANNEL:
        call->channel = value;
        return CLI_OK;
    case OPTION_CODE:
        call->code = value;
        return CLI_OK;
    case OPTION_FROM:
    case OPTION_UNTIL:
        return request_time(call->command, value, time);
    case OPTION_LIMIT:
        return kanal_str_int(kanal_str_c(value), &call->limit) == 0 && call->limit > 0
                   ? CLI_OK
                   : cli_usage(call->command, "--limit: expected a number from 1, found '%s'", value);
    case OPTION_ALL:
        call->is_all = 1;
        return CLI_OK;
    case OPTION_YES:
        call->is_yes = 1;
        return CLI_OK;
    case OPTION_JSON:
        call->with_json = 1;
        return CLI_OK;
    default:
        break;
    }
    int taken = client_option(&call->client_options, option, value);
    return taken > 0 ? CLI_OK : cli_usage(call->command, taken < 0 ? "too many servers" : "unknown option");
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct call call = { .command = command };
    for (int option; (option = getopt_long(argc, argv, CLIENT_SHORT, long_options, NULL)) != -1;) {
        if (option == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        int code = read_option(&call, option, optarg);
        if (code != CLI_OK)
            return code;
    }
    return run_action(&call, argv + optind, argc - optind);
}

const struct cli_command command_dead = {
    .name = "dead",
    .arguments = "list [OPTION …]\n       kanal dead show ID [OPTION …]\n       "
                 "kanal dead replay|drop ID …|--all [OPTION …]",
    .summary = "Shows the commands that could not be carried out; gives them again, or drops them.",
    .help = "  list             the newest first, without their content\n"
            "  show             one with its command and the reason\n"
            "  replay           the command is stored again, then the dead letter is taken out; parts that "
            "were sent "
            "are not sent again\n"
            "  drop             erases them\n"
            "      --all            every one that the filters below let through, the oldest first\n"
            "      --yes            does not ask whether --all is meant\n"
            "      --channel ID     only of this channel; _ is for those of none\n"
            "      --code CODE      only with this error code\n"
            "      --from WHEN      only since then: 2h (ago), or a time (2026-11-21T20:00:00Z)\n"
            "      --until WHEN     only up to then\n"
            "      --limit N        of list: so many at most\n"
            "      --json           the gateway's answers as they are, a line each\n\n" CLIENT_HELP "\n"
            "An expired command is not replayed: give it again under a new id. One that ended as `unknown` "
            "may have "
            "arrived.\n"
            "The user needs PREFIX.api.dead-* and an inbox at the broker.\n"
            "Exit code 0: done; 1: refused or not found; 2: wrong words; 4: no gateway; 5: no answer.\n",
    .run = run,
};
