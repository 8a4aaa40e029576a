/* `kanal log`: what the provider was asked and answered for one message. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/request.h"
#include "kanal/sdk/json.h"

#define LOOK_MS 10000

enum { OPTION_JSON = CLIENT_OPTION_OWN };

static const struct option long_options[] = { { "json", no_argument, NULL, OPTION_JSON }, CLIENT_LONG };

/* A body's lines stay lines; each begins under the entry's text. */
static void tell_text(kanal_str text)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        request_print(kanal_str_of(text.ptr, len));
        text = kanal_str_from(text, len + 1);
        if (text.len > 0)
            printf("\n    ");
    }
    printf("\n");
}

static void tell_entry(yyjson_val *entry)
{
    kanal_str time = kanal_json_text_at(entry, "time"), kind = kanal_json_text_at(entry, "kind");
    request_print(time);
    printf("  part %lld, attempt %lld  ", (long long)kanal_json_int_at(entry, "part", 0),
           (long long)kanal_json_int_at(entry, "attempt", 0));
    request_print(kind);
    printf("%*s  ", kind.len < 7 ? 7 - (int)kind.len : 0, "");
    if (kanal_json_at(entry, "status"))
        printf("%lld  ", (long long)kanal_json_int_at(entry, "status", 0));
    if (kanal_json_at(entry, "duration_ms"))
        printf("%lld ms  ", (long long)kanal_json_int_at(entry, "duration_ms", 0));
    tell_text(kanal_json_text_at(entry, "text"));
}

static int ask(const struct cli_command *command, const struct client_options *options, const char *id,
               int with_json)
{
    struct client client;
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    yyjson_doc *document = NULL;
    yyjson_val *entry;
    size_t index, count;
    int code = client_open(&client, options, command);
    struct request request = { command, &client, LOOK_MS, with_json };
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "id", id);
    kanal_json_object_end(&json);
    if (code == CLI_OK)
        code = request_send(&request, "message-log", kanal_buffer_view(&body), &document);
    yyjson_val *entries = kanal_json_at(yyjson_doc_get_root(document), "entries");
    if (code == CLI_OK && !with_json && yyjson_is_arr(entries)) {
        yyjson_arr_foreach (entries, index, count, entry)
            tell_entry(entry);
    }
    yyjson_doc_free(document);
    kanal_buffer_release(&body);
    client_close(&client);
    return code == CLI_OK && fflush(stdout) != 0 ? CLI_FAILED : code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct client_options options = { 0 };
    int with_json = 0;
    for (int option; (option = getopt_long(argc, argv, CLIENT_SHORT, long_options, NULL)) != -1;) {
        int taken = 0;
        if (option == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (option == OPTION_JSON)
            with_json = 1;
        else if ((taken = client_option(&options, option, optarg)) <= 0)
            return cli_usage(command, taken < 0 ? "too many servers" : "unknown option");
    }
    if (optind == argc)
        return cli_usage(command, "MESSAGE is missing: the id of a command");
    if (argc - optind > 1)
        return cli_usage(command, "unexpected argument '%s'", argv[optind + 1]);
    return ask(command, &options, argv[optind], with_json);
}

const struct cli_command command_log = {
    .name = "log",
    .arguments = "MESSAGE [OPTION …]",
    .summary = "Shows what the provider was asked and answered for a message.",
    .help =
        "  MESSAGE          the id of its command\n"
        "      --json       the gateway's answer as it is\n\n" CLIENT_HELP "\n"
        "Kept of messages that did not go well at once; of all, or of none, as the channel's `log` says; for "
        "retention.log.\n"
        "Secrets are masked, bodies are cut to 2 KiB. The user needs PREFIX.api.message-log and an inbox at "
        "the broker.\n"
        "Exit code 0: shown; 1: nothing is kept of it; 2: wrong words; 4: no gateway; 5: no answer.\n",
    .run = run,
};
