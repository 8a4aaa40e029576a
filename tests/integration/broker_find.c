/* Looking for a message by its id among those of its exact subject, against a real server. */
#include "broker_support.h"

#include <stdlib.h>
#include "broker/find.h"

#define SUBJECTS 7u
#define WINDOW_MS 100 /* the shortest that the server takes */

struct found {
    int calls;
    kanal_status status;
    uint32_t requests;
};

static void note_found(void *user, kanal_status status, uint32_t requests)
{
    struct found *found = user;
    found->calls++;
    found->status = status;
    found->requests = requests;
}

static struct found find(struct fixture *f, unsigned subject, unsigned number, int64_t since_ms)
{
    char name[32], id[32];
    struct found found = { 0 };
    snprintf(name, sizeof name, "events.s%u", subject);
    snprintf(id, sizeof id, "id-%u", number);
    struct js_find what = { "EVENTS", kanal_str_c(name), kanal_str_c(id), since_ms, 0, 0 };
    js_find(f->broker, &what, note_found, &found);
    cr_assert_eq(found.calls, 0, "never inside the call");
    cr_assert(run_until(&f->loop, &found.calls, 1, 10000));
    cr_assert_eq(found.calls, 1);
    return found;
}

static void up(struct fixture *f, int allow_direct)
{
    static const char *const subjects[] = { "events.>", NULL };
    struct js_stream stream = {
        .name = "EVENTS", .subjects = subjects, .duplicate_window_ms = WINDOW_MS, .allow_direct = allow_direct
    };
    struct noted n = { 0 };
    fixture_up(f, NULL);
    cr_expect_eq(js_stream_window_ms(f->broker, "EVENTS"), 0);
    js_stream_ensure(f->broker, &stream, note_result, &n);
    cr_assert(run_until(&f->loop, &n.calls, 1, 3000));
    cr_assert_eq(n.status, KANAL_OK, "%s", n.text);
    cr_expect_eq(js_stream_window_ms(f->broker, "EVENTS"), WINDOW_MS);
}

struct acks {
    int calls, failed;
};

static void count_ack(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct acks *acks = user;
    (void)reason;
    acks->calls++;
    acks->failed += status != KANAL_OK || ack->duplicate;
}

/* Numbers go round the subjects, or all under the first. */
static void store(struct fixture *f, unsigned from, unsigned to, unsigned subjects)
{
    struct acks acks = { 0 };
    for (unsigned i = from; i < to; i++) {
        char name[32], id[32];
        snprintf(name, sizeof name, "events.s%u", i % subjects);
        snprintf(id, sizeof id, "id-%u", i);
        struct broker_out out = text_out(name, "{}");
        js_publish(f->broker, &out, kanal_str_c(id), JS_ANY_SEQUENCE, 0, count_ack, &acks);
    }
    cr_assert(run_until(&f->loop, &acks.calls, (int)(to - from), 10000));
    cr_assert_eq(acks.failed, 0);
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void every_one_is_found(int allow_direct)
{
    struct fixture f;
    int64_t times[4];
    up(&f, allow_direct);
    for (unsigned part = 0; part < 4; part++) {
        times[part] = wall_ms();
        store(&f, 100 * part, 100 * part + 100, SUBJECTS);
        run_for(&f.loop, 30);
    }
    for (unsigned i = 0; i < 400; i += allow_direct ? 1 : 13) {
        struct found found = find(&f, i % SUBJECTS, i, times[i / 100]);
        cr_assert_eq(found.status, KANAL_OK, "%u: %d", i, found.status);
        cr_expect_eq(find(&f, i % SUBJECTS, i, 0).status, KANAL_OK);
    }
    for (unsigned part = 0; part < 4; part++)
        cr_expect_eq(find(&f, 3, 100000 + part, times[part]).status, KANAL_E_NOT_FOUND);
    cr_expect_eq(find(&f, 3, 4, times[3]).status, KANAL_E_NOT_FOUND, "another subject's");
    fixture_down(&f);
}

Test(find, every_one_is_found, .timeout = 60)
{
    every_one_is_found(1);
}

Test(find, without_direct_get_too, .timeout = 60)
{
    every_one_is_found(0);
}

Test(find, most_questions_are_one_request, .timeout = 60)
{
    struct fixture f;
    up(&f, 1);
    store(&f, 0, 50, 1);
    struct found nobody = find(&f, 1, 1, 0), last = find(&f, 0, 49, wall_ms() + 1000),
                 older = find(&f, 0, 1000, wall_ms() + 1000);
    cr_expect(nobody.status == KANAL_E_NOT_FOUND && nobody.requests == 1);
    cr_expect(last.status == KANAL_OK && last.requests == 1);
    cr_expect(older.status == KANAL_E_NOT_FOUND && older.requests == 1);
    fixture_down(&f);
}

/* The search for the beginning looks at few of those that are too old. */
Test(find, a_long_history_is_not_walked, .timeout = 60)
{
    struct fixture f;
    up(&f, 1);
    store(&f, 0, 10000, SUBJECTS); /* more at once than the client has slots for is refused */
    store(&f, 10000, 20000, SUBJECTS);
    run_for(&f.loop, 50);
    int64_t since_ms = wall_ms();
    run_for(&f.loop, 50);
    store(&f, 20000, 20100, SUBJECTS);
    struct found found = find(&f, 20001 % SUBJECTS, 20001, since_ms);
    cr_expect_eq(found.status, KANAL_OK);
    cr_expect_leq(found.requests, 30, "%u", found.requests);
    found = find(&f, 0, 999999, since_ms);
    cr_expect_eq(found.status, KANAL_E_NOT_FOUND);
    cr_expect_leq(found.requests, 45, "%u", found.requests);
    fixture_down(&f);
}

Test(find, it_gives_up_after_a_thousand, .timeout = 60)
{
    struct fixture f;
    up(&f, 1);
    store(&f, 0, 1500, 1);
    uint64_t begun = clock_ms();
    struct found found = find(&f, 0, 999999, 0);
    cr_log_info("%u requests in %llu ms\n", found.requests, (unsigned long long)(clock_ms() - begun));
    cr_expect_eq(found.status, KANAL_E_TOO_LARGE);
    cr_expect_leq(found.requests, JS_FIND_MOST + 2);
    cr_expect_eq(find(&f, 0, 998, 0).status, KANAL_OK);
    fixture_down(&f);
}

/* What is young enough for the duplicate window need not be looked at. */
Test(find, it_ends_where_it_is_told_to, .timeout = 60)
{
    struct fixture f;
    struct found found = { 0 };
    up(&f, 1);
    store(&f, 0, 100, 1);
    run_for(&f.loop, 50);
    int64_t until_ms = wall_ms();
    run_for(&f.loop, 50);
    store(&f, 100, 1000, 1);
    struct js_find what = { "EVENTS", KANAL_LIT("events.s0"), KANAL_LIT("id-500"), 0, until_ms, 0 };
    js_find(f.broker, &what, note_found, &found);
    cr_assert(run_until(&f.loop, &found.calls, 1, 5000));
    cr_expect_eq(found.status, KANAL_E_NOT_FOUND);
    cr_expect_leq(found.requests, 105, "%u", found.requests);
    what.msg_id = KANAL_LIT("id-80");
    what.most = 50;
    js_find(f.broker, &what, note_found, &found);
    cr_assert(run_until(&f.loop, &found.calls, 2, 5000));
    cr_expect_eq(found.status, KANAL_E_TOO_LARGE);
    fixture_down(&f);
}

Test(find, what_cannot_be_asked_is_told, .timeout = 60)
{
    struct fixture f;
    struct found found = { 0 };
    up(&f, 1);
    struct js_find what = { "NOWHERE", KANAL_LIT("events.a"), KANAL_LIT("x"), 0, 0, 0 };
    js_find(f.broker, &what, note_found, &found);
    cr_assert(run_until(&f.loop, &found.calls, 1, 5000));
    cr_expect_eq(found.status, KANAL_E_NOT_FOUND);
    what = (struct js_find){ "EVENTS", KANAL_LIT("events..a"), KANAL_LIT("x"), 0, 0, 0 };
    js_find(f.broker, &what, note_found, &found);
    cr_assert(run_until(&f.loop, &found.calls, 2, 5000));
    cr_expect_eq(found.status, KANAL_E_INVALID);
    nats_stop(&f.nats);
    cr_assert(run_until_state(&f, BROKER_DOWN, 5000));
    what.subject = KANAL_LIT("events.a");
    js_find(f.broker, &what, note_found, &found);
    cr_assert(run_until(&f.loop, &found.calls, 3, 8000));
    cr_expect_eq(found.status, KANAL_E_NETWORK);
    fixture_down(&f);
}
