/* Pieces of shared memory: never two at one place, and what is given back is found again. */
#include <criterion/criterion.h>

#include "host/worker/area.h"

#define PAGE AREA_PAGE_BYTES

Test(area, one_after_the_other_stands_at_the_start)
{
    struct area area = { .bytes = 4 * PAGE };
    uint32_t at, bytes;
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(area_take(&area, 3 * PAGE - 1, &at), 0);
        cr_expect_eq(at, 0);
        cr_assert_eq(area_give_back(&area, at, &bytes), 0);
        cr_expect_eq(bytes, 3 * PAGE);
    }
}

Test(area, what_does_not_fit_is_refused)
{
    struct area none = { 0 }, area = { .bytes = 4 * PAGE };
    uint32_t at;
    cr_expect_eq(area_take(&none, 1, &at), -1);
    cr_expect_eq(area_take(&area, 0, &at), -1);
    cr_expect_eq(area_take(&area, 4 * PAGE + 1, &at), -1);
    cr_expect_eq(area_take(&area, SIZE_MAX, &at), -1);
    cr_expect_eq(area_take(&area, 4 * PAGE, &at), 0);
    cr_expect_eq(area_take(&area, 1, &at), -1);
}

Test(area, what_was_never_taken_cannot_be_given_back)
{
    struct area area = { .bytes = 4 * PAGE };
    uint32_t at, bytes;
    cr_expect_eq(area_give_back(&area, 0, &bytes), -1);
    cr_assert_eq(area_take(&area, 2 * PAGE, &at), 0);
    cr_assert_eq(area_take(&area, PAGE, &at), 0);
    cr_expect_eq(area_give_back(&area, PAGE, &bytes), -1);
    cr_expect_eq(area_give_back(&area, 1, &bytes), -1);
    cr_expect_eq(area_give_back(&area, at, &bytes), 0);
    cr_expect_eq(area_give_back(&area, at, &bytes), -1, "twice");
    cr_expect_eq(area_give_back(&area, 0, &bytes), 0);
    cr_expect_eq(area.count, 0);
}

Test(area, pieces_go_around_and_come_back_in_any_order)
{
    static unsigned char owner[64];
    struct area area = { .bytes = 64 * PAGE };
    struct {
        uint32_t at, pages;
    } held[AREA_PIECES_MOST];
    unsigned count = 0, taken = 0;
    uint32_t seed = 1, at, bytes;
    for (int turn = 0; turn < 100000; turn++) {
        seed = seed * 1664525 + 1013904223;
        if ((seed >> 30) != 0) {
            uint32_t pages = 1 + (seed >> 16) % 20;
            if (area_take(&area, (size_t)pages * PAGE, &at) != 0)
                continue;
            cr_assert(at % PAGE == 0 && at / PAGE + pages <= 64);
            for (uint32_t i = 0; i < pages; i++)
                cr_assert_eq(owner[at / PAGE + i]++, 0, "turn %d: page %u has two owners", turn,
                             at / PAGE + i);
            held[count].at = at;
            held[count++].pages = pages;
            taken++;
        } else if (count > 0) {
            unsigned which = (seed >> 16) % count;
            cr_assert_eq(area_give_back(&area, held[which].at, &bytes), 0);
            cr_assert_eq(bytes, held[which].pages * PAGE);
            for (uint32_t i = 0; i < held[which].pages; i++)
                owner[held[which].at / PAGE + i] = 0;
            held[which] = held[--count];
        }
    }
    cr_expect_gt(taken, 10000);
    while (count > 0)
        cr_assert_eq(area_give_back(&area, held[--count].at, &bytes), 0);
    cr_expect_eq(area.count, 0);
}
