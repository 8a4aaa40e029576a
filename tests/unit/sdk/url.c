#include "expect.h"
#include "kanal/sdk/url.h"

Test(url, encode_and_decode_every_byte)
{
    char bytes[256];
    struct kanal_buffer text = { 0 }, back = { 0 };
    for (int i = 0; i < 256; i++)
        bytes[i] = (char)i;
    kanal_url_encode(&text, kanal_str_of(bytes, sizeof bytes));
    cr_assert_eq(text.len, 66 + (256 - 66) * 3); /* RFC 3986, 2.3: 66 unreserved characters */
    cr_assert_eq(kanal_url_decode(&back, kanal_buffer_view(&text), 1), 0);
    expect_bytes(__FILE__, __LINE__, kanal_buffer_view(&back), bytes, sizeof bytes);
    kanal_buffer_clear(&text);
    kanal_url_encode(&text, KANAL_LIT("a b+c/Ж~"));
    EXPECT_STR(kanal_buffer_view(&text), "a%20b%2Bc%2F%D0%96~");
    kanal_buffer_release(&text);
    kanal_buffer_release(&back);
}

Test(url, decode)
{
    struct kanal_buffer b = { 0 };
    cr_assert_eq(kanal_url_decode(&b, KANAL_LIT("a+b%2B%2f%00"), 1), 0);
    EXPECT_LIT(kanal_buffer_view(&b), "a b+/\0");
    kanal_buffer_clear(&b);
    cr_assert_eq(kanal_url_decode(&b, KANAL_LIT("a+b"), 0), 0);
    EXPECT_STR(kanal_buffer_view(&b), "a+b");
    static const char *const wrong[] = {
        "%", "%4", "x%", "%4g", "%g4", "%%41", "abc%2", "% 41", "%-1", "%+1"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(kanal_url_decode(&b, kanal_str_c(wrong[i]), 1), KANAL_E_INVALID, "accepted '%s'",
                     wrong[i]);
        EXPECT_STR(kanal_buffer_view(&b), "a+b");
    }
    kanal_buffer_release(&b);
}

Test(url, parse_takes_apart)
{
    struct kanal_url u;
    cr_assert_eq(kanal_url_parse(KANAL_LIT("https://user:pw@Example.com:8443/a/b?x=1&y=/?#frag?#"), &u), 0);
    EXPECT_STR(u.scheme, "https");
    EXPECT_STR(u.userinfo, "user:pw");
    EXPECT_STR(u.host, "Example.com");
    EXPECT_STR(u.port, "8443");
    EXPECT_STR(u.path, "/a/b");
    EXPECT_STR(u.query, "x=1&y=/?");
    EXPECT_STR(u.fragment, "frag?#");
    cr_assert_eq(kanal_url_parse(KANAL_LIT("HTTP://[2001:db8::1]:80"), &u), 0);
    EXPECT_STR(u.host, "2001:db8::1");
    EXPECT_STR(u.port, "80");
    EXPECT_STR(u.path, "");
    cr_assert_null(u.query.ptr);
    cr_assert_null(u.fragment.ptr);
    cr_assert_null(u.userinfo.ptr);
    cr_assert_eq(kanal_url_parse(KANAL_LIT("wss://h?q"), &u), 0);
    EXPECT_STR(u.host, "h");
    EXPECT_STR(u.query, "q");
    cr_assert_null(u.port.ptr);
    cr_assert_eq(kanal_url_parse(KANAL_LIT("http://h/?"), &u), 0);
    cr_assert_not_null(u.query.ptr); /* empty, but there */
    cr_assert_eq(kanal_url_parse(KANAL_LIT("http://127.0.0.1:/пример?q={a|b}"), &u), 0);
    EXPECT_STR(u.port, "");
}

Test(url, parse_refuses)
{
    static const char *const wrong[] = { "",
                                         "http",
                                         "http:",
                                         "http:/h",
                                         "http://",
                                         "http:///x",
                                         "//h/x",
                                         "/x",
                                         "ftp://h/",
                                         "javascript:alert(1)",
                                         "httpx://h",
                                         "http//h",
                                         "http://h:65536/",
                                         "http://h:-1/",
                                         "http://h:+1/",
                                         "http://h:8a/",
                                         "http://h:000080/",
                                         "http://:80/",
                                         "http://a@b@c/",
                                         "http://[::1/",
                                         "http://[]/",
                                         "http://[::1]x/",
                                         "http://[::1%25eth0]/",
                                         "http://[1.2.3.4]/",
                                         "http://h\\@evil/",
                                         "http://h/a\\b",
                                         "http://h /",
                                         "http://h/a b",
                                         "http://h/\r\nX: y",
                                         "http://h/\x7f",
                                         "http://h/\"",
                                         "http://h/<x>",
                                         "http://h\xD0\x96/",
                                         "http://h/\xFF",
                                         " http://h/",
                                         "http://h%2eru/",
                                         "http://h~x/",
                                         "http://a,b/",
                                         "https://h/\x01" };
    struct kanal_url u;
    memset(&u, 0x5A, sizeof u);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(kanal_url_parse(kanal_str_c(wrong[i]), &u), KANAL_E_INVALID, "accepted '%s'", wrong[i]);
        cr_assert_eq(u.host.len, (size_t)0x5A5A5A5A5A5A5A5A); /* untouched */
    }
    cr_assert_eq(kanal_url_parse(kanal_str_of("http://h/\0", 10), &u), KANAL_E_INVALID);
    cr_assert_eq(kanal_url_parse(kanal_str_of(NULL, 0), &u), KANAL_E_INVALID);
}

Test(form, walk)
{
    kanal_str rest = KANAL_LIT("&&name=%D0%90+b&empty=&alone&=noname&x=1=2&");
    static const char *const wanted[][2] = {
        { "name", "\xD0\x90 b" }, { "empty", "" }, { "alone", "" }, { "", "noname" }, { "x", "1=2" }
    };
    struct kanal_buffer scratch = { 0 };
    kanal_str name, value;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        cr_assert_eq(kanal_form_next(&rest, &scratch, &name, &value), 1);
        EXPECT_STR(name, wanted[i][0]);
        EXPECT_STR(value, wanted[i][1]);
        cr_assert_not_null(name.ptr);
        cr_assert_not_null(value.ptr);
    }
    cr_assert_eq(kanal_form_next(&rest, &scratch, &name, &value), 0);
    cr_assert_eq(kanal_form_next(&rest, &scratch, &name, &value), 0);
    kanal_buffer_release(&scratch);
}

Test(form, broken_escapes_are_told_and_can_be_passed_over)
{
    kanal_str rest = KANAL_LIT("a=%zz&%=1&b=2");
    struct kanal_buffer scratch = { 0 };
    kanal_str name, value;
    cr_assert_eq(kanal_form_next(&rest, &scratch, &name, &value), KANAL_E_INVALID);
    cr_assert_eq(kanal_form_next(&rest, &scratch, &name, &value), KANAL_E_INVALID);
    cr_assert_eq(kanal_form_next(&rest, &scratch, &name, &value), 1);
    EXPECT_STR(name, "b");
    cr_assert_eq(kanal_form_next(&rest, &scratch, &name, &value), 0);
    kanal_buffer_release(&scratch);
}

Test(form, get_and_add)
{
    struct kanal_buffer b = { 0 };
    kanal_buffer_text(&b, "https://h/p?");
    kanal_form_add(&b, "a b", KANAL_LIT("1&2"));
    kanal_form_add(&b, "c", KANAL_LIT(""));
    kanal_form_add(&b, "c", KANAL_LIT("second"));
    EXPECT_STR(kanal_buffer_view(&b), "https://h/p?a%20b=1%262&c=&c=second");
    kanal_str query = kanal_str_from(kanal_buffer_view(&b), 12);
    struct kanal_buffer value = { 0 };
    cr_assert_eq(kanal_form_get(query, "a b", &value), 0);
    EXPECT_STR(kanal_buffer_view(&value), "1&2");
    kanal_buffer_clear(&value);
    cr_assert_eq(kanal_form_get(query, "c", &value), 0);
    cr_assert_eq(value.len, 0);
    cr_assert_eq(kanal_form_get(query, "missing", &value), KANAL_E_NOT_FOUND);
    cr_assert_eq(kanal_form_get(KANAL_LIT("x=%&c=1"), "c", &value), KANAL_E_INVALID);
    cr_assert_eq(kanal_form_get(kanal_str_of(NULL, 0), "c", &value), KANAL_E_NOT_FOUND);
    kanal_buffer_release(&b);
    kanal_buffer_release(&value);
}

Test(url, fetchable_is_what_can_be_a_reference)
{
    cr_expect(kanal_url_is_fetchable(KANAL_LIT("https://a.example/b?c=d"), 100));
    cr_expect_not(kanal_url_is_fetchable(KANAL_LIT("https://a.example/b?c=d"), 10));
    cr_expect_not(kanal_url_is_fetchable(KANAL_LIT("https://u:p@a.example/"), 100));
    cr_expect_not(kanal_url_is_fetchable(KANAL_LIT("https://a.example/#f"), 100));
    cr_expect_not(kanal_url_is_fetchable(KANAL_LIT("ws://a.example/"), 100));
    cr_expect_not(kanal_url_is_fetchable(KANAL_LIT("file:///etc/passwd"), 100));
    cr_expect_not(kanal_url_is_fetchable(KANAL_LIT("https://a.example/ж"), 100));
    cr_expect_not(kanal_url_is_fetchable(kanal_str_of(NULL, 0), 100));
}

static void expect_clean(const char *text, size_t max_bytes, const char *wanted)
{
    struct kanal_buffer out = { 0 };
    kanal_buffer_text(&out, "x");
    kanal_status status = kanal_url_clean(&out, kanal_str_c(text), max_bytes);
    cr_assert_eq(status == KANAL_OK, wanted != NULL, "%s: %d", text, status);
    EXPECT_STR(kanal_str_from(kanal_buffer_view(&out), 1), wanted ? wanted : "");
    kanal_buffer_release(&out);
}

Test(url, clean)
{
    expect_clean("https://a.example/p?q={a}&r=%7B#x|y", 99, "https://a.example/p?q=%7Ba%7D&r=%7B#x%7Cy");
    expect_clean("https://a.example/100%", 99, "https://a.example/100%25");
    expect_clean("https://a.example/\xD0\x96", 99, "https://a.example/%D0%96");
    expect_clean("https://a.example", 17, "https://a.example");
    expect_clean("https://a.example", 16, NULL);
    expect_clean("https://u:p@a.example/", 99, NULL);
    expect_clean("javascript:alert(1)", 99, NULL);
}

Test(url, base)
{
    static const char *const right[][2] = { { "https://api.example.com", "https://api.example.com" },
                                            { "http://127.0.0.1:1/v1//", "http://127.0.0.1:1/v1" },
                                            { "https://", "https:" } };
    char *base = NULL;
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        cr_assert_eq(kanal_url_base(kanal_str_c(right[i][0]), &base), KANAL_OK);
        cr_assert_str_eq(base, right[i][1]);
        free(base);
    }
    base = NULL;
    cr_assert_eq(kanal_url_base(KANAL_LIT("ftp://example.com"), &base), KANAL_E_INVALID);
    cr_assert_eq(kanal_url_base(kanal_str_of(NULL, 0), &base), KANAL_E_INVALID);
    cr_assert_null(base);
}
