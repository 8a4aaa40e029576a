/* What is masked of a text that is kept. */
#include <criterion/criterion.h>
#include <string.h>
#include "host/redact.h"
#include "kanal/sdk/str.h"

static const kanal_str secrets[] = { { "100:tok-en", 10 }, { "abc", 3 }, { "pass/word", 9 }, { "a&b c", 5 } };

static void check(const char *text, int is_cut, const char *wanted)
{
    struct kanal_buffer out = { 0 };
    redact(&out, kanal_str_c(text), is_cut, secrets, 4);
    cr_expect(kanal_str_is(kanal_buffer_view(&out), wanted), "%s\n  became %.*s\n  and not %s", text,
              (int)out.len, out.data ? out.data : "", wanted);
    kanal_buffer_release(&out);
}

Test(redact, secrets_as_they_stand_and_encoded)
{
    check("GET /bot100:tok-en/getMe", 0, "GET /bot***/getMe");
    check("100:tok-en100:tok-en", 0, "******");
    check("u=pass%2Fword&v=1", 0, "u=***&v=1");
    check("abc is too short to be looked for", 0, "abc is too short to be looked for");
}

Test(redact, a_secret_that_the_cut_has_only_begun)
{
    check("ends with 100:to", 1, "ends with ***");
    check("ends with 100:to", 0, "ends with 100:to");
    check("ends with 100", 1, "ends with 100");
}

Test(redact, what_is_named_like_a_secret)
{
    check("{\"access_token\":\"x y\",\"a\":1}", 0, "{\"access_token\":\"***\",\"a\":1}");
    check("{\"verify_token\" : 17}", 0, "{\"verify_token\" : ***}");
    check("?api_key=k1&q=2", 0, "?api_key=***&q=2");
    check("Authorization: Bearer a.b.c\nHost: x", 0, "Authorization: ***\nHost: x");
    check("\"{\\\"token\\\":\\\"t\\\"}\"", 0, "\"{\\\"token\\\":\\\"***\\\"}\"");
    check("PASSWORD='it is'", 0, "PASSWORD='***'");
    check("{\"token\":{\"a\":1},\"tokens\":2}", 0, "{\"token\":{\"a\":1},\"tokens\":2}");
    check("token=pass/word&a", 0, "token=***&a");
    check("token=", 0, "token=");
    check("the token: ", 0, "the token: ");
    check("a: b = c", 0, "a: b = c");
    check("password=a&b c&d", 0, "password=***&d");
}

Test(redact, tokens_of_media_urls)
{
    check("\"https://hub.example.com/m/shop-tg/AbC.123-_\"", 0, "\"https://hub.example.com/m/shop-tg/***\"");
    check("/m/ /m/x /m//y /m/c/t d", 0, "/m/ /m/x /m//y /m/c/*** d");
}

Test(redact, any_bytes)
{
    struct kanal_buffer out = { 0 };
    redact(&out, kanal_str_of("a\0token\0=\0\xff", 12), 0, NULL, 0);
    cr_expect_eq(out.len, 12);
    kanal_buffer_release(&out);
    redact(&out, (kanal_str){ 0 }, 1, secrets, 3);
    cr_expect_eq(out.len, 0);
    kanal_buffer_release(&out);
}
