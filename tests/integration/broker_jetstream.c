/* Streams, publishing and stored messages, against a real server. */
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

Test(jetstream, what_a_stream_holds_and_what_is_taken_out, .timeout = 30)
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
    publish(&f, "events.b", "y", NULL, JS_ANY_SEQUENCE, &n);
    ASK(js_purge_before(f.broker, "EVENTS", "events.a", 3, note_result, &n), KANAL_OK);
    ASK(js_stream_state(f.broker, "EVENTS", note_state_of, &n), KANAL_OK);
    cr_assert_eq(n.sequence, 432);
    ASK(js_purge_before(f.broker, "EVENTS", "events.a", 99, note_result, &n), KANAL_OK);
    ASK(js_stream_state(f.broker, "EVENTS", note_state_of, &n), KANAL_OK);
    cr_assert_eq(n.sequence, 441, "what lies under another subject stays");
    ASK(js_purge_before(f.broker, "no.name", "events.a", 3, note_result, &n), KANAL_E_INVALID);
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
