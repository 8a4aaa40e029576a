#include <criterion/criterion.h>

#include "host/lane.h"

struct thing {
    struct lane_item item; /* first */
    struct lane *lane;
    int number, again;
};

static int order[100000];
static size_t ran;

static void run(struct lane_item *item)
{
    struct thing *thing = (struct thing *)item;
    order[ran++] = thing->number;
    if (thing->again-- > 0)
        lane_push(thing->lane, item);
}

static uv_loop_t loop;
static struct scheduler *scheduler;
static uv_async_t alive; /* as the listeners are: a loop without any handle does not turn */

static void begin(void)
{
    uv_loop_init(&loop);
    uv_async_init(&loop, &alive, NULL);
    cr_assert_eq(scheduler_new(&scheduler, &loop), 0);
    ran = 0;
}

static void end(void)
{
    scheduler_free(scheduler);
    uv_close((uv_handle_t *)&alive, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

TestSuite(lane, .init = begin, .fini = end);

static struct thing make(struct lane *lane, int number)
{
    return (struct thing){ .item.run = run, .lane = lane, .number = number };
}

Test(lane, runs_in_order_and_never_inside_the_push)
{
    struct lane lane;
    struct thing things[3];
    lane_init(&lane, scheduler);
    for (int i = 0; i < 3; i++) {
        things[i] = make(&lane, i);
        lane_push(&lane, &things[i].item);
        cr_assert_eq(ran, 0);
    }
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(ran, 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(order[i], i);
    lane_release(&lane);
}

Test(lane, a_busy_lane_does_not_starve_another)
{
    struct lane busy, quiet;
    lane_init(&busy, scheduler);
    lane_init(&quiet, scheduler);
    struct thing endless = make(&busy, 1), one = make(&quiet, 2);
    endless.again = 50000;
    lane_push(&busy, &endless.item);
    lane_push(&quiet, &one.item);
    uv_run(&loop, UV_RUN_NOWAIT);
    size_t at = 0;
    while (at < ran && order[at] != 2)
        at++;
    cr_assert_lt(at, 200, "the quiet lane waited for %zu items of the busy one", at);
    while (endless.again >= 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    lane_release(&busy);
    lane_release(&quiet);
}

Test(lane, the_loop_does_not_sleep_while_something_is_ready)
{
    struct lane lane;
    lane_init(&lane, scheduler);
    struct thing thing = make(&lane, 1);
    thing.again = 20000;
    lane_push(&lane, &thing.item);
    for (int i = 0; i < 1000 && ran < 20001; i++)
        uv_run(&loop, UV_RUN_ONCE);
    cr_assert_eq(ran, 20001);
    lane_release(&lane);
}

Test(lane, an_item_can_be_taken_out)
{
    struct lane lane;
    lane_init(&lane, scheduler);
    struct thing a = make(&lane, 1), b = make(&lane, 2), c = make(&lane, 3);
    lane_push(&lane, &a.item);
    lane_push(&lane, &b.item);
    lane_push(&lane, &c.item);
    cr_assert_eq(lane_remove(&lane, &c.item), 1);
    cr_assert_eq(lane_remove(&lane, &c.item), 0);
    lane_push(&lane, &c.item);
    cr_assert_eq(lane_remove(&lane, &a.item), 1);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(ran, 2);
    cr_assert_eq(order[0], 2);
    cr_assert_eq(order[1], 3);
    lane_release(&lane);
}

static void run_and_release(struct lane_item *item)
{
    struct thing *thing = (struct thing *)item;
    ran++;
    lane_release(thing->lane);
}

Test(lane, can_be_released_by_its_own_item)
{
    struct lane lane;
    lane_init(&lane, scheduler);
    struct thing a = make(&lane, 1), b = make(&lane, 2);
    a.item.run = run_and_release;
    lane_push(&lane, &a.item);
    lane_push(&lane, &b.item);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(ran, 1);
}

/* ---- Lanes that must wait ---- */

static int allowed;

static int may_run(struct lane *lane)
{
    (void)lane;
    return allowed-- > 0;
}

Test(lane, one_that_may_not_run_waits_until_it_is_resumed)
{
    struct lane lane, other;
    struct thing things[4], beside = make(&other, 9);
    lane_init(&lane, scheduler);
    lane_init(&other, scheduler);
    lane.may_run = may_run;
    allowed = 2;
    for (int i = 0; i < 4; i++) {
        things[i] = make(&lane, i);
        lane_push(&lane, &things[i].item);
    }
    lane_push(&other, &beside.item);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(ran, 3, "two of its own, and the other lane's");
    allowed = 100;
    struct thing late = make(&lane, 4);
    lane_push(&lane, &late.item);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(ran, 3, "a push does not wake it");
    lane_resume(&lane);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(ran, 6);
    cr_assert(order[3] == 2 && order[4] == 3 && order[5] == 4);
    lane_release(&lane);
    lane_release(&other);
}

static void after(void *user)
{
    *(size_t *)user = ran;
}

Test(lane, the_end_of_a_turn_is_told_when_its_items_have_run)
{
    struct lane lane;
    struct thing thing = make(&lane, 1);
    size_t seen = 0;
    lane_init(&lane, scheduler);
    scheduler_after(scheduler, after, &seen);
    lane_push(&lane, &thing.item);
    uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_eq(seen, 1);
    lane_release(&lane);
}
