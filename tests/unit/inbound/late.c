/* Which events are late, and since when they may be stored. */
#include <criterion/criterion.h>

#include "inbound/detour_inside.h"

#define NOW INT64_C(1795300000000)
#define HALF INT64_C(90000)
#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)

Test(late, what_the_stream_remembers_is_not)
{
    cr_expect_not(late_is(NOW, HALF, NOW));
    cr_expect_not(late_is(NOW - HALF, HALF, NOW));
    cr_expect_not(late_is(NOW + HALF - 1, HALF, NOW), "a clock that is a little ahead");
}

Test(late, what_it_may_have_forgotten_is)
{
    cr_expect(late_is(NOW - HALF - 1, HALF, NOW));
    cr_expect(late_is(NOW - 400 * DAY, HALF, NOW));
    cr_expect(late_is(0, HALF, NOW), "no time");
    cr_expect(late_is(-5, HALF, NOW));
    cr_expect(late_is(NOW + HALF, HALF, NOW), "it would hide its age when it comes again");
    cr_expect(late_is(INT64_MAX, HALF, NOW));
}

/* Told with a time that is believed, and again at any moment after the window: it is late by then. (One that lies further ahead is taken for fresh
 * when its time has come.) */
Test(late, no_gap_between_the_window_and_being_late)
{
    for (int64_t ahead_ms = -DAY; ahead_ms < HALF; ahead_ms += 10000) {
        int64_t time_ms = NOW + ahead_ms;
        for (int64_t after_ms = 2 * HALF; after_ms < 3 * DAY; after_ms += 77777)
            cr_assert(late_is(time_ms, HALF, NOW + after_ms), "%lld ahead, %lld later", (long long)ahead_ms,
                      (long long)after_ms);
    }
}

Test(late, it_is_looked_for_from_before_its_time)
{
    cr_expect_eq(late_since(NOW - DAY, HALF, NOW, EVENT_STORED), NOW - DAY - HOUR);
    cr_expect_eq(late_since(NOW - DAY, HALF, NOW, EVENT_ACTIVITY), NOW - DAY - 60000);
    cr_expect_eq(late_since(NOW + HALF - 1, HALF, NOW, EVENT_STORED), NOW - HOUR,
                 "it cannot come before it was");
    cr_expect_eq(late_since(0, HALF, NOW, EVENT_STORED), NOW - 8 * DAY - HOUR);
    cr_expect_eq(late_since(NOW + DAY, HALF, NOW, EVENT_STORED), NOW - 8 * DAY - HOUR);
}
