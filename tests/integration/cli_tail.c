/* `kanal tail` against a real broker. */
#include "cli_support.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static const char *json_of(const char *text, int number)
{
    return cli_message_received("shop", "telegram:1", text, number)->json;
}

static void publish(struct broker_of_test *b, const char *channel, const char *address, const char *text,
                    int number)
{
    const struct cli_event *event = cli_message_received(channel, address, text, number);

    cli_publish(b, event->subject, event->json);
}

#define ACTIVITY "kanal.activity.events.site.activity.tracked.b07"
#define TYPING "kanal.live.telegram.shop.typing.started.a_deswgqzqbqbo2uj4pbkjd2g2wy"

Test(tail, shows_what_comes, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    publish(&b, "shop", "telegram:1", "before", 1);
    START(&c, "tail", "--count", "4");
    child_expect_error(&c, "listening at nats://127.0.0.1:");
    publish(&b, "shop", "telegram:3527065", "hello there", 2);
    child_expect(&c, " shop telegram:3527065 Anna message.received  hello there\n");
    cli_publish(&b, ACTIVITY,
                "{\"type\":\"activity.tracked\",\"time\":\"2026-11-21T20:53:05.000Z\",\"data\":{\"channel\":{"
                "\"id\":\"site\"},"
                "\"activity\":{\"name\":\"Product Added\",\"properties\":{\"sku\":\"k1\"}}}}");
    child_expect(&c, " site activity.tracked  Product Added {\"sku\":\"k1\"}\n");
    cr_assert_eq(natsConnection_PublishString(
                     b.connection, TYPING,
                     "{\"type\":\"typing.started\",\"time\":\"2026-11-21T20:53:05.000Z\","
                     "\"data\":{\"channel\":{\"id\":\"shop\"},\"typing\":{\"kind\":\"text\"}}}"),
                 NATS_OK);
    child_expect(&c, " shop typing.started  typing={\"kind\":\"text\"}\n");
    publish(&b, "shop", "telegram:1", "last", 3);
    cr_expect_eq(child_wait(&c), 0);
    cr_expect_null(strstr(c.output, "before"));
    cr_expect_null(strchr(c.output, '\033'), "no colours where nobody looks");
    child_release(&c);
    cli_down(&b);
}

Test(tail, json_is_what_was_stored, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;
    char expected[4096];

    cli_up(&b, NULL, NULL, NULL);
    publish(&b, "shop", "telegram:1", "one \\u001b \xd0\x90", 1);
    cli_publish(&b, "kanal.events.telegram.shop.message.received._",
                "{ \"type\" :\n \"x\", \"a\": \"\xc2\x9b"
                "31m\" }");
    cli_publish(&b, "kanal.events.telegram.shop.message.received._", "no json \033[2J");
    cr_expect_eq(RUN(&c, "tail", "--since", "all", "--no-live", "--json"), 0, "%s", c.errors);
    snprintf(expected, sizeof expected, "%s\n{ \"type\" : \"x\", \"a\": \"\\u009b31m\" }\n",
             json_of("one \\u001b \xd0\x90", 1));
    cr_expect_str_eq(c.output, expected);
    cr_expect_not_null(strstr(c.errors, "a message of 12 bytes that is not JSON"), "%s", c.errors);
    child_release(&c);
    cr_expect_eq(RUN(&c, "tail", "--since", "all", "--no-live"), 0, "%s", c.errors);
    cr_expect_not_null(strstr(c.output, "message.received._  not JSON: no json \\u001b[2J\n"), "%s",
                       c.output);
    child_release(&c);
    cli_down(&b);
}

/* 0, 1, 2 … n-1, each once. */
static void expect_sequence(const char *output, int n)
{
    const char *at = output;
    char text[32];

    for (int i = 0; i < n; i++) {
        snprintf(text, sizeof text, "\"text\":\"n%d\"", i);
        at = strstr(at, text);
        cr_assert_not_null(at, "%s is missing or out of order", text);
        cr_assert_eq(cli_count(text, output), 1, "%s comes twice", text);
    }
}

Test(tail, since_goes_over_into_live_without_a_gap, .timeout = 90)
{
    struct broker_of_test b;
    struct child c;
    char text[32];
    enum { STORED = 1500, ALL = 3000 };
    char all[16];

    cli_up(&b, NULL, NULL, NULL);
    snprintf(all, sizeof all, "%d", ALL);
    for (int i = 0; i < ALL; i++) {
        if (i == STORED)
            START(&c, "tail", "--since", "all", "--json", "--count", all);
        snprintf(text, sizeof text, "n%d", i);
        publish(&b, "shop", "telegram:1", text, i);
    }
    cr_expect_eq(child_wait(&c), 0, "%s", c.errors);
    expect_sequence(c.output, ALL);
    child_release(&c);
    cli_down(&b);
}

Test(tail, goes_on_after_a_restart_of_the_broker, .timeout = 90)
{
    struct broker_of_test b;
    struct child c;
    char text[32];
    enum { ALL = 600 };

    cli_up(&b, NULL, NULL, NULL);
    START(&c, "tail", "--since", "all", "--json", "--count", "600");
    child_expect_error(&c, "listening");
    for (int i = 0; i < ALL; i++) {
        snprintf(text, sizeof text, "n%d", i);
        if (i == 300) {
            nats_kill(&b.nats);
            child_expect_error(&c, "the connection to the broker is lost; trying again");
            nats_restart(&b.nats);
            cli_disconnect(&b);
            cli_connect(&b, NULL, NULL);
        }
        publish(&b, "shop", "telegram:1", text, i);
    }
    cr_expect_eq(child_wait(&c), 0, "%s", c.errors);
    expect_sequence(c.output, ALL);
    cr_expect_not_null(strstr(c.errors, "connected again, to nats://127.0.0.1:"), "%s", c.errors);
    cr_expect_null(strstr(c.errors, "was not shown"), "nothing was missed: %s", c.errors);
    child_release(&c);
    cli_down(&b);
}

Test(tail, says_that_a_plain_subscription_missed_something, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    START(&c, "tail");
    child_expect_error(&c, "listening");
    nats_kill(&b.nats);
    child_expect_error(&c, "is lost");
    nats_restart(&b.nats);
    child_expect_error(&c, "what came meanwhile was not shown (--since would)");
    cli_disconnect(&b);
    cli_connect(&b, NULL, NULL);
    publish(&b, "shop", "telegram:1", "after", 1);
    child_expect(&c, "after\n");
    cr_expect_eq(child_signal(&c, SIGTERM), 0);
    child_release(&c);
    cli_down(&b);
}

Test(tail, stored_events_come_in_the_order_of_time, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;
    char text[160];

    cli_up(&b, NULL, NULL, NULL);
    for (int i = 0; i < 600; i++) {
        snprintf(text, sizeof text, "n%d", i);
        if (i % 3 == 0) {
            snprintf(text, sizeof text, "{\"type\":\"activity.tracked\",\"data\":{\"text\":\"n%d\"}}", i);
            cli_publish(&b, ACTIVITY, text);
        } else {
            publish(&b, i % 2 ? "shop" : "other", "telegram:1", text, i);
        }
    }
    cr_expect_eq(RUN(&c, "tail", "--since", "all", "--no-live", "--json"), 0, "%s", c.errors);
    expect_sequence(c.output, 600);
    child_release(&c);
    cli_down(&b);
}

Test(tail, since_a_time, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    publish(&b, "shop", "telegram:1", "old", 1);
    usleep(2200000);
    publish(&b, "shop", "telegram:1", "young", 2);
    cr_expect_eq(RUN(&c, "tail", "--since", "1s", "--no-live"), 0, "%s", c.errors);
    cr_expect_null(strstr(c.output, "old"), "%s", c.output);
    cr_expect_not_null(strstr(c.output, "young"), "%s", c.output);
    child_release(&c);
    cr_expect_eq(RUN(&c, "tail", "--since", "2020-01-01T00:00:00Z", "--no-live"), 0, "%s", c.errors);
    cr_expect_not_null(strstr(c.output, "old"), "%s", c.output);
    child_release(&c);
    cli_down(&b);
}

Test(tail, shows_only_what_is_asked_for, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    publish(&b, "shop", "telegram:1", "shop-1", 1);
    publish(&b, "shop", "telegram:2", "shop-2", 2);
    publish(&b, "other", "telegram:1", "other-1", 3);
    cli_publish(&b, "kanal.events.telegram.shop.message.sent._",
                "{\"type\":\"message.sent\",\"time\":\"2026-11-21T20:53:05Z\",\"data\":{\"channel\":{\"id\":"
                "\"shop\"}}}");

    cr_expect_eq(RUN(&c, "tail", "--since", "all", "--no-live", "--channel", "shop"), 0, "%s", c.errors);
    cr_expect(strstr(c.output, "shop-1") && strstr(c.output, "shop-2") && strstr(c.output, "message.sent") &&
                  !strstr(c.output, "other-1"),
              "%s", c.output);
    child_release(&c);
    cr_expect_eq(RUN(&c, "tail", "--since", "all", "--no-live", "--type", "message.received", "--address",
                     "Telegram:1"),
                 0, "%s", c.errors);
    cr_expect(strstr(c.output, "shop-1") && !strstr(c.output, "shop-2") &&
                  !strstr(c.output, "message.sent") && strstr(c.output, "other-1"),
              "%s", c.output);
    child_release(&c);
    cr_expect_eq(RUN(&c, "tail", "--since", "all", "--no-live", "--type", "message.*", "--channel", "other",
                     "--channel", "none"),
                 0, "%s", c.errors);
    cr_expect(!strstr(c.output, "shop-1") && strstr(c.output, "other-1"), "%s", c.output);
    child_release(&c);
    /* Overlapping filters: each event once. */
    cr_expect_eq(RUN(&c, "tail", "--since", "all", "--no-live", "kanal.events.*.shop.>",
                     "kanal.events.telegram.*.message.received.*"),
                 0, "%s", c.errors);
    cr_expect_eq(cli_count("shop-1", c.output), 1, "%s", c.output);
    cr_expect_eq(cli_count("shop-2", c.output), 1, "%s", c.output);
    cr_expect_eq(cli_count("other-1", c.output), 1, "%s", c.output);
    child_release(&c);
    START(&c, "tail", "--count", "3", "kanal.events.*.shop.>", "kanal.events.telegram.*.message.received.*");
    child_expect_error(&c, "listening");
    for (int i = 0; i < 3; i++)
        publish(&b, "shop", "telegram:1", i == 0 ? "first" : i == 1 ? "second" : "third", 10 + i);
    cr_expect_eq(child_wait(&c), 0);
    cr_expect(cli_count("first", c.output) == 1 && cli_count("second", c.output) == 1 &&
                  cli_count("third", c.output) == 1,
              "%s", c.output);
    child_release(&c);
    cli_down(&b);
}

Test(tail, colours_only_on_a_terminal, .timeout = 60)
{
    static const char *const words[] = { "tail", "--since", "all", "--no-live", NULL };
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    publish(&b, "shop", "telegram:1", "\\u001b[2J\\u009b31m\\u202e evil \\u0007", 1);
    child_start_terminal(&c, words);
    cr_expect_eq(child_wait(&c), 0);
    cr_expect_not_null(strstr(c.output, "\033[32mmessage.received\033[0m"), "%s", c.output);
    cr_expect_null(strstr(c.output, "\033[2J"), "what a customer wrote reached the terminal");
    cr_expect_null(strstr(c.output, "\xc2\x9b"));
    cr_expect_null(strstr(c.output, "\xe2\x80\xae"));
    cr_expect_not_null(strstr(c.output, "\\u001b[2J\\u009b31m\\u202e evil \\u0007"), "%s", c.output);
    child_release(&c);
    setenv("NO_COLOR", "1", 1);
    child_start_terminal(&c, words);
    cr_expect_eq(child_wait(&c), 0);
    cr_expect_null(strchr(c.output, '\033'), "%s", c.output);
    child_release(&c);
    cli_down(&b);
}

Test(tail, ends, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    cr_expect_eq(RUN(&c, "tail", "--timeout", "200ms"), 0);
    child_release(&c);
    cr_expect_eq(RUN(&c, "tail", "--timeout", "200ms", "--count", "1"), 5);
    cr_expect_not_null(strstr(c.errors, "0 of 1 events came in time"), "%s", c.errors);
    child_release(&c);
    START(&c, "tail");
    child_expect_error(&c, "listening");
    cr_expect_eq(child_signal(&c, SIGINT), 0);
    child_release(&c);
    START(&c, "tail", "--since", "all");
    child_expect_error(&c, "listening");
    cr_expect_eq(child_signal(&c, SIGINT), 0);
    child_release(&c);
    /* Nobody reads its output any more. */
    START(&c, "tail");
    child_expect_error(&c, "listening");
    close(c.out);
    c.out = -1;
    publish(&b, "shop", "telegram:1", "x", 1);
    cr_expect_eq(child_wait(&c), 0, "%d %s", c.code, c.errors);
    child_release(&c);
    cli_down(&b);
}

Test(tail, leaves_no_consumer_behind, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;
    jsStreamInfo *info = NULL;

    cli_up(&b, NULL, NULL, NULL);
    publish(&b, "shop", "telegram:1", "x", 1);
    cr_expect_eq(RUN(&c, "tail", "--since", "all", "--no-live"), 0);
    child_release(&c);
    cr_assert_eq(js_GetStreamInfo(&info, b.js, "KANAL_EVENTS", NULL, NULL), NATS_OK);
    cr_expect_eq(info->State.Consumers, 0);
    jsStreamInfo_Destroy(info);
    cli_down(&b);
}

Test(tail, wrong_words, .timeout = 60)
{
    static const struct {
        const char *words[6], *says;
    } wrong[] = {
        { { "tail", "--colour" }, "unknown option" },
        { { "tail", "--no-live" }, "--no-live needs --since" },
        { { "tail", "--since", "yesterday" }, "expected a duration" },
        { { "tail", "--count", "0" }, "above 0" },
        { { "tail", "--count", "x" }, "above 0" },
        { { "tail", "--timeout", "5" }, "such as 30s" },
        { { "tail", "--channel", "a.b" }, "cannot be a channel's id" },
        { { "tail", "--type", "message.recieved" }, "there is no event 'message.recieved'" },
        { { "tail", "--address", "Anna" }, "is no address" },
        { { "tail", "--channel", "a", "kanal.events.>" }, "leave out --channel" },
        { { "tail", "kanal.events.a b.>" }, "no spaces" },
        { { "tail", "shop.events.>" }, "subjects begin with 'kanal'" },
        { { "tail", "kanal.commands.>" }, "events, activity, facts or live" },
        { { "tail", "--prefix", "Kanal" }, "--prefix" },
    };
    struct broker_of_test b;
    struct child c;

    cli_up(&b, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_eq(cli_run(&c, wrong[i].words, NULL), 2, "%s: %d", wrong[i].words[1], c.code);
        cr_expect_not_null(strstr(c.errors, wrong[i].says), "%s does not say \"%s\"", c.errors,
                           wrong[i].says);
        cr_expect_str_eq(c.output, "");
        child_release(&c);
    }
    cr_expect_eq(RUN(&c, "tail", "--help"), 0);
    cr_expect_not_null(strstr(c.output, "usage: kanal tail"));
    child_release(&c);
    cli_down(&b);
}

Test(tail, is_refused, .timeout = 60)
{
    struct broker_of_test b;
    struct child c;

    cli_up(&b,
           "authorization { users: [ { user: boss, password: b }, { user: poor, password: p, permissions: { "
           "publish: \"x\", subscribe: "
           "[ \"_INBOX.>\", \"kanal.events.*.shop.>\" ] } } ] }",
           "boss", "b");
    cr_expect_eq(RUN(&c, "tail"), 4, "%s", c.errors);
    cr_expect_not_null(strstr(c.errors, "refuses these credentials"), "%s", c.errors);
    child_release(&c);
    setenv("KANAL_PASSWORD", "p", 1);
    cr_expect_eq(RUN(&c, "tail", "--user", "poor"), 1, "%s", c.errors);
    cr_expect_not_null(strstr(c.errors, "does not allow"), "%s", c.errors);
    child_release(&c);
    cr_expect_eq(RUN(&c, "tail", "--user", "poor", "--since", "all"), 1, "%s", c.errors);
    cr_expect_not_null(strstr(c.errors, "does not allow"), "%s", c.errors);
    child_release(&c);
    START(&c, "tail", "--user", "poor", "kanal.events.*.shop.>", "--count", "1");
    child_expect_error(&c, "listening");
    publish(&b, "shop", "telegram:1", "for the poor", 1);
    cr_expect_eq(child_wait(&c), 0, "%s", c.errors);
    child_release(&c);
    cli_down(&b);
}
