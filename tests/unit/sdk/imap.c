#include <criterion/criterion.h>
#include <stdio.h>

#include "kanal/sdk/imap.h"
#include "kanal/sdk/str.h"

/* All tokens as text, fed in pieces of `step` bytes; "!" where it breaks. */
static void tokens(const char *bytes, size_t len, size_t step, struct kanal_buffer *out)
{
    static const char *const names[] = { "", "!", "a:", "s:", "L", "p:", "(", ")", "t:", ";" };
    struct kanal_imap parser = { 0 };
    struct kanal_imap_token token;
    int pieces = 0;
    for (size_t at = 0; at < len; at += step) {
        kanal_imap_feed(&parser, kanal_str_of(bytes + at, at + step < len ? step : len - at));
        while (kanal_imap_next(&parser, &token) != KANAL_IMAP_MORE) {
            int joins = token.kind == KANAL_IMAP_PIECE && pieces;
            pieces = token.kind == KANAL_IMAP_PIECE;
            if (!joins) {
                kanal_buffer_byte(out, ' ');
                kanal_buffer_text(out, names[token.kind]);
            }
            if (token.kind == KANAL_IMAP_LITERAL)
                kanal_buffer_uint(out, token.size);
            else if (token.kind != KANAL_IMAP_OPEN && token.kind != KANAL_IMAP_CLOSE &&
                     token.kind != KANAL_IMAP_END)
                kanal_buffer_str(out, token.text);
            if (token.kind == KANAL_IMAP_BROKEN)
                goto out;
        }
    }
out:
    kanal_buffer_byte(out, 0);
    kanal_imap_release(&parser);
}

static void same(const char *bytes, const char *expected)
{
    size_t len = strlen(bytes);
    for (size_t step = 1; step <= len; step = step < 8 ? step + 1 : step * 2 + len) {
        struct kanal_buffer out = { 0 };
        tokens(bytes, len, step, &out);
        cr_expect_str_eq(out.data, expected, "in pieces of %zu: %s", step, bytes);
        kanal_buffer_release(&out);
    }
}

Test(imap, ordinary_responses)
{
    same("* 3 EXISTS\r\n", " a:* a:3 a:EXISTS ;");
    same("* SEARCH 2 84 882\r\n", " a:* a:SEARCH a:2 a:84 a:882 ;");
    same("* SEARCH\r\n", " a:* a:SEARCH ;");
    same("* LIST (\\HasNoChildren) \"/\" \"a \\\"b\\\" \\\\\"\r\n",
         " a:* a:LIST ( a:\\HasNoChildren ) s:/ s:a \"b\" \\ ;");
    same("* 12 FETCH (FLAGS (\\Seen $x) UID 7 RFC822.SIZE 44)\r\n",
         " a:* a:12 a:FETCH ( a:FLAGS ( a:\\Seen a:$x ) a:UID a:7 a:RFC822.SIZE a:44 ) ;");
    same("A1 OK [UIDVALIDITY 7] it's \"fine ((\r\nA2 BAD\r\n",
         " a:A1 a:OK t:[UIDVALIDITY 7] it's \"fine (( ; a:A2 a:BAD t: ;");
    same("+ idling {3}\r\n+\r\n* BYE\r\n", " a:+ t:idling {3} ; a:+ t: ; a:* a:BYE t: ;");
}

Test(imap, a_status_word_elsewhere_is_an_atom)
{
    same("* FLAGS (OK NO)\r\n* 1 NO \r\n", " a:* a:FLAGS ( a:OK a:NO ) ; a:* a:1 a:NO ;");
    same("* STATUS \"OK\" (MESSAGES 1)\r\n", " a:* a:STATUS s:OK ( a:MESSAGES a:1 ) ;");
}

Test(imap, literals)
{
    same("* 1 FETCH (BODY[] {5}\r\nab\r\n) UID 3)\r\n",
         " a:* a:1 a:FETCH ( a:BODY[] L5 p:ab\r\n) a:UID a:3 ) ;");
    same("* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT \"x\")]<0> {0}\r\n UID 3)\r\n",
         " a:* a:1 a:FETCH ( a:BODY[HEADER.FIELDS (SUBJECT \"x\")]<0> L0 a:UID a:3 ) ;");
    same("* 1 FETCH (BINARY[1] ~{2}\r\n\"\r)\r\n", " a:* a:1 a:FETCH ( a:BINARY[1] L2 p:\"\r ) ;");
    same("* LIST () {1}\r\n/ {3}\r\n{9}\r\n", " a:* a:LIST ( ) L1 p:/ L3 p:{9} ;");
}

Test(imap, what_is_no_imap_breaks_for_good)
{
    same("* 1 )\r\n", " a:* a:1 !");
    same("* (\r\n", " a:* ( !");
    same("* \"a\r\n", " a:* !");
    same("* {12a}\r\n", " a:* !");
    same("* {}\r\n", " a:* !");
    same("* {99999999999}\r\n", " a:* !");
    same("* {3}x\r\n", " a:* !");
    same("* a\n* b\r\n", " a:* !");
    same("* OK a\nb\r\n", " a:* a:OK !");
    same("* OK\rb", " a:* a:OK t: !");
}

Test(imap, what_is_too_long_breaks)
{
    struct kanal_buffer line = { 0 }, out = { 0 };
    for (size_t i = 0; i <= KANAL_IMAP_TOKEN_MAX; i++)
        kanal_buffer_byte(&line, 'x');
    tokens(line.data, KANAL_IMAP_TOKEN_MAX, 1000, &out);
    cr_expect_str_eq(out.data, "");
    kanal_buffer_clear(&out);
    tokens(line.data, line.len, 1000, &out);
    cr_expect_str_eq(kanal_str_starts(kanal_buffer_view(&out), " !") ? "broken" : out.data, "broken");
    kanal_buffer_clear(&line);
    kanal_buffer_clear(&out);
    for (size_t i = 0; i < 1001; i++)
        kanal_buffer_byte(&line, '(');
    tokens(line.data, line.len, 64, &out);
    cr_expect_not_null(strchr(out.data, '!'));
    kanal_buffer_release(&line);
    kanal_buffer_release(&out);
}

Test(imap, codes)
{
    uint64_t number = 0;
    cr_expect_eq(kanal_imap_code(KANAL_LIT("[UIDVALIDITY 3857529045] UIDs valid"), "UIDVALIDITY", &number),
                 KANAL_OK);
    cr_expect_eq(number, 3857529045u);
    cr_expect_eq(kanal_imap_code(KANAL_LIT("[uidnext 4392]"), "UIDNEXT", &number), KANAL_OK);
    cr_expect_eq(number, 4392u);
    const char *none[] = { "",
                           "[UIDNEXT]",
                           "[UIDNEXT ]",
                           "[UIDNEXT 12",
                           "[UIDNEXTS 1]",
                           "UIDNEXT 1]",
                           "[ALERT]",
                           "[UIDNEXT x]",
                           "[UIDNEXT 99999999999999999999999]" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        cr_expect_eq(kanal_imap_code(kanal_str_c(none[i]), "UIDNEXT", &number), KANAL_E_NOT_FOUND, "%s",
                     none[i]);
    cr_expect_eq(number, 4392u);
}

Test(imap, quoting)
{
    struct kanal_buffer out = { 0 };
    cr_expect_eq(kanal_imap_quote(&out, KANAL_LIT("a \"b\" \\")), KANAL_OK);
    cr_expect(kanal_str_is(kanal_buffer_view(&out), "\"a \\\"b\\\" \\\\\""));
    size_t before = out.len;
    cr_expect_eq(kanal_imap_quote(&out, KANAL_LIT("INBOX\r\nA2 LOGOUT")), KANAL_E_INVALID);
    cr_expect_eq(kanal_imap_quote(&out, kanal_str_of("a\0b", 3)), KANAL_E_INVALID);
    cr_expect_eq(out.len, before);
    kanal_buffer_release(&out);
}
