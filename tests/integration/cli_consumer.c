/* `kanal consumer` against a real broker. What its readers can do with what it prints is in cli_attack.c. */
#include "cli_support.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>
#include <yyjson.h>

#include "kanal/sdk/json.h"

#define RECEIVED "kanal.events.*.*.message.received.*"

static void publish(struct broker_of_test *b, const char *channel, const char *text, int number)
{
    const struct cli_event *event = cli_message_received(channel, "telegram:1", text, number);

    cli_publish(b, event->subject, event->json);
}

/* ---- Making, listing, removing ---- */

static int64_t consumer_number(struct broker_of_test *b, const char *stream, const char *name,
                               const char *member)
{
    jsConsumerInfo *info = NULL;
    int64_t number;

    cr_assert_eq(js_GetConsumerInfo(&info, b->js, stream, name, NULL, NULL), NATS_OK, "%s", name);
    number = strcmp(member, "ack_wait") == 0      ? info->Config->AckWait
             : strcmp(member, "max_deliver") == 0 ? info->Config->MaxDeliver
             : strcmp(member, "pending") == 0     ? (int64_t)info->NumPending
                                                  : -1000;
    jsConsumerInfo_Destroy(info);
    return number;
}

Test(consumer, is_made_listed_and_removed, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    publish(&b, "shop", "stored", 1);
    cr_expect_eq(RUN(&c, "consumer", "list"), 0, "%s", c.errors);
    cr_expect_str_eq(c.output, "");
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", RECEIVED), 0, "%s", c.errors);
    cr_expect_not_null(strstr(c.output, "subject: \"$JS.API.CONSUMER.MSG.NEXT.KANAL_EVENTS.crm\" }"), "%s",
                       c.output);
    child_release(&c);
    cr_expect_eq(consumer_number(&b, "KANAL_EVENTS", "crm", "ack_wait"), INT64_C(30000000000));
    cr_expect_eq(consumer_number(&b, "KANAL_EVENTS", "crm", "max_deliver"), -1);
    cr_expect_eq(consumer_number(&b, "KANAL_EVENTS", "crm", "pending"), 0, "from now on");
    cr_expect_eq(RUN(&c, "consumer", "add", "history", "--filter", "kanal.events.>", "--since", "all",
                     "--ack-wait", "2m", "--max-deliver", "5", "--stream", "events"),
                 0, "%s", c.errors);
    child_release(&c);
    cr_expect_eq(consumer_number(&b, "KANAL_EVENTS", "history", "ack_wait"), INT64_C(120000000000));
    cr_expect_eq(consumer_number(&b, "KANAL_EVENTS", "history", "max_deliver"), 5);
    cr_expect_eq(consumer_number(&b, "KANAL_EVENTS", "history", "pending"), 1);
    cr_expect_eq(RUN(&c, "consumer", "add", "site", "--filter", "kanal.activity.>", "--json"), 0, "%s",
                 c.errors);
    cr_expect_not_null(
        strstr(c.output,
               "\"stream\":\"KANAL_ACTIVITY\",\"durable\":\"site\",\"inbox_prefix\":\"_INBOX_site\","
               "\"filters\":[\"kanal.activity.>\"],"
               "\"permissions\":{\"publish\":{\"allow\":[\"$JS.KANAL.API.CONSUMER.MSG.NEXT.KANAL_ACTIVITY."
               "site\","
               "\"$JS.KANAL.API.CONSUMER.INFO.KANAL_ACTIVITY.site\",\"$JS.ACK.KANAL_ACTIVITY.site.>\"]},"
               "\"subscribe\":{\"allow\":[\"_INBOX_site.>\"]}},\"account\":\"site\",\"gateway_account\":"
               "\"KANAL\",\"domain\":\"KANAL\","),
        "%s", c.output);
    child_release(&c);
    cr_expect_eq(
        RUN(&c, "consumer", "add", "site", "--filter", "kanal.activity.>", "--json", "--shared-account"), 0,
        "%s", c.errors);
    cr_expect_not_null(
        strstr(c.output,
               "\"permissions\":{\"publish\":{\"allow\":[\"$JS.API.CONSUMER.MSG.NEXT.KANAL_ACTIVITY.site\","
               "\"$JS.API.CONSUMER.INFO.KANAL_ACTIVITY.site\",\"$JS.ACK.KANAL_ACTIVITY.site.>\"]},"
               "\"subscribe\":{\"allow\":[\"_INBOX_site.>\"]}}}\n"),
        "%s", c.output);
    child_release(&c);

    cr_expect_eq(RUN(&c, "consumer", "list"), 0, "%s", c.errors);
    cr_expect_eq(cli_count("\n", c.output), 3, "%s", c.output);
    cr_expect(strstr(c.output, "crm ") && strstr(c.output, "history ") && strstr(c.output, "KANAL_ACTIVITY"),
              "%s", c.output);
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "list", "--json", "--stream", "activity"), 0, "%s", c.errors);
    cr_expect_str_eq(c.output,
                     "[{\"name\":\"site\",\"stream\":\"KANAL_ACTIVITY\",\"filters\":[\"kanal.activity.>\"],"
                     "\"waiting\":0,\"unacknowledged\":0,"
                     "\"redelivered\":0,\"ack_wait_ms\":30000,\"max_deliver\":-1,\"made_here\":true}]\n");
    child_release(&c);

    cr_expect_eq(RUN(&c, "consumer", "remove", "crm"), 0, "%s", c.errors);
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "remove", "crm"), 1);
    cr_expect_not_null(strstr(c.errors, "there is no consumer 'crm'"), "%s", c.errors);
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "remove", "site", "--stream", "events"), 1);
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "list", "--json"), 0);
    cr_expect_eq(cli_count("\"name\"", c.output), 2, "%s", c.output);
    child_release(&c);
    cli_down(&b);
}

Test(consumer, another_one_is_not_touched, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;
    jsConsumerConfig other;

    cli_up(&b, NULL, NULL, NULL);
    cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", RECEIVED), 0, "%s", c.errors);
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", RECEIVED), 0, "the same again: %s", c.errors);
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", RECEIVED, "--ack-wait", "1m"), 1);
    cr_expect_not_null(strstr(c.errors, "made otherwise; it was left as it is"), "%s", c.errors);
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", "kanal.events.>"), 1);
    child_release(&c);
    cr_expect_eq(consumer_number(&b, "KANAL_EVENTS", "crm", "ack_wait"), INT64_C(30000000000));
    jsConsumerConfig_Init(&other);
    other.Durable = "projector";
    cr_assert_eq(js_AddConsumer(NULL, b.js, "KANAL_EVENTS", &other, NULL, NULL), NATS_OK);
    cr_expect_eq(RUN(&c, "consumer", "remove", "projector"), 1);
    cr_expect_not_null(strstr(c.errors, "was not made by"), "%s", c.errors);
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "list"), 0);
    cr_expect_not_null(strstr(c.output, "(not made by kanal consumer)"), "%s", c.output);
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "remove", "projector", "--force"), 0, "%s", c.errors);
    child_release(&c);
    cli_down(&b);
}

/* Before 2.10 a server takes `filter_subjects` and gives everything. */
Test(consumer, several_filters, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;
    jsConsumerInfo *info = NULL;

    cli_up(&b, NULL, NULL, NULL);
    if (nats_version() >= 21000) {
        cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", RECEIVED, "--filter",
                         "kanal.events.*.*.message.failed.*", "--since", "all"),
                     0, "%s", c.errors);
        child_release(&c);
        publish(&b, "shop", "x", 1);
        cli_publish(&b, "kanal.events.telegram.shop.message.sent._", "{}");
        cr_expect_eq(consumer_number(&b, "KANAL_EVENTS", "crm", "pending"), 1);
        cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", "kanal.events.*.*.message.failed.*",
                         "--filter", RECEIVED, "--since", "all"),
                     0, "the same: %s", c.errors);
        child_release(&c);
        cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", RECEIVED, "--since", "all"), 1);
    } else {
        cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", RECEIVED, "--filter",
                         "kanal.events.*.*.message.failed.*"),
                     1);
        cr_expect_not_null(strstr(c.errors, "one filter for a durable"), "%s", c.errors);
        cr_expect_str_eq(c.output, "");
        cr_expect_neq(js_GetConsumerInfo(&info, b.js, "KANAL_EVENTS", "crm", NULL, NULL), NATS_OK,
                      "it is left behind, and would give everything");
    }
    child_release(&c);
    cli_down(&b);
}

Test(consumer, wrong_words, .timeout = 60)
{
    static const struct {
        const char *words[9], *says;
    } wrong[] = {
        { { "consumer" }, "add, list or remove" },
        { { "consumer", "change" }, "found change" },
        { { "consumer", "add" }, "NAME is missing" },
        { { "consumer", "add", "crm" }, "--filter is missing" },
        { { "consumer", "add", "a.b", "--filter", RECEIVED }, "a name is" },
        { { "consumer", "add", "a>", "--filter", RECEIVED }, "a name is" },
        { { "consumer", "list", "crm" }, "unexpected argument 'crm'" },
        { { "consumer", "add", "crm", "--filter", RECEIVED, "--stream", "commands" },
          "events, activity or facts" },
        { { "consumer", "add", "crm", "--filter", RECEIVED, "--stream", "activity" },
          "is not of --stream activity" },
        { { "consumer", "add", "crm", "--filter", RECEIVED, "--ack-wait", "5" }, "--ack-wait" },
        { { "consumer", "add", "crm", "--filter", RECEIVED, "--max-deliver", "0" }, "--max-deliver" },
        { { "consumer", "add", "crm", "--filter", RECEIVED, "--since", "1h" }, "new or all" },
        { { "consumer", "add", "crm", "--filter", RECEIVED, "--filter", "kanal.events.>" }, "overlap" },
        { { "consumer", "add", "crm", "--filter", RECEIVED, "--filter", "kanal.activity.>" }, "one stream" },
        { { "consumer", "add", "crm", "--filter", "kanal.live.>" }, "not kept in a stream" },
        { { "consumer", "add", "crm", "--filter", "kanal.events.*.*.message.recieved.*" },
          "no event of the type message.recieved" },
        { { "consumer", "add", "crm", "--filter", "kanal.events.shop" }, "can match nothing" },
        { { "consumer", "add", "crm", "--filter", "kanal.events.*.*.*.*.a_deswgqzqbqbo2uj4pbkjd2g2wy" },
          "stalls the broker" },
        { { "consumer", "add", "crm", "--filter", ">" }, "subjects begin with" },
        { { "consumer", "add", "KANAL", "--filter", RECEIVED }, "is the gateway's" },
        { { "consumer", "add", "crm", "--filter", RECEIVED, "--account", "$G" }, "--account" },
        { { "consumer", "add", "crm", "--filter", RECEIVED, "--owner" }, "unknown option" },
    };
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_eq(cli_run(&c, wrong[i].words, NULL), 2, "%s: %d %s", wrong[i].says, c.code, c.output);
        cr_expect_not_null(strstr(c.errors, wrong[i].says), "%s does not say \"%s\"", c.errors,
                           wrong[i].says);
        child_release(&c);
    }
    cr_expect_eq(RUN(&c, "consumer", "list", "--prefix", "other"), 0, "no streams, no consumers");
    child_release(&c);
    cr_expect_eq(RUN(&c, "consumer", "add", "crm", "--filter", "other.events.>", "--prefix", "other"), 1);
    cr_expect_not_null(strstr(c.errors, "there is no stream OTHER_EVENTS"), "%s", c.errors);
    child_release(&c);
    cli_down(&b);
}
