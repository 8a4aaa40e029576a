/* `kanal send`, its words: options, arguments, a text or a command from a file. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "cli/send_inside.h"
#include "config/duration.h"
#include "event/address.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"

enum {
    OPTION_JSON = CLIENT_OPTION_OWN,
    OPTION_VERB,
    OPTION_ID,
    OPTION_CHAT,
    OPTION_BUTTON,
    OPTION_IMAGE,
    OPTION_VIDEO,
    OPTION_AUDIO,
    OPTION_FILE,
    OPTION_REPLY_TO,
    OPTION_REFERENCE,
    OPTION_EXPIRES,
    OPTION_WAIT,
    OPTION_NO_WAIT,
    OPTION_UNTIL,
    OPTION_NO_CHECK,
    OPTION_OUTPUT
};

static const struct option long_options[] = { { "json", required_argument, NULL, OPTION_JSON },
                                              { "verb", required_argument, NULL, OPTION_VERB },
                                              { "id", required_argument, NULL, OPTION_ID },
                                              { "chat", required_argument, NULL, OPTION_CHAT },
                                              { "button", required_argument, NULL, OPTION_BUTTON },
                                              { "image", required_argument, NULL, OPTION_IMAGE },
                                              { "video", required_argument, NULL, OPTION_VIDEO },
                                              { "audio", required_argument, NULL, OPTION_AUDIO },
                                              { "file", required_argument, NULL, OPTION_FILE },
                                              { "reply-to", required_argument, NULL, OPTION_REPLY_TO },
                                              { "reference", required_argument, NULL, OPTION_REFERENCE },
                                              { "expires", required_argument, NULL, OPTION_EXPIRES },
                                              { "wait", optional_argument, NULL, OPTION_WAIT },
                                              { "no-wait", no_argument, NULL, OPTION_NO_WAIT },
                                              { "until", required_argument, NULL, OPTION_UNTIL },
                                              { "no-check", no_argument, NULL, OPTION_NO_CHECK },
                                              { "output", required_argument, NULL, OPTION_OUTPUT },
                                              CLIENT_LONG };

static int read_expires(struct send *s, const char *value)
{
    int64_t in_ms;

    if (kanal_time_parse_rfc3339(kanal_str_c(value), &s->options.words.expires_ms) == 0)
        return CLI_OK;
    if (config_duration_parse(kanal_str_c(value), &in_ms) != 0 || in_ms > INT64_C(100) * 366 * 86400000)
        return cli_usage(
            s->cli,
            "--expires: expected a duration such as 10m, or a time such as 2026-11-21T20:00:00Z; found '%s'",
            value);
    s->options.words.expires_ms = client_unix_ms() + in_ms;
    return CLI_OK;
}

/* Seconds, or a duration with its unit. */
static int read_wait(struct send *s, const char *value)
{
    int64_t seconds;

    s->options.wait_ms = WAIT_MS;
    if (!value)
        return CLI_OK;
    if (kanal_str_int(kanal_str_c(value), &seconds) == 0 && seconds > 0 && seconds < 1000000) {
        s->options.wait_ms = seconds * 1000;
        return CLI_OK;
    }
    if (config_duration_parse(kanal_str_c(value), &s->options.wait_ms) == 0 && s->options.wait_ms > 0)
        return CLI_OK;
    return cli_usage(s->cli, "--wait: expected seconds, or a duration such as 2m; found '%s'", value);
}

static int read_until(struct send *s, const char *value)
{
    static const char *const names[] = {
        [OUTCOME_SENT] = "sent", [OUTCOME_DELIVERED] = "delivered", [OUTCOME_READ] = "read"
    };

    for (size_t i = OUTCOME_SENT; i <= OUTCOME_READ; i++)
        if (strcmp(names[i], value) == 0) {
            s->options.until = (enum outcome_level)i;
            return CLI_OK;
        }
    return cli_usage(s->cli, "--until: expected sent, delivered or read, found '%s'", value);
}

static int add_media(struct send *s, const char *type, const char *url)
{
    struct draft_words *w = &s->options.words;

    if (w->media_count == DRAFT_LIST)
        return cli_usage(s->cli, "--%s: at most %u media", type, DRAFT_LIST);
    w->media[w->media_count++] = (struct draft_media){ type, url };
    return CLI_OK;
}

static int add_button(struct send *s, const char *button)
{
    struct draft_words *w = &s->options.words;

    if (w->button_count == DRAFT_LIST)
        return cli_usage(s->cli, "--button: at most %u of them", DRAFT_LIST);
    if (button[0] == '\0' || button[0] == '=')
        return cli_usage(s->cli, "--button: expected TEXT or TEXT=PAYLOAD, found '%s'", button);
    w->buttons[w->button_count++] = button;
    return CLI_OK;
}

/* Options that are one word of the command; NULL: it is none. */
static const char **word_option(struct send_options *o, int c)
{
    switch (c) {
    case OPTION_JSON:
        return &o->json_path;
    case OPTION_VERB:
        return &o->words.verb;
    case OPTION_ID:
        return &o->words.id;
    case OPTION_CHAT:
        return &o->words.chat;
    case OPTION_REPLY_TO:
        return &o->words.reply_to;
    case OPTION_REFERENCE:
        return &o->words.reference;
    default:
        return NULL;
    }
}

static int read_option(struct send *s, int c, const char *value)
{
    struct send_options *o = &s->options;
    const char **word = word_option(o, c);

    if (word) {
        *word = value;
        return CLI_OK;
    }
    switch (c) {
    case OPTION_BUTTON:
        return add_button(s, value);
    case OPTION_IMAGE:
        return add_media(s, "image", value);
    case OPTION_VIDEO:
        return add_media(s, "video", value);
    case OPTION_AUDIO:
        return add_media(s, "audio", value);
    case OPTION_FILE:
        return add_media(s, "file", value);
    case OPTION_EXPIRES:
        return read_expires(s, value);
    case OPTION_WAIT:
        return read_wait(s, value);
    case OPTION_NO_WAIT:
        o->wait_ms = 0;
        return CLI_OK;
    case OPTION_UNTIL:
        return read_until(s, value);
    case OPTION_NO_CHECK:
        o->unchecked = 1;
        return CLI_OK;
    case OPTION_OUTPUT:
        o->output_json = strcmp(value, "json") == 0;
        if (!o->output_json && strcmp(value, "text") != 0)
            return cli_usage(s->cli, "--output: expected text or json, found '%s'", value);
        return CLI_OK;
    default:
        if (client_option(&o->client, c, value) < 0)
            return cli_usage(s->cli, "--server: at most %u of them", CLIENT_SERVERS);
        return c == '?' ? cli_usage(s->cli, "unknown option") : CLI_OK;
    }
}

/* ---- Texts and files ---- */

static int read_all(struct send *s, FILE *file, const char *name)
{
    while (s->input.len <= DRAFT_BYTES && kanal_buffer_reserve(&s->input, 65536) == 0) {
        size_t n = fread(s->input.data + s->input.len, 1, 65535, file);

        s->input.len += n;
        if (n == 0)
            break;
    }
    if (!ferror(file))
        return CLI_OK;
    fprintf(stderr, "kanal send: cannot read %s: %s\n", name, strerror(errno));
    return CLI_FAILED;
}

static int read_file(struct send *s, const char *path)
{
    int is_stdin = strcmp(path, "-") == 0, code;
    FILE *file = is_stdin ? stdin : fopen(path, "re");

    if (!file) {
        fprintf(stderr, "kanal send: cannot read %s: %s\n", path, strerror(errno));
        return CLI_FAILED;
    }
    code = read_all(s, file, path);
    if (!is_stdin)
        fclose(file);
    return code;
}

/* TEXT; "-" is standard input, without its last line break. */
static int read_text(struct send *s, const char *argument)
{
    int code = CLI_OK;

    s->options.words.text = argument;
    if (strcmp(argument, "-") != 0)
        return CLI_OK;
    code = read_file(s, "-");
    if (code == CLI_OK && s->input.len > 0 && memchr(s->input.data, '\0', s->input.len))
        code = cli_usage(s->cli, "a text holds no NUL");
    if (s->input.len > 0 && s->input.data[s->input.len - 1] == '\n')
        s->input.len--;
    kanal_buffer_byte(&s->input, '\0');
    s->options.words.text = s->input.data;
    return code;
}

static int read_arguments(struct send *s, char **arguments, int count)
{
    struct send_options *o = &s->options;
    int places = o->json_path ? 1 : o->words.chat ? 2 : 3, has_media = o->words.media_count > 0;

    if (count == 0)
        return cli_usage(s->cli, "CHANNEL is missing");
    s->channel = arguments[0];
    if (!channel_id_valid(kanal_str_c(s->channel)) && strcmp(s->channel, "any") != 0)
        return cli_usage(s->cli, "'%s' cannot be a channel's id", s->channel);
    if (count > places)
        return cli_usage(s->cli, "unexpected argument '%s'%s", arguments[places],
                         o->json_path  ? " beside --json"
                         : places == 3 ? " (is TEXT quoted?)"
                                       : "");
    if (o->json_path && (has_media || o->words.button_count > 0 || o->words.chat || o->words.reply_to ||
                         o->words.reference || o->words.expires_ms))
        return cli_usage(s->cli, "--json is a whole command: of the others only --verb and --id go with it");
    if (o->json_path)
        return read_file(s, o->json_path);
    if (o->words.verb && strcmp(o->words.verb, "message.send") != 0)
        return cli_usage(s->cli, "--verb needs --json: words make only message.send");
    if (!o->words.chat && count < 2)
        return cli_usage(s->cli, "ADDRESS is missing");
    o->words.address = o->words.chat ? NULL : arguments[1];
    if (count == places)
        return read_text(s, arguments[places - 1]);
    return has_media ? CLI_OK : cli_usage(s->cli, "TEXT is missing");
}

int send_read_words(struct send *s, int argc, char **argv, int *ret_help)
{
    int code = CLI_OK;

    *ret_help = 0;
    s->options.wait_ms = -1;
    s->options.until = OUTCOME_SENT;
    for (int c; code == CLI_OK && (c = getopt_long(argc, argv, CLIENT_SHORT, long_options, NULL)) != -1;) {
        if (c == 'h') {
            *ret_help = 1;
            return CLI_OK;
        }
        code = read_option(s, c, optarg);
    }
    return code == CLI_OK ? read_arguments(s, argv + optind, argc - optind) : code;
}
