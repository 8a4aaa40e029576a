/* `kanal link`: hand-off links, as a text, as a QR code in the terminal and as a picture. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/request.h"
#include "config/duration.h"
#include "event/ids.h"
#include "handoff/qr.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/time.h"

#define WAIT_MS 10000
#define CONTEXT_MAX 32u /* as the contract says */

enum {
    OPTION_CUSTOMER = CLIENT_OPTION_OWN,
    OPTION_CONVERSATION,
    OPTION_CONTEXT,
    OPTION_EXPIRES,
    OPTION_REUSABLE,
    OPTION_TEXT,
    OPTION_ID,
    OPTION_QR,
    OPTION_NO_QR,
    OPTION_JSON
};

static const struct option long_options[] = { { "customer", required_argument, NULL, OPTION_CUSTOMER },
                                              { "conversation", required_argument, NULL,
                                                OPTION_CONVERSATION },
                                              { "context", required_argument, NULL, OPTION_CONTEXT },
                                              { "expires", required_argument, NULL, OPTION_EXPIRES },
                                              { "reusable", no_argument, NULL, OPTION_REUSABLE },
                                              { "text", required_argument, NULL, OPTION_TEXT },
                                              { "id", required_argument, NULL, OPTION_ID },
                                              { "qr", required_argument, NULL, OPTION_QR },
                                              { "no-qr", no_argument, NULL, OPTION_NO_QR },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

struct call {
    const struct cli_command *command;
    struct client_options client_options;
    struct client client;
    const char *channel, *customer, *conversation, *text, *id, *qr_path;
    const char *context[CONTEXT_MAX]; /* KEY=VALUE, or one JSON object */
    size_t context_count;
    int64_t expires_ms; /* 0: not given */
    int is_reusable, no_qr, with_json;
};

/* ---- The command ---- */

static void write_context(const struct call *call, struct kanal_json *json)
{
    if (call->context_count == 0)
        return;
    kanal_json_key(json, "context");
    if (call->context[0][0] == '{') { /* read before */
        kanal_json_raw(json, kanal_str_c(call->context[0]));
        return;
    }
    kanal_json_object(json);
    for (size_t i = 0; i < call->context_count; i++) {
        const char *equals = strchr(call->context[i], '=');
        kanal_json_key_str(json, kanal_str_of(call->context[i], (size_t)(equals - call->context[i])));
        kanal_json_str(json, kanal_str_c(equals + 1));
    }
    kanal_json_object_end(json);
}

static void write_id(const struct call *call, struct kanal_json *json)
{
    struct id random = { "" };
    if (!call->id)
        ids_random("s_", &random); /* without entropy: no id, which is refused */
    kanal_json_member_text(json, "id", call->id ? call->id : random.text);
}

static void write_command(const struct call *call, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    write_id(call, &json);
    kanal_json_member_text(&json, "channel", call->channel);
    kanal_json_member_str(&json, "customer", kanal_str_c(call->customer));
    kanal_json_member_str(&json, "conversation", kanal_str_c(call->conversation));
    kanal_json_member_str(&json, "text", kanal_str_c(call->text));
    if (call->is_reusable)
        kanal_json_member_bool(&json, "single_use", 0);
    if (call->expires_ms > 0)
        kanal_json_member_time(&json, "expires", call->expires_ms);
    write_context(call, &json);
    kanal_json_object_end(&json);
}

/* ---- What is printed ---- */

static int write_file(const struct call *call, kanal_str url)
{
    struct kanal_buffer picture = { 0 };
    size_t len = strlen(call->qr_path);
    int is_svg = len > 4 && strcmp(call->qr_path + len - 4, ".svg") == 0;
    int status = is_svg ? qr_svg(url, &picture) : qr_png(url, &picture);
    FILE *file = status == 0 ? fopen(call->qr_path, "wbe") : NULL;
    int written = file && fwrite(picture.data, 1, picture.len, file) == picture.len;
    if (file && fclose(file) != 0)
        written = 0;
    if (!written)
        fprintf(stderr, "kanal link: cannot write %s: %s\n", call->qr_path,
                status != 0 ? "the link is too long for a QR code" : strerror(errno));
    kanal_buffer_release(&picture);
    return written ? CLI_OK : CLI_FAILED;
}

static int tell(const struct call *call, yyjson_val *answer)
{
    kanal_str url = kanal_json_text_at(answer, "url");
    struct kanal_buffer code = { 0 };
    if (!call->with_json) {
        request_print(url);
        printf("\n");
        fprintf(stderr, "works until ");
        kanal_str expires = kanal_json_text_at(answer, "expires");
        fprintf(stderr, "%.*s%s\n", (int)expires.len, expires.ptr ? expires.ptr : "",
                call->is_reusable ? "" : ", once");
    }
    if (!call->with_json && !call->no_qr && !call->qr_path && isatty(STDOUT_FILENO) &&
        qr_terminal(url, &code) == 0)
        printf("%.*s", (int)code.len, code.data);
    kanal_buffer_release(&code);
    return call->qr_path ? write_file(call, url) : CLI_OK;
}

static int create(struct call *call)
{
    struct request request = { call->command, &call->client, WAIT_MS, call->with_json };
    struct kanal_buffer body = { 0 };
    yyjson_doc *document = NULL;
    int code = client_open(&call->client, &call->client_options, call->command);
    write_command(call, &body);
    if (code == CLI_OK)
        code = request_send(&request, "link-create", kanal_buffer_view(&body), &document);
    if (code == CLI_OK)
        code = tell(call, yyjson_doc_get_root(document));
    yyjson_doc_free(document);
    client_close(&call->client);
    kanal_buffer_release(&body);
    return code;
}

/* ---- The words of the call ---- */

static int read_context(struct call *call, const char *value)
{
    if (value[0] == '{') {
        yyjson_doc *document = kanal_json_parse(kanal_str_c(value));
        int is_json = yyjson_is_obj(yyjson_doc_get_root(document));
        yyjson_doc_free(document);
        if (!is_json)
            return cli_usage(call->command, "--context: this is no JSON object: %s", value);
    } else if (!strchr(value, '=') || value[0] == '=') {
        return cli_usage(call->command, "--context: expected KEY=VALUE or a JSON object, found '%s'", value);
    }
    if (call->context_count >= CONTEXT_MAX ||
        (call->context_count > 0 && (value[0] == '{' || call->context[0][0] == '{')))
        return cli_usage(call->command, "--context: either one JSON object, or at most 32 of KEY=VALUE");
    call->context[call->context_count++] = value;
    return CLI_OK;
}

static int read_expires(struct call *call, const char *value)
{
    int64_t in_ms = 0;
    if (kanal_time_parse_rfc3339(kanal_str_c(value), &call->expires_ms) == 0)
        return CLI_OK;
    if (config_duration_parse(kanal_str_c(value), &in_ms) != 0 || in_ms <= 0 ||
        in_ms > INT64_C(100) * 366 * 86400000)
        return cli_usage(
            call->command,
            "--expires: expected a duration such as 7d, or a time such as 2026-11-28T00:00:00Z, found '%s'",
            value);
    call->expires_ms = client_unix_ms() + in_ms;
    return CLI_OK;
}

static int read_qr(struct call *call, const char *value)
{
    size_t len = strlen(value);
    if (len < 5 || (strcmp(value + len - 4, ".svg") != 0 && strcmp(value + len - 4, ".png") != 0))
        return cli_usage(call->command, "--qr: expected a file name that ends in .svg or .png, found '%s'",
                         value);
    call->qr_path = value;
    return CLI_OK;
}

static int read_option(struct call *call, int option, const char *value)
{
    const char **const texts[] = { [OPTION_CUSTOMER - CLIENT_OPTION_OWN] = &call->customer,
                                   [OPTION_CONVERSATION - CLIENT_OPTION_OWN] = &call->conversation,
                                   [OPTION_TEXT - CLIENT_OPTION_OWN] = &call->text,
                                   [OPTION_ID - CLIENT_OPTION_OWN] = &call->id };
    size_t index = (size_t)option - CLIENT_OPTION_OWN;
    if (option == OPTION_CONTEXT)
        return read_context(call, value);
    if (option == OPTION_EXPIRES)
        return read_expires(call, value);
    if (option == OPTION_QR)
        return read_qr(call, value);
    if (option == OPTION_REUSABLE)
        call->is_reusable = 1;
    else if (option == OPTION_NO_QR)
        call->no_qr = 1;
    else if (option == OPTION_JSON)
        call->with_json = 1;
    else if (option >= CLIENT_OPTION_OWN && index < sizeof texts / sizeof *texts && texts[index])
        *texts[index] = value;
    else if (client_option(&call->client_options, option, value) <= 0)
        return cli_usage(call->command, "unknown option, or too many servers");
    return CLI_OK;
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
    if (optind >= argc || strcmp(argv[optind], "create") != 0)
        return cli_usage(command, optind < argc ? "unknown action '%s'" : "an action is missing%s",
                         optind < argc ? argv[optind] : "");
    if (argc - optind != 2)
        return cli_usage(command, argc - optind < 2 ? "CHANNEL is missing%s" : "unexpected argument '%s'",
                         argc - optind < 2 ? "" : argv[optind + 2]);
    call.channel = argv[optind + 1];
    return create(&call);
}

const struct cli_command command_link = {
    .name = "link",
    .arguments = "create [OPTION …] CHANNEL",
    .summary = "Makes a link, also as a QR code, that brings a customer to a channel.",
    .help = "  CHANNEL                the link opens a chat there\n"
            "      --customer ID      c_…: whoever follows it is this person; it works once\n"
            "      --conversation ID  v_…: goes on there, with --customer\n"
            "      --context C        KEY=VALUE, may be repeated, or one JSON object: given back in "
            "conversation.started\n"
            "      --expires T        7d (from now), or a time; 7 days\n"
            "      --reusable         works any number of times: for a poster; not with --customer\n"
            "      --text TEXT        what the customer sends on arrival, where the channel needs a text\n"
            "      --id ID            the command's id: the same again is the same link\n"
            "      --qr FILE          writes the QR code there: .svg or .png\n"
            "      --no-qr            shows none in the terminal\n"
            "      --json             the gateway's answer as it is\n\n" CLIENT_HELP "\n"
            "The user needs PREFIX.api.link-create and an inbox at the broker.\n"
            "Exit code 0: the link is on stdout; 1: it cannot be made; 2: wrong words; 4: no gateway; 5: no "
            "answer.\n",
    .run = run,
};
