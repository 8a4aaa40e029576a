#include <criterion/criterion.h>
#include <string.h>
#include "http/server_target.h"
#include "kanal/sdk/str.h"

static int split(const char *text, size_t len, kanal_str *path, kanal_str *query)
{
    static char scratch[512];

    memset(scratch, 'x', sizeof scratch);
    return http_target_split(kanal_str_of(text, len), scratch, path, query);
}

static void good(const char *target, const char *path, const char *query)
{
    kanal_str p, q;

    cr_assert_eq(split(target, strlen(target), &p, &q), 0, "%s was refused", target);
    cr_assert(kanal_str_is(p, path), "%s gave %.*s", target, (int)p.len, p.ptr);
    cr_assert(kanal_str_is(q, query), "%s gave the query %.*s", target, (int)q.len, q.ptr);
}

static void bad(const char *target)
{
    kanal_str p, q;

    cr_assert_eq(split(target, strlen(target), &p, &q), KANAL_E_INVALID, "%s was accepted", target);
}

Test(target, splits_and_decodes)
{
    good("/", "/", "");
    good("/c/shop/", "/c/shop/", "");
    good("/c/shop?a=1&b=%20", "/c/shop", "a=1&b=%20");
    good("/a?", "/a", "");
    good("/a?b?c", "/a", "b?c");
    good("/a?..//../%2f", "/a", "..//../%2f");
    good("/%D0%90/%c3%a9", "/\xd0\x90/\xc3\xa9", "");
    good("/a%20b%3Fc%23%25", "/a b?c#%", "");
    good("/...", "/...", "");
    good("/..a/.b/c..", "/..a/.b/c..", "");
    good("/a:b@c;d=e,f", "/a:b@c;d=e,f", "");
}

Test(target, refuses_other_forms)
{
    bad("");
    bad("?a");
    bad("a");
    bad("*");
    bad("http://host/");
    bad("host:80");
    bad("/a#b");
    bad("/a?b#c");
}

Test(target, refuses_dot_segments_and_empty_ones)
{
    bad("/.");
    bad("/..");
    bad("/a/./b");
    bad("/a/../b");
    bad("/a/..");
    bad("/a/..?b");
    bad("/%2e");
    bad("/a/%2E%2e/b");
    bad("/a/.%2e/b");
    bad("//");
    bad("/a//b");
    bad("//host/a");
}

Test(target, refuses_escapes_that_hide_something)
{
    bad("/%2f");
    bad("/a%2Fb");
    bad("/a%5cb");
    bad("/%00");
    bad("/a?b=%00");
    bad("/%0d%0a");
    bad("/%7f");
    bad("/%");
    bad("/%2");
    bad("/%zz");
    bad("/a?b=%");
    bad("/a?b=%g0");
    bad("/%ff");
    bad("/%c3");
    bad("/%c0%af");
    bad("/%ed%a0%80");
}

Test(target, refuses_bytes_that_are_not_visible_ascii)
{
    kanal_str p, q;

    bad("/a b");
    bad("/a\tb");
    bad("/\x7f");
    bad("/\xc3\xa9");
    bad("/a?\xc3\xa9");
    cr_assert_eq(split("/a\0b", 4, &p, &q), KANAL_E_INVALID);
}
