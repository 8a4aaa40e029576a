#include <criterion/criterion.h>
#include <stdio.h>
#include "rate.h"
#include "spent.h"

static int take(struct rate *rate, const char *address, int64_t now_ms)
{
    uint32_t wait_ms;
    return rate_take(rate, 's', kanal_str_c(address), now_ms, 60, 3, &wait_ms);
}

Test(rate, a_burst_and_then_one_each_second)
{
    struct rate rate;
    uint32_t wait_ms = 0;
    rate_init(&rate, 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(take(&rate, "192.0.2.1", 1000000), 1);
    cr_assert_eq(rate_take(&rate, 's', KANAL_LIT("192.0.2.1"), 1000000, 60, 3, &wait_ms), 0);
    cr_assert_eq(wait_ms, 1000);
    cr_assert_eq(take(&rate, "192.0.2.2", 1000000), 1); /* another's bucket */
    cr_assert_eq(rate_take(&rate, 't', KANAL_LIT("192.0.2.1"), 1000000, 60, 3, &wait_ms),
                 1); /* another kind */
    cr_assert_eq(take(&rate, "192.0.2.1", 1000999), 0);
    cr_assert_eq(take(&rate, "192.0.2.1", 1001000), 1);
    cr_assert_eq(take(&rate, "192.0.2.1", 1001000), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(take(&rate, "192.0.2.1", 2000000), 1); /* never more than the burst */
    cr_assert_eq(take(&rate, "192.0.2.1", 2000000), 0);
    cr_assert_eq(take(&rate, "192.0.2.1", 5), 1); /* the clock was set back: not locked out */
    rate_release(&rate);
    rate_release(&rate);
}

Test(rate, ipv6_counts_by_its_network)
{
    struct rate rate;
    rate_init(&rate, 1);
    cr_assert_eq(take(&rate, "2001:db8:1:2::1", 1000000), 1);
    cr_assert_eq(take(&rate, "2001:db8:1:2:ffff::2", 1000000), 1);
    cr_assert_eq(take(&rate, "2001:db8:1:2:a:b:c:d", 1000000), 1);
    cr_assert_eq(take(&rate, "2001:db8:1:2::4", 1000000), 0);
    cr_assert_eq(take(&rate, "2001:db8:1:3::4", 1000000), 1);
    for (int i = 0; i < 3; i++)
        take(&rate, "192.0.2.9", 1000000);
    cr_assert_eq(take(&rate, "::ffff:192.0.2.9", 1000000), 0); /* the same, mapped */
    rate_release(&rate);
}

/* Whoever is over the limit stays so while a thousand others come by, but the table does not grow. */
Test(rate, the_table_is_bounded)
{
    struct rate rate;
    int forgotten = 0;
    rate_init(&rate, 12345);
    for (uint32_t i = 0; i < 100000; i++) {
        char address[32];
        snprintf(address, sizeof address, "10.%u.%u.%u", i >> 16 & 255, i >> 8 & 255, i & 255);
        cr_assert_eq(take(&rate, address, 1000000), 1);
        if (i % 100 == 0)
            forgotten += take(&rate, "192.0.2.1", 1000000);
    }
    cr_assert_leq(forgotten, 3, "%d", forgotten); /* its bucket is the emptiest of its set: others give way */
    rate_release(&rate);
}

Test(spent, bounded_and_expiring)
{
    struct spent spent = { 0 };
    char nonce[TOKEN_ID_LEN + 1];
    for (int i = 0; i < 10000; i++) {
        snprintf(nonce, sizeof nonce, "aaaaaaaaaaaaaaaaaaaaa%05d", i);
        spent_add(&spent, nonce, (uint64_t)i, 1000 + i, 500);
    }
    cr_assert_eq(spent.count, SPENT_MAX);
    cr_assert_eq(spent_find(&spent, nonce)->content, 9999);
    cr_assert_null(spent_find(&spent, "aaaaaaaaaaaaaaaaaaaaa00000")); /* expired first */
    spent_release(&spent);
    for (int i = 0; i < 100; i++) {
        snprintf(nonce, sizeof nonce, "aaaaaaaaaaaaaaaaaaaaa%05d", i);
        spent_add(&spent, nonce, 0, i, i + 1); /* each expires before the next comes */
    }
    cr_assert_eq(spent.count, 1);
    spent_release(&spent);
    cr_assert_neq(spent_hash(KANAL_LIT("ab"), KANAL_LIT("c")), spent_hash(KANAL_LIT("a"), KANAL_LIT("bc")));
}
