/* `kanal plan`: what a customer would see of a message, asked of a running gateway. Nothing is sent. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/draft.h"
#include "cli/request.h"
#include "kanal/sdk/json.h"

#define WAIT_MS 10000
#define STEPS_MAX 8u /* as the contract allows */

enum {
    OPTION_CHANNEL = CLIENT_OPTION_OWN,
    OPTION_BUTTON,
    OPTION_IMAGE,
    OPTION_VIDEO,
    OPTION_AUDIO,
    OPTION_FILE,
    OPTION_COMMAND,
    OPTION_JSON
};

static const struct option long_options[] = { { "channel", required_argument, NULL, OPTION_CHANNEL },
                                              { "button", required_argument, NULL, OPTION_BUTTON },
                                              { "image", required_argument, NULL, OPTION_IMAGE },
                                              { "video", required_argument, NULL, OPTION_VIDEO },
                                              { "audio", required_argument, NULL, OPTION_AUDIO },
                                              { "file", required_argument, NULL, OPTION_FILE },
                                              { "command", required_argument, NULL, OPTION_COMMAND },
                                              { "json", no_argument, NULL, OPTION_JSON },
                                              CLIENT_LONG };

struct call {
    const struct cli_command *command;
    struct client_options client_options;
    struct client client;
    struct draft_words words;
    struct draft draft;
    const char *channels[STEPS_MAX], *path; /* path: of a whole command */
    size_t channel_count;
    int with_json;
};

/* ---- What is printed ---- */

static void print_lines(kanal_str text, const char *indent)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t length = end ? (size_t)(end - text.ptr) : text.len;
        printf("%s", length > 0 ? indent : "");
        request_print(kanal_str_of(text.ptr, length));
        printf("\n");
        text = kanal_str_from(text, length + 1);
    }
}

static void tell_choice(yyjson_val *item)
{
    size_t index, max;
    yyjson_val *option, *options = kanal_json_at(item, "options");
    printf("        ");
    if (yyjson_is_arr(options))
        yyjson_arr_foreach (options, index, max, option) {
            printf("[ ");
            request_print(kanal_json_text_at(option, "text"));
            printf(" ] ");
        }
    printf("\n");
}

static void tell_item(yyjson_val *item)
{
    static const char *const words[] = { "title", "text", "caption", "url", "name", NULL };
    kanal_str type = kanal_json_text_at(item, "type");
    if (!kanal_str_is(type, "text")) {
        printf("        (");
        request_print(type);
        printf(")\n");
    }
    for (const char *const *word = words; *word; word++)
        print_lines(kanal_json_text_at(item, *word), "        ");
    if (kanal_json_at(item, "options"))
        tell_choice(item);
}

static void tell_part(yyjson_val *part, size_t number)
{
    size_t index, max;
    yyjson_val *item, *content = kanal_json_at(part, "content");
    long long segments = (long long)kanal_json_int_at(part, "segments", 0);
    printf("    message %zu, %lld characters", number, (long long)kanal_json_int_at(part, "characters", 0));
    if (segments > 0) {
        printf(", %lld segment%s in ", segments, segments == 1 ? "" : "s");
        request_print(kanal_json_text_at(part, "encoding"));
    }
    printf("\n");
    if (yyjson_is_arr(content))
        yyjson_arr_foreach (content, index, max, item)
            tell_item(item);
}

static void tell_loss(yyjson_val *loss)
{
    printf("    lost: content/%lld ", (long long)kanal_json_int_at(loss, "index", 0));
    request_print(kanal_json_text_at(loss, "type"));
    printf(", ");
    request_print(kanal_json_text_at(loss, "change"));
    printf(": ");
    request_print(kanal_json_text_at(loss, "detail"));
    printf("\n");
}

/* Where in the order it stands, and why. */
static void tell_reasons(yyjson_val *channel)
{
    yyjson_val *why = kanal_json_at(channel, "why"), *line;
    kanal_str after = kanal_json_text_at(channel, "after");
    long long step = (long long)kanal_json_int_at(channel, "step", 0);
    size_t index, max;
    if (step > 0)
        printf("    step %lld", step);
    if (step > 0 && after.len > 0) {
        printf(", after ");
        request_print(after);
    }
    printf("%s", step > 0 ? "\n" : "");
    if (yyjson_is_arr(why))
        yyjson_arr_foreach (why, index, max, line) {
            printf("    why: ");
            request_print(kanal_json_text(line));
            printf("\n");
        }
}

static void tell_channel(yyjson_val *channel)
{
    yyjson_val *parts = kanal_json_at(channel, "parts"), *losses = kanal_json_at(channel, "losses"), *item;
    yyjson_val *error = kanal_json_at(channel, "error");
    size_t index, max;
    request_print(kanal_json_text_at(channel, "channel"));
    printf("  ");
    request_print(kanal_json_text_at(channel, "plugin"));
    printf("%s\n", kanal_json_bool_at(channel, "chosen") ? "  (it would go here)" : "");
    if (error) {
        printf("    not possible: ");
        request_print(kanal_json_text_at(error, "code"));
        printf(": ");
        request_print(kanal_json_text_at(error, "detail"));
        printf("\n");
    }
    if (yyjson_is_arr(parts))
        yyjson_arr_foreach (parts, index, max, item)
            tell_part(item, index + 1);
    if (yyjson_is_arr(losses))
        yyjson_arr_foreach (losses, index, max, item)
            tell_loss(item);
    tell_reasons(channel);
}

/* CLI_OK if at least one channel can. */
static int tell(const struct call *call, yyjson_val *answer)
{
    yyjson_val *channels = kanal_json_at(answer, "channels"), *channel;
    size_t index, max, possible = 0;
    if (yyjson_is_arr(channels))
        yyjson_arr_foreach (channels, index, max, channel) {
            possible += kanal_json_bool_at(channel, "possible") != 0;
            if (!call->with_json)
                tell_channel(channel);
        }
    if (possible == 0)
        fprintf(stderr, "kanal plan: no channel can do it\n");
    return possible > 0 && fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

/* ---- What is asked ---- */

/* The channels that were named become the route's steps. */
static int add_steps(struct call *call)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    size_t index, max;
    yyjson_val *key, *value;
    yyjson_doc *document = kanal_json_parse(kanal_buffer_view(&call->draft.json));
    if (call->channel_count == 0 || !yyjson_is_obj(yyjson_doc_get_root(document))) {
        yyjson_doc_free(document);
        return CLI_OK;
    }
    kanal_json_init(&json, &out);
    kanal_json_object(&json);
    yyjson_obj_foreach (yyjson_doc_get_root(document), index, max, key, value) {
        if (kanal_str_is(kanal_json_text(key), "route"))
            continue;
        kanal_json_key_str(&json, kanal_json_text(key));
        kanal_json_value(&json, value);
    }
    kanal_json_key(&json, "route");
    kanal_json_object(&json);
    kanal_json_key(&json, "steps");
    kanal_json_array(&json);
    for (size_t i = 0; i < call->channel_count; i++) {
        kanal_json_object(&json);
        kanal_json_member_text(&json, "channel", call->channels[i]);
        kanal_json_object_end(&json);
    }
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    yyjson_doc_free(document);
    kanal_buffer_release(&call->draft.json);
    call->draft.json = out;
    return out.failed ? CLI_FAILED : CLI_OK;
}

static int read_file(const struct call *call, struct kanal_buffer *out)
{
    int is_stdin = strcmp(call->path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(call->path, "re");
    size_t n = 1;
    while (file && n > 0 && out->len <= DRAFT_BYTES && kanal_buffer_reserve(out, 65536) == 0) {
        n = fread(out->data + out->len, 1, 65536, file);
        out->len += n;
    }
    int code = file && !ferror(file) && !out->failed ? CLI_OK : CLI_FAILED;
    if (code != CLI_OK)
        fprintf(stderr, "kanal plan: cannot read %s: %s\n", call->path, strerror(errno));
    if (file && !is_stdin)
        fclose(file);
    return code;
}

static int make_draft(struct call *call)
{
    struct kanal_buffer error = { 0 }, input = { 0 };
    int code = call->path ? read_file(call, &input) : CLI_OK;
    if (code == CLI_OK &&
        (call->path ? draft_read(&call->draft, kanal_buffer_view(&input), &call->words, &error)
                    : draft_make(&call->draft, &call->words, &error)) != 0)
        code = CLI_USAGE;
    if (code == CLI_USAGE)
        fprintf(stderr, "kanal plan: %.*s", (int)error.len, error.data ? error.data : "no memory\n");
    if (code == CLI_OK)
        code = add_steps(call);
    kanal_buffer_release(&error);
    kanal_buffer_release(&input);
    return code;
}

static int ask(struct call *call)
{
    struct request request = { call->command, &call->client, WAIT_MS, call->with_json };
    yyjson_doc *document = NULL;
    int code = make_draft(call);
    if (code == CLI_OK)
        code = client_open(&call->client, &call->client_options, call->command);
    if (code == CLI_OK)
        code = request_send(&request, "message-plan", kanal_buffer_view(&call->draft.json), &document);
    if (code == CLI_OK)
        code = tell(call, yyjson_doc_get_root(document));
    yyjson_doc_free(document);
    client_close(&call->client);
    draft_release(&call->draft);
    return code;
}

/* ---- The words of the call ---- */

static int read_arguments(struct call *call, char **arguments, int count)
{
    struct draft_words *w = &call->words;
    if (call->path) {
        if (count > 0)
            return cli_usage(call->command, "unexpected argument '%s' beside --command", arguments[0]);
        return w->button_count + w->media_count > 0
                   ? cli_usage(call->command,
                               "--command is a whole command: of the others only --channel goes with it")
                   : ask(call);
    }
    if (count < 1 || (count < 2 && w->media_count == 0))
        return cli_usage(call->command, count < 1 ? "ADDRESS is missing" : "TEXT is missing");
    if (count > 2)
        return cli_usage(call->command, "unexpected argument '%s' (is TEXT quoted?)", arguments[2]);
    w->address = arguments[0];
    w->text = count > 1 ? arguments[1] : NULL;
    return ask(call);
}

/* The media's type, or NULL. */
static const char *media_type(int option)
{
    return option == OPTION_IMAGE   ? "image"
           : option == OPTION_VIDEO ? "video"
           : option == OPTION_AUDIO ? "audio"
           : option == OPTION_FILE  ? "file"
                                    : NULL;
}

static int read_option(struct call *call, int option, const char *value)
{
    struct draft_words *w = &call->words;
    if (option == OPTION_JSON)
        call->with_json = 1;
    else if (option == OPTION_COMMAND)
        call->path = value;
    else if (option == OPTION_CHANNEL && call->channel_count < STEPS_MAX)
        call->channels[call->channel_count++] = value;
    else if (option == OPTION_BUTTON && w->button_count < DRAFT_LIST)
        w->buttons[w->button_count++] = value;
    else if (media_type(option) && w->media_count < DRAFT_LIST)
        w->media[w->media_count++] = (struct draft_media){ media_type(option), value };
    else if (option >= CLIENT_OPTION_OWN)
        return cli_usage(call->command, "too many of one option");
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
    return read_arguments(&call, argv + optind, argc - optind);
}

const struct cli_command command_plan = {
    .name = "plan",
    .arguments = "[OPTION …] ADDRESS TEXT\n       kanal plan [OPTION …] --command FILE",
    .summary =
        "Shows what a customer would see of a message on each channel, and what is lost; sends nothing.",
    .help =
        "  ADDRESS              telegram:3527065, tel:+79161234567; c_… is a customer: channels in the order "
        "in "
        "which they would be tried\n"
        "      --channel ID     on this channel; may be repeated. Without: those of this kind of address, "
        "else all\n"
        "      --button B       a button: TEXT or TEXT=PAYLOAD; may be repeated\n"
        "      --image URL      a picture; --video URL, --audio URL and --file URL likewise; TEXT is "
        "then its caption\n"
        "      --command FILE   a whole message.send as JSON; - is standard input\n"
        "      --json           the gateway's answer as it is\n\n" CLIENT_HELP "\n"
        "The user needs PREFIX.api.message-plan and an inbox at the broker.\n"
        "Exit code 0: at least one channel can; 1: none can, or the message is wrong; 2: wrong words; 4: no "
        "gateway; 5: no answer.\n",
    .run = run,
};
