#include <criterion/criterion.h>

#include "outbound/job.h"

Test(rate, a_burst_and_then_as_many_a_second)
{
    struct rate rate;
    int taken = 0;
    rate_init(&rate, 10, 10, 1000);
    while (rate_take(&rate, 1000))
        taken++;
    cr_assert_eq(taken, 10);
    cr_assert_eq(rate_wait_ms(&rate, 1000), 101);
    for (int64_t now = 1000; now < 11000; now += 10)
        taken += rate_take(&rate, now);
    cr_assert_geq(taken, 108);
    cr_assert_leq(taken, 110);
}

Test(rate, what_is_saved_up_is_one_burst)
{
    struct rate rate;
    int taken = 0;
    rate_init(&rate, 2, 4, 0);
    for (int i = 0; i < 4; i++)
        cr_assert(rate_take(&rate, 0));
    while (rate_take(&rate, 3600000))
        taken++;
    cr_assert_eq(taken, 4);
}

Test(rate, less_than_one_a_second)
{
    struct rate rate;
    rate_init(&rate, 0.5, 0.5, 0);
    cr_assert(rate_take(&rate, 0));
    cr_assert(!rate_take(&rate, 1990));
    cr_assert_eq(rate_wait_ms(&rate, 1500), 501);
    cr_assert(rate_take(&rate, 2001));
}

Test(rate, none_is_no_limit)
{
    struct rate rate;
    rate_init(&rate, 0, 0, 0);
    for (int i = 0; i < 100000; i++)
        cr_assert(rate_take(&rate, 0));
    cr_assert_eq(rate_wait_ms(&rate, 0), 0);
}
