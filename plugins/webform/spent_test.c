#include <criterion/criterion.h>
#include <stdio.h>
#include "spent.h"

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
