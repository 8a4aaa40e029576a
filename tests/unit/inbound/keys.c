/* The table of those that wait for one another, against a plain model. */
#include "inbound/keys.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "kanal/sdk/str.h"

#define NUMBERS 3000u

Test(keys, numbers_tell_kind_channel_and_text)
{
    kanal_str a = KANAL_LIT("shop"), b = KANAL_LIT("77");
    cr_expect_eq(key_number('c', a, b), key_number('c', a, b));
    cr_expect_neq(key_number('c', a, b), key_number('a', a, b));
    cr_expect_neq(key_number('c', a, b), key_number('c', b, a));
    cr_expect_neq(key_number('c', KANAL_LIT("shop7"), KANAL_LIT("7")), key_number('c', a, b),
                  "the border counts");
}

static uint64_t number_of(unsigned i)
{
    return i % 3 == 0 ? i + 1 : key_number('a', KANAL_LIT("x"), kanal_str_of((const char *)&i, sizeof i));
}

/* Random adding, settling and looking; what is there, and what it counts, is always as in the model. */
Test(keys, as_the_model)
{
    static uint64_t rows[NUMBERS];
    struct keys *keys = NULL;
    size_t there = 0;
    srand(7);
    cr_assert_eq(keys_new(&keys), 0);
    for (int step = 0; step < 200000; step++) {
        /* Grows for a while, then falls. */
        unsigned i = (unsigned)rand() % NUMBERS, grows = (step / 20000) % 2 == 0;
        struct key *key = keys_find(keys, number_of(i));
        cr_assert_eq(!key, rows[i] == 0);
        if (key)
            cr_assert_eq(key->rows, rows[i]);
        if ((unsigned)rand() % 10 < (grows ? 7u : 3u)) {
            key = keys_get(keys, number_of(i));
            cr_assert_not_null(key);
            there += rows[i] == 0;
            rows[i] = ++key->rows;
        } else if (key) {
            rows[i] = --key->rows;
            there -= rows[i] == 0;
            keys_settle(keys, key);
        }
        cr_assert_eq(keys_count(keys), there);
    }
    keys_forget_rows(keys);
    cr_expect_eq(keys_count(keys), 0);
    for (unsigned i = 0; i < NUMBERS; i++)
        cr_expect_null(keys_find(keys, number_of(i)));
    keys_settle(keys, NULL);
    keys_free(keys);
    keys_free(NULL);
}

Test(keys, who_is_under_way_is_not_forgotten)
{
    struct keys *keys = NULL;
    int trip;
    cr_assert_eq(keys_new(&keys), 0);
    for (uint64_t i = 1; i <= 500; i++) {
        struct key *key = keys_get(keys, i);
        key->rows = 1;
        key->last = i % 2 ? &trip : NULL;
    }
    keys_forget_rows(keys);
    cr_expect_eq(keys_count(keys), 250);
    for (uint64_t i = 1; i <= 500; i++)
        cr_expect_eq(keys_find(keys, i) != NULL, i % 2);
    keys_free(keys);
}
