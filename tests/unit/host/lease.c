/* Leases, against a bucket of one record that the test plays. */
#include "host/lease_inside.h"

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
/* Of the test's own process. Announcements and a lane's record have their own. */
static struct asked put, get, removal, announced, lane_get, lane_put;
static kv_entry_fn *watcher;
static void *watching;

static void note(struct asked *a, kanal_str text, uint64_t if_revision, kv_value_fn *fn, void *user)
{
    *a = (struct asked){ .pending = 1, .fn = fn, .user = user, .if_revision = if_revision };
    snprintf(a->text, sizeof a->text, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

static void ask(struct asked *a, kanal_str text, uint64_t if_revision, kv_value_fn *fn, void *user)
{
    cr_assert_not(put.pending || get.pending || removal.pending, "one request at a time");
    note(a, text, if_revision, fn, user);
}

void kv_put(struct broker *b, const char *bucket, kanal_str key, kanal_str value, uint64_t if_revision,
            kv_value_fn *fn, void *user)
{
    (void)b;
    cr_expect_str_eq(bucket, "kanal_leases");
    if (kanal_str_starts(key, "_.replica.l_"))
        note(&announced, value, if_revision, fn, user);
    else if (kanal_str_starts(key, "_.lane-"))
        note(&lane_put, value, if_revision, fn, user);
    else
        ask(&put, value, if_revision, fn, user);
}

void kv_get(struct broker *b, const char *bucket, kanal_str key, kv_value_fn *fn, void *user)
{
    (void)b, (void)bucket;
    if (kanal_str_starts(key, "_.lane-"))
        note(&lane_get, (kanal_str){ 0 }, 0, fn, user);
    else
        ask(&get, (kanal_str){ 0 }, 0, fn, user);
}

void kv_delete(struct broker *b, const char *bucket, kanal_str key, uint64_t if_revision, kv_value_fn *fn,
               void *user)
{
    (void)b, (void)bucket;
    if (kanal_str_starts(key, "_."))
        note(&announced, (kanal_str){ 0 }, if_revision, fn, user);
    else
        ask(&removal, (kanal_str){ 0 }, if_revision, fn, user);
}

static void reply(struct asked *a, kanal_status status, const char *text, uint64_t revision)
{
    struct asked was = *a;
    cr_assert(was.pending);
    a->pending = 0;
    was.fn(was.user, status, kanal_str_c(text), revision);
}

int kv_watch_start(struct broker *b, const char *bucket, const char *filter, kv_entry_fn *entry, void *user,
                   struct kv_watch **ret_watch)
{
    (void)b, (void)bucket;
    cr_expect_str_eq(filter, "_.>");
    watcher = entry;
    watching = user;
    *ret_watch = NULL;
    return 0;
}

void kv_watch_stop(struct kv_watch *watch)
{
    (void)watch;
}

static struct metric spare_metric;

struct metric_family *metrics_family(struct metrics *m, enum metric_kind kind, const char *name,
                                     const char *help, const char *const *labels)
{
    (void)m, (void)kind, (void)name, (void)help, (void)labels;
    return NULL;
}

struct metric *metric_series(struct metric_family *family, const kanal_str *values)
{
    (void)family, (void)values;
    return &spare_metric;
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
    struct lease_member member, lane;
    int changes, is_slow, is_busy; /* slow: who is told of a loss works on */
};

static void on_changed(struct lease_member *member)
{
    struct rig *rig = (struct rig *)((char *)member - offsetof(struct rig, member));
    rig->changes++;
    rig->is_busy = rig->is_slow;
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
    lease_leave(&rig->lane);
    lease_book_free(rig->host.leases);
    uv_close((uv_handle_t *)&rig->listener, NULL);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    struct asked *all[] = { &put, &get, &removal, &announced, &lane_get, &lane_put };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
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

/* ---- Replicas that share ---- */

static int is_quiet(const struct lease_member *member)
{
    const struct rig *rig = (const struct rig *)((const char *)member - offsetof(struct rig, member));
    return !rig->is_busy;
}

/* The lane of the channel is another replica's, which is there. */
static void rig_share(struct rig *rig)
{
    rig_init(rig);
    rig->member.is_quiet = is_quiet;
    rig->lane = (struct lease_member){ .ttl_ms = 9000, .changed = on_changed };
    cr_assert_eq(lease_join_lane(&rig->host, rig->member.group->lane, &rig->lane), 0);
    cr_assert_eq(lease_share(&rig->host), 0);
    hold(rig);
    turn(rig, &announced, 1000);
    cr_assert(announced.pending);
    reply(&announced, KANAL_OK, NULL, 1);
    watcher(watching, kanal_str_c(rig->lane.group->key),
            KANAL_LIT("{\"holder\":\"l_other\",\"ttl_ms\":9000,\"count\":5}"), 20);
}

static void hear(const char *text)
{
    watcher(watching, KANAL_LIT("_.replica.l_other"), kanal_str_c(text), 21);
}

static const char *asking(const struct rig *rig)
{
    static char text[160];
    snprintf(text, sizeof text,
             "{\"holder\":\"l_other\",\"ttl_ms\":9000,\"count\":1,\"asks\":[1,\"sms.1\",\"%s\"]}",
             rig->member.group->key);
    return text;
}

Test(lease, who_has_the_lane_is_given_what_its_channels_hold)
{
    struct rig rig;
    rig_share(&rig);
    hear("{\"holder\":\"l_other\",\"asks\":[]}");
    turn(&rig, &put, 300);
    cr_expect_neq(lease_term(&rig.member), 0, "nobody asked");
    cr_expect_not(put.pending);
    kanal_str lane = kanal_str_c(rig.lane.group->key);
    watcher(watching, lane, KANAL_LIT("{\"holder\":\"l_third\",\"ttl_ms\":9000,\"count\":1}"), 21);
    hear(asking(&rig));
    turn(&rig, &put, 300);
    cr_expect_not(put.pending, "who asks has not the lane");
    watcher(watching, lane, KANAL_LIT("{\"holder\":\"l_other\",\"ttl_ms\":9000,\"count\":9}"), 22);
    hear(asking(&rig));
    cr_expect_neq(lease_term(&rig.member), 0);
    turn(&rig, &put, 1000);
    cr_assert(put.pending);
    cr_expect_eq(lease_term(&rig.member), 0, "not held any more when it is written");
    cr_expect_eq(put.if_revision, 11, "only if it is ours");
    cr_expect_not_null(strstr(put.text, "\"holder\":\"l_other\""));
    cr_expect_not_null(strstr(put.text, "\"count\":0"));
    reply(&put, KANAL_OK, NULL, 30);
    cr_assert(get.pending);
    reply(&get, KANAL_OK, put.text, 30);
    cr_expect_eq(lease_term(&rig.member), 0);
    rig_release(&rig);
}

Test(lease, it_is_written_over_when_those_who_had_it_know)
{
    struct rig rig;
    rig_share(&rig);
    rig.is_slow = 1;
    hear(asking(&rig));
    while (lease_term(&rig.member) != 0)
        turn(&rig, NULL, 5);
    turn(&rig, &put, 500);
    cr_expect_not(put.pending);
    rig.is_busy = 0;
    turn(&rig, &put, 500);
    cr_expect(put.pending);
    rig_release(&rig);
}

/* Whoever does not come to rest keeps it: the record is still ours, and is held again when it has been renewed, not before. */
Test(lease, who_does_not_come_to_rest_keeps_it)
{
    struct rig rig;
    rig_share(&rig);
    rig.is_slow = 1;
    hear(asking(&rig));
    while (lease_term(&rig.member) != 0)
        turn(&rig, NULL, 5);
    turn(&rig, &get, 4000);
    cr_assert(get.pending, "what stands there?");
    reply(&get, KANAL_OK, put.text, 11); /* as it was stored last */
    cr_expect_eq(lease_term(&rig.member), 0, "a gift that is under way could still be stored");
    turn(&rig, &put, 100);
    cr_assert(put.pending);
    cr_expect_eq(put.if_revision, 11);
    reply(&put, KANAL_OK, NULL, 31);
    cr_expect_neq(lease_term(&rig.member), 0);
    rig.is_slow = rig.is_busy = 0;
    hear(asking(&rig));
    turn(&rig, &put, 300);
    cr_expect_not(put.pending, "it is left alone for a while");
    rig_release(&rig);
}

Test(lease, a_gift_that_nobody_knows_of_is_not_held_before_it_is_renewed)
{
    struct rig rig;
    char ours[200];
    rig_share(&rig);
    snprintf(ours, sizeof ours, "%s", put.text);
    hear(asking(&rig));
    turn(&rig, &put, 1000);
    reply(&put, KANAL_E_TIMEOUT, NULL, 0);
    cr_assert(get.pending, "was it stored?");
    reply(&get, KANAL_OK, ours, 11);
    cr_expect_eq(lease_term(&rig.member), 0, "it may come yet");
    turn(&rig, &put, 100);
    reply(&put, KANAL_E_REJECTED, NULL, 0); /* and it came */
    cr_expect_eq(lease_term(&rig.member), 0);
    rig_release(&rig);
}

Test(lease, what_another_gives_us_is_held_when_it_is_renewed)
{
    struct rig rig;
    char gift[120];
    rig_init(&rig);
    turn(&rig, &get, 1000);
    snprintf(gift, sizeof gift, "{\"holder\":\"%s\",\"ttl_ms\":3000,\"count\":0}", rig.host.leases->holder);
    reply(&get, KANAL_OK, gift, 40);
    cr_expect_eq(lease_term(&rig.member), 0);
    turn(&rig, &put, 100);
    cr_assert(put.pending, "at once");
    cr_expect_eq(put.if_revision, 40);
    reply(&put, KANAL_OK, NULL, 41);
    cr_expect_neq(lease_term(&rig.member), 0);
    rig_release(&rig);
}

/* What is free is left to who has the lane, for longer than that one needs to find it; then it is taken all the same. */
Test(lease, what_is_free_is_left_to_who_should_have_it)
{
    struct rig rig;
    rig_share(&rig);
    hear("{\"holder\":\"l_other\",\"asks\":[]}");
    turn(&rig, &put, 2000);
    reply(&put, KANAL_E_REJECTED, NULL, 0);
    cr_assert(get.pending);
    uint64_t from = uv_hrtime(), waited;
    while (!put.pending) {
        if (get.pending)
            reply(&get, KANAL_E_NOT_FOUND, NULL, 25);
        turn(&rig, &put, 20);
    }
    waited = (uv_hrtime() - from) / 1000000;
    cr_expect_geq(waited, 2250, "%llu ms", (unsigned long long)waited);
    cr_expect_lt(waited, 4000, "%llu ms", (unsigned long long)waited);
    rig_release(&rig);
}

Test(lease, groups_are_the_same_everywhere)
{
    cr_expect_eq(lease_group_of(KANAL_LIT("shop-telegram")), lease_group_of(KANAL_LIT("shop-telegram")));
    /* Part of the keys: another hash would let two versions hold the same channel. */
    cr_expect_eq(lease_group_of(KANAL_LIT("shop")), 41);
    cr_expect_eq(lease_group_of(KANAL_LIT("")), 5);
    cr_expect_eq(LEASE_GROUPS % LEASE_LANES, 0, "a group's channels are of one lane");
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
