#include "expect.h"
#include "kanal/sdk/sdk.h"

Test(str, equality_and_prefixes)
{
    cr_assert(kanal_str_is(KANAL_LIT("abc"), "abc"));
    cr_assert_not(kanal_str_is(KANAL_LIT("abc"), "ab"));
    cr_assert(kanal_str_equal(kanal_str_c(NULL), KANAL_LIT("")));
    cr_assert(kanal_str_starts(KANAL_LIT("v1.x"), "v1."));
    cr_assert_not(kanal_str_starts(KANAL_LIT("v"), "v1."));
    cr_assert(kanal_str_starts(kanal_str_of(NULL, 0), "")); /* UBSan: memcmp() is not given NULL */
    cr_assert_not(kanal_str_starts(kanal_str_of(NULL, 0), "v"));
    EXPECT_STR(kanal_str_from(KANAL_LIT("hello"), 2), "llo");
    const kanal_str hello = KANAL_LIT("hello");
    cr_assert_eq(kanal_str_from(hello, 9).len, 0);
    cr_assert_eq(kanal_str_from(hello, 5).ptr, hello.ptr + 5); /* empty, but at its place */
    cr_assert_null(kanal_str_from(kanal_str_of(NULL, 0), 3).ptr);
    cr_assert(kanal_str_equal_nocase(KANAL_LIT("Content-TYPE"), KANAL_LIT("content-type")));
    cr_assert_not(
        kanal_str_equal_nocase(KANAL_LIT("a@"), KANAL_LIT("a`"))); /* differ by 0x20, are no letters */
    cr_assert_not(kanal_str_equal_nocase(KANAL_LIT("a"), KANAL_LIT("ab")));
}

Test(str, dup)
{
    char *copy = kanal_str_dup(kanal_str_of("a\0b", 3));
    cr_assert_arr_eq(copy, "a\0b", 4);
    free(copy);
    copy = kanal_str_dup(kanal_str_of(NULL, 0));
    cr_assert_str_eq(copy, "");
    free(copy);
    cr_assert_null(kanal_str_dup(kanal_str_of("", SIZE_MAX)));
}

Test(str, keep)
{
    char out[4] = "zzz";
    cr_assert_str_eq(kanal_str_keep(out, sizeof out, kanal_str_c("abc")).ptr, "abc");
    kanal_str kept = kanal_str_keep(out, sizeof out, kanal_str_c("abcd"));
    cr_assert(kept.ptr == out && kept.len == 0 && out[0] == 0, "it does not fit");
    kept = kanal_str_keep(out, sizeof out, kanal_str_of(NULL, 0));
    cr_assert(kept.ptr == out && kept.len == 0 && out[0] == 0);
}

Test(str, fields)
{
    const kanal_field fields[] = { { KANAL_LIT("host"), KANAL_LIT("a") },
                                   { KANAL_LIT("x-empty"), { NULL, 0 } },
                                   { KANAL_LIT("host"), KANAL_LIT("b") } };
    EXPECT_STR(kanal_field_get(fields, 3, "host"), "a");
    cr_assert_not_null(kanal_field_get(fields, 3, "x-empty").ptr);
    cr_assert_null(kanal_field_get(fields, 3, "missing").ptr);
    cr_assert_null(kanal_field_get(NULL, 0, "host").ptr);
}

Test(str, whole_numbers)
{
    int64_t n = 42;
    cr_assert_eq(kanal_str_int(KANAL_LIT("9223372036854775807"), &n), 0);
    cr_assert_eq(n, INT64_MAX);
    cr_assert_eq(kanal_str_int(KANAL_LIT("-9223372036854775808"), &n), 0);
    cr_assert_eq(n, INT64_MIN);
    cr_assert_eq(kanal_str_int(KANAL_LIT("+007"), &n), 0);
    cr_assert_eq(n, 7);
    cr_assert_eq(kanal_str_int(KANAL_LIT("-0"), &n), 0);
    cr_assert_eq(n, 0);
    n = 42;
    static const char *const wrong[] = { "",
                                         "-",
                                         "+",
                                         "1 ",
                                         " 1",
                                         "1.0",
                                         "1e3",
                                         "--1",
                                         "0x10",
                                         "١",
                                         "9223372036854775808",
                                         "-9223372036854775809",
                                         "99999999999999999999" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(kanal_str_int(kanal_str_c(wrong[i]), &n), -1, "accepted '%s'", wrong[i]);
        cr_assert_eq(n, 42, "touched by '%s'", wrong[i]);
    }
}

Test(str, utf8)
{
    static const char *const right[] = { "",
                                         "plain",
                                         "Анна",
                                         "日本",
                                         "😀",
                                         "\xED\x9F\xBF",
                                         "\xEE\x80\x80",
                                         "\xF4\x8F\xBF\xBF",
                                         "\xF0\x90\x80\x80",
                                         "\xE0\xA0\x80",
                                         "\xC2\x80" };
    static const char *const wrong[] = { "\x80",
                                         "\xBF",
                                         "\xC0\xAF",
                                         "\xC1\xBF",
                                         "\xC2",
                                         "\xC2x",
                                         "\xE0\x80\xAF",
                                         "\xE0\x9F\xBF",
                                         "\xED\xA0\x80",
                                         "\xED\xBF\xBF",
                                         "\xE6\x97",
                                         "\xF0\x80\x80\xAF",
                                         "\xF0\x8F\xBF\xBF",
                                         "\xF4\x90\x80\x80",
                                         "\xF5\x80\x80\x80",
                                         "\xFF",
                                         "\xF0\x9F\x98",
                                         "a\xFE",
                                         "\xE6\x97\xA5\x80" };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++)
        cr_assert(kanal_str_utf8(kanal_str_c(right[i])), "refused right[%zu]", i);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_not(kanal_str_utf8(kanal_str_c(wrong[i])), "accepted wrong[%zu]", i);
    cr_assert(kanal_str_utf8(kanal_str_of("a\0b", 3)));
}
