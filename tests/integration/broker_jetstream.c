/* Streams, publishing, stored messages, consumers and pulls, against a real server. */
#include "broker_support.h"
#include "broker/private.h"

#include <stdlib.h>

Test(jetstream, publish_is_acknowledged_and_deduplicated, .timeout = 30)
{
    struct fixture f;
    struct noted n;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    cr_assert_eq(publish(&f, "events.a", "one", "id-1", JS_ANY_SEQUENCE, &n), KANAL_OK, "%s", n.text);
    cr_assert(n.sequence == 1 && !n.duplicate);
    cr_assert_eq(publish(&f, "events.b", "two", "id-2", JS_ANY_SEQUENCE, &n), KANAL_OK);
    cr_assert(n.sequence == 2 && !n.duplicate);
    cr_assert_eq(publish(&f, "events.a", "one", "id-1", JS_ANY_SEQUENCE, &n), KANAL_OK);
    cr_assert(n.sequence == 1 && n.duplicate);
    cr_assert_eq(publish(&f, "events.a", "no id", NULL, JS_ANY_SEQUENCE, &n), KANAL_OK);
    cr_assert_eq(n.sequence, 3);
    fixture_down(&f);
}

Test(jetstream, expected_last_sequence, .timeout = 30)
{
    struct fixture f;
    struct noted n;

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    cr_assert_eq(publish(&f, "events.a", "one", NULL, 0, &n), KANAL_OK, "%s", n.text);
    cr_assert_eq(publish(&f, "events.b", "other", NULL, 0, &n), KANAL_OK, "%s", n.text);
    cr_assert_eq(publish(&f, "events.a", "again", NULL, 0, &n), KANAL_E_REJECTED);
    cr_assert_not_null(strstr(n.text, "wrong last sequence"), "%s", n.text);
    cr_assert_eq(publish(&f, "events.a", "two", NULL, 1, &n), KANAL_OK, "%s", n.text);
    cr_assert_eq(n.sequence, 3);
    fixture_down(&f);
}

Test(jetstream, no_stream_and_refusals, .timeout = 30)
{
    struct fixture f;
    struct noted n;
    const char *subjects[] = { "small.>", NULL };
    struct js_stream stream = { .name = "SMALL", .subjects = subjects, .max_msg_size = 10 };

    fixture_up(&f, NULL);
    cr_assert_eq(publish(&f, "nowhere.a", "one", NULL, JS_ANY_SEQUENCE, &n), KANAL_E_NOT_FOUND);
    cr_assert_not_null(strstr(n.text, "no such stream"), "%s", n.text);
    memset(&n, 0, sizeof n);
    js_stream_ensure(f.broker, &stream, note_result, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, KANAL_OK, "%s", n.text);
    cr_assert_eq(publish(&f, "small.a", "longer than ten bytes", NULL, JS_ANY_SEQUENCE, &n),
                 KANAL_E_REJECTED);
    cr_assert_not_null(strstr(n.text, "message size exceeds"), "%s", n.text);
    fixture_down(&f);
}

/* A thousand at once leave in few writes and all come back. */
struct tally {
    int calls, ok, other, duplicates;
    uint64_t last;
};

static void tally_ack(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct tally *t = user;

    (void)reason;
    t->calls++;
    t->ok += status == KANAL_OK;
    t->other += status != KANAL_OK;
    if (ack) {
        t->duplicates += ack->duplicate;
        cr_assert(ack->duplicate || ack->sequence > t->last);
        t->last = ack->sequence;
    }
}

static void publish_many(struct fixture *f, int from, int to, struct tally *t)
{
    char id[32], payload[64];

    for (int i = from; i < to; i++) {
        struct broker_out out = text_out("events.many", payload);

        out.payload.len = (size_t)snprintf(payload, sizeof payload, "message %d", i);
        snprintf(id, sizeof id, "many-%d", i);
        js_publish(f->broker, &out, kanal_str_c(id), JS_ANY_SEQUENCE, 5000, tally_ack, t);
    }
}

/* kill -9 with publishes under way: each is told once, as stored or as MAYBE; sent again with the same
 * ids, everything is there exactly once. */
Test(jetstream, kill_while_publishing_then_send_again, .timeout = 60)
{
    struct fixture f;
    struct tally first = { 0 }, second = { 0 };
    struct noted n = { 0 };

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    publish_many(&f, 0, 5000, &first);
    cr_assert(run_until(&f.loop, &first.ok, 500, 5000));
    nats_kill(&f.nats);
    cr_assert(run_until(&f.loop, &first.calls, 5000, 3000), "%d", first.calls);
    cr_assert(first.other > 0, "the kill came too late to prove anything");
    nats_restart(&f.nats);
    cr_assert(run_until_state(&f, BROKER_UP, 10000), "%s", f.reason);
    publish_many(&f, 0, 5000, &second);
    cr_assert(run_until(&f.loop, &second.calls, 5000, 10000), "%d", second.calls);
    cr_assert_eq(second.ok, 5000);
    cr_assert(second.duplicates >= first.ok, "%d < %d: an acknowledged message was lost", second.duplicates,
              first.ok);
    js_get_last(f.broker, "EVENTS", KANAL_LIT("events.many"), note_message, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 2000));
    cr_assert_eq(n.sequence, 5000, "%d", (int)n.sequence);
    fixture_down(&f);
}

/* ---- Streams ---- */

static kanal_status ensure(struct fixture *f, const struct js_stream *stream, struct noted *n)
{
    memset(n, 0, sizeof *n);
    js_stream_ensure(f->broker, stream, note_result, n);
    cr_assert_eq(n->calls, 0);
    cr_assert(run_until(&f->loop, &n->calls, 1, 3000));
    return n->status;
}

Test(jetstream, a_stream_is_compared_and_never_changed, .timeout = 30)
{
    struct fixture f;
    struct noted n;
    const char *subjects[] = { "events.>", "more.>", NULL }, *others[] = { "events.>", NULL };
    struct js_stream stream = { .name = "EVENTS",
                                .subjects = subjects,
                                .max_age_ms = INT64_C(400) * 86400000,
                                .duplicate_window_ms = 120000,
                                .max_bytes = 1 << 30,
                                .max_msg_size = 1000000,
                                .allow_direct = 1,
                                .deny_purge = 1 };
    struct js_stream different = stream;

    fixture_up(&f, NULL);
    cr_assert_eq(ensure(&f, &stream, &n), KANAL_OK, "%s", n.text);
    cr_assert_eq(ensure(&f, &stream, &n), KANAL_OK, "%s", n.text);
    different.max_age_ms = INT64_C(7) * 86400000;
    different.subjects = others;
    different.deny_purge = 0;
    different.retention = JS_WORK_QUEUE;
    cr_assert_eq(ensure(&f, &different, &n), KANAL_E_REJECTED);
    cr_assert_not_null(strstr(n.text, "stream EVENTS: "), "%s", n.text);
    cr_assert_not_null(strstr(n.text, "max_age is 400d, expected 7d"), "%s", n.text);
    cr_assert_not_null(strstr(n.text, "subjects is [\"events.>\",\"more.>\"], expected [\"events.>\"]"), "%s",
                       n.text);
    cr_assert_not_null(strstr(n.text, "deny_purge is true, expected false"), "%s", n.text);
    cr_assert_not_null(strstr(n.text, "retention is \"limits\", expected \"workqueue\""), "%s", n.text);
    cr_assert_null(strstr(n.text, "max_bytes"), "%s", n.text);
    cr_assert_eq(ensure(&f, &stream, &n), KANAL_OK, "it was changed: %s", n.text);
    different.name = "OTHER";
    cr_assert_eq(ensure(&f, &different, &n), KANAL_E_REJECTED);
    cr_assert_not_null(strstr(n.text, "overlap"), "%s", n.text);
    different.name = "bad.name";
    cr_assert_eq(ensure(&f, &different, &n), KANAL_E_INVALID);
    fixture_down(&f);
}

Test(jetstream, without_jetstream_it_says_so, .timeout = 30)
{
    struct fixture f;
    struct broker_options options = { 0 };
    struct noted n;
    const char *subjects[] = { "events.>", NULL };
    struct js_stream stream = { .name = "EVENTS", .subjects = subjects };

    fixture_init(&f);
    nats_start(&f.nats, NULL);
    nats_stop(&f.nats);
    nats_reconfigure(&f.nats, "jetstream: disabled");
    nats_restart(&f.nats);
    fixture_connect(&f, &options);
    cr_assert(run_until_state(&f, BROKER_UP, 5000));
    cr_assert_eq(ensure(&f, &stream, &n), KANAL_E_NOT_FOUND);
    cr_assert_not_null(strstr(n.text, "JetStream is not enabled"), "%s", n.text);
    fixture_down(&f);
}

/* ---- Stored messages ---- */

static void read_them(int direct)
{
    struct fixture f;
    struct noted n = { 0 };
    const char *subjects[] = { "events.>", NULL };
    struct js_stream stream = { .name = "EVENTS", .subjects = subjects, .allow_direct = direct };

    fixture_up(&f, NULL);
    cr_assert_eq(ensure(&f, &stream, &n), KANAL_OK, "%s", n.text);
    publish(&f, "events.a", "one", "id-1", JS_ANY_SEQUENCE, &n);
    publish(&f, "events.b", "two", NULL, JS_ANY_SEQUENCE, &n);
    publish(&f, "events.a", "three", NULL, JS_ANY_SEQUENCE, &n);
#define GET(call, wanted_status, wanted_text, wanted_sequence)                                               \
    memset(&n, 0, sizeof n);                                                                                 \
    call;                                                                                                    \
    cr_assert(run_until(&f.loop, &n.calls, 1, 2000));                                                        \
    cr_assert(n.status == (wanted_status) && n.sequence == (wanted_sequence) &&                              \
                  strcmp(n.text, wanted_text) == 0,                                                          \
              "%d %s %d", n.status, n.text, (int)n.sequence)
    GET(js_get_last(f.broker, "EVENTS", KANAL_LIT("events.a"), note_message, &n), KANAL_OK, "three", 3);
    GET(js_get_sequence(f.broker, "EVENTS", 2, note_message, &n), KANAL_OK, "two", 2);
    GET(js_get_next(f.broker, "EVENTS", KANAL_LIT("events.a"), 2, note_message, &n), KANAL_OK, "three", 3);
    GET(js_get_next(f.broker, "EVENTS", KANAL_LIT("events.a"), 0, note_message, &n), KANAL_OK, "one", 1);
    GET(js_get_last(f.broker, "EVENTS", KANAL_LIT("events.c"), note_message, &n), KANAL_E_NOT_FOUND, "", 0);
    GET(js_get_sequence(f.broker, "EVENTS", 9, note_message, &n), KANAL_E_NOT_FOUND, "", 0);
    GET(js_get_next(f.broker, "EVENTS", KANAL_LIT("events.b"), 3, note_message, &n), KANAL_E_NOT_FOUND, "",
        0);
    GET(js_get_last(f.broker, "NONE", KANAL_LIT("events.a"), note_message, &n), KANAL_E_NOT_FOUND, "", 0);
    GET(js_get_last(f.broker, "EVENTS", KANAL_LIT("events.*"), note_message, &n), KANAL_E_INVALID, "", 0);
    fixture_down(&f);
}

static void note_state_of(void *user, kanal_status status, const struct js_state *state)
{
    struct noted *n = user;
    n->calls++;
    n->status = status;
    n->sequence = state ? state->last_sequence * 100 + state->first_sequence * 10 + state->messages : 0;
}

Test(jetstream, what_a_stream_holds_and_one_taken_out, .timeout = 30)
{
    struct fixture f;
    struct noted n = { 0 };

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    for (int i = 0; i < 3; i++)
        publish(&f, "events.a", "x", NULL, JS_ANY_SEQUENCE, &n);
#define ASK(call, wanted_status)                                                                             \
    memset(&n, 0, sizeof n);                                                                                 \
    call;                                                                                                    \
    cr_assert(run_until(&f.loop, &n.calls, 1, 2000));                                                        \
    cr_assert_eq(n.status, wanted_status, "%d %s", n.status, n.text)
    ASK(js_stream_state(f.broker, "EVENTS", note_state_of, &n), KANAL_OK);
    cr_assert_eq(n.sequence, 313);
    ASK(js_delete_sequence(f.broker, "EVENTS", 1, note_result, &n), KANAL_OK);
    ASK(js_stream_state(f.broker, "EVENTS", note_state_of, &n), KANAL_OK);
    cr_assert_eq(n.sequence, 322);
    ASK(js_delete_sequence(f.broker, "EVENTS", 1, note_result, &n), KANAL_E_NOT_FOUND);
    ASK(js_delete_sequence(f.broker, "EVENTS", 99, note_result, &n), KANAL_E_NOT_FOUND);
    ASK(js_delete_sequence(f.broker, "NONE", 1, note_result, &n), KANAL_E_NOT_FOUND);
    ASK(js_stream_state(f.broker, "NONE", note_state_of, &n), KANAL_E_NOT_FOUND);
    ASK(js_stream_state(f.broker, "no.name", note_state_of, &n), KANAL_E_INVALID);
    ASK(js_delete_sequence(f.broker, "", 1, note_result, &n), KANAL_E_INVALID);
#undef ASK
    fixture_down(&f);
}

Test(jetstream, stored_messages_directly, .timeout = 30)
{
    read_them(1);
}

Test(jetstream, stored_messages_without_direct, .timeout = 30)
{
    read_them(0);
}

/* What was known of a stream is forgotten when it does not hold any more. */
Test(jetstream, a_stream_that_is_gone, .timeout = 30)
{
    struct fixture f;
    struct broker_out out = text_out("$JS.API.STREAM.DELETE.EVENTS", "");
    struct noted n = { 0 };

    fixture_up(&f, NULL);
    cr_assert_eq(make_stream(&f, "EVENTS", "events.>"), KANAL_OK);
    broker_request(f.broker, &out, 0, note_reply, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 2000));
    n.calls = 0;
    js_get_sequence(f.broker, "EVENTS", 1, note_message, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 6000));
    /* 2.9 gives no answer at all, 2.10 says that nobody is there. */
    cr_assert(n.status == KANAL_E_TIMEOUT || n.status == KANAL_E_NOT_FOUND, "%d", n.status);
    n.calls = 0;
    js_get_sequence(f.broker, "EVENTS", 1, note_message, &n);
    cr_assert(run_until(&f.loop, &n.calls, 1, 1000));
    cr_assert_eq(n.status, KANAL_E_NOT_FOUND);
    fixture_down(&f);
}

struct seen_message {
    int calls;
    int64_t time_ms;
    char subject[64], msg_id[64];
};

static void look(void *user, kanal_status status, const struct js_message *m)
{
    struct seen_message *s = user;

    s->calls++;
    cr_assert_eq(status, KANAL_OK);
    s->time_ms = m->time_ms;
    snprintf(s->subject, sizeof s->subject, "%.*s", (int)m->subject.len, m->subject.ptr);
    snprintf(s->msg_id, sizeof s->msg_id, "%.*s", (int)m->msg_id.len, m->msg_id.ptr);
}

Test(jetstream, stored_messages_bear_their_origin, .timeout = 30)
{
    struct fixture f;
    struct noted n;
    struct seen_message seen;
    uv_timeval64_t now;
    const char *subjects[] = { "events.>", NULL };
    struct js_stream stream = { .name = "EVENTS", .subjects = subjects };

    fixture_up(&f, NULL);
    uv_gettimeofday(&now);
    for (int direct = 0; direct < 2; direct++) {
        stream.name = direct ? "DIRECT" : "PLAIN";
        subjects[0] = direct ? "direct.>" : "plain.>";
        stream.allow_direct = direct;
        cr_assert_eq(ensure(&f, &stream, &n), KANAL_OK, "%s", n.text);
        publish(&f, direct ? "direct.a" : "plain.a", "x", "the-id", JS_ANY_SEQUENCE, &n);
        memset(&seen, 0, sizeof seen);
        js_get_sequence(f.broker, stream.name, 1, look, &seen);
        cr_assert(run_until(&f.loop, &seen.calls, 1, 2000));
        cr_assert_str_eq(seen.subject, direct ? "direct.a" : "plain.a");
        cr_assert_str_eq(seen.msg_id, "the-id");
        cr_assert(llabs(seen.time_ms - (now.tv_sec * 1000 + now.tv_usec / 1000)) < 5000);
    }
    fixture_down(&f);
}

/* ---- Consumers and pulls ---- */

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

Test(jetstream, a_pull_brings_everything_in_order, .timeout = 60)
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

Test(jetstream, the_window_bounds_what_is_handed_over, .timeout = 60)
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

Test(jetstream, a_pull_survives_restarts, .timeout = 90)
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

Test(jetstream, a_pull_tells_that_its_consumer_is_gone, .timeout = 60)
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

Test(jetstream, a_pull_from_nothing_says_so, .timeout = 60)
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
Test(jetstream, a_request_for_messages_ends_as_believed, .timeout = 30)
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

Test(jetstream, a_pull_goes_on_after_a_stall, .timeout = 60)
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
Test(jetstream, a_pull_outlives_its_requests, .timeout = 60)
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

Test(jetstream, a_consumer_is_compared, .timeout = 30)
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

Test(jetstream, taking_over_by_recreating_keeps_the_order, .timeout = 60)
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

Test(jetstream, a_reader_without_acknowledgements, .timeout = 60)
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
