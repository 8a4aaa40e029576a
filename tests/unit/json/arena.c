#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>
#include "json/arena.h"
#include "kanal/sdk/str.h"

Test(arena, zeroed_and_aligned)
{
    struct json_arena arena = { 0 };

    for (size_t size = 0; size < 20000; size = size * 3 + 1) {
        unsigned char *block = json_arena_alloc(&arena, size);
        cr_assert_not_null(block);
        cr_expect_eq((uintptr_t)block % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            cr_assert_eq(block[i], 0);
        memset(block, 0xAA, size);
    }
    cr_expect_eq(arena.failed, 0);
    json_arena_release(&arena);
    cr_expect_null(arena.chunks);
}

Test(arena, dup)
{
    struct json_arena arena = { 0 };
    char *copy = json_arena_dup(&arena, kanal_str_of("a\0b", 3));

    cr_expect_arr_eq(copy, "a\0b", 4);
    cr_expect_str_eq(json_arena_dup(&arena, kanal_str_of(NULL, 0)), "");
    json_arena_release(&arena);
}

Test(arena, out_of_memory_is_remembered)
{
    struct json_arena arena = { 0 };

    cr_expect_null(json_arena_alloc(&arena, SIZE_MAX - 3));
    cr_expect_eq(arena.failed, 1);
    json_arena_release(&arena);
    cr_expect_eq(arena.failed, 0);
}
