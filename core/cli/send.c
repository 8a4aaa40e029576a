/* `kanal send`: a command to a channel, and what becomes of it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/feed.h"
#include "cli/send_inside.h"
#include "cli/terminal.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

#define REPEATED_MS (15 * 60000) /* how far back a repeated command's events are looked for */

/* ---- The command ---- */

static int make_command(struct send *s)
{
    const struct send_options *o = &s->options;
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
    int code, help;

    if (!s)
        return CLI_FAILED;
    s->cli = command;
    code = send_read_words(s, argc, argv, &help);
    if (help) {
        cli_help(command);
        free(s);
        return CLI_OK;
    }
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
