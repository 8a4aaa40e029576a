#include <criterion/criterion.h>

#include "inbound/range.h"
#include "kanal/sdk/str.h"

/* What is understood, written again; or "". */
static const char *read_again(const char *header, char text[RANGE_TEXT_BYTES])
{
    struct range range;
    text[0] = '\0';
    if (range_parse(kanal_str_c(header), &range) == 0)
        range_write(&range, text);
    return text;
}

Test(range, one_range_is_understood)
{
    static const char *const right[] = { "bytes=0-0",  "bytes=0-499", "bytes=500-",
                                         "bytes=-500", "bytes=-0",    "bytes=900000000000000000-" };
    char text[RANGE_TEXT_BYTES];
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        cr_expect_str_eq(read_again(right[i], text), right[i]);
    cr_expect_str_eq(read_again("Bytes=007-9", text), "bytes=7-9");
}

Test(range, everything_else_is_none)
{
    static const char *const wrong[] = { "",
                                         "bytes",
                                         "bytes=",
                                         "bytes=-",
                                         "bytes=--1",
                                         "bytes=1",
                                         "bytes=5-4",
                                         "bytes=0-1,3-4",
                                         "bytes= 0-1",
                                         "bytes=0-1 ",
                                         "bytes=0-1\r\nx: y",
                                         "bytes=0x1-2",
                                         "bytes=+1-2",
                                         "items=0-1",
                                         "bytes=99999999999999999999-",
                                         "bytes=0-99999999999999999999",
                                         "bytes=-99999999999999999999" };
    char text[RANGE_TEXT_BYTES];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_str_empty(read_again(wrong[i], text), "%s", wrong[i]);
    struct range range;
    cr_expect_neq(range_parse(kanal_str_of(NULL, 0), &range), 0);
}

static void expect_part(const char *header, uint64_t size, uint64_t from, uint64_t end)
{
    struct range range;
    uint64_t is_from = 77, is_end = 77;
    cr_assert_eq(range_parse(kanal_str_c(header), &range), 0);
    cr_expect_eq(range_of(&range, size, &is_from, &is_end), 0, "%s", header);
    cr_expect(is_from == from && is_end == end, "%s: %lu %lu", header, (unsigned long)is_from,
              (unsigned long)is_end);
}

Test(range, a_part_of_so_many_bytes)
{
    expect_part("bytes=0-0", 10, 0, 1);
    expect_part("bytes=2-5", 10, 2, 6);
    expect_part("bytes=2-500", 10, 2, 10);
    expect_part("bytes=9-", 10, 9, 10);
    expect_part("bytes=-3", 10, 7, 10);
    expect_part("bytes=-30", 10, 0, 10);
}

Test(range, nothing_of_it_is_there)
{
    static const char *const headers[] = { "bytes=10-", "bytes=10-12", "bytes=-0" };
    struct range range;
    uint64_t from, end;
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(range_parse(kanal_str_c(headers[i]), &range), 0);
        cr_expect_neq(range_of(&range, 10, &from, &end), 0, "%s", headers[i]);
    }
    cr_assert_eq(range_parse(KANAL_LIT("bytes=0-"), &range), 0);
    cr_expect_neq(range_of(&range, 0, &from, &end), 0);
}

Test(range, what_a_provider_says)
{
    uint64_t bytes = 77;
    cr_expect_eq(range_content_parse(KANAL_LIT("bytes 2-5/10"), &bytes), 0);
    cr_expect_eq(bytes, 4);
    cr_expect_eq(range_content_parse(KANAL_LIT("bytes 0-0/*"), &bytes), 0);
    cr_expect_eq(bytes, 1);
    cr_expect_eq(range_content_parse(KANAL_LIT("bytes */10"), &bytes), 0);
    cr_expect_eq(bytes, 0);
    static const char *const wrong[] = { "",           "bytes 2-5",    "bytes 5-2/10",       "bytes 2-10/10",
                                         "bytes */*",  "bytes=2-5/10", "bytes 2-5/10\r\n",   "bytes -5/10",
                                         "bytes 2-/5", "bytes 2-5/",   "bytes 2-5/10, 7/10", "bytes *" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_neq(range_content_parse(kanal_str_c(wrong[i]), &bytes), 0, "%s", wrong[i]);
}
