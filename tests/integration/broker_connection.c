/* The connection itself: states, requests, windows, a broker that dies, stops or forgets. */
#include "broker_support.h"

#include <stdlib.h>

Test(connection, no_responders_are_told_at_once, .timeout = 30)
{
    struct fixture f;
    struct noted n = { 0 };
    struct broker_out out = text_out("nobody.here", "hello");

    fixture_up(&f, NULL);
    cr_assert_str_eq(broker_server(f.broker), f.nats.url);
    cr_assert_eq(broker_max_payload(f.broker), 1048576);
    broker_request(f.broker, &out, 2000, note_reply, &n);
    cr_assert_eq(n.calls, 0, "answered inside the call");
    cr_assert_eq(broker_pending(f.broker), 1);
    cr_assert(run_until(&f.loop, &n.calls, 1, 1000));
    cr_assert_eq(n.status, KANAL_E_NOT_FOUND);
    cr_assert_eq(broker_pending(f.broker), 0);
    fixture_down(&f);
}

static void echo(void *user, const struct broker_in *in)
{
    struct broker_out out = { .subject = in->reply, .payload = in->payload };

    cr_assert_eq(broker_publish(*(struct broker **)user, &out), 0);
}

/* Among requests that are answered, those that are not are found, and only those. */
Test(connection, finds_the_unanswered_ones, .timeout = 30)
{
    struct fixture f;
    struct broker_subscription *s;
    struct noted n[60];
    char payload[16];

    memset(n, 0, sizeof n);
    fixture_up(&f, NULL);
    cr_assert_eq(broker_subscribe(f.broker, "echo.*", NULL, echo, &f.broker, &s), 0);
    for (int i = 0; i < 60; i++) {
        struct broker_out out = text_out(i % 3 == 1 ? "nobody.here" : "echo.me", payload);

        snprintf(payload, sizeof payload, "%d", i);
        out.payload = kanal_str_c(payload);
        broker_request(f.broker, &out, 3000, note_reply, &n[i]);
    }
    for (int i = 0; i < 60; i++) {
        snprintf(payload, sizeof payload, "%d", i);
        cr_assert(run_until(&f.loop, &n[i].calls, 1, 1000), "%d", i);
        cr_assert_eq(n[i].status, i % 3 == 1 ? KANAL_E_NOT_FOUND : KANAL_OK, "%d", i);
        cr_assert(i % 3 == 1 || strcmp(n[i].text, payload) == 0, "%d: %s", i, n[i].text);
    }
    broker_unsubscribe(s);
    fixture_down(&f);
}

static void count(void *user, const struct broker_in *in)
{
    (void)in;
    ++*(int *)user;
}

Test(connection, a_request_without_an_answer_times_out, .timeout = 30)
{
    struct fixture f;
    struct broker_subscription *s;
    struct noted n = { 0 };
    struct broker_out out = text_out("silent", "hello");
    uint64_t begin;
    int seen = 0;

    fixture_up(&f, NULL);
    cr_assert_eq(broker_subscribe(f.broker, "silent", NULL, count, &seen, &s), 0);
    begin = clock_ms();
    broker_request(f.broker, &out, 300, note_reply, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 2000));
    cr_assert_eq(n.status, KANAL_E_TIMEOUT);
    cr_assert(clock_ms() - begin >= 300 && clock_ms() - begin < 600, "%d ms", (int)(clock_ms() - begin));
    cr_assert_eq(seen, 1);
    fixture_down(&f);
}

static void count_reply(void *user, kanal_status status, const struct broker_in *in)
{
    (void)in;
    ((int *)user)[-status]++;
}

Test(connection, a_full_window_is_busy, .timeout = 30)
{
    struct fixture f;
    struct broker_options options = { .window = 100 };
    struct broker_subscription *s;
    struct broker_out out = text_out("silent", "hello");
    int statuses[16] = { 0 }, seen = 0;

    fixture_init(&f);
    nats_start(&f.nats, NULL);
    fixture_connect(&f, &options);
    cr_assert(run_until_state(&f, BROKER_UP, 5000));
    cr_assert_eq(broker_subscribe(f.broker, "silent", NULL, count, &seen, &s), 0);
    for (int i = 0; i < 150; i++)
        broker_request(f.broker, &out, 1000, count_reply, statuses);
    cr_assert_eq(statuses[-KANAL_E_BUSY], 0, "told inside the call");
    cr_assert(run_until(&f.loop, &statuses[-KANAL_E_BUSY], 50, 500));
    cr_assert(run_until(&f.loop, &statuses[-KANAL_E_TIMEOUT], 100, 3000));
    cr_assert_eq(statuses[-KANAL_E_BUSY], 50);
    cr_assert_eq(seen, 100, "what was refused must not leave");
    fixture_down(&f);
}

Test(connection, bad_input_is_refused, .timeout = 30)
{
    struct fixture f;
    static const char *const subjects[] = { "",    "a b", "a..b",         ".a",  "a.",
                                            "a.*", "a.>", "a\r\nPUB x 0", "a\tb" };
    kanal_field header = { KANAL_LIT("Name"), KANAL_LIT("a\r\nOther: b") };
    struct broker_out out = text_out("a", "");
    struct broker_subscription *s;
    int statuses[16] = { 0 }, seen = 0;
    char *big = calloc(1, 1200000);

    fixture_up(&f, NULL);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        out.subject = kanal_str_c(subjects[i]);
        cr_assert_eq(broker_publish(f.broker, &out), KANAL_E_INVALID, "%s", subjects[i]);
    }
    out = text_out("a", "x");
    out.headers = &header;
    out.header_count = 1;
    cr_assert_eq(broker_publish(f.broker, &out), KANAL_E_INVALID);
    header = (kanal_field){ KANAL_LIT("Na:me"), KANAL_LIT("x") };
    cr_assert_eq(broker_publish(f.broker, &out), KANAL_E_INVALID);
    out = text_out("a", "");
    out.payload = kanal_str_of(big, 1048577);
    cr_assert_eq(broker_publish(f.broker, &out), KANAL_E_TOO_LARGE);
    broker_request(f.broker, &out, 1000, count_reply, statuses);
    cr_assert(run_until(&f.loop, &statuses[-KANAL_E_TOO_LARGE], 1, 500));
    cr_assert_eq(broker_subscribe(f.broker, "a", NULL, count, &seen, &s), 0);
    out.payload.len = 1048576;
    cr_assert_eq(broker_publish(f.broker, &out), 0);
    cr_assert(run_until(&f.loop, &seen, 1, 2000), "the largest message must arrive");
    cr_assert_eq(f.state, BROKER_UP);
    free(big);
    fixture_down(&f);
}

Test(connection, kill_in_mid_flight_then_everything_goes_on, .timeout = 60)
{
    struct fixture f;
    struct broker_subscription *s;
    struct broker_out out = text_out("silent", "hello");
    int statuses[16] = { 0 }, seen = 0;

    fixture_up(&f, NULL);
    cr_assert_eq(broker_subscribe(f.broker, "silent", NULL, count, &seen, &s), 0);
    for (int i = 0; i < 500; i++)
        broker_request(f.broker, &out, 60000, count_reply, statuses);
    cr_assert(run_until(&f.loop, &seen, 500, 2000));
    nats_kill(&f.nats);
    cr_assert(run_until(&f.loop, &statuses[-KANAL_E_MAYBE], 500, 1000), "%d", statuses[-KANAL_E_MAYBE]);
    cr_assert(run_until_state(&f, BROKER_DOWN, 500));
    cr_assert_eq(broker_pending(f.broker), 0);
    cr_assert_str_eq(broker_server(f.broker), "");
    cr_assert_eq(broker_publish(f.broker, &out), KANAL_E_NETWORK);
    broker_request(f.broker, &out, 1000, count_reply, statuses);
    cr_assert(run_until(&f.loop, &statuses[-KANAL_E_NETWORK], 1, 500));
    run_for(&f.loop, 300);
    cr_assert_not_null(strstr(f.reason, "Connection refused"), "%s", f.reason);
    nats_restart(&f.nats);
    cr_assert(run_until_state(&f, BROKER_UP, 10000), "%s", f.reason);
    cr_assert_eq(seen, 500, "nothing is sent again after it was reported as failed");
    cr_assert_eq(broker_publish(f.broker, &out), 0);
    cr_assert(run_until(&f.loop, &seen, 501, 2000), "the subscription must survive");
    fixture_down(&f);
}

Test(connection, waits_for_a_server_that_is_not_there_yet, .timeout = 60)
{
    struct fixture f;
    struct broker_options options = { 0 };

    fixture_init(&f);
    nats_start(&f.nats, NULL);
    nats_stop(&f.nats);
    fixture_connect(&f, &options);
    run_for(&f.loop, 400);
    cr_assert_eq(f.state, BROKER_CONNECTING);
    cr_assert_not_null(strstr(f.reason, "Connection refused"), "%s", f.reason);
    nats_restart(&f.nats);
    cr_assert(run_until_state(&f, BROKER_UP, 10000), "%s", f.reason);
    fixture_down(&f);
}

Test(connection, tries_the_next_server, .timeout = 60)
{
    struct fixture f;
    struct nats_server second;
    const char *urls[2];
    char first[64];
    struct broker_options options = { .urls = urls, .url_count = 2 };

    fixture_init(&f);
    snprintf(first, sizeof first, "nats://127.0.0.1:%d", free_port());
    nats_start(&f.nats, NULL);
    nats_start(&second, NULL);
    urls[0] = first;
    urls[1] = f.nats.url;
    fixture_connect(&f, &options);
    cr_assert(run_until_state(&f, BROKER_UP, 1000), "%s", f.reason);
    cr_assert_str_eq(broker_server(f.broker), f.nats.url);
    fixture_down(&f);
    nats_release(&second);
}

/* While a stalled server is tried, the loop turns. */
Test(connection, connecting_never_blocks_the_loop, .timeout = 60)
{
    struct fixture f;
    struct broker_options options = { 0 };
    uint64_t begin, longest = 0;

    fixture_init(&f);
    nats_start(&f.nats, NULL);
    nats_pause(&f.nats);
    fixture_connect(&f, &options);
    for (uint64_t end = clock_ms() + 3000; clock_ms() < end;) {
        begin = clock_ms();
        run_for(&f.loop, 5);
        if (clock_ms() - begin > longest)
            longest = clock_ms() - begin;
    }
    cr_assert(longest < 200, "%d ms", (int)longest);
    cr_assert_eq(f.state, BROKER_CONNECTING);
    nats_resume(&f.nats);
    cr_assert(run_until_state(&f, BROKER_UP, 10000), "%s", f.reason);
    fixture_down(&f);
}

Test(connection, can_be_freed_at_any_time, .timeout = 60)
{
    struct fixture f;
    struct broker_options options = { 0 };
    struct broker_subscription *s;
    struct broker_out out = text_out("silent", "hello");
    int statuses[16] = { 0 }, seen = 0;

    fixture_init(&f); /* while it connects to a server that says nothing */
    nats_start(&f.nats, NULL);
    nats_pause(&f.nats);
    fixture_connect(&f, &options);
    run_for(&f.loop, 50);
    fixture_down(&f);

    fixture_up(&f, NULL); /* with requests under way, and with some in the buffer */
    cr_assert_eq(broker_subscribe(f.broker, "silent", NULL, count, &seen, &s), 0);
    broker_request(f.broker, &out, 60000, count_reply, statuses);
    broker_free(f.broker);
    cr_assert_eq(statuses[-KANAL_E_CANCELLED], 1);
    fixture_down(&f);

    fixture_init(&f); /* at once */
    nats_start(&f.nats, NULL);
    fixture_connect(&f, &options);
    fixture_down(&f);
}

/* What was published before broker_free() arrives. */
Test(connection, free_sends_what_is_buffered, .timeout = 60)
{
    struct fixture f, other;
    struct broker_options options = { 0 };
    struct broker_subscription *s;
    struct broker_out out = text_out("to.other", "");
    char *payload = calloc(1, 100000);
    const char *url;
    int seen = 0;

    fixture_up(&f, NULL);
    fixture_init(&other);
    url = f.nats.url;
    options.urls = &url;
    options.url_count = 1;
    fixture_connect(&other, &options);
    cr_assert(run_until_state(&other, BROKER_UP, 5000));
    cr_assert_eq(broker_subscribe(other.broker, "to.other", NULL, count, &seen, &s), 0);
    run_for(&other.loop, 50);
    out.payload = kanal_str_of(payload, 100000);
    for (int i = 0; i < 60; i++)
        cr_assert_eq(broker_publish(f.broker, &out), 0);
    broker_free(f.broker);
    cr_assert(run_until(&other.loop, &seen, 60, 3000), "%d", seen);
    broker_free(other.broker);
    uv_run(&other.loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&other.loop), 0);
    f.broker = NULL;
    fixture_down(&f);
    free(payload);
}

struct freeing {
    struct fixture *f;
    int calls;
};

static void free_inside(void *user, kanal_status status, const struct broker_in *in)
{
    struct freeing *freeing = user;

    (void)status, (void)in;
    freeing->calls++;
    broker_free(freeing->f->broker);
}

Test(connection, can_be_freed_inside_a_callback, .timeout = 60)
{
    struct fixture f;
    struct freeing freeing = { &f, 0 };
    struct broker_subscription *s;
    struct broker_out out = text_out("echo.me", "x");

    fixture_up(&f, NULL);
    cr_assert_eq(broker_subscribe(f.broker, "echo.*", NULL, echo, &f.broker, &s), 0);
    for (int i = 0; i < 3; i++)
        broker_request(f.broker, &out, 1000, free_inside, &freeing);
    cr_assert(run_until(&f.loop, &freeing.calls, 3, 2000), "%d", freeing.calls);
    f.broker = NULL;
    fixture_down(&f);
}

/* A stopped server: within 5 s it counts as away, and when it goes on, so do we, with the same connection. */
Test(connection, a_stalled_broker_is_noticed_and_comes_back, .timeout = 60)
{
    struct fixture f;
    struct broker_subscription *s;
    struct broker_out out = text_out("silent", "hello");
    int statuses[16] = { 0 }, seen = 0;
    uint64_t begin;

    fixture_up(&f, NULL);
    cr_assert_eq(broker_subscribe(f.broker, "silent", NULL, count, &seen, &s), 0);
    run_for(&f.loop, 100);
    nats_pause(&f.nats);
    begin = clock_ms();
    broker_request(f.broker, &out, 30000, count_reply, statuses);
    cr_assert(run_until_state(&f, BROKER_STALLED, 8000));
    cr_assert(clock_ms() - begin < 5300, "%d ms", (int)(clock_ms() - begin));
    cr_assert_not_null(strstr(f.reason, "pings"), "%s", f.reason);
    cr_assert_eq(broker_publish(f.broker, &out), KANAL_E_NETWORK);
    cr_assert_eq(broker_pending(f.broker), 1, "it may still be answered");
    nats_resume(&f.nats);
    cr_assert(run_until_state(&f, BROKER_UP, 1000));
    cr_assert(run_until(&f.loop, &seen, 1, 1000));
    cr_assert_eq(f.downs, 0, "the connection must be the same");
    cr_assert_eq(broker_pending(f.broker), 1);
    fixture_down(&f);
}

/* A server that never comes back, though its kernel still holds the connection: given up after ten pings. */
Test(connection, a_dead_connection_is_given_up, .timeout = 60)
{
    struct fixture f;
    struct nats_server second;
    struct broker_options options = { .ping_ms = 200 };
    struct broker_subscription *s;
    struct broker_out out = text_out("silent", "hello");
    const char *urls[2];
    int statuses[16] = { 0 }, seen = 0;

    fixture_init(&f);
    nats_start(&f.nats, NULL);
    nats_start(&second, NULL);
    urls[0] = f.nats.url;
    urls[1] = second.url;
    options.urls = urls;
    options.url_count = 2;
    fixture_connect(&f, &options);
    cr_assert(run_until_state(&f, BROKER_UP, 5000));
    cr_assert_eq(broker_subscribe(f.broker, "silent", NULL, count, &seen, &s), 0);
    nats_pause(&f.nats);
    broker_request(f.broker, &out, 60000, count_reply, statuses);
    cr_assert(run_until(&f.loop, &f.downs, 1, 5000));
    cr_assert_eq(statuses[-KANAL_E_MAYBE], 1);
    cr_assert(run_until_state(&f, BROKER_UP, 5000), "%s", f.reason);
    cr_assert_str_eq(broker_server(f.broker), second.url);
    fixture_down(&f);
    nats_release(&second);
}

/* The buffer is bounded, and the loop is not held up by what does not leave. */
static void fill(struct fixture *f)
{
    struct broker_out out = text_out("nowhere", "");
    char *payload = calloc(1, 100000);
    uint64_t longest = 0, begin = clock_ms();
    int r = 0, sent = 0;

    out.payload = kanal_str_of(payload, 100000);
    nats_pause(&f->nats);
    while (r == 0 && sent < 2000) {
        uint64_t turn = clock_ms();

        for (int i = 0; i < 10 && r == 0; i++, sent++)
            r = broker_publish(f->broker, &out);
        run_for(&f->loop, 1);
        if (clock_ms() - turn > longest)
            longest = clock_ms() - turn;
    }
    free(payload);
    cr_assert_eq(r, KANAL_E_BUSY, "%d after %d", r, sent);
    cr_assert(sent > 80 && sent < 1500, "%d", sent);
    cr_assert(longest < 500, "%d ms", (int)longest);
    cr_assert_eq(f->state, BROKER_STALLED, "a full buffer counts as away");
    cr_assert(clock_ms() - begin < 3500, "%d ms: found by the buffer, not by the pings",
              (int)(clock_ms() - begin));
    nats_resume(&f->nats);
    cr_assert(run_until_state(f, BROKER_UP, 3000), "%s", f->reason);
    cr_assert_eq(f->downs, 0);
}

/* Nothing waits for a server that does not answer. */
Test(connection, is_freed_at_once_when_stalled, .timeout = 60)
{
    struct fixture f;
    struct broker_out out = text_out("nowhere", "");
    char *payload = calloc(1, 100000);
    uint64_t begin;

    fixture_up(&f, NULL);
    nats_pause(&f.nats);
    out.payload = kanal_str_of(payload, 100000);
    while (broker_publish(f.broker, &out) == 0)
        run_for(&f.loop, 1);
    cr_assert(run_until_state(&f, BROKER_STALLED, 1000));
    begin = clock_ms();
    broker_free(f.broker);
    cr_assert(clock_ms() - begin < 200, "%d ms", (int)(clock_ms() - begin));
    f.broker = NULL;
    free(payload);
    fixture_down(&f);
}

Test(connection, the_buffer_is_bounded, .timeout = 60)
{
    struct fixture f;

    fixture_up(&f, NULL);
    fill(&f);
    fixture_down(&f);
}
