#include "expect.h"
#include "kanal/sdk/base64.h"

/* RFC 4648, section 10. */
static const struct {
    const char *bytes, *base64, *base32;
} vectors[] = { { "", "", "" },
                { "f", "Zg==", "my" },
                { "fo", "Zm8=", "mzxq" },
                { "foo", "Zm9v", "mzxw6" },
                { "foob", "Zm9vYg==", "mzxw6yq" },
                { "fooba", "Zm9vYmE=", "mzxw6ytb" },
                { "foobar", "Zm9vYmFy", "mzxw6ytboi" } };

Test(base64, rfc4648_vectors)
{
    struct kanal_buffer b = { 0 };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        kanal_str bytes = kanal_str_c(vectors[i].bytes), text = kanal_str_c(vectors[i].base64);
        kanal_buffer_clear(&b);
        kanal_base64_encode(&b, bytes, 0);
        EXPECT_STR(kanal_buffer_view(&b), vectors[i].base64);
        kanal_buffer_clear(&b);
        cr_assert_eq(kanal_base64_decode(&b, text, 0), 0);
        EXPECT_STR(kanal_buffer_view(&b), vectors[i].bytes);
        kanal_buffer_clear(&b);
        kanal_base32_encode(&b, bytes);
        EXPECT_STR(kanal_buffer_view(&b), vectors[i].base32);
        while (text.len > 0 && text.ptr[text.len - 1] == '=')
            text.len--;
        kanal_buffer_clear(&b);
        cr_assert_eq(kanal_base64_decode(&b, text, KANAL_BASE64_UNPADDED), 0);
        EXPECT_STR(kanal_buffer_view(&b), vectors[i].bytes);
        kanal_buffer_clear(&b);
        kanal_base64_encode(&b, bytes, KANAL_BASE64_UNPADDED);
        expect_bytes(__FILE__, __LINE__, kanal_buffer_view(&b), text.ptr, text.len);
    }
    kanal_buffer_release(&b);
}

Test(base64, url_alphabet)
{
    struct kanal_buffer b = { 0 };
    kanal_str bytes = kanal_str_of("\xFB\xFF\xBF", 3);
    kanal_base64_encode(&b, bytes, KANAL_BASE64_URL);
    EXPECT_STR(kanal_buffer_view(&b), "-_-_");
    kanal_buffer_clear(&b);
    kanal_base64_encode(&b, bytes, 0);
    EXPECT_STR(kanal_buffer_view(&b), "+/+/");
    cr_assert_eq(kanal_base64_decode(&b, KANAL_LIT("-_-_"), 0), KANAL_E_INVALID);
    cr_assert_eq(kanal_base64_decode(&b, KANAL_LIT("+/+/"), KANAL_BASE64_URL), KANAL_E_INVALID);
    EXPECT_STR(kanal_buffer_view(&b), "+/+/"); /* as it was */
    kanal_buffer_release(&b);
}

Test(base64, hostile)
{
    static const char *const wrong[] = { "Z",     "Zg",       "Zg=",  "Zg===", "Z===",   "====",
                                         "=",     "Zh==",     "Zm9=", "Zm 9v", "Zm9v\n", "Zg==Zg==",
                                         "Zm9vZ", "Zm9v====", "Zm9é", "Zm=v",  "=Zm9" };
    struct kanal_buffer b = { 0 };
    kanal_buffer_text(&b, "kept");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(kanal_base64_decode(&b, kanal_str_c(wrong[i]), 0), KANAL_E_INVALID, "accepted '%s'",
                     wrong[i]);
        EXPECT_STR(kanal_buffer_view(&b), "kept");
    }
    cr_assert_eq(kanal_base64_decode(&b, kanal_str_of("Zm\0v", 4), 0), KANAL_E_INVALID);
    cr_assert_eq(kanal_base64_decode(&b, KANAL_LIT("Zm9vZ"), KANAL_BASE64_UNPADDED), KANAL_E_INVALID);
    cr_assert_eq(kanal_base64_decode(&b, KANAL_LIT("Zh"), KANAL_BASE64_UNPADDED), KANAL_E_INVALID);
    EXPECT_STR(kanal_buffer_view(&b), "kept");
    kanal_buffer_release(&b);
}

Test(base64, every_length_round_trips)
{
    uint64_t seed = 7;
    unsigned char bytes[200];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)next_random(&seed);
    struct kanal_buffer text = { 0 }, back = { 0 };
    for (size_t len = 0; len <= sizeof bytes; len++) {
        for (uint32_t flags = 0; flags < 4; flags++) {
            kanal_buffer_clear(&text);
            kanal_buffer_clear(&back);
            kanal_base64_encode(&text, kanal_str_of((const char *)bytes, len), flags);
            cr_assert_eq(kanal_base64_decode(&back, kanal_buffer_view(&text), flags), 0);
            expect_bytes(__FILE__, __LINE__, kanal_buffer_view(&back), (const char *)bytes, len);
        }
        kanal_buffer_clear(&text);
        kanal_buffer_clear(&back);
        kanal_hex_encode(&text, kanal_str_of((const char *)bytes, len));
        cr_assert_eq(kanal_hex_decode(&back, kanal_buffer_view(&text)), 0);
        expect_bytes(__FILE__, __LINE__, kanal_buffer_view(&back), (const char *)bytes, len);
    }
    kanal_buffer_release(&text);
    kanal_buffer_release(&back);
}

Test(base64, hex)
{
    struct kanal_buffer b = { 0 };
    kanal_hex_encode(&b, kanal_str_of("\x00\x9f\xff", 3));
    EXPECT_STR(kanal_buffer_view(&b), "009fff");
    kanal_buffer_clear(&b);
    cr_assert_eq(kanal_hex_decode(&b, KANAL_LIT("009FfF")), 0);
    EXPECT_LIT(kanal_buffer_view(&b), "\x00\x9f\xff");
    static const char *const wrong[] = { "0", "0g", "g0", "0x", " 0", "00 ", "-1" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(kanal_hex_decode(&b, kanal_str_c(wrong[i])), KANAL_E_INVALID);
    cr_assert_eq(b.len, 3);
    kanal_buffer_release(&b);
}
