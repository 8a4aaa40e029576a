#include <criterion/criterion.h>
#include <stdio.h>
#include "kanal/sdk/rate.h"

static int take(struct kanal_rate *rate, const char *address, int64_t now_ms)
{
    uint32_t wait_ms;
    return kanal_rate_take(rate, 's', kanal_str_c(address), now_ms, 60, 3, &wait_ms);
}

Test(rate, a_burst_and_then_one_each_second)
{
    struct kanal_rate rate;
    uint32_t wait_ms = 0;
    kanal_rate_init(&rate, 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(take(&rate, "192.0.2.1", 1000000), 1);
    cr_assert_eq(kanal_rate_take(&rate, 's', KANAL_LIT("192.0.2.1"), 1000000, 60, 3, &wait_ms), 0);
    cr_assert_eq(wait_ms, 1000);
    cr_assert_eq(take(&rate, "192.0.2.2", 1000000), 1); /* another's bucket */
    cr_assert_eq(kanal_rate_take(&rate, 't', KANAL_LIT("192.0.2.1"), 1000000, 60, 3, &wait_ms),
                 1); /* another kind */
    cr_assert_eq(take(&rate, "192.0.2.1", 1000999), 0);
    cr_assert_eq(take(&rate, "192.0.2.1", 1001000), 1);
    cr_assert_eq(take(&rate, "192.0.2.1", 1001000), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(take(&rate, "192.0.2.1", 2000000), 1); /* never more than the burst */
    cr_assert_eq(take(&rate, "192.0.2.1", 2000000), 0);
    cr_assert_eq(take(&rate, "192.0.2.1", 5), 1); /* the clock was set back: not locked out */
    kanal_rate_release(&rate);
    kanal_rate_release(&rate);
}

Test(rate, ipv6_counts_by_its_network)
{
    struct kanal_rate rate;
    kanal_rate_init(&rate, 1);
    cr_assert_eq(take(&rate, "2001:db8:1:2::1", 1000000), 1);
    cr_assert_eq(take(&rate, "2001:db8:1:2:ffff::2", 1000000), 1);
    cr_assert_eq(take(&rate, "2001:db8:1:2:a:b:c:d", 1000000), 1);
    cr_assert_eq(take(&rate, "2001:db8:1:2::4", 1000000), 0);
    cr_assert_eq(take(&rate, "2001:db8:1:3::4", 1000000), 1);
    for (int i = 0; i < 3; i++)
        take(&rate, "192.0.2.9", 1000000);
    cr_assert_eq(take(&rate, "::ffff:192.0.2.9", 1000000), 0); /* the same, mapped */
    kanal_rate_release(&rate);
}

/* Whoever is over the limit stays so while a thousand others come by, but the table does not grow. */
Test(rate, the_table_is_bounded)
{
    struct kanal_rate rate;
    int forgotten = 0;
    kanal_rate_init(&rate, 12345);
    for (uint32_t i = 0; i < 100000; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        cr_assert_eq(take(&rate, address, 1000000), 1);
        if (i % 100 == 0)
            forgotten += take(&rate, "192.0.2.1", 1000000);
    }
    cr_assert_leq(forgotten, 3, "%d", forgotten); /* its bucket is the emptiest of its set: others give way */
    kanal_rate_release(&rate);
}
