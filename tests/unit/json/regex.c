/* What the cases of cases.json leave out: refusals, bounds, UTF-8. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include "json/regex.h"
#include "kanal/sdk/str.h"

static int match(const char *pattern, kanal_str text)
{
    struct json_regex *regex = NULL;
    const char *reason = "";
    int matched;

    cr_assert_eq(json_regex_new(&regex, kanal_str_c(pattern), &reason), 0, "%s: %s", pattern, reason);
    matched = json_regex_match(regex, text);
    json_regex_free(regex);
    return matched;
}

Test(regex, refuses)
{
    static const char *const wrong[] = {
        "(",
        ")",
        "a)",
        "[",
        "[a",
        "[b-a]",
        "[\\d-x]",
        "*",
        "+a",
        "a**",
        "{2}",
        "a{",
        "a{x}",
        "a{2,1}",
        "}",
        "]",
        "\\",
        "\\1",
        "\\b",
        "\\p{L}",
        "\\k<a>",
        "(?=a)",
        "(?!a)",
        "(?<a>b)",
        "\\q",
        "\\-",
        "^*",
        "\\u12",
        "\\xZ1",
        "\\uD800",
        "\\u{110000}",
        "a{9999}",
        "(((a{100}){100}){100})",
        "\xFF",
        "\\01",
        "a{2048}b",
        "((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))"
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct json_regex *regex = NULL;
        const char *reason = NULL;
        cr_expect_eq(json_regex_new(&regex, kanal_str_c(wrong[i]), &reason), KANAL_E_INVALID, "%s", wrong[i]);
        cr_expect_not_null(reason, "%s", wrong[i]);
        cr_expect_null(regex, "%s", wrong[i]);
    }
    json_regex_free(NULL);
}

Test(regex, nested_repetitions_compile_quickly)
{
    struct json_regex *regex = NULL;
    const char *reason = NULL;

    cr_expect_eq(json_regex_new(&regex,
                                KANAL_LIT("((((((((){1000}){1000}){1000}){1000}){1000}){1000}){1000})"),
                                &reason),
                 0);
    cr_expect(json_regex_match(regex, KANAL_LIT("x")));
    json_regex_free(regex);
    cr_expect_eq(json_regex_new(&regex, KANAL_LIT("((((((((a?){99}){99}){99}){99}){99}){99}){99})"), &reason),
                 KANAL_E_INVALID);
}

Test(regex, utf8)
{
    cr_expect(match("^\xD0\xB4.$", KANAL_LIT("\xD0\xB4\xD0\xB0")));
    cr_expect(match("^[\xD0\xB0-\xD1\x8F]+$", KANAL_LIT("\xD0\xB4\xD0\xB0")));
    cr_expect_not(match("^.$", KANAL_LIT("\xD0\xB4\xD0\xB0")));
    /* A wrong byte is one character. */
    cr_expect(match("^..$", KANAL_LIT("\xD0\xFF")));
    cr_expect(match("^\\uFFFD$", KANAL_LIT("\xC0")));
    cr_expect(match("^.{3}$", KANAL_LIT("\xED\xA0\x80")));
    cr_expect(match("^\\u{1F600}\\uD83D\\uDE00$", KANAL_LIT("\xF0\x9F\x98\x80\xF0\x9F\x98\x80")));
    cr_expect(match("^a\\0b$", kanal_str_of("a\0b", 3)));
}

Test(regex, ends)
{
    cr_expect(match("$", KANAL_LIT("abc")));
    cr_expect(match("^$", KANAL_LIT("")));
    cr_expect_not(match("^$", KANAL_LIT("a")));
    cr_expect(match("b$", KANAL_LIT("ab")));
    cr_expect_not(match("b$", KANAL_LIT("ba")));
    cr_expect(match("^a|b$", KANAL_LIT("xb")));
    cr_expect_not(match("^a|b$", KANAL_LIT("bx")));
    cr_expect_not(match("a^b", KANAL_LIT("ab")));
    cr_expect_not(match("[]", KANAL_LIT("a")));
    cr_expect(match("[^]", KANAL_LIT("\n")));
}

Test(regex, linear_time)
{
    size_t len = 200000;
    char *text = malloc(len + 1);

    memset(text, 'a', len);
    text[len] = 'b';
    cr_expect_not(match("^(a+)+$", kanal_str_of(text, len + 1)));
    cr_expect_not(match("^(a|aa|aaa)*c$", kanal_str_of(text, len + 1)));
    cr_expect(match("(a*)*b", kanal_str_of(text, len + 1)));
    free(text);
}
