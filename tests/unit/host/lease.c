/* Leases, against a bucket of one record that the test plays. */
#include "host/lease.h"

#include <criterion/criterion.h>
#include <unistd.h>

#include "broker/kv.h"
#include "host/host.h"
#include "kanal/sdk/str.h"

/* ---- The bucket ---- */

struct asked {
    int pending;
    kv_value_fn *fn;
    void *user;
    uint64_t if_revision;
    char text[200];
};
static struct asked put, get, removal; /* of the test's own process */

static void ask(struct asked *a, kanal_str text, uint64_t if_revision, kv_value_fn *fn, void *user)
{
    cr_assert_not(put.pending || get.pending || removal.pending, "one request at a time");
    *a = (struct asked){ .pending = 1, .fn = fn, .user = user, .if_revision = if_revision };
    snprintf(a->text, sizeof a->text, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

void kv_put(struct broker *b, const char *bucket, kanal_str key, kanal_str value, uint64_t if_revision,
            kv_value_fn *fn, void *user)
{
    (void)b;
    cr_expect_str_eq(bucket, "kanal_leases");
    cr_expect(kanal_str_starts(key, "telegram."));
    ask(&put, value, if_revision, fn, user);
}

void kv_get(struct broker *b, const char *bucket, kanal_str key, kv_value_fn *fn, void *user)
{
    (void)b, (void)bucket, (void)key;
    ask(&get, (kanal_str){ 0 }, 0, fn, user);
}

void kv_delete(struct broker *b, const char *bucket, kanal_str key, uint64_t if_revision, kv_value_fn *fn,
               void *user)
{
    (void)b, (void)bucket, (void)key;
    ask(&removal, (kanal_str){ 0 }, if_revision, fn, user);
}

static void reply(struct asked *a, kanal_status status, const char *text, uint64_t revision)
{
    struct asked was = *a;
    cr_assert(was.pending);
    a->pending = 0;
    was.fn(was.user, status, kanal_str_c(text), revision);
}

int ids_random(const char prefix[2], struct id *ret_id)
{
    snprintf(ret_id->text, sizeof ret_id->text, "%s%026d", prefix, 7);
    return 0;
}

void log_write(struct log *log, int level, const char *module, const char *channel, const char *format, ...)
{
    (void)log, (void)level, (void)module, (void)channel, (void)format;
}

/* ---- A replica ---- */

struct rig {
    uv_loop_t loop;
    uv_async_t listener; /* the gateway's loop always has some */
    struct host host;
    struct lease_member member;
    int changes;
};

static void on_changed(struct lease_member *member)
{
    struct rig *rig = (struct rig *)((char *)member - offsetof(struct rig, member));
    rig->changes++;
}

static void rig_init(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    uv_loop_init(&rig->loop);
    uv_async_init(&rig->loop, &rig->listener, NULL);
    rig->host.loop = &rig->loop;
    snprintf(rig->host.names.leases, sizeof rig->host.names.leases, "kanal_leases");
    rig->member = (struct lease_member){ .ttl_ms = 3000, .changed = on_changed };
    cr_assert_eq(lease_join(&rig->host, KANAL_LIT("telegram"), KANAL_LIT("shop"), &rig->member), 0);
}

static void rig_release(struct rig *rig)
{
    lease_leave(&rig->member);
    lease_book_free(rig->host.leases);
    uv_close((uv_handle_t *)&rig->listener, NULL);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    struct asked *all[] = { &put, &get, &removal };
    for (size_t i = 0; i < 3; i++)
        if (all[i]->pending)
            reply(all[i], KANAL_E_CANCELLED, NULL, 0);
    uv_loop_close(&rig->loop);
}

/* Turns the loop for so long, or until something is asked. */
static void turn(struct rig *rig, const struct asked *until, uint32_t ms)
{
    uint64_t end = uv_hrtime() + ms * UINT64_C(1000000);
    while (uv_hrtime() < end && !(until && until->pending)) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}

static void hold(struct rig *rig)
{
    turn(rig, &get, 1000);
    reply(&get, KANAL_E_NOT_FOUND, NULL, 0);
    cr_assert(put.pending);
    reply(&put, KANAL_OK, NULL, 11);
    cr_assert_neq(lease_term(&rig->member), 0);
}

Test(lease, an_empty_bucket)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, &get, 1000);
    reply(&get, KANAL_E_NOT_FOUND, NULL, 0);
    cr_assert(put.pending);
    cr_expect_eq(put.if_revision, 0, "it must still be empty");
    cr_expect_not_null(strstr(put.text, "\"holder\":\"l_"));
    cr_expect_eq(lease_term(&rig.member), 0, "not before it is stored");
    reply(&put, KANAL_OK, NULL, 11);
    cr_expect_eq(lease_term(&rig.member), 1);
    cr_expect_eq(rig.changes, 1);
    turn(&rig, &put, 2000);
    cr_assert(put.pending, "renewed");
    cr_expect_eq(put.if_revision, 11);
    cr_expect_not_null(strstr(put.text, "\"ttl_ms\":3000"));
    reply(&put, KANAL_OK, NULL, 12);
    cr_expect_eq(lease_term(&rig.member), 1, "the same holding");
    cr_expect_eq(rig.changes, 1);
    lease_leave(&rig.member);
    turn(&rig, &removal, 1000);
    cr_assert(removal.pending, "given back");
    cr_expect_eq(removal.if_revision, 12);
    rig_release(&rig);
}

Test(lease, the_clock_decides_though_nothing_ran)
{
    struct rig rig;
    rig_init(&rig);
    hold(&rig);
    usleep(2300 * 1000);
    cr_expect_neq(lease_term(&rig.member), 0, "within it");
    usleep(300 * 1000); /* 2.6 s after it was sent; the record is free for others after 3 s */
    cr_expect_eq(lease_term(&rig.member), 0, "the loop did not turn, but time passed");
    cr_expect_eq(rig.changes, 1);
    turn(&rig, &put, 1000);
    cr_expect_eq(rig.changes, 2, "and then it is told");
    rig_release(&rig);
}

Test(lease, counted_from_when_it_was_sent)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, &get, 1000);
    reply(&get, KANAL_E_NOT_FOUND, NULL, 0);
    usleep(2500 * 1000); /* the answer was long on its way */
    reply(&put, KANAL_OK, NULL, 11);
    cr_expect_eq(lease_term(&rig.member), 0);
    cr_expect_eq(rig.changes, 0);
    rig_release(&rig);
}

Test(lease, an_answer_that_did_not_come)
{
    struct rig rig;
    char ours[200];
    rig_init(&rig);
    hold(&rig);
    turn(&rig, &put, 2000);
    snprintf(ours, sizeof ours, "%s", put.text);
    reply(&put, KANAL_E_TIMEOUT, NULL, 0);
    cr_expect_neq(lease_term(&rig.member), 0, "the renewal before still counts");
    cr_assert(get.pending, "was it stored?");
    reply(&get, KANAL_OK, ours, 17);
    cr_expect_eq(lease_term(&rig.member), 1);
    turn(&rig, &put, 2000);
    cr_expect_eq(put.if_revision, 17, "it was");
    reply(&put, KANAL_E_REJECTED, NULL, 0);
    cr_expect_eq(lease_term(&rig.member), 0, "somebody has it, at once");
    cr_expect_eq(rig.changes, 2);
    rig_release(&rig);
}

Test(lease, anothers_record_is_taken_after_its_time_only)
{
    struct rig rig;
    const char *others = "{\"holder\":\"l_other\",\"ttl_ms\":3000,\"count\":5}";
    rig_init(&rig);
    uint64_t from = 0, waited;
    for (uint64_t revision = 20; revision < 22; revision++) { /* seen, and renewed once */
        turn(&rig, &get, 2500);
        from = uv_hrtime();
        reply(&get, KANAL_OK, others, revision);
        cr_assert_not(put.pending);
    }
    while (!put.pending) {
        turn(&rig, &get, 2500);
        cr_assert(get.pending);
        reply(&get, KANAL_OK, others, 21);
    }
    waited = (uv_hrtime() - from) / 1000000;
    cr_expect_geq(waited, 2990, "%llu ms", (unsigned long long)waited);
    cr_expect_lt(waited, 4000, "%llu ms", (unsigned long long)waited);
    cr_expect_eq(put.if_revision, 21, "just this one is replaced");
    reply(&put, KANAL_E_REJECTED, NULL, 0);
    cr_expect_eq(lease_term(&rig.member), 0);
    rig_release(&rig);
}

Test(lease, what_the_bucket_forgot_is_waited_for_and_what_was_given_back_is_not)
{
    struct rig rig;
    rig_init(&rig);
    turn(&rig, &get, 1000);
    reply(&get, KANAL_OK, "{\"holder\":\"l_other\",\"ttl_ms\":3000,\"count\":5}", 20);
    turn(&rig, &get, 2500);
    reply(&get, KANAL_E_NOT_FOUND, NULL, 0); /* the broker's clock went on faster */
    cr_expect_not(put.pending);
    turn(&rig, &get, 2500);
    reply(&get, KANAL_E_NOT_FOUND, NULL, 25); /* a delete marker */
    cr_assert(put.pending);
    cr_expect_eq(put.if_revision, 25);
    rig_release(&rig);
}

Test(lease, groups_are_the_same_everywhere)
{
    cr_expect_eq(lease_group_of(KANAL_LIT("shop-telegram")), lease_group_of(KANAL_LIT("shop-telegram")));
    /* Part of the keys: another hash would let two versions hold the same channel. */
    cr_expect_eq(lease_group_of(KANAL_LIT("shop")), 46);
    cr_expect_eq(lease_group_of(KANAL_LIT("")), 25);
    int used[LEASE_GROUPS] = { 0 }, count = 0;
    for (int i = 0; i < 1000; i++) {
        char id[16];
        snprintf(id, sizeof id, "channel-%d", i);
        uint32_t group = lease_group_of(kanal_str_c(id));
        cr_assert_lt(group, LEASE_GROUPS);
        count += !used[group];
        used[group]++;
    }
    cr_expect_eq(count, LEASE_GROUPS);
}
