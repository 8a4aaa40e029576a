/* `kanal send`: a command to a channel, and what becomes of it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/cli.h"
#include "cli/draft.h"
#include "cli/connect.h"
#include "cli/feed.h"
#include "cli/outcome.h"
#include "cli/terminal.h"
#include "config/duration.h"
#include "event/address.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"

#define WAIT_MS 30000
#define REPEATED_MS (15 * 60000) /* how far back a repeated command's events are looked for */

struct options {
    struct client_options client;
    struct draft_words words;
    const char *json_path;
    int64_t wait_ms; /* 0: not; -1: as the verb needs */
    enum outcome_level until;
    int unchecked, output_json;
};

struct send {
    const struct cli_command *cli;
    struct options options;
    struct client client;
    struct draft command;
    struct kanal_buffer input, error;
    struct outcome outcome;
    const char *channel;
};

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

/* ---- The words of the call ---- */

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
static const char **word_option(struct options *o, int c)
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
    struct options *o = &s->options;
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

/* ---- The command ---- */

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
    struct options *o = &s->options;
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

static int make_command(struct send *s)
{
    const struct options *o = &s->options;
    int r = o->json_path ? draft_read(&s->command, kanal_buffer_view(&s->input), &o->words, &s->error)
                         : draft_make(&s->command, &o->words, &s->error);
    struct kanal_buffer shown = { 0 };
    kanal_str rest;

    if (r == 0 && !o->unchecked)
        r = draft_check(&s->command, &s->error);
    if (r == 0)
        return CLI_OK;
    for (rest = kanal_buffer_view(&s->error); rest.len > 0;) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;

        kanal_buffer_clear(&shown);
        terminal_text(&shown, kanal_str_of(rest.ptr, len));
        fprintf(stderr, "kanal send: %.*s\n", (int)shown.len, shown.data ? shown.data : "");
        rest = kanal_str_from(rest, len + 1);
    }
    kanal_buffer_release(&shown);
    return CLI_USAGE;
}

/* ---- Publishing ---- */

static int publish_failed(struct send *s, natsStatus status, const char *subject, const char *words)
{
    char violation[256];

    client_take_violation(&s->client, violation);
    if (violation[0] != '\0') {
        fprintf(stderr, "kanal send: the broker does not allow it: %s\n", violation);
        return CLI_FAILED;
    }
    if (status == NATS_NO_RESPONDERS) {
        fprintf(stderr,
                "kanal send: no stream at %s takes %s: has a gateway with the prefix '%s' run there?\n",
                s->client.server, subject, s->client.prefix);
        return CLI_FAILED;
    }
    fprintf(stderr, "kanal send: %s: %s%s\n", subject, words ? words : natsStatus_GetText(status),
            status == NATS_TIMEOUT
                ? "; it may have been stored: send it again with the same --id, and it counts once"
                : "");
    return status == NATS_TIMEOUT || status == NATS_CONNECTION_CLOSED ||
                   status == NATS_CONNECTION_DISCONNECTED
               ? CLI_BROKER
               : CLI_FAILED;
}

static int tell_stored(const struct send *s, const char *subject, const jsPubAck *ack)
{
    struct kanal_buffer out = { 0 };
    struct kanal_json json;

    if (!s->options.output_json) {
        printf("%s  stored (%s %llu)%s\n", s->command.id, ack->Stream, (unsigned long long)ack->Sequence,
               ack->Duplicate ? ", once: this id was there already" : "");
        return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
    }
    kanal_json_init(&json, &out);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "id", s->command.id);
    kanal_json_member_text(&json, "subject", subject);
    kanal_json_member_text(&json, "stream", ack->Stream);
    kanal_json_member_int(&json, "sequence", (int64_t)ack->Sequence);
    kanal_json_member_bool(&json, "duplicate", ack->Duplicate);
    kanal_json_object_end(&json);
    printf("%.*s\n", (int)out.len, out.data ? out.data : "");
    kanal_buffer_release(&out);
    return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}

static int publish(struct send *s, int *ret_repeated)
{
    char subject[256];
    natsMsg *message = NULL;
    jsCtx *js = NULL;
    jsPubAck *ack = NULL;
    jsPubOptions options;
    natsStatus status;
    int code;

    snprintf(subject, sizeof subject, "%s.commands.%s.%s", s->client.prefix, s->channel, s->command.verb);
    jsPubOptions_Init(&options);
    options.MsgId = s->command.id; /* sent twice, it counts once */
    status = natsConnection_JetStream(&js, s->client.connection, NULL);
    if (status == NATS_OK)
        status = natsMsg_Create(&message, subject, NULL, s->command.json.data, (int)s->command.json.len);
    if (status == NATS_OK)
        status = js_PublishMsg(&ack, js, message, &options, NULL);
    code = status == NATS_OK ? tell_stored(s, subject, ack)
                             : publish_failed(s, status, subject, nats_GetLastError(NULL));
    *ret_repeated = ack && ack->Duplicate;
    jsPubAck_Destroy(ack);
    natsMsg_Destroy(message);
    jsCtx_Destroy(js);
    return code;
}

/* Of these the gateway tells how they ended. */
static int tells_its_end(const char *verb)
{
    static const char *const verbs[] = { "message.send", "message.edit", "message.delete", "message.react" };

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i], verb) == 0)
            return 1;
    return 0;
}

static int send_it(struct send *s)
{
    struct outcome *o = &s->outcome;
    int repeated = 0, code;

    *o = (struct outcome){ .client = &s->client,
                           .draft = &s->command,
                           .channel = s->channel,
                           .wait_ms = s->options.wait_ms,
                           .until = s->options.until,
                           .json = s->options.output_json };
    if (o->wait_ms < 0)
        o->wait_ms = tells_its_end(s->command.verb) ? WAIT_MS : 0;
    o->style.colours = terminal_has_colours(STDOUT_FILENO);
    code = client_open(&s->client, &s->options.client, s->cli);
    if (code == CLI_OK && o->wait_ms > 0)
        code = outcome_watch(o, FEED_SINCE_NOW); /* before it is sent: nothing is missed */
    if (code == CLI_OK)
        code = publish(s, &repeated);
    if (code == CLI_OK && repeated && o->wait_ms > 0) /* what became of it may be told already */
        code = outcome_watch(o, client_unix_ms() - REPEATED_MS);
    if (code == CLI_OK && o->wait_ms > 0)
        code = outcome_follow(o);
    outcome_release(o);
    client_close(&s->client);
    return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    struct send *s = calloc(1, sizeof *s);
    int code = CLI_OK;

    if (!s)
        return CLI_FAILED;
    s->cli = command;
    s->options.wait_ms = -1;
    s->options.until = OUTCOME_SENT;
    for (int c; code == CLI_OK && (c = getopt_long(argc, argv, CLIENT_SHORT, long_options, NULL)) != -1;) {
        if (c == 'h') {
            cli_help(command);
            free(s);
            return CLI_OK;
        }
        code = read_option(s, c, optarg);
    }
    if (code == CLI_OK)
        code = read_arguments(s, argv + optind, argc - optind);
    if (code == CLI_OK)
        code = make_command(s);
    if (code == CLI_OK)
        code = send_it(s);
    draft_release(&s->command);
    kanal_buffer_release(&s->input);
    kanal_buffer_release(&s->error);
    free(s);
    return code;
}

const struct cli_command command_send = {
    .name = "send",
    .arguments = "[OPTION …] CHANNEL ADDRESS TEXT\n       kanal send [OPTION …] CHANNEL --json FILE",
    .summary = "Sends a message or any other command, and tells what becomes of it.",
    .help = "  CHANNEL              the channel's id, or any: Kanal chooses\n"
            "  ADDRESS              telegram:3527065, tel:+79161234567; or a customer (c_…), or a "
            "conversation (v_…)\n"
            "  TEXT                 - is standard input; -- before a TEXT that begins with -\n"
            "      --chat ID        to this chat of the provider (a group), instead of ADDRESS\n"
            "      --button B       a button: TEXT or TEXT=PAYLOAD; may be repeated\n"
            "      --image URL      a picture; --video URL, --audio URL and --file URL likewise; TEXT is "
            "then its caption\n"
            "      --reply-to ID    answers the message with this id of the provider\n"
            "      --reference R    your own mark, repeated in every event about it\n"
            "      --expires WHEN   not after that: 10m (from now), or a time (2026-11-21T20:00:00Z)\n"
            "      --json FILE      a whole command as JSON; - is standard input\n"
            "      --verb VERB      with --json: message.edit, typing.start … (the command's type, else "
            "message.send)\n"
            "      --id ID          the command's id, instead of a random one; sent twice, it counts once\n"
            "      --no-check       do not check it against the contract before it is sent\n"
            "      --wait[=TIME]    wait for the end so long: seconds, or 2m (30; only message.send, .edit, "
            ".delete and\n"
            "                       .react tell their end, for other verbs nothing is waited for)\n"
            "      --no-wait        end when the broker has stored it\n"
            "      --until STEP     what is waited for: sent, delivered or read (sent)\n"
            "      --output FORM    text, or json: an object for the command, then its events, one a "
            "line\n\n" CLIENT_HELP "\n"
            "Exit code 0: sent (with --no-wait: stored); 1: it failed, or the broker refused it; 2: wrong "
            "words, or a command\n"
            "that breaks the contract: nothing was sent; 3: the configuration is wrong; 4: no broker; 5: it "
            "was stored, but its\n"
            "end did not come in time.\n",
    .run = run,
};
