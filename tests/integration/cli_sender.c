/* An attack on the broker with the rights of a sender of commands: the broker acknowledges a command to whatever subject the command names.
 * The acknowledgement, {"stream":…,"seq":N}, is no empty request, so nothing that wants one (STREAM.DELETE) can be reached by it; but N is
 * what STREAM.MSG.DELETE deletes and STREAM.PURGE purges up to. */
#include "cli_support.h"

#include <stdlib.h>

static natsConnection *enter(struct broker_of_test *b, const char *user)
{
    natsConnection *connection = NULL;
    natsOptions *options = NULL;

    cr_assert_eq(natsOptions_Create(&options), NATS_OK);
    natsOptions_SetURL(options, b->nats.url);
    natsOptions_SetUserInfo(options, user, "s");
    natsOptions_SetCustomInboxPrefix(options, "_INBOX_sender");
    natsOptions_SetErrorHandler(options, NULL, NULL);
    cr_assert_eq(natsConnection_Connect(&connection, options), NATS_OK, "%s", nats_GetLastError(NULL));
    natsOptions_Destroy(options);
    return connection;
}

/* What a sender is there for: a command is stored, and it hears so. */
static void expect_sent(natsConnection *sender, const char *subject)
{
    natsMsg *reply = NULL;

    cr_assert_eq(natsConnection_RequestString(&reply, sender, subject, "{\"id\":\"c-1\"}", 2000), NATS_OK);
    cr_expect_not_null(strstr(natsMsg_GetData(reply), "\"stream\":\"KANAL_COMMANDS\""), "%s",
                       natsMsg_GetData(reply));
    natsMsg_Destroy(reply);
}

static const char *const targets[] = {
    "$JS.API.STREAM.MSG.DELETE.KANAL_EVENTS",
    "$JS.API.STREAM.PURGE.KANAL_ACTIVITY",
    "$KV.kanal_state.x",
    "kanal.dead.shop",
};

static void lay_out(struct broker_of_test *b)
{
    for (int i = 0; i < 10; i++) {
        cli_publish(b, "kanal.events.telegram.shop.message.received._", "{}");
        cli_publish(b, "kanal.activity.events.site.activity.tracked.b07", "{}");
    }
}

static void attack(natsConnection *sender)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        cr_assert_eq(natsConnection_PublishRequestString(sender, "kanal.commands.shop.message.send",
                                                         targets[i], "{\"id\":\"evil\"}"),
                     NATS_OK);
        natsConnection_Flush(sender);
        nats_Sleep(50);
    }
}

/* The text in docs/deployment.md. */
#define SENDER                                                                                               \
    "SENDER: {\n"                                                                                            \
    "  users: [ { user: sender, password: \"s\", permissions: { publish: \"kanal.commands.>\", subscribe: "  \
    "\"_INBOX_sender.>\" } } ]\n"                                                                            \
    "  imports: [ { service: { account: KANAL, subject: \"kanal.commands.>\" } } ]\n"                        \
    "}\n"

Test(sender, in_an_account_of_its_own_can_only_send, .timeout = 60)
{
    struct broker_of_test b;
    natsConnection *sender;

    cli_up(&b,
           "accounts {\n"
           "KANAL: { jetstream: enabled, users: [ { user: boss, password: b } ], exports: [ { service: "
           "\"kanal.commands.>\" } ] }\n" SENDER "}\n",
           "boss", "b");
    sender = enter(&b, "sender");
    lay_out(&b);
    expect_sent(sender, "kanal.commands.shop.message.send");
    attack(sender);
    cr_expect_eq(cli_stored(&b, "KANAL_COMMANDS"), 1 + sizeof targets / sizeof *targets);
    cr_expect_eq(natsConnection_PublishString(sender, "$JS.API.STREAM.PURGE.KANAL_ACTIVITY", ""), NATS_OK);
    natsConnection_Flush(sender);
    nats_Sleep(50);
    cr_expect_eq(cli_stored(&b, "KANAL_EVENTS"), 10);
    cr_expect_eq(cli_stored(&b, "KANAL_ACTIVITY"), 10);
    cr_expect_eq(cli_stored(&b, "KV_kanal_state"), 0);
    cr_expect_eq(cli_stored(&b, "KANAL_DEAD"), 0);
    natsConnection_Destroy(sender);
    cli_down(&b);
}

/* The control of the attack: in the gateway's account, the same permissions do not hold. Should a later server refuse, the advice can go. */
Test(sender, in_the_gateways_account_can_purge_streams, .timeout = 60)
{
    struct broker_of_test b;
    natsConnection *sender;

    cli_up(&b,
           "accounts {\n"
           "KANAL: { jetstream: enabled, users: [ { user: boss, password: b }\n"
           "  { user: sender, password: \"s\", permissions: { publish: \"kanal.commands.>\", subscribe: "
           "\"_INBOX_sender.>\" } } ] }\n}\n",
           "boss", "b");
    sender = enter(&b, "sender");
    lay_out(&b);
    expect_sent(sender, "kanal.commands.shop.message.send");
    attack(sender);
    cr_expect_eq(cli_stored(&b, "KANAL_EVENTS"), 9, "the hole is closed");   /* the second is gone */
    cr_expect_eq(cli_stored(&b, "KANAL_ACTIVITY"), 8, "the hole is closed"); /* all before the third */
    cr_expect_eq(cli_stored(&b, "KV_kanal_state"), 1, "the hole is closed");
    cr_expect_eq(cli_stored(&b, "KANAL_DEAD"), 1, "the hole is closed");
    natsConnection_Destroy(sender);
    cli_down(&b);
}
