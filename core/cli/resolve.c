/* `kanal resolve`: says what became of a message of which nobody knows. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/request.h"
#include "kanal/sdk/json.h"

#define DECIDE_MS 30000

enum { OPTION_PART = CLIENT_OPTION_OWN, OPTION_JSON };

static const struct option long_options[] = { { "part", required_argument, NULL, OPTION_PART },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

struct wish {
    const char *id, *decision;
    int64_t part; /* 0: whichever waits */
    int with_json;
};

static int ask(const struct cli_command *command, const struct client_options *options,
               const struct wish *wish)
{
    struct client client;
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    yyjson_doc *document = NULL;
    int code = client_open(&client, options, command);
    struct request request = { command, &client, DECIDE_MS, wish->with_json };
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "id", wish->id);
    kanal_json_member_text(&json, "decision", wish->decision);
    if (wish->part > 0)
        kanal_json_member_int(&json, "part", wish->part);
    kanal_json_object_end(&json);
    if (code == CLI_OK)
        code = request_send(&request, "message-resolve", kanal_buffer_view(&body), &document);
    yyjson_val *message = kanal_json_at(yyjson_doc_get_root(document), "message");
    if (code == CLI_OK && !wish->with_json) {
        request_print(kanal_json_text_at(message, "id"));
        if (strcmp(wish->decision, "retry") == 0) {
            printf(" is sent again\n");
        } else {
            printf(" is ");
            request_print(kanal_json_text_at(message, "state"));
            printf("\n");
        }
    }
    yyjson_doc_free(document);
    kanal_buffer_release(&body);
    client_close(&client);
    return code == CLI_OK && fflush(stdout) != 0 ? CLI_FAILED : code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct client_options options = { 0 };
    struct wish wish = { 0 };
    for (int option; (option = getopt_long(argc, argv, CLIENT_SHORT, long_options, NULL)) != -1;) {
        int taken = 0;
        if (option == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (option == OPTION_JSON)
            wish.with_json = 1;
        else if (option == OPTION_PART) {
            if (kanal_str_int(kanal_str_c(optarg), &wish.part) != 0 || wish.part < 1 || wish.part > 10000)
                return cli_usage(command, "--part: '%s' is no number from 1 to 10000", optarg);
        } else if ((taken = client_option(&options, option, optarg)) <= 0) {
            return cli_usage(command, taken < 0 ? "too many servers" : "unknown option");
        }
    }
    if (argc - optind < 2)
        return cli_usage(command, argc == optind ? "MESSAGE is missing: the id of a command"
                                                 : "DECISION is missing: retry, sent or failed");
    if (argc - optind > 2)
        return cli_usage(command, "unexpected argument '%s'", argv[optind + 2]);
    wish.id = argv[optind];
    wish.decision = argv[optind + 1];
    if (strcmp(wish.decision, "retry") != 0 && strcmp(wish.decision, "sent") != 0 &&
        strcmp(wish.decision, "failed") != 0)
        return cli_usage(command, "'%s' is no decision: retry, sent or failed", wish.decision);
    return ask(command, &options, &wish);
}

const struct cli_command command_resolve = {
    .name = "resolve",
    .arguments = "MESSAGE DECISION [OPTION …]",
    .summary = "Decides about a message of which nobody knows whether it arrived.",
    .help = "  MESSAGE          the id of its command\n"
            "  DECISION         retry: send it again; sent: it arrived, its further parts go on; failed: "
            "give up\n"
            "      --part N     only if it is this part that waits\n"
            "      --json       the gateway's answer as it is\n\n" CLIENT_HELP "\n"
            "Such a message (message.unknown) waits for this under on_unknown: ask. One decision counts: a "
            "second, "
            "other one\n"
            "is refused. The user needs PREFIX.api.message-resolve and an inbox at the broker.\n"
            "Exit code 0: decided; 1: nothing of it waits; 2: wrong words; 4: no gateway; 5: no answer.\n",
    .run = run,
};
