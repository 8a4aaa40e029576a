/* Consumers and pulls, against a real server. */
#include "broker_support.h"
#include "broker/private.h"

#include <stdlib.h>

struct reader {
    struct js_pull *pull;
    int count, errors, hold; /* hold: not settled */
    int first, last, in_order, redelivered;
    char error[128];
    struct js_token held[2000];
};

static void on_message(void *user, const struct js_delivered *d)
{
    struct reader *r = user;
    int number = (int)strtol(d->payload.ptr + 8, NULL, 10);

    if (r->count == 0)
        r->first = number;
    else if (number != r->last + 1)
        r->in_order = 0;
    r->last = number;
    r->redelivered += d->deliveries > 1;
    if (r->hold)
        r->held[r->count] = d->token;
    else
        js_settle(r->pull, &d->token, JS_ACK);
    r->count++;
}

static void on_error(void *user, kanal_str reason)
{
    struct reader *r = user;

    r->errors++;
    snprintf(r->error, sizeof r->error, "%.*s", (int)reason.len, reason.ptr);
}

static void consumer(struct fixture *f, const struct js_consumer *c, int recreate, kanal_status wanted)
{
    struct noted n = { 0 };

    js_consumer_ensure(f->broker, c, recreate, note_result, &n);
    cr_assert(run_until(&f->loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, wanted, "%d %s", n.status, n.text);
}

static void pull(struct fixture *f, struct reader *r, uint32_t batch, uint32_t window)
{
    struct js_pull_options options = {
        .stream = "EVENTS", .durable = "reader", .batch = batch, .window = window
    };

    r->in_order = 1;
    cr_assert_eq(js_pull_start(f->broker, &options, on_message, on_error, r, &r->pull), 0);
}

static void fill(struct fixture *f, int from, int to)
{
    struct tally t = { 0 };

    publish_many(f, from, to, &t);
    cr_assert(run_until(&f->loop, &t.ok, to - from, 10000));
}

static const struct js_consumer reader_consumer = {
    .stream = "EVENTS", .durable = "reader", .ack_wait_ms = 30000, .max_ack_pending = 2000
};

Test(pull, a_pull_brings_everything_in_order, .timeout = 60)
{
    struct fixture f;
    static struct reader r;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    fill(&f, 0, 5000);
    pull(&f, &r, 256, 1024);
    cr_assert(run_until(&f.loop, &r.count, 5000, 10000), "%d", r.count);
    fill(&f, 5000, 5010); /* and what comes later */
    cr_assert(run_until(&f.loop, &r.count, 5010, 2000), "%d", r.count);
    run_for(&f.loop, 300);
    cr_assert(r.count == 5010 && r.in_order && r.redelivered == 0 && r.errors == 0, "%d %d %d %s", r.count,
              r.in_order, r.redelivered, r.error);
    js_pull_stop(r.pull);
    fixture_down(&f);
}

Test(pull, the_window_bounds_what_is_handed_over, .timeout = 60)
{
    struct fixture f;
    static struct reader r;

    r.hold = 1;
    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    fill(&f, 0, 1000);
    pull(&f, &r, 64, 100);
    run_for(&f.loop, 2500);
    cr_assert_eq(r.count, 100, "%d", r.count);
    for (int i = 0; i < 50; i++)
        js_settle(r.pull, &r.held[i], i % 2 ? JS_ACK : JS_TERM);
    js_settle(r.pull, &r.held[60], JS_WORKING);
    cr_assert(run_until(&f.loop, &r.count, 150, 2500), "%d", r.count);
    run_for(&f.loop, 200);
    cr_assert_eq(r.count, 150, "%d", r.count);
    js_settle(r.pull, &r.held[99], JS_NAK); /* comes again at once */
    cr_assert(run_until(&f.loop, &r.redelivered, 1, 2500));
    js_pull_stop(r.pull);
    fixture_down(&f);
}

Test(pull, a_pull_survives_restarts, .timeout = 90)
{
    struct fixture f;
    static struct reader r;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    pull(&f, &r, 256, 1024);
    fill(&f, 0, 100);
    cr_assert(run_until(&f.loop, &r.count, 100, 3000), "%d", r.count);
    nats_kill(&f.nats);
    nats_restart(&f.nats);
    cr_assert(run_until(&f.loop, &f.downs, 1, 3000));
    cr_assert(run_until_state(&f, BROKER_UP, 10000), "%s", f.reason);
    fill(&f, 100, 200);
    for (int i = 0; i < 500 && r.last < 199; i++)
        run_for(&f.loop, 10);
    cr_assert_eq(r.last, 199, "%d", r.last);
    js_pull_stop(r.pull);
    fixture_down(&f);
}

Test(pull, a_pull_tells_that_its_consumer_is_gone, .timeout = 60)
{
    struct fixture f;
    static struct reader r;
    struct noted n = { 0 };

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    pull(&f, &r, 256, 1024);
    fill(&f, 0, 10);
    cr_assert(run_until(&f.loop, &r.count, 10, 3000));
    js_consumer_delete(f.broker, "EVENTS", "reader", note_result, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, KANAL_OK, "%s", n.text);
    cr_assert(run_until(&f.loop, &r.errors, 1, 3000));
    cr_assert_not_null(strstr(r.error, "Consumer Deleted"), "%s", r.error);
    cr_assert(run_until(&f.loop, &r.errors, 2, 3000), "it goes on trying");
    cr_assert_not_null(strstr(r.error, "consumer not found"), "%s", r.error);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    cr_assert(run_until(&f.loop, &r.count, 20, 5000), "%d", r.count);
    js_pull_stop(r.pull);
    n.calls = 0;
    js_consumer_delete(f.broker, "EVENTS", "nobody", note_result, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, KANAL_E_NOT_FOUND);
    fixture_down(&f);
}

Test(pull, a_pull_from_nothing_says_so, .timeout = 60)
{
    struct fixture f;
    static struct reader r;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    pull(&f, &r, 256, 1024);
    cr_assert(run_until(&f.loop, &r.errors, 1, 1000));
    cr_assert_str_eq(r.error, "consumer not found");
    js_pull_stop(r.pull);
    fixture_down(&f);
}

struct statuses {
    int heartbeats, ended, pending;
};

static void on_status(void *user, const struct broker_in *in)
{
    struct statuses *s = user;
    kanal_str pending = broker_in_header(in, "Nats-Pending-Messages");

    s->heartbeats += in->code == 100;
    s->ended += in->code == 408;
    if (in->code == 408)
        s->pending = pending.len > 0 ? (int)strtol(pending.ptr, NULL, 10) : -1;
}

/* What the pull rests on: heartbeats come, and the end of a request says how many messages did not. */
Test(pull, a_request_for_messages_ends_as_believed, .timeout = 30)
{
    struct fixture f;
    struct broker_inbox *inbox;
    struct statuses s = { 0 };
    struct tally t = { 0 };
    kanal_str request = KANAL_LIT("{\"batch\":10,\"expires\":1000000000,\"idle_heartbeat\":300000000}");
    struct broker_out out = { .subject = KANAL_LIT("$JS.API.CONSUMER.MSG.NEXT.EVENTS.reader"),
                              .payload = request };

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    publish_many(&f, 0, 3, &t);
    cr_assert(run_until(&f.loop, &t.ok, 3, 2000));
    cr_assert_eq(broker_inbox_open(f.broker, on_status, &s, &inbox), 0);
    cr_assert_eq(broker_send(f.broker, &out, broker_inbox_subject(inbox)), 0);
    cr_assert(run_until(&f.loop, &s.ended, 1, 3000));
    cr_assert(s.heartbeats >= 2 && s.pending == 7, "%d %d", s.heartbeats, s.pending);
    broker_inbox_close(inbox);
    fixture_down(&f);
}

Test(pull, a_pull_goes_on_after_a_stall, .timeout = 60)
{
    struct fixture f;
    static struct reader r;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    pull(&f, &r, 256, 1024);
    run_for(&f.loop, 100);
    nats_pause(&f.nats);
    cr_assert(run_until_state(&f, BROKER_STALLED, 8000));
    nats_resume(&f.nats);
    cr_assert(run_until_state(&f, BROKER_UP, 3000));
    fill(&f, 0, 1000);
    cr_assert(run_until(&f.loop, &r.count, 1000, 5000), "%d", r.count);
    cr_assert(r.in_order && r.redelivered == 0);
    js_pull_stop(r.pull);
    fixture_down(&f);
}

/* Requests for messages end after 15 s; the pull does not. */
Test(pull, a_pull_outlives_its_requests, .timeout = 60)
{
    struct fixture f;
    static struct reader r;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    pull(&f, &r, 256, 1024);
    run_for(&f.loop, 16500);
    fill(&f, 0, 1000);
    cr_assert(run_until(&f.loop, &r.count, 1000, 1000), "%d", r.count);
    cr_assert(r.in_order && r.redelivered == 0 && r.errors == 0);
    js_pull_stop(r.pull);
    fixture_down(&f);
}

Test(pull, a_consumer_is_compared, .timeout = 30)
{
    struct fixture f;
    struct noted n = { 0 };
    struct js_consumer different = reader_consumer;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    different.ack_wait_ms = 5000;
    different.filter = "events.a";
    js_consumer_ensure(f.broker, &different, 0, note_result, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, KANAL_E_REJECTED);
    cr_assert_not_null(strstr(n.text, "ack_wait is 30s, expected 5s"), "%s", n.text);
    cr_assert_not_null(strstr(n.text, "filter_subject"), "%s", n.text);
    consumer(&f, &different, 1, KANAL_OK);
    consumer(&f, &different, 0, KANAL_OK);
    different.stream = "NONE";
    n.calls = 0;
    js_consumer_ensure(f.broker, &different, 0, note_result, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, KANAL_E_REJECTED);
    cr_assert_not_null(strstr(n.text, "stream not found"), "%s", n.text);
    fixture_down(&f);
}

/* One holds messages and dies; another takes over. Without recreating it would get the later ones first. */
static int take_over(struct fixture *f, struct reader *second, int recreate)
{
    static struct reader first;

    memset(&first, 0, sizeof first);
    memset(second, 0, sizeof *second);
    first.hold = 1;
    consumer(f, &reader_consumer, 1, KANAL_OK);
    pull(f, &first, 5, 5);
    cr_assert(run_until(&f->loop, &first.count, 5, 3000));
    js_pull_stop(first.pull);
    run_for(&f->loop, 50);
    if (recreate)
        consumer(f, &reader_consumer, 1, KANAL_OK);
    pull(f, second, 256, 1024);
    run_until(&f->loop, &second->count, 10, 1500);
    js_pull_stop(second->pull);
    return second->count;
}

Test(pull, taking_over_by_recreating_keeps_the_order, .timeout = 60)
{
    struct fixture f;
    static struct reader second;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    fill(&f, 0, 10);
    cr_assert_eq(take_over(&f, &second, 0), 5, "the belief that this test rests on");
    cr_assert_eq(second.first, 5);
    cr_assert_eq(take_over(&f, &second, 1), 10);
    cr_assert(second.first == 0 && second.in_order);
    fixture_down(&f);
}

Test(pull, a_reader_without_acknowledgements, .timeout = 60)
{
    struct fixture f;
    static struct reader r;
    struct js_consumer c = {
        .stream = "EVENTS", .durable = "reader", .ack_none = 1, .start_sequence = 501, .filter = "events.many"
    };
    struct js_pull_options options = {
        .stream = "EVENTS", .durable = "reader", .batch = 100, .window = 100, .ack_none = 1
    };

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    fill(&f, 0, 1000);
    consumer(&f, &c, 0, KANAL_OK);
    consumer(&f, &c, 0, KANAL_OK);
    r.hold = r.in_order = 1;
    cr_assert_eq(js_pull_start(f.broker, &options, on_message, on_error, &r, &r.pull), 0);
    cr_assert(run_until(&f.loop, &r.count, 500, 5000), "%d %s", r.count, r.error);
    cr_assert(r.first == 500 && r.last == 999 && r.in_order, "%d %d", r.first, r.last);
    js_pull_stop(r.pull);
    fixture_down(&f);
}

static void note_consumer(void *user, kanal_status status, const struct js_consumer_state *state)
{
    struct noted *n = user;

    n->status = status;
    snprintf(n->text, sizeof n->text, "%llu %llu", state ? (unsigned long long)state->pending : 0,
             state ? (unsigned long long)state->unacknowledged : 0);
    n->calls++;
}

static void expect_consumer(struct fixture *f, const char *durable, kanal_status status, const char *text)
{
    struct noted n = { 0 };

    js_consumer_state(f->broker, "EVENTS", durable, note_consumer, &n);
    cr_assert(run_until(&f->loop, &n.calls, 1, 3000));
    cr_assert(n.status == status && strcmp(n.text, text) == 0, "%d '%s', expected %d '%s'", n.status, n.text,
              status, text);
}

Test(pull, one_acknowledgement_settles_all_before_it, .timeout = 60)
{
    struct fixture f;
    static struct reader r;
    struct js_consumer all = reader_consumer;

    all.ack_all = 1;
    r.hold = 1;
    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &all, 0, KANAL_OK);
    fill(&f, 0, 100);
    expect_consumer(&f, "reader", KANAL_OK, "100 0");
    pull(&f, &r, 10, 20);
    cr_assert(run_until(&f.loop, &r.count, 20, 5000));
    run_for(&f.loop, 200);
    cr_assert_eq(r.count, 20); /* the window is full */
    js_settle_through(r.pull, &r.held[19], 20);
    cr_assert(run_until(&f.loop, &r.count, 40, 5000), "%d", r.count);
    run_for(&f.loop, 200);
    cr_assert_eq(r.count, 40);
    expect_consumer(&f, "reader", KANAL_OK, "60 20");
    expect_consumer(&f, "nobody", KANAL_E_REJECTED, "0 0");
    js_pull_stop(r.pull);
    fixture_down(&f);
}

Test(pull, a_pause_ends_and_nothing_is_lost, .timeout = 60)
{
    struct fixture f;
    static struct reader r;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    fill(&f, 0, 500);
    pull(&f, &r, 10, 20);
    js_pull_pause(r.pull);
    run_for(&f.loop, 500);
    cr_assert_leq(r.count, 20, "%d", r.count); /* what was asked for comes */
    js_pull_resume(r.pull);
    cr_assert(run_until(&f.loop, &r.count, 500, 10000), "%d", r.count);
    cr_assert(r.in_order && r.redelivered == 0);
    js_pull_stop(r.pull);
    fixture_down(&f);
}

Test(pull, a_purge_without_a_sequence_takes_all_under_the_filter, .timeout = 60)
{
    struct fixture f;
    struct noted n = { 0 };

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    fill(&f, 0, 10);
    js_purge_before(f.broker, "EVENTS", "other.>", 0, note_result, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 3000));
    js_purge_before(f.broker, "EVENTS", "events.>", 0, note_result, &n);
    cr_assert(run_until(&f.loop, &n.calls, 2, 3000));
    cr_assert_eq(n.status, KANAL_OK);
    consumer(&f, &reader_consumer, 0, KANAL_OK);
    expect_consumer(&f, "reader", KANAL_OK, "0 0");
    fixture_down(&f);
}
