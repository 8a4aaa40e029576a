#include <criterion/criterion.h>

#include "event/media_url.h"
#include "kanal/sdk/str.h"

static struct ids *ids;

static void begin(void)
{
    cr_assert_eq(ids_new(&ids, KANAL_LIT("0123456789abcdef")), 0);
}

static void end(void)
{
    ids_free(ids);
}

TestSuite(media_url, .init = begin, .fini = end);

#define BASE "https://hub.example.com"
#define NOW INT64_C(1795294385000)

static kanal_str token_of(const struct kanal_buffer *url, const char *channel)
{
    return kanal_str_from(kanal_buffer_view(url), strlen(BASE "/m/") + strlen(channel) + 1);
}

Test(media_url, brings_the_reference_back)
{
    struct kanal_buffer url = { 0 }, reference = { 0 }, type = { 0 };
    cr_assert_eq(media_url_write(ids, KANAL_LIT(BASE), KANAL_LIT("shop"), KANAL_LIT("AgAD/БЖ"),
                                 KANAL_LIT("image/png"), NOW + 1000, &url),
                 0);
    cr_assert(kanal_str_starts(kanal_buffer_view(&url), BASE "/m/shop/"));
    cr_assert_eq(media_url_read(ids, KANAL_LIT("shop"), token_of(&url, "shop"), NOW, &reference, &type), 0);
    cr_assert(kanal_str_is(kanal_buffer_view(&reference), "AgAD/БЖ"));
    kanal_buffer_release(&url);
    kanal_buffer_release(&reference);
    kanal_buffer_release(&type);
}

Test(media_url, expires)
{
    struct kanal_buffer url = { 0 }, reference = { 0 }, type = { 0 };
    media_url_write(ids, KANAL_LIT(BASE), KANAL_LIT("shop"), KANAL_LIT("x"), KANAL_LIT("video/mp4"), NOW,
                    &url);
    cr_assert_eq(
        media_url_read(ids, KANAL_LIT("shop"), token_of(&url, "shop"), NOW + 2000, &reference, &type),
        KANAL_E_TIMEOUT);
    cr_assert_eq(reference.len, 0);
    cr_assert_eq(type.len, 0);
    kanal_buffer_release(&url);
}

Test(media_url, is_of_one_channel)
{
    struct kanal_buffer url = { 0 }, reference = { 0 }, type = { 0 };
    media_url_write(ids, KANAL_LIT(BASE), KANAL_LIT("shop"), KANAL_LIT("x"), KANAL_LIT("video/mp4"), NOW,
                    &url);
    cr_assert_eq(media_url_read(ids, KANAL_LIT("shoq"), token_of(&url, "shop"), NOW, &reference, &type),
                 KANAL_E_REJECTED);
    kanal_buffer_release(&url);
}

Test(media_url, no_bit_can_be_changed)
{
    struct kanal_buffer url = { 0 }, reference = { 0 }, type = { 0 };
    media_url_write(ids, KANAL_LIT(BASE), KANAL_LIT("shop"), KANAL_LIT("reference"), KANAL_LIT("a/b"), NOW,
                    &url);
    kanal_str token = token_of(&url, "shop");
    for (size_t i = 0; i < token.len; i++) {
        char *c = url.data + (token.ptr - url.data) + i, before = *c;
        *c = before == 'A' ? 'B' : 'A';
        cr_expect_eq(media_url_read(ids, KANAL_LIT("shop"), token, NOW, &reference, &type), KANAL_E_REJECTED,
                     "character %zu", i);
        *c = before;
    }
    for (size_t i = 0; i < token.len; i++)
        cr_expect_neq(
            media_url_read(ids, KANAL_LIT("shop"), kanal_str_of(token.ptr, i), NOW, &reference, &type), 0);
    cr_assert_eq(reference.len, 0);
    cr_assert_eq(type.len, 0);
    kanal_buffer_release(&url);
}

Test(media_url, only_a_type_that_may_stand_in_a_header)
{
    static const char *const valid[] = { "image/png", "audio/ogg; codecs=opus",
                                         "application/vnd.ms-excel.sheet+xml", "x/y", "image/svg+xml" };
    static const char *const wrong[] = { "",
                                         "/",
                                         "image",
                                         "image/",
                                         "/png",
                                         "image/png\r\nset-cookie: a",
                                         "image/png\n",
                                         "im age/png",
                                         "image/p\"ng",
                                         "text/html,x",
                                         "image/png;\x7f",
                                         "картинка/png",
                                         "a//b" };
    char longest[MEDIA_TYPE_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[1] = '/';
    cr_expect(media_type_valid(kanal_str_of(longest, MEDIA_TYPE_MAX)));
    cr_expect_not(media_type_valid(kanal_str_of(longest, MEDIA_TYPE_MAX + 1)));
    cr_expect_not(media_type_valid(kanal_str_of("a/b\0c", 5)));
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++)
        cr_expect(media_type_valid(kanal_str_c(valid[i])), "%s", valid[i]);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct kanal_buffer url = { 0 }, reference = { 0 }, type = { 0 };
        cr_expect_not(media_type_valid(kanal_str_c(wrong[i])), "%s", wrong[i]);
        cr_expect_eq(media_url_write(ids, KANAL_LIT(BASE), KANAL_LIT("shop"), KANAL_LIT("x"),
                                     kanal_str_c(wrong[i]), NOW, &url),
                     0);
        cr_expect_eq(media_url_read(ids, KANAL_LIT("shop"), token_of(&url, "shop"), NOW, &reference, &type),
                     0);
        cr_expect_eq(type.len, 0, "%s", wrong[i]);
        kanal_buffer_release(&url);
        kanal_buffer_release(&reference);
    }
}
