/* An attack on the broker with the very rights that `kanal consumer add` prints: all a reader can do is read its own events. */
#include "cli_support.h"

#include <stdlib.h>
#include <yyjson.h>

#include "kanal/sdk/json.h"

static void publish(struct broker_of_test *b, const char *channel, const char *text, int number)
{
    const struct cli_event *event = cli_message_received(channel, "telegram:1", text, number);

    cli_publish(b, event->subject, event->json);
}

/* What `kanal consumer add` printed: all of it, the password, the user's block, and the account's without its comments. */
struct printed {
    char text[8192], password[64], user[2048];
};

static void add(struct printed *p, const char *name, const char *filter, int shared)
{
    struct child c;
    const char *at, *open, *end;

    cr_assert_eq(RUN(&c, "consumer", "add", name, "--filter", filter, "--since", "all",
                     shared ? "--shared-account" : NULL),
                 0, "%s", c.errors);
    snprintf(p->text, sizeof p->text, "%s", c.output);
    at = strstr(p->text, "password: \"");
    cr_assert(at && sscanf(at, "password: \"%63[a-z2-7]\"", p->password) == 1 && strlen(p->password) == 32,
              "%s", p->text);
    open = strstr(p->text, "users: [");
    end = strstr(open ? open : "", "\n  ]\n");
    cr_assert(open && end, "%s", p->text);
    snprintf(p->user, sizeof p->user, "%.*s\n", (int)(end - open) - 8, open + 8);
    child_release(&c);
}

static natsConnection *enter(struct broker_of_test *b, const char *user, const char *password,
                             const char *inbox)
{
    natsConnection *connection = NULL;
    natsOptions *options = NULL;

    cr_assert_eq(natsOptions_Create(&options), NATS_OK);
    natsOptions_SetURL(options, b->nats.url);
    natsOptions_SetUserInfo(options, user, password);
    if (inbox)
        natsOptions_SetCustomInboxPrefix(options, inbox);
    natsOptions_SetErrorHandler(options, NULL, NULL);
    cr_assert_eq(natsConnection_Connect(&connection, options), NATS_OK, "%s: %s", user,
                 nats_GetLastError(NULL));
    natsOptions_Destroy(options);
    return connection;
}

/* Pulls from the durable; the texts of what comes, one behind the other. All is acknowledged. */
static void read_durable(natsConnection *connection, const char *domain, const char *name, char texts[512])
{
    jsCtx *js = NULL;
    jsOptions js_options;
    jsSubOptions options;
    natsSubscription *sub = NULL;
    natsMsgList list = { 0 };
    natsStatus s;

    texts[0] = '\0';
    jsOptions_Init(&js_options);
    js_options.Domain = domain;
    cr_assert_eq(natsConnection_JetStream(&js, connection, &js_options), NATS_OK);
    jsSubOptions_Init(&options);
    options.Stream = "KANAL_EVENTS";
    options.Consumer = name;
    cr_assert_eq(js_PullSubscribe(&sub, js, NULL, name, NULL, &options, NULL), NATS_OK, "%s",
                 nats_GetLastError(NULL));
    s = natsSubscription_Fetch(&list, sub, 10, 1000, NULL);
    cr_assert(s == NATS_OK || s == NATS_TIMEOUT, "%s", natsStatus_GetText(s));
    for (int i = 0; i < list.Count; i++) {
        const char *text = strstr(natsMsg_GetData(list.Msgs[i]), "\"text\":\"");
        size_t n = strlen(texts);

        cr_assert_not_null(text);
        sscanf(text, "\"text\":\"%60[^\"]", texts + n);
        cr_expect_eq(natsMsg_AckSync(list.Msgs[i], NULL, NULL), NATS_OK, "%s", nats_GetLastError(NULL));
    }
    natsMsgList_Destroy(&list);
    natsSubscription_Destroy(sub);
    jsCtx_Destroy(js);
}

/* The server said that this is not permitted, and named the subject. */
static int is_violation(natsConnection *connection, const char *kind, const char *subject)
{
    const char *words = NULL;
    natsStatus s;

    natsConnection_Flush(connection);
    s = natsConnection_GetLastError(connection, &words);
    return s == NATS_NOT_PERMITTED && words && strcasestr(words, kind) && strcasestr(words, subject);
}

#define HISTORY                                                                                              \
    "\"config\":{\"deliver_policy\":\"all\",\"ack_policy\":\"none\",\"filter_subject\":\"kanal.events.>\""

/* control: that the request is a real one is shown by the operator, whom the server answers without an error. */
static const struct attack {
    const char *subject, *body;
    int control;
} requests[] = {
    { "$JS.API.CONSUMER.CREATE.KANAL_EVENTS",
      "{\"stream_name\":\"KANAL_EVENTS\"," HISTORY ",\"deliver_subject\":\"_INBOX_crm.x\"}}", 1 },
    { "$JS.API.CONSUMER.CREATE.KANAL_EVENTS", "{\"stream_name\":\"KANAL_EVENTS\"," HISTORY "}}", 1 },
    { "$JS.API.CONSUMER.CREATE.KANAL_EVENTS.evil.kanal.events.>",
      "{\"stream_name\":\"KANAL_EVENTS\"," HISTORY ",\"name\":\"evil\"}}", 1 },
    { "$JS.API.CONSUMER.DURABLE.CREATE.KANAL_EVENTS.evil2",
      "{\"stream_name\":\"KANAL_EVENTS\"," HISTORY ",\"durable_name\":\"evil2\"}}", 1 },
    { "$JS.API.CONSUMER.DURABLE.CREATE.KANAL_EVENTS.crm",
      "{\"stream_name\":\"KANAL_EVENTS\"," HISTORY ",\"durable_name\":\"crm\"}}", 0 },
    { "$JS.API.CONSUMER.CREATE.KANAL_EVENTS.crm",
      "{\"stream_name\":\"KANAL_EVENTS\"," HISTORY ",\"durable_name\":\"crm\"}}", 0 },
    { "$JS.API.CONSUMER.MSG.NEXT.KANAL_EVENTS.other", "1", 1 },
    { "$JS.API.CONSUMER.INFO.KANAL_EVENTS.other", "", 1 },
    { "$JS.API.CONSUMER.DELETE.KANAL_EVENTS.other", "", 0 },
    { "$JS.API.CONSUMER.DELETE.KANAL_EVENTS.crm", "", 0 },
    { "$JS.API.CONSUMER.LIST.KANAL_EVENTS", "", 1 },
    { "$JS.API.CONSUMER.NAMES.KANAL_EVENTS", "", 1 },
    { "$JS.API.STREAM.MSG.GET.KANAL_EVENTS", "{\"seq\":1}", 1 },
    { "$JS.API.STREAM.MSG.GET.KANAL_EVENTS", "{\"last_by_subj\":\"kanal.events.>\"}", 1 },
    { "$JS.API.DIRECT.GET.KANAL_EVENTS", "{\"seq\":1}", 1 },
    { "$JS.API.DIRECT.GET.KANAL_EVENTS.kanal.events.telegram.shop.message.received.a_"
      "deswgqzqbqbo2uj4pbkjd2g2wy",
      "", 1 },
    { "$JS.API.STREAM.INFO.KANAL_EVENTS", "", 1 },
    { "$JS.API.STREAM.INFO.KANAL_EVENTS", "{\"subjects_filter\":\">\"}", 1 },
    { "$JS.API.STREAM.LIST", "", 1 },
    { "$JS.API.STREAM.NAMES", "", 1 },
    { "$JS.API.STREAM.PURGE.KANAL_EVENTS", "", 0 },
    { "$JS.API.STREAM.DELETE.KANAL_EVENTS", "", 0 },
    { "$JS.API.STREAM.MSG.DELETE.KANAL_EVENTS", "{\"seq\":1}", 0 },
    { "$JS.API.STREAM.UPDATE.KANAL_EVENTS", "{\"name\":\"KANAL_EVENTS\",\"subjects\":[\"x\"]}", 0 },
    { "$JS.API.STREAM.CREATE.COPY", "{\"name\":\"COPY\",\"sources\":[{\"name\":\"KANAL_EVENTS\"}]}", 0 },
    { "$JS.API.STREAM.SNAPSHOT.KANAL_EVENTS", "{\"deliver_subject\":\"_INBOX_crm.s\"}", 0 },
    { "$JS.API.INFO", "", 1 },
    { "kanal.commands.shop.message.send", "{\"id\":\"evil\"}", 1 },
    { "kanal.events.telegram.elsewhere.message.received._", "{}", 1 },
    { "kanal.api.customer-get", "{}", 0 },
    { "$KV.kanal_links.x", "x", 1 },
    { "$JS.ACK.KANAL_EVENTS.other.1.1.1.1.0", "+TERM", 0 },
    { "_INBOX_other.x", "forged", 0 },
    { "_INBOX.x", "forged", 0 },
    { "$SYS.REQ.USER.INFO", "", 0 },
};

static const char *const subscriptions[] = { ">",
                                             "*.>",
                                             "kanal.>",
                                             "kanal.events.>",
                                             "kanal.events.*.*.message.received.*",
                                             "kanal.commands.>",
                                             "kanal.live.>",
                                             "_INBOX.>",
                                             "_INBOX_other.>",
                                             "_INBOX_*.>",
                                             "_INBOX_other.*",
                                             "$JS.>",
                                             "$JS.EVENT.>",
                                             "$JS.ACK.>",
                                             "$KV.>",
                                             "$SYS.>" };

/* A subject below $JS.API. as it is called where the API is mapped to another prefix. */
static const char *below(const char *api, const char *subject)
{
    static char text[256];

    if (strncmp(subject, "$JS.API.", 8) == 0)
        snprintf(text, sizeof text, "%s%s", api, subject + 8);
    else
        snprintf(text, sizeof text, "%s", subject);
    return text;
}

static void expect_refused(natsConnection *attacker, const struct attack *a, const char *api)
{
    const char *subject = below(api, a->subject);
    natsMsg *reply = NULL;
    natsStatus s = natsConnection_Request(&reply, attacker, subject, a->body, (int)strlen(a->body), 100);

    cr_expect_neq(s, NATS_OK, "%s %s is answered: %s", subject, a->body, reply ? natsMsg_GetData(reply) : "");
    cr_expect(is_violation(attacker, "publish", subject), "%s: no violation is told", subject);
    natsMsg_Destroy(reply);
}

static void expect_answer(natsConnection *operator, const struct attack * a)
{
    natsMsg *reply = NULL;
    natsStatus s = natsConnection_Request(&reply, operator, a->subject, a->body, (int)strlen(a->body), 2000);

    cr_assert_eq(s, NATS_OK, "%s does not even work for the operator: %s", a->subject, natsStatus_GetText(s));
    cr_expect_null(strstr(natsMsg_GetData(reply), "\"error\""), "%s: %s", a->subject, natsMsg_GetData(reply));
    natsMsg_Destroy(reply);
}

static void attack_by_requests(natsConnection *attacker, natsConnection *operator, const char * api)
{
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        expect_refused(attacker, &requests[i], api);
        if (requests[i].control && strcmp(api, "$JS.API.") == 0)
            expect_answer(operator, & requests[i]);
    }
}

static void attack_by_subscriptions(natsConnection *attacker, natsConnection *operator)
{
    natsSubscription *subs[sizeof subscriptions / sizeof *subscriptions] = { 0 }, *queue = NULL;
    natsMsg *msg = NULL;

    for (size_t i = 0; i < sizeof subscriptions / sizeof *subscriptions; i++) {
        cr_assert_eq(natsConnection_SubscribeSync(&subs[i], attacker, subscriptions[i]), NATS_OK);
        cr_expect(is_violation(attacker, "subscription", subscriptions[i]), "%s: no violation is told",
                  subscriptions[i]);
    }
    cr_assert_eq(natsConnection_QueueSubscribeSync(&queue, attacker, "kanal.events.>", "group"), NATS_OK);
    cr_expect(is_violation(attacker, "subscription", "kanal.events.>"));
    natsConnection_PublishString(operator, "kanal.events.telegram.elsewhere.message.received._", "{}");
    natsConnection_PublishString(operator, "kanal.live.telegram.shop.typing.started._", "{}");
    natsConnection_PublishString(operator, "_INBOX_other.x", "an answer");
    natsConnection_PublishString(operator, "_INBOX.x.y", "an answer");
    natsConnection_Flush(operator);
    natsConnection_Flush(attacker);
    for (size_t i = 0; i < sizeof subscriptions / sizeof *subscriptions; i++) {
        cr_expect_neq(natsSubscription_NextMsg(&msg, subs[i], 20), NATS_OK, "%s hears %s", subscriptions[i],
                      msg ? natsMsg_GetSubject(msg) : "");
        natsSubscription_Destroy(subs[i]);
    }
    cr_expect_neq(natsSubscription_NextMsg(&msg, queue, 20), NATS_OK);
    natsSubscription_Destroy(queue);
}

/* ---- Directing answers ---- */

/* Requests that a reader may send; the answers go where it wants. */
static void redirect(natsConnection *attacker, const char *api, const char *target)
{
    static const struct attack ways[] = {
        { "$JS.API.CONSUMER.INFO.KANAL_EVENTS.crm", "", 0 },
        { "$JS.API.CONSUMER.MSG.NEXT.KANAL_EVENTS.crm", "1", 0 },
        { "$JS.API.CONSUMER.MSG.NEXT.KANAL_EVENTS.crm", "{\"batch\":1,\"no_wait\":true}", 0 },
        { "$JS.API.CONSUMER.MSG.NEXT.KANAL_EVENTS.crm", "not JSON", 0 },
        { "$JS.ACK.KANAL_EVENTS.crm.1.1.1.1.1", "+ACK", 0 },
        { "$JS.ACK.KANAL_EVENTS.crm.1.1.1.1.1", "+NXT", 0 },
    };

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        cr_assert_eq(
            natsConnection_PublishRequestString(attacker, below(api, ways[i].subject), target, ways[i].body),
            NATS_OK);
        natsConnection_Flush(attacker);
        nats_Sleep(30);
    }
}

static int stream_is_there(struct broker_of_test *b, const char *name)
{
    jsStreamInfo *info = NULL;
    int is_there = js_GetStreamInfo(&info, b->js, name, NULL, NULL) == NATS_OK;

    jsStreamInfo_Destroy(info);
    return is_there;
}

static int consumer_is_there(struct broker_of_test *b, const char *name)
{
    jsConsumerInfo *info = NULL;
    int is_there = js_GetConsumerInfo(&info, b->js, "KANAL_EVENTS", name, NULL, NULL) == NATS_OK;

    jsConsumerInfo_Destroy(info);
    return is_there;
}

static const char *const targets[] = {
    "kanal.commands.shop.message.send",
    "kanal.events.telegram.shop.message.received._",
    "$KV.kanal_state.x",
    "_INBOX_other.x",
    "$JS.API.CONSUMER.DELETE.KANAL_EVENTS.other",
    "$JS.API.CONSUMER.DURABLE.CREATE.KANAL_EVENTS.thief",
    "$JS.API.STREAM.PURGE.KANAL_ACTIVITY",
    "$JS.API.STREAM.DELETE.KANAL_DEAD",
    "$JS.API.STREAM.MSG.DELETE.KANAL_EVENTS",
    "$JS.API.STREAM.PURGE.KANAL_EVENTS",
    "$JS.API.STREAM.DELETE.KANAL_EVENTS",
    "$JS.API.CONSUMER.MSG.NEXT.KANAL_EVENTS.other",
    "$JS.ACK.KANAL_EVENTS.other.1.1.1.1.1",
};

static void attack_by_replies(struct broker_of_test *b, natsConnection *attacker, natsConnection *operator,
                              const char * api)
{
    natsSubscription *sub = NULL;
    natsMsg *msg = NULL;
    uint64_t events = cli_stored(b, "KANAL_EVENTS");

    cli_publish(b, "kanal.activity.events.site.activity.tracked.b07", "{}");
    cr_assert_eq(natsConnection_SubscribeSync(&sub, operator, "_INBOX_other.>"), NATS_OK);
    natsConnection_Flush(operator);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        redirect(attacker, api, targets[i]);
    cr_expect_eq(cli_stored(b, "KANAL_COMMANDS"), 1, "only the operator's");
    cr_expect_eq(cli_stored(b, "KV_kanal_state"), 0);
    cr_expect_eq(cli_stored(b, "KANAL_EVENTS"), events);
    cr_expect_eq(cli_stored(b, "KANAL_ACTIVITY"), 1);
    cr_expect(stream_is_there(b, "KANAL_DEAD"));
    cr_expect(consumer_is_there(b, "other"));
    cr_expect_not(consumer_is_there(b, "thief"));
    cr_expect_neq(natsSubscription_NextMsg(&msg, sub, 100), NATS_OK, "it can write to another's inbox");
    natsSubscription_Destroy(sub);
}

/* ---- Both forms ---- */

#define GATEWAY                                                                                              \
    "KANAL: { jetstream: enabled, users: [ { user: boss, password: b } ], exports: [\n"                      \
    "{ service: \"$JS.API.CONSUMER.MSG.NEXT.*.*\", response_type: stream }\n"                                \
    "{ service: \"$JS.API.CONSUMER.INFO.*.*\" }\n"                                                           \
    "{ service: \"$JS.ACK.*.*.>\" }\n] }\n"

static void reconfigure(struct broker_of_test *b, const char *config)
{
    cli_disconnect(b);
    nats_stop(&b->nats);
    nats_reconfigure(&b->nats, config);
    nats_restart(&b->nats);
}

/* The exports that the comment asks for are those above. */
static void expect_exports_told(const char *text)
{
    cr_expect_not_null(
        strstr(text,
               "#   exports: [\n#     { service: \"$JS.API.CONSUMER.MSG.NEXT.*.*\", response_type: stream }\n"
               "#     { service: \"$JS.API.CONSUMER.INFO.*.*\" }\n#     { service: \"$JS.ACK.*.*.>\" }\n#   "
               "]\n"),
        "%s", text);
}

Test(attack, from_an_account_of_its_own, .timeout = 120)
{
    struct broker_of_test b;
    struct printed crm, other;
    static char config[32768];
    natsConnection *attacker, *operator;
    char texts[512];

    cli_up(&b, "accounts {\n" GATEWAY "}\n", "boss", "b");
    setenv("KANAL_USER", "boss", 1);
    setenv("KANAL_PASSWORD", "b", 1);
    publish(&b, "shop", "for the crm.", 1);
    publish(&b, "rival", "for the rival.", 2);
    add(&crm, "crm", "kanal.events.*.shop.message.received.*", 0);
    add(&other, "other", "kanal.events.*.rival.>", 0);
    expect_exports_told(crm.text);
    snprintf(config, sizeof config, "accounts {\n" GATEWAY "%s%s}\n", crm.text, other.text);
    reconfigure(&b, config);
    attacker = enter(&b, "crm", crm.password, "_INBOX_crm");
    operator= enter(&b, "boss", "b", NULL);
    cli_connect(&b, "boss", "b");

    read_durable(attacker, "KANAL", "crm", texts);
    cr_expect_str_eq(texts, "for the crm.");
    attack_by_requests(attacker, operator, "$JS.API.");
    attack_by_requests(attacker, operator, "$JS.KANAL.API.");
    attack_by_subscriptions(attacker, operator);
    attack_by_replies(&b, attacker, operator, "$JS.KANAL.API.");

    /* Its own requests that it has directed elsewhere still take some of its own events. */
    for (int i = 0; i < 100; i++)
        publish(&b, "shop", "and one more.", 3);
    publish(&b, "rival", "and another.", 4);
    read_durable(attacker, "KANAL", "crm", texts);
    cr_expect_eq(strncmp(texts, "and one more.and one more.", 26), 0, "%s", texts);
    natsConnection_Destroy(attacker);
    attacker = enter(&b, "other", other.password, "_INBOX_other");
    read_durable(attacker, "KANAL", "other", texts);
    cr_expect_not_null(strstr(texts, "and another."), "%s", texts);
    cr_expect_null(strstr(texts, "crm"), "%s", texts);
    natsConnection_Destroy(attacker);
    natsConnection_Destroy(operator);
    cli_down(&b);
}

/* The very text is a configuration, and permissions keep such a reader from reading and writing anything else itself. Why that is not
 * enough is shown last: it is the control of attack_by_replies(). */
Test(attack, from_the_gateways_account, .timeout = 120)
{
    struct broker_of_test b;
    struct printed crm, other;
    static char config[8192];
    natsConnection *attacker, *operator;
    char texts[512];

    cli_up(&b, NULL, NULL, NULL);
    publish(&b, "shop", "for the crm.", 1);
    publish(&b, "rival", "for the rival.", 2);
    add(&crm, "crm", "kanal.events.*.shop.message.received.*", 1);
    add(&other, "other", "kanal.events.*.rival.>", 1);
    reconfigure(&b, crm.text);
    attacker = enter(&b, "crm", crm.password, "_INBOX_crm");
    read_durable(attacker, NULL, "crm", texts);
    cr_expect_str_eq(texts, "for the crm.");
    natsConnection_Destroy(attacker);

    snprintf(config, sizeof config, "authorization { users: [\n%s%s{ user: boss, password: b }\n] }\n",
             crm.user, other.user);
    reconfigure(&b, config);
    attacker = enter(&b, "crm", crm.password, "_INBOX_crm");
    operator= enter(&b, "boss", "b", NULL);
    cli_connect(&b, "boss", "b");
    attack_by_requests(attacker, operator, "$JS.API.");
    attack_by_subscriptions(attacker, operator);
    publish(&b, "shop", "and one more.", 3);
    read_durable(attacker, NULL, "crm", texts);
    cr_expect_str_eq(texts, "and one more.", "%s", texts);

    redirect(attacker, "$JS.API.", "$JS.API.STREAM.DELETE.KANAL_DEAD");
    cr_expect_not(stream_is_there(&b, "KANAL_DEAD"),
                  "this server no longer lets answers do harm: the warnings about it can go");
    natsConnection_Destroy(attacker);
    natsConnection_Destroy(operator);
    cli_down(&b);
}
