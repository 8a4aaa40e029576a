#include <criterion/criterion.h>

#include "cli/terminal.h"
#include "kanal/sdk/str.h"

static void expect_text(const char *given, size_t len, const char *expected)
{
    struct kanal_buffer out = { 0 };

    terminal_text(&out, kanal_str_of(given, len));
    kanal_buffer_byte(&out, '\0');
    cr_expect_str_eq(out.data, expected);
    kanal_buffer_release(&out);
}
#define TEXT(given, expected) expect_text("" given, sizeof(given) - 1, expected)

Test(terminal, text)
{
    TEXT("", "");
    TEXT("plain \xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0 \xf0\x9f\x91\x8d",
         "plain \xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0 \xf0\x9f\x91\x8d");
    TEXT("a\nb\r\nc\rd\te", "a \xe2\x86\xb5 b \xe2\x86\xb5 c \xe2\x86\xb5 d e");
    TEXT("\033]52;c;aGk=\a", "\\u001b]52;c;aGk=\\u0007");
    TEXT("\0\x7f", "\\u0000\\u007f");
    TEXT("\xc2\x9b"
         "31m\xc2\x80\xc2\x9f\xc2\xa0",
         "\\u009b31m\\u0080\\u009f\xc2\xa0");
    TEXT("\xe2\x80\xae\xe2\x81\xa6\xd8\x9c\xe2\x80\x8f\xe2\x80\xa8", "\\u202e\\u2066\\u061c\\u200f\\u2028");
    /* Invalid UTF-8: overlong, a surrogate, beyond the last plane, cut, a byte that continues nothing. */
    TEXT("\xc0\x9b|\xed\xa0\x80|\xf4\x90\x80\x80|\x9b|\xe2\x80",
         "\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|"
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd|\xef\xbf\xbd\xef\xbf\xbd");
}

Test(terminal, json)
{
    static const struct {
        const char *given, *expected; /* NULL: no JSON */
    } cases[] = {
        { "{\"a\": 1.50, \"b\":[ true ]}", "{\"a\": 1.50, \"b\":[ true ]}" },
        { "{\n\t\"a\":\r\n 1\n}", "{\"a\": 1}" },
        { "\"x\\n\\u001b\\\"\\\\\"", "\"x\\n\\u001b\\\"\\\\\"" },
        { "\"\xc2\x9b\x7f\xe2\x80\xae\"", "\"\\u009b\\u007f\\u202e\"" },
        { "{\"a\\\\\":\n\"\xc2\x9b\"}", "{\"a\\\\\":\"\\u009b\"}" },
        { "\"a\nb\"", NULL },
        { "{}\n{}", NULL },
        { "", NULL },
        { "\"\xff\"", NULL },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kanal_buffer out = { 0 };
        int r = terminal_json(&out, kanal_str_c(cases[i].given));

        kanal_buffer_byte(&out, '\0');
        cr_expect_eq(r == 0, cases[i].expected != NULL, "%s", cases[i].given);
        cr_expect_str_eq(out.data, cases[i].expected ? cases[i].expected : "");
        kanal_buffer_release(&out);
    }
}
