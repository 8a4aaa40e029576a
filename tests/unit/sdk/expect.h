/* expect.h - what the tests of the static helpers share. */
#ifndef TESTS_SDK_EXPECT_H
#define TESTS_SDK_EXPECT_H
#include <criterion/criterion.h>
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"

static inline void expect_bytes(const char *file, int line, kanal_str got, const char *wanted,
                                size_t wanted_len)
{
    cr_assert(got.len == wanted_len && (wanted_len == 0 || memcmp(got.ptr, wanted, wanted_len) == 0),
              "%s:%d: expected '%.*s', got '%.*s'", file, line, (int)wanted_len, wanted, (int)got.len,
              got.ptr);
}
#define EXPECT_STR(got, wanted) expect_bytes(__FILE__, __LINE__, got, wanted, strlen(wanted))
#define EXPECT_LIT(got, literal) expect_bytes(__FILE__, __LINE__, got, literal, sizeof(literal) - 1)

/* A small repeatable source of bytes (xorshift64). */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#endif
