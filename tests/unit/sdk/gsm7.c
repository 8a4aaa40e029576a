#include <criterion/criterion.h>
#include <stdio.h>
#include "kanal/sdk/base64.h"
#include "kanal/sdk/gsm7.h"

static void expect_gsm7(const char *text, const char *hex)
{
    struct kanal_buffer septets = { 0 }, shown = { 0 }, back = { 0 };
    cr_assert_eq(kanal_gsm7_encode(&septets, kanal_str_c(text)), KANAL_OK, "%s", text);
    kanal_hex_encode(&shown, kanal_buffer_view(&septets));
    cr_expect(kanal_str_is(kanal_buffer_view(&shown), hex), "%s is %.*s", text, (int)shown.len, shown.data);
    kanal_gsm7_decode(&back, kanal_buffer_view(&septets));
    cr_expect(kanal_str_is(kanal_buffer_view(&back), text), "%s came back as %.*s", text, (int)back.len,
              back.data);
    kanal_buffer_release(&septets);
    kanal_buffer_release(&shown);
    kanal_buffer_release(&back);
}

Test(gsm7, texts)
{
    expect_gsm7("Hello_@ $", "48656c6c6f11002002");
    expect_gsm7("àÄöñÜ¿¡§", "7f5b7c7d5e60405f");
    expect_gsm7("ΔΦΓΛΩΠΨΣΘΞ", "10121314151617"
                              "18191a");
    expect_gsm7("{[~]}\\^|€\f", "1b281b3c1b3d1b3e1b291b2f1b141b401b651b0a");
    expect_gsm7("\r\n", "0d0a");
    expect_gsm7("", "");
}

Test(gsm7, every_septet_comes_back)
{
    for (int i = 0; i < 128; i++) {
        char septet = (char)i;
        struct kanal_buffer text = { 0 }, back = { 0 };
        if (i == 0x1b)
            continue;
        kanal_gsm7_decode(&text, kanal_str_of(&septet, 1));
        cr_assert_eq(kanal_gsm7_encode(&back, kanal_buffer_view(&text)), KANAL_OK, "%02x", i);
        cr_expect(back.len == 1 && back.data[0] == septet, "%02x", i);
        kanal_buffer_release(&text);
        kanal_buffer_release(&back);
    }
}

Test(gsm7, what_is_not_in_it)
{
    static const char *const texts[] = { "Привет", "`", "ç", "\t", "\x1b", "\xff", "a😀", "\xc2" };
    struct kanal_buffer out = { 0 };
    kanal_buffer_text(&out, "as it was");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect_eq(kanal_gsm7_encode(&out, kanal_str_c(texts[i])), KANAL_E_INVALID, "%zu", i);
        cr_expect_eq(out.len, 9);
    }
    kanal_buffer_release(&out);
}

static void expect_decoded(const char *hex, const char *text)
{
    struct kanal_buffer septets = { 0 }, out = { 0 };
    cr_assert_eq(kanal_hex_decode(&septets, kanal_str_c(hex)), KANAL_OK);
    kanal_gsm7_decode(&out, kanal_buffer_view(&septets));
    cr_expect(kanal_str_is(kanal_buffer_view(&out), text), "%s is %.*s", hex, (int)out.len, out.data);
    kanal_buffer_release(&septets);
    kanal_buffer_release(&out);
}

Test(gsm7, odd_bytes)
{
    expect_decoded("611b", "a ");           /* an escape at the end */
    expect_decoded("1b61", "a");            /* an unknown extension: the basic character */
    expect_decoded("1b1b61", " a");         /* the escape of another table */
    expect_decoded("80ff", "\uFFFD\uFFFD"); /* no septets */
    expect_decoded("1bff", " \uFFFD");
}

static void expect_ucs2(const char *text, const char *hex, const char *back)
{
    struct kanal_buffer bytes = { 0 }, shown = { 0 }, out = { 0 };
    if (text) {
        kanal_ucs2_encode(&bytes, kanal_str_c(text));
        kanal_hex_encode(&shown, kanal_buffer_view(&bytes));
        cr_expect(kanal_str_is(kanal_buffer_view(&shown), hex), "%s is %.*s", text, (int)shown.len,
                  shown.data);
    } else {
        cr_assert_eq(kanal_hex_decode(&bytes, kanal_str_c(hex)), KANAL_OK);
    }
    kanal_ucs2_decode(&out, kanal_buffer_view(&bytes));
    cr_expect(kanal_str_is(kanal_buffer_view(&out), back), "%s is %.*s", hex, (int)out.len, out.data);
    kanal_buffer_release(&bytes);
    kanal_buffer_release(&shown);
    kanal_buffer_release(&out);
}

Test(ucs2, both_ways)
{
    expect_ucs2("Да", "04140430", "Да");
    expect_ucs2("a😀b", "0061d83dde000062", "a😀b");
    expect_ucs2("\xff", "fffd", "\uFFFD");
    expect_ucs2(NULL, "d83d", "\uFFFD");
    expect_ucs2(NULL, "de000061", "\uFFFDa");
    expect_ucs2(NULL, "d83d0061", "\uFFFDa");
    expect_ucs2(NULL, "006104", "a\uFFFD");
}

static void expect_size(const char *unit, size_t times, const char *tail, uint32_t udh, int alphabet,
                        uint32_t units, uint32_t segments)
{
    struct kanal_buffer text = { 0 };
    struct kanal_sms_size size = { 0 };
    for (size_t i = 0; i < times; i++)
        kanal_buffer_text(&text, unit);
    kanal_buffer_text(&text, tail);
    cr_assert_eq(kanal_sms_measure(kanal_buffer_view(&text), udh, &size), KANAL_OK);
    cr_expect(size.alphabet == (enum kanal_sms_alphabet)alphabet && size.units == units &&
                  size.segments == segments,
              "%s x %zu: %u units, %u segments", unit, times, size.units, size.segments);
    kanal_buffer_release(&text);
}

Test(segments, the_limits)
{
    expect_size("", 0, "", 6, KANAL_SMS_GSM7, 0, 0);
    expect_size("a", 160, "", 6, KANAL_SMS_GSM7, 160, 1);
    expect_size("a", 161, "", 6, KANAL_SMS_GSM7, 161, 2);
    expect_size("a", 306, "", 6, KANAL_SMS_GSM7, 306, 2);
    expect_size("a", 307, "", 6, KANAL_SMS_GSM7, 307, 3);
    expect_size("a", 304, "", 7, KANAL_SMS_GSM7, 304, 2);
    expect_size("a", 305, "", 7, KANAL_SMS_GSM7, 305, 3);
    expect_size("€", 80, "", 6, KANAL_SMS_GSM7, 160, 1);
    expect_size("€", 153, "", 6, KANAL_SMS_GSM7, 306, 3); /* 152 of 153: no pair is cut */
    expect_size("я", 70, "", 6, KANAL_SMS_UCS2, 70, 1);
    expect_size("я", 71, "", 6, KANAL_SMS_UCS2, 71, 2);
    expect_size("я", 134, "", 6, KANAL_SMS_UCS2, 134, 2);
    expect_size("я", 135, "", 6, KANAL_SMS_UCS2, 135, 3);
    expect_size("я", 132, "", 7, KANAL_SMS_UCS2, 132, 2);
    expect_size("я", 133, "", 7, KANAL_SMS_UCS2, 133, 3);
    expect_size("a", 66, "😀яяяяя", 6, KANAL_SMS_UCS2, 73, 2);
    expect_size("😀", 67, "", 6, KANAL_SMS_UCS2, 134, 3); /* 66 of 67 */
}
