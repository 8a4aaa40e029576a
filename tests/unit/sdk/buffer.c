#include "expect.h"

Test(buffer, grows_and_keeps_content)
{
    struct kanal_buffer b;
    kanal_buffer_init(&b);
    for (int i = 0; i < 10000; i++)
        kanal_buffer_text(&b, "0123456789");
    cr_assert_eq(b.len, 100000);
    cr_assert_eq(b.failed, 0);
    for (size_t i = 0; i < b.len; i++)
        cr_assert_eq(b.data[i], (char)('0' + i % 10));
    kanal_buffer_clear(&b);
    cr_assert_eq(b.len, 0);
    kanal_buffer_release(&b);
    cr_assert_null(b.data);
    kanal_buffer_release(&b); /* forgiving */
}

Test(buffer, zeroed_is_empty)
{
    struct kanal_buffer b = { 0 };
    cr_assert_null(kanal_buffer_view(&b).ptr);
    kanal_buffer_append(&b, NULL, 0);
    cr_assert_eq(b.len, 0);
    kanal_buffer_byte(&b, 'x');
    EXPECT_STR(kanal_buffer_view(&b), "x");
    kanal_buffer_release(&b);
}

Test(buffer, failure_is_sticky_and_absent)
{
    struct kanal_buffer b = { 0 };
    kanal_buffer_text(&b, "kept");
    cr_assert_eq(kanal_buffer_reserve(&b, SIZE_MAX), -1);
    cr_assert_eq(kanal_buffer_reserve(&b, SIZE_MAX / 2), -1);
    kanal_buffer_text(&b, "more"); /* would fit: still nothing is added */
    cr_assert_eq(b.len, 4);
    cr_assert_null(kanal_buffer_view(&b).ptr);
    cr_assert_eq(kanal_buffer_view(&b).len, 0);
    kanal_buffer_clear(&b);
    kanal_buffer_text(&b, "again");
    EXPECT_STR(kanal_buffer_view(&b), "again");
    kanal_buffer_release(&b);
}

Test(buffer, numbers)
{
    static const struct {
        int64_t number;
        const char *text;
    } cases[] = { { 0, "0" },
                  { 7, "7" },
                  { -1, "-1" },
                  { 1234567890123, "1234567890123" },
                  { INT64_MAX, "9223372036854775807" },
                  { INT64_MIN, "-9223372036854775808" } };
    struct kanal_buffer b = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kanal_buffer_clear(&b);
        kanal_buffer_int(&b, cases[i].number);
        EXPECT_STR(kanal_buffer_view(&b), cases[i].text);
    }
    kanal_buffer_clear(&b);
    kanal_buffer_uint(&b, UINT64_MAX);
    EXPECT_STR(kanal_buffer_view(&b), "18446744073709551615");
    kanal_buffer_release(&b);
}
