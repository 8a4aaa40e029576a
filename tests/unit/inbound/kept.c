/* Requests as they are kept: without secrets, and byte for byte again with them. */
#include <criterion/criterion.h>
#include <string.h>
#include "inbound/kept.h"
#include "kanal/sdk/str.h"

static const struct config_secret secrets[] = { { "token", "literal", { "100:tok", 7 } },
                                                { "hook", "literal", { "s&cret", 6 } },
                                                { "tiny", "literal", { "abc", 3 } } };
static const struct config_channel channel = { .id = "shop", .secrets = secrets, .secret_count = 3 };

static void keep(kanal_str path, const char *query, const kanal_field *headers, size_t count, kanal_str body,
                 struct kanal_buffer *text, struct kanal_buffer *cuts)
{
    kanal_http_request request = { .struct_size = sizeof request,
                                   .method = KANAL_LIT("POST"),
                                   .query = kanal_str_c(query),
                                   .headers = headers,
                                   .header_count = count,
                                   .body = body };
    kept_write(&channel, path, &request, text, cuts);
}

Test(kept, secrets_are_cut_out_and_put_back)
{
    static const kanal_field headers[] = { { { "x-secret", 8 }, { "s&cret", 6 } },
                                           { { "Authorization", 13 }, { "Bearer x", 8 } },
                                           { { "x-signature", 11 }, { "sha256=00", 9 } } };
    struct kanal_buffer text = { 0 }, cuts = { 0 }, again = { 0 };
    struct kept_request read;
    size_t missing = 9;
    kanal_str body = kanal_str_of("{\"a\":\"100:tok\0 abc\",\"b\":\"100:tok100:tok\"}", 41);
    keep(KANAL_LIT("/a b"), "q=s%26cret", headers, 3, body, &text, &cuts);
    cr_expect_null(memmem(text.data, text.len, "100:tok", 7));
    cr_expect_null(memmem(text.data, text.len, "s&cret", 6));
    cr_expect_null(memmem(text.data, text.len, "s%26cret", 8));
    cr_expect_null(memmem(text.data, text.len, "Bearer", 6));
    cr_expect_not_null(memmem(text.data, text.len, "abc", 3), "too short to be a secret");
    kept_restore(&channel, kanal_buffer_view(&text), kanal_buffer_view(&cuts), &again, &missing);
    cr_expect_eq(missing, 0);
    cr_assert_eq(kept_read(kanal_buffer_view(&again), &read), 0);
    cr_expect(kanal_str_is(read.method, "POST"));
    cr_expect(kanal_str_is(read.target, "/a%20b?q=s%26cret"), "%.*s", (int)read.target.len, read.target.ptr);
    cr_assert_eq(read.header_count, 2);
    cr_expect(kanal_str_is(read.headers[0].value, "s&cret"));
    cr_expect(kanal_str_is(read.headers[1].name, "x-signature"));
    cr_expect(kanal_str_equal(read.body, body));
    kanal_buffer_release(&text);
    kanal_buffer_release(&cuts);
    kanal_buffer_release(&again);
}

Test(kept, a_text_that_looks_like_a_cut_is_a_text)
{
    struct kanal_buffer text = { 0 }, cuts = { 0 }, again = { 0 };
    struct kept_request read;
    size_t missing = 0;
    keep(KANAL_LIT("/"), "", NULL, 0, KANAL_LIT("0:token,${secret:token}"), &text, &cuts);
    cr_expect_eq(cuts.len, 0);
    kept_restore(&channel, kanal_buffer_view(&text), kanal_buffer_view(&cuts), &again, &missing);
    cr_assert_eq(kept_read(kanal_buffer_view(&again), &read), 0);
    cr_expect(kanal_str_is(read.body, "0:token,${secret:token}"));
    kanal_buffer_release(&text);
    kanal_buffer_release(&cuts);
    kanal_buffer_release(&again);
}

Test(kept, cuts_that_are_none_are_counted)
{
    static const char *const wrong[] = { "x",      "1:nobody", "-1:token", "99:token", "2:token,1:token",
                                         ":token", "1:" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct kanal_buffer again = { 0 };
        size_t missing = 0;
        kept_restore(&channel, KANAL_LIT("text"), kanal_str_c(wrong[i]), &again, &missing);
        cr_expect_eq(missing, 1, "%s", wrong[i]);
        kanal_buffer_release(&again);
    }
}

Test(kept, what_is_no_request)
{
    static const char *const wrong[] = { "",
                                         "POST",
                                         "POST / HTTP/1.1",
                                         "POST / HTTP/1.1\r\n",
                                         "POST / HTTP/1.0\r\n\r\n",
                                         "POST x HTTP/1.1\r\n\r\n",
                                         " / HTTP/1.1\r\n\r\n",
                                         "POST / HTTP/1.1\r\n: x\r\n\r\n",
                                         "POST / HTTP/1.1\r\na: b\r\n" };
    struct kept_request read;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(kept_read(kanal_str_c(wrong[i]), &read), KANAL_E_INVALID, "%s", wrong[i]);
    cr_expect_eq(kept_read(KANAL_LIT("GET /?a=1 HTTP/1.1\r\na:b\r\n\r\n"), &read), 0);
    cr_expect_eq(read.body.len, 0);
}
