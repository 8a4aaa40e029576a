/* Who is there, who is steady, and who gives one to whom. */
#include "host/replicas.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "kanal/sdk/str.h"

static struct replica *hear(struct replicas *r, const char *name, uint64_t now_ms)
{
    return replicas_heard(r, kanal_str_c(name), 9000, now_ms);
}

/* Everybody says each second that it is there. */
static uint64_t pass(struct replicas *r, const char *const *names, uint64_t from_ms, uint64_t ms)
{
    for (uint64_t now = from_ms; now <= from_ms + ms; now += 1000)
        for (const char *const *name = names; *name; name++)
            hear(r, *name, now);
    return from_ms + ms;
}

Test(replicas, a_fair_share_is_rounded_up)
{
    struct replicas r = { 0 };
    const uint32_t wanted[] = { 9, 9, 5, 3, 3, 2, 2, 2, 2, 1, 1 };
    cr_expect_eq(replicas_share(&r, 9), 9, "nobody heard of yet");
    for (uint32_t i = 1; i <= 10; i++) {
        char name[8];
        snprintf(name, sizeof name, "r%u", i);
        hear(&r, name, 0);
        cr_expect_eq(replicas_share(&r, 9), wanted[i], "%u: %u", i, replicas_share(&r, 9));
    }
    cr_expect_eq(replicas_there(&r), 10);
}

Test(replicas, silence_and_goodbye)
{
    struct replicas r = { 0 };
    hear(&r, "a", 1000);
    hear(&r, "b", 5000);
    replicas_expire(&r, 9999);
    cr_expect_eq(replicas_there(&r), 2);
    replicas_expire(&r, 10000);
    cr_expect_null(replicas_find(&r, KANAL_LIT("a")));
    cr_expect_not_null(replicas_find(&r, KANAL_LIT("b")));
    replicas_left(&r, KANAL_LIT("b"));
    cr_expect_eq(replicas_there(&r), 0);
    cr_expect_eq(r.list[0].losses, 1);
    cr_expect_eq(r.list[1].losses, 0, "who says goodbye is not held to be unsteady");
    replicas_expire(&r, 100000);
    cr_expect_eq(r.list[0].losses, 1, "lost once");
}

/* While this replica stood still, or the broker was away, nobody could be heard. */
Test(replicas, deafness_is_not_held_against_others)
{
    struct replicas r = { 0 };
    hear(&r, "a", 1000);
    replicas_deaf(&r, 60000);
    replicas_expire(&r, 62000);
    cr_expect_not_null(replicas_find(&r, KANAL_LIT("a")));
    replicas_expire(&r, 71000);
    cr_expect_null(replicas_find(&r, KANAL_LIT("a")));
}

Test(replicas, who_was_lost_has_to_be_there_for_longer)
{
    struct replicas r = { 0 };
    const char *const a[] = { "a", NULL };
    uint64_t now = 0;
    const uint64_t needed[] = { 3000, 6000, 12000, 24000, 48000, 96000, 192000, 300000, 300000, 300000 };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        struct replica *one = hear(&r, "a", now);
        uint64_t from = now;
        now = pass(&r, a, now, needed[i] - 1000);
        cr_expect_not(replica_is_steady(one, from + needed[i] - 1), "loss %zu", i);
        cr_expect(replica_is_steady(one, from + needed[i]), "loss %zu", i);
        replicas_lost(&r, KANAL_LIT("a"));
        cr_expect_not(replica_is_steady(one, now + 1000000));
        now += 20000;
    }
    struct replica *one = hear(&r, "a", now);
    now = pass(&r, a, now, REPLICA_FORGIVEN_MS + 1000);
    cr_expect_eq(one->losses, 0, "it is forgiven");
}

/* Until nothing is to be moved: how many steps it takes. */
static int settle(struct replicas *r, uint64_t now_ms)
{
    const struct replica *from, *to;
    int steps = 0;
    while (replicas_move(r, now_ms, &from, &to)) {
        cr_assert_lt(steps, 100, "it never ends");
        cr_assert_geq(from->load, to->load + 2, "only what makes them more even");
        ((struct replica *)from)->load--;
        ((struct replica *)to)->load++;
        steps++;
    }
    return steps;
}

Test(replicas, one_after_another_until_they_are_even)
{
    struct replicas r = { 0 };
    const char *const names[] = { "a", "b", "c", NULL };
    pass(&r, names, 0, 4000);
    r.list[0].load = 9;
    cr_expect_eq(settle(&r, 4000), 6);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(r.list[i].load, 3);
    replicas_left(&r, KANAL_LIT("c"));
    r.list[0].load = 6; /* it was the faster one */
    cr_expect_eq(settle(&r, 4000), 1);
    cr_expect_eq(r.list[0].load + r.list[1].load, 9);
    cr_expect_eq(settle(&r, 4000), 0, "five and four is even");
}

Test(replicas, nothing_is_given_to_who_has_just_come)
{
    struct replicas r = { 0 };
    const struct replica *from, *to;
    hear(&r, "a", 0)->load = 9;
    hear(&r, "b", 5000);
    cr_expect_not(replicas_move(&r, 7999, &from, &to));
    cr_expect(replicas_move(&r, 8000, &from, &to));
    cr_expect_str_eq(from->name, "a");
    cr_expect_str_eq(to->name, "b");
}

/* Two that have as much must not both give, nor two receive: the name decides, in whatever order they were heard. */
Test(replicas, all_come_to_the_same_answer)
{
    const char *const orders[][4] = { { "a", "b", "c", "d" },
                                      { "d", "c", "b", "a" },
                                      { "b", "d", "a", "c" } };
    for (size_t i = 0; i < 3; i++) {
        struct replicas r = { 0 };
        const struct replica *from, *to;
        for (int j = 0; j < 4; j++)
            hear(&r, orders[i][j], 0)->load = orders[i][j][0] <= 'b' ? 4 : 0;
        cr_assert(replicas_move(&r, 5000, &from, &to));
        cr_expect_str_eq(from->name, "a");
        cr_expect_str_eq(to->name, "c");
    }
}

Test(replicas, no_more_than_there_is_room_for)
{
    struct replicas r = { 0 };
    char name[64];
    for (uint32_t i = 0; i < REPLICAS_MAX; i++) {
        snprintf(name, sizeof name, "r%u", i);
        cr_assert_not_null(hear(&r, name, i));
    }
    cr_expect_null(hear(&r, "one more", 100));
    replicas_left(&r, KANAL_LIT("r7"));
    replicas_left(&r, KANAL_LIT("r3"));
    cr_expect_not_null(hear(&r, "one more", 200));
    cr_expect_not_null(replicas_find(&r, KANAL_LIT("one more")));
    cr_expect_eq(r.list[3].is_there, 1, "in the place of who was heard of longest ago");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    replicas_left(&r, KANAL_LIT("r9"));
    cr_expect_null(hear(&r, name, 300), "too long");
    cr_expect_null(hear(&r, "", 300));
}
