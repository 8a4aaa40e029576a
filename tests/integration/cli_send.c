/* `kanal send` against a real broker. The gateway is played by the test: it takes commands and tells what became of them. */
#include "cli_support.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include <yyjson.h>

#include "kanal/sdk/json.h"

static void send_event(struct broker_of_test *b, const char *channel, const char *type, const char *id,
                       const char *more)
{
    char subject[256], json[2048];

    snprintf(subject, sizeof subject, "kanal.events.telegram.%s.%s.a_deswgqzqbqbo2uj4pbkjd2g2wy", channel,
             type);
    snprintf(json, sizeof json,
             "{\"specversion\":\"1.0\",\"type\":\"%s\",\"time\":\"2026-11-21T20:53:05.000Z\",\"data\":{"
             "\"channel\":{\"id\":\"%s\"},"
             "\"message\":{\"id\":\"%s\"%s}",
             type, channel, id, more);
    cli_publish(b, subject, json);
}

/* Takes the next command from the stream; the document is the caller's. */
static yyjson_doc *take_command(struct broker_of_test *b, char subject[256])
{
    natsSubscription *sub = NULL;
    natsMsgList list = { 0 };
    yyjson_doc *document;

    cr_assert_eq(js_PullSubscribe(&sub, b->js, "kanal.commands.>", "intake", NULL, NULL, NULL), NATS_OK, "%s",
                 nats_GetLastError(NULL));
    cr_assert_eq(natsSubscription_Fetch(&list, sub, 1, 10000, NULL), NATS_OK, "no command came");
    snprintf(subject, 256, "%s", natsMsg_GetSubject(list.Msgs[0]));
    document = kanal_json_parse(
        kanal_str_of(natsMsg_GetData(list.Msgs[0]), (size_t)natsMsg_GetDataLength(list.Msgs[0])));
    cr_assert_not_null(document);
    natsMsg_AckSync(list.Msgs[0], NULL, NULL);
    natsMsgList_Destroy(&list);
    natsSubscription_Destroy(sub);
    return document;
}

static void expect_command(struct broker_of_test *b, const char *subject, const char *json)
{
    char given[256];
    yyjson_doc *document = take_command(b, given);
    char *text = yyjson_write(document, 0, NULL);

    cr_expect_str_eq(given, subject);
    cr_expect_str_eq(text, json);
    free(text);
    yyjson_doc_free(document);
}

Test(send, makes_a_command, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    cr_expect_eq(RUN(&c, "send", "shop", "Telegram:3527065", "Confirm the order?", "--no-wait", "--id",
                     "crm-1", "--button", "Yes=ORDER_YES", "--button", "No", "--reply-to", "1543",
                     "--reference", "order-512", "--expires", "2030-01-02T03:04:05Z"),
                 0, "%s", c.errors);
    cr_expect_str_eq(c.output, "crm-1  stored (KANAL_COMMANDS 1)\n");
    child_release(&c);
    expect_command(&b, "kanal.commands.shop.message.send",
                   "{\"id\":\"crm-1\",\"to\":{\"address\":\"telegram:3527065\"},\"reference\":\"order-512\","
                   "\"expires\":\"2030-01-02T03:04:05.000Z\","
                   "\"reply_to\":{\"external_id\":\"1543\"},\"content\":[{\"type\":\"text\",\"text\":"
                   "\"Confirm the order?\"},{\"type\":\"choice\",\"style\":"
                   "\"buttons\",\"options\":[{\"text\":\"Yes\",\"payload\":\"ORDER_YES\"},{\"text\":\"No\","
                   "\"payload\":\"No\"}]}]}");

    cr_expect_eq(RUN(&c, "send", "any", "c_kvlzwvlys3im4f3eyr762zcptm", "--no-wait", "--id", "crm-2",
                     "--image", "https://shop.example.com/a.jpg", "--output", "json", "--", "-5 %"),
                 0, "%s", c.errors);
    cr_expect_str_eq(c.output, "{\"id\":\"crm-2\",\"subject\":\"kanal.commands.any.message.send\",\"stream\":"
                               "\"KANAL_COMMANDS\",\"sequence\":2,\"duplicate\":false}\n");
    child_release(&c);
    expect_command(&b, "kanal.commands.any.message.send",
                   "{\"id\":\"crm-2\",\"to\":{\"customer\":\"c_kvlzwvlys3im4f3eyr762zcptm\"},\"content\":[{"
                   "\"type\":\"image\",\"url\":"
                   "\"https://shop.example.com/a.jpg\",\"caption\":\"-5 %\"}]}");

    cr_expect_eq(cli_run(&c,
                         (const char *const[]){ "send", "shop", "--chat", "-1001", "-", "--no-wait", "--id",
                                                "crm-3", NULL },
                         "two\nlines\n"),
                 0, "%s", c.errors);
    child_release(&c);
    expect_command(&b, "kanal.commands.shop.message.send",
                   "{\"id\":\"crm-3\",\"to\":{\"chat\":\"-1001\"},\"content\":[{\"type\":\"text\",\"text\":"
                   "\"two\\nlines\"}]}");

    cr_expect_eq(cli_run(&c, (const char *const[]){ "send", "shop", "--json", "-", NULL },
                         "{\"type\":\"typing.start\",\"id\":\"t-1\",\"to\":{\"address\":\"telegram:1\"}}"),
                 0, "%s", c.errors);
    cr_expect_str_eq(c.output, "t-1  stored (KANAL_COMMANDS 4)\n");
    child_release(&c);
    expect_command(&b, "kanal.commands.shop.typing.start",
                   "{\"id\":\"t-1\",\"type\":\"typing.start\",\"to\":{\"address\":\"telegram:1\"}}");

    cr_expect_eq(cli_run(&c,
                         (const char *const[]){ "send", "shop", "--json", "-", "--verb", "message.delete",
                                                "--id", "d-1", "--no-wait", NULL },
                         "{\"to\":{\"address\":\"telegram:1\"},\"message\":{\"external_id\":\"7\"}}"),
                 0, "%s", c.errors);
    child_release(&c);
    expect_command(
        &b, "kanal.commands.shop.message.delete",
        "{\"id\":\"d-1\",\"to\":{\"address\":\"telegram:1\"},\"message\":{\"external_id\":\"7\"}}");
    cli_down(&b);
}

/* Its id, of the command that it has sent. */
static void take_id(struct broker_of_test *b, char id[64])
{
    char subject[256];
    yyjson_doc *command = take_command(b, subject);
    kanal_str text = kanal_json_text_at(yyjson_doc_get_root(command), "id");

    snprintf(id, 64, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
    yyjson_doc_free(command);
}

Test(send, waits_until_it_is_sent, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;
    char id[64], stored[128];

    cli_up(&b, NULL, NULL, NULL);
    START(&c, "send", "shop", "telegram:1", "hi");
    take_id(&b, id);
    cr_expect(strncmp(id, "s_", 2) == 0 && strlen(id) == 28, "%s", id);
    send_event(&b, "shop", "message.sent", "another", "}}");
    send_event(&b, "shop", "message.accepted", id, "}}");
    send_event(&b, "shop", "message.sent", id, ",\"external_id\":\"1543\",\"part\":1,\"parts\":2}}");
    send_event(&b, "shop", "message.sent", id, ",\"external_id\":\"1543\",\"part\":1,\"parts\":2}}");
    child_expect(&c, "1/2");
    usleep(200000);
    cr_expect_null(strstr(c.output, "2/2"));
    send_event(&b, "shop", "message.sent", id, ",\"external_id\":\"1544\",\"part\":2,\"parts\":2}}");
    cr_expect_eq(child_wait(&c), 0, "%s", c.errors);
    snprintf(stored, sizeof stored, "%s  stored (KANAL_COMMANDS 1)\n", id);
    cr_expect_eq(strncmp(c.output, stored, strlen(stored)), 0, "%s", c.output);
    cr_expect_not_null(strstr(c.output, "message.accepted"));
    cr_expect_not_null(strstr(c.output, "2/2"), "it did not wait for the second part: %s", c.output);
    cr_expect_null(strstr(c.output, "another"));
    cr_expect_str_eq(c.errors, "");
    child_release(&c);

    START(&c, "send", "shop", "telegram:1", "hi", "--until", "delivered", "--output", "json");
    take_id(&b, id);
    send_event(&b, "shop", "message.sent", id, "}}");
    child_expect(&c, "message.sent");
    usleep(200000);
    send_event(&b, "shop", "message.delivered", id, "}}");
    cr_expect_eq(child_wait(&c), 0, "%s", c.errors);
    cr_expect_eq(cli_count("\n", c.output), 3, "%s", c.output);
    child_release(&c);
    cli_down(&b);
}

Test(send, tells_why_it_failed, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;
    char id[64];

    cli_up(&b, NULL, NULL, NULL);
    START(&c, "send", "shop", "telegram:1", "hi");
    take_id(&b, id);
    send_event(&b, "shop", "message.failed", id,
               "},\"error\":{\"code\":\"recipient_blocked\",\"scope\":\"recipient\",\"provider_code\":"
               "\"403\",\"provider_message\":\"Forbidden: bot was \\u001bblocked\"}}");
    cr_expect_eq(child_wait(&c), 1);
    cr_expect_not_null(
        strstr(c.errors, "message.failed: recipient_blocked: Forbidden: bot was \\u001bblocked (403)"), "%s",
        c.errors);
    child_release(&c);
    /* A channel that there is not: told in the name of none. */
    START(&c, "send", "nochannel", "telegram:1", "hi");
    take_id(&b, id);
    send_event(&b, "_", "message.failed", id,
               "},\"error\":{\"code\":\"channel_unknown\",\"scope\":\"channel\"}}");
    cr_expect_eq(child_wait(&c), 1);
    cr_expect_not_null(strstr(c.errors, "channel_unknown"), "%s", c.errors);
    child_release(&c);
    START(&c, "send", "shop", "telegram:1", "hi");
    take_id(&b, id);
    send_event(&b, "shop", "message.unknown", id,
               "},\"error\":{\"code\":\"timeout\",\"scope\":\"message\"},\"next\":\"retry\"}");
    send_event(&b, "shop", "message.expired", id,
               "},\"error\":{\"code\":\"expired\",\"scope\":\"message\"}}");
    cr_expect_eq(child_wait(&c), 1);
    cr_expect(strstr(c.output, "message.unknown") && strstr(c.errors, "message.expired: expired"), "%s",
              c.errors);
    child_release(&c);
    cli_down(&b);
}

Test(send, says_what_did_not_come, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;
    char id[64];

    cli_up(&b, NULL, NULL, NULL);
    cr_expect_eq(RUN(&c, "send", "shop", "telegram:1", "hi", "--wait=1"), 5);
    cr_expect_not_null(strstr(c.errors, "no gateway took it within 1 s; it is kept and goes on"), "%s",
                       c.errors);
    child_release(&c);
    take_id(&b, id);
    START(&c, "send", "shop", "telegram:1", "hi", "--wait=1500ms");
    take_id(&b, id);
    send_event(&b, "shop", "message.accepted", id, "}}");
    cr_expect_eq(child_wait(&c), 5);
    cr_expect_not_null(strstr(c.errors, "the gateway has taken it, but"), "%s", c.errors);
    child_release(&c);
    START(&c, "send", "shop", "telegram:1", "hi");
    child_expect(&c, "stored");
    cr_expect_eq(child_signal(&c, SIGINT), 5);
    cr_expect_not_null(strstr(c.errors, "interrupted; the command goes on"), "%s", c.errors);
    child_release(&c);
    cli_down(&b);
}

Test(send, the_same_id_counts_once, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    cr_expect_eq(RUN(&c, "send", "shop", "telegram:1", "hi", "--id", "crm-1", "--no-wait"), 0);
    child_release(&c);
    send_event(&b, "shop", "message.sent", "crm-1", "}}");
    cr_expect_eq(RUN(&c, "send", "shop", "telegram:1", "hi", "--id", "crm-1"), 0, "%s", c.errors);
    cr_expect_not_null(strstr(c.output, "once: this id was there already"), "%s", c.output);
    cr_expect_not_null(strstr(c.output, "message.sent"), "what became of it is told again: %s", c.output);
    child_release(&c);
    cr_expect_eq(cli_stored(&b, "KANAL_COMMANDS"), 1);
    cli_down(&b);
}

Test(send, nothing_wrong_is_sent, .timeout = 60)
{
    static const struct {
        const char *words[9], *input, *says;
    } wrong[] = {
        { { "send" }, NULL, "CHANNEL is missing" },
        { { "send", "shop" }, NULL, "ADDRESS is missing" },
        { { "send", "shop", "telegram:1" }, NULL, "TEXT is missing" },
        { { "send", "shop", "telegram:1", "two", "words" }, NULL, "is TEXT quoted?" },
        { { "send", "a.b", "telegram:1", "hi" }, NULL, "cannot be a channel's id" },
        { { "send", "shop", "Anna", "hi" }, NULL, "a URI with percent-encoded parts" },
        { { "send", "shop", "telegram:1", "" }, NULL, "/content/0/text" },
        { { "send", "shop", "telegram:1", "hi", "--id", "no spaces" }, NULL, "/id" },
        { { "send", "shop", "telegram:1", "hi", "--image", "no url" }, NULL, "/content/0/url" },
        { { "send", "shop", "telegram:1", "hi", "--button", "=x" }, NULL, "--button" },
        { { "send", "shop", "telegram:1", "hi", "--expires", "soon" }, NULL, "--expires" },
        { { "send", "shop", "telegram:1", "hi", "--wait=x" }, NULL, "--wait" },
        { { "send", "shop", "telegram:1", "hi", "--until", "seen" }, NULL, "sent, delivered or read" },
        { { "send", "shop", "telegram:1", "hi", "--verb", "message.edit" }, NULL, "--verb needs --json" },
        { { "send", "shop", "telegram:1", "hi", "--what" }, NULL, "unknown option" },
        { { "send", "shop", "--json", "-" }, "[]", "one JSON object" },
        { { "send", "shop", "--json", "-" }, "{\"to\":{}}", "/to" },
        { { "send", "shop", "--json", "-" },
          "{\"type\":\"message.sent\",\"to\":{\"chat\":\"1\"}}",
          "no such verb" },
        { { "send", "shop", "--json", "-", "--verb", "message" }, "{}", "two words" },
        { { "send", "shop", "telegram:1", "--json", "-" }, "{}", "beside --json" },
        { { "send", "shop", "--json", "-", "--button", "x" }, "{}", "a whole command" },
    };
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_eq(cli_run(&c, wrong[i].words, wrong[i].input), 2, "%s: %d %s", wrong[i].says, c.code,
                     c.output);
        cr_expect_not_null(strstr(c.errors, wrong[i].says), "%s does not say \"%s\"", c.errors,
                           wrong[i].says);
        cr_expect_str_eq(c.output, "");
        child_release(&c);
    }
    cr_expect_eq(RUN(&c, "send", "shop", "--json", "/nonexistent"), 1);
    child_release(&c);
    cr_expect_eq(cli_stored(&b, "KANAL_COMMANDS"), 0);
    /* Unless it is wanted: for a gateway that knows more than this kanal. */
    cr_expect_eq(cli_run(&c, (const char *const[]){ "send", "shop", "--json", "-", "--no-check", NULL },
                         "{\"type\":\"message.sing\"}"),
                 0, "%s", c.errors);
    child_release(&c);
    cr_expect_eq(cli_stored(&b, "KANAL_COMMANDS"), 1);
    cli_down(&b);
}

Test(send, is_refused, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b,
           "authorization { users: [ { user: boss, password: b }, { user: poor, password: p, permissions: { "
           "publish: \"kanal.commands.shop.>\", subscribe: "
           "\"_INBOX.>\" } } ] }",
           "boss", "b");
    setenv("KANAL_PASSWORD", "p", 1);
    cr_expect_eq(RUN(&c, "send", "shop", "telegram:1", "hi", "--user", "poor"), 1);
    cr_expect_not_null(strstr(c.errors, "cannot follow what becomes of it: the broker does not allow it"),
                       "%s", c.errors);
    child_release(&c);
    cr_expect_eq(cli_stored(&b, "KANAL_COMMANDS"), 0);
    cr_expect_eq(RUN(&c, "send", "other", "telegram:1", "hi", "--user", "poor", "--no-wait"), 1);
    cr_expect_not_null(strstr(c.errors, "does not allow it"), "%s", c.errors);
    child_release(&c);
    cr_expect_eq(cli_stored(&b, "KANAL_COMMANDS"), 0);
    cr_expect_eq(RUN(&c, "send", "shop", "telegram:1", "hi", "--user", "poor", "--no-wait"), 0, "%s",
                 c.errors);
    child_release(&c);
    cr_expect_eq(cli_stored(&b, "KANAL_COMMANDS"), 1);
    cr_expect_eq(RUN(&c, "send", "shop", "telegram:1", "hi", "--user", "boss"), 4);
    child_release(&c);
    setenv("KANAL_PASSWORD", "b", 1);
    cr_expect_eq(RUN(&c, "send", "shop", "telegram:1", "hi", "--user", "boss", "--prefix", "other"), 1);
    cr_expect_not_null(strstr(c.errors, "takes other.commands.shop.message.send"), "%s", c.errors);
    child_release(&c);
    cli_down(&b);
}
