#include <criterion/criterion.h>
#include "kanal/sdk/phone.h"

static void expect(kanal_str typed, const char *country, int wanted_status, const char *wanted)
{
    struct kanal_buffer out = { 0 };
    int status = kanal_phone_address(typed, kanal_str_c(country), &out);
    cr_assert_eq(status, wanted_status, "'%.*s' in %s: %d", (int)typed.len, typed.ptr,
                 country ? country : "-", status);
    if (wanted != NULL)
        cr_assert(kanal_str_is(kanal_buffer_view(&out), wanted), "'%.*s' in %s: %.*s", (int)typed.len,
                  typed.ptr, country ? country : "-", (int)out.len, out.data);
    else
        cr_assert_eq(out.len, 0);
    kanal_buffer_release(&out);
}

Test(phone, international)
{
    expect(KANAL_LIT("+79161234567"), NULL, 1, "tel:+79161234567");
    expect(KANAL_LIT("+7 (916) 123-45-67"), NULL, 1, "tel:+79161234567");
    expect(KANAL_LIT("tel:+7-916-123-45-67"), NULL, 1, "tel:+79161234567");
    expect(KANAL_LIT("+44 20 7946 0958"), "RU", 1, "tel:+442079460958"); /* the region does not matter */
    expect(KANAL_LIT("+7\xC2\xA0"
                     "916 123 45 67"),
           NULL, 1, "tel:+79161234567");
    expect(KANAL_LIT("\xE2\x80\xAA+7 916 123\xE2\x80\x91"
                     "45-67\xE2\x80\xAC"),
           NULL, 1, "tel:+79161234567"); /* marks of direction, a hyphen that does not break */
    expect(KANAL_LIT("+44 (0)20 7946 0958"), NULL, 1, "tel:+442079460958");
    expect(KANAL_LIT("+39 06 698 12345"), NULL, 1, "tel:+390669812345"); /* Italy's 0 is part of the number */
    expect(KANAL_LIT("+1 23456789012345"), NULL, 0, NULL);
    expect(KANAL_LIT("+999 123 4567"), NULL, 0, NULL); /* nobody's code */
}

Test(phone, international_prefix)
{
    expect(KANAL_LIT("0049 30 901820"), "GB", 1, "tel:+4930901820");
    expect(KANAL_LIT("8 10 49 30 901820"), "RU", 1, "tel:+4930901820");
    expect(KANAL_LIT("011 49 30 901820"), "US", 1, "tel:+4930901820");
    expect(KANAL_LIT("0049 30 901820"), NULL, 0, NULL);
    expect(KANAL_LIT("0049 30 901820"), "US", 0, NULL);
}

Test(phone, national)
{
    expect(KANAL_LIT("8 (916) 123-45-67"), "RU", 1, "tel:+79161234567");
    expect(KANAL_LIT("79161234567"), "RU", 1, "tel:+79161234567");
    expect(KANAL_LIT("9161234567"), "RU", 1, "tel:+79161234567");
    expect(KANAL_LIT("8 800 555-35-35"), "RU", 1, "tel:+78005553535");
    expect(KANAL_LIT("800 555-35-35"), "RU", 1, "tel:+78005553535");    /* this 8 is no prefix */
    expect(KANAL_LIT("8 029 123-45-67"), "BY", 1, "tel:+375291234567"); /* 8, then 0 for the area */
    expect(KANAL_LIT("80 29 123-45-67"), "BY", 1, "tel:+375291234567");
    expect(KANAL_LIT("020 7946 0958"), "GB", 1, "tel:+442079460958");
    expect(KANAL_LIT("(202) 555-0143"), "US", 1, "tel:+12025550143");
    expect(KANAL_LIT("1-202-555-0143"), "US", 1, "tel:+12025550143");
    expect(KANAL_LIT("612 345 678"), "ES", 1, "tel:+34612345678");
    expect(KANAL_LIT("06 698 12345"), "IT", 1, "tel:+390669812345");
    expect(KANAL_LIT("011 15-2345-6789"), "AR", 1, "tel:+5491123456789"); /* 0 … 15 at home, 9 from abroad */
    expect(KANAL_LIT("0 15 11 96123-4567"), "BR", 1, "tel:+5511961234567"); /* 15: the carrier */
    expect(KANAL_LIT("55 1234 5678"), "MX", 1, "tel:+525512345678");
    expect(KANAL_LIT("1 202 5550143"), "RU", 0, NULL);
    expect(KANAL_LIT("8 (916) 123-45-67"), NULL, 0, NULL);
    expect(KANAL_LIT("8 (916) 123-45-67"), "XX", 0, NULL);
    expect(KANAL_LIT("8 (916) 123-45-67"), "00", 0, NULL); /* how the table calls "no region" */
    expect(KANAL_LIT("012 345 678"), "ES", 0, NULL);       /* no number begins with 0 there */
    expect(KANAL_LIT("8 (916) 123-45"), "RU", 0, NULL);
    expect(KANAL_LIT("8916123456789"), "RU", 0, NULL);
    expect(KANAL_LIT("٠٩٠١٢٣٤٥٦٧٨"), "JP", 1, "tel:+819012345678");
    expect(KANAL_LIT("０９０－１２３４－５６７８"), "JP", 1, "tel:+819012345678");
}

Test(phone, extensions)
{
    static const char *const extended[] = { "8 495 123-45-67 доб. 12", "+7 495 123 45 67 ext. 12",
                                            "84951234567#12", "tel:+74951234567;ext=12",
                                            "8 (495) 1234567 x12" };
    struct kanal_phone phone;
    for (size_t i = 0; i < sizeof extended / sizeof extended[0]; i++) {
        cr_assert_eq(kanal_phone_read(kanal_str_c(extended[i]), KANAL_LIT("RU"), &phone, NULL), 1, "%s",
                     extended[i]);
        cr_assert_str_eq(phone.number, "+74951234567");
        cr_assert_str_eq(phone.extension, "12");
        expect(kanal_str_c(extended[i]), "RU", 0, NULL); /* a switchboard is nobody's address */
    }
}

Test(phone, reasons)
{
    static const char *const texts[][3] = {
        { "8 916 123-45-67", "", "it has no country code, and no region is configured to read it in" },
        { "8 916 123-45-67", "QQ", "it has no country code, and the configured region is unknown" },
        { "916 123", "RU", "it has no country code, and is no number of the configured region" },
        { "+7 916 123 45", "", "it has fewer digits than the numbers of its country" },
        { "+7 916 123 45 67 89 00 1", "", "it has more digits than the numbers of its country" },
        { "+210 1234567", "", "no country has this code" },
    };
    struct kanal_phone phone = { .number = "before" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *why = NULL;
        cr_assert_eq(kanal_phone_read(kanal_str_c(texts[i][0]), kanal_str_c(texts[i][1]), &phone, &why), 0);
        cr_assert_str_eq(why, texts[i][2]);
    }
    cr_assert_str_eq(phone.number, "before");
}

Test(phone, hostile)
{
    static const char *const wrong[] = { "",
                                         "+",
                                         "tel:",
                                         "1234",
                                         "phone",
                                         "+7916123456a",
                                         "++79161234567",
                                         "7+9161234567",
                                         "+0123456789",
                                         "+7916;1234567",
                                         "+79161234567;ext=",
                                         "+79161234567 x 12345678",
                                         "+79161234567 x12 34",
                                         "x12345678",
                                         "tel:tel:+79161234567",
                                         "123456789012345678901",
                                         "+7916\n1234567",
                                         "\xC2",
                                         "+791612345\xC2",
                                         "+7916123456\xC0\xB7" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(kanal_str_c(wrong[i]), "RU", KANAL_E_INVALID, NULL);
    expect(kanal_str_of("+79161\0"
                        "234567",
                        13),
           "RU", KANAL_E_INVALID, NULL);
}

Test(phone, providers)
{
    static const char *const wrong[] = {
        "", "123456", "0123456789", "1234567890123456", "+79161234567", "7916 123"
    };
    struct kanal_buffer out = { 0 };
    cr_assert_eq(kanal_phone_e164(KANAL_LIT("5215512345678"), &out),
                 1); /* as it is, though Mexico's 1 is history */
    cr_assert(kanal_str_is(kanal_buffer_view(&out), "tel:+5215512345678"));
    kanal_buffer_clear(&out);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(kanal_phone_e164(kanal_str_c(wrong[i]), &out), KANAL_E_INVALID, "%s", wrong[i]);
    cr_assert_eq(out.len, 0);
    kanal_buffer_release(&out);
}

Test(email, addresses)
{
    static const char *const right[][2] = { { "a@b.ru", "mailto:a@b.ru" },
                                            { "Anna.K+shop@Mail.Example.COM",
                                              "mailto:Anna.K%2Bshop@mail.example.com" },
                                            { "o'neil@x-y.org", "mailto:o%27neil@x-y.org" },
                                            { "a@Exämple.COM", "mailto:a@ex%C3%A4mple.com" },
                                            { "a@пример.рф", "mailto:a@%D0%BF%D1%80%D0%B8%D0%BC%D0%B5%D1%80."
                                                             "%D1%80%D1%84" } };
    static const char *const wrong[] = { "",           "a",        "@b.ru",    "a@",        "a@b",
                                         "a@b.",       "a@.b.ru",  "a@b..ru",  "a b@c.ru",  "a@b c.ru",
                                         "a@-b.ru",    "a@b-.ru",  "a@@b.ru",  "a@b@c.ru",  "a@b_c.ru",
                                         "\"a\"@b.ru", "a@b.ru\n", "<a@b.ru>", "анна@b.ru", "a@\xC3.ru",
                                         "a,c@b.ru" };
    struct kanal_buffer out = { 0 };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        kanal_buffer_clear(&out);
        cr_assert_eq(kanal_mail_address(kanal_str_c(right[i][0]), &out), 1, "refused %s", right[i][0]);
        cr_assert(kanal_str_is(kanal_buffer_view(&out), right[i][1]), "%.*s", (int)out.len, out.data);
    }
    kanal_buffer_clear(&out);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        cr_assert_eq(kanal_mail_address(kanal_str_c(wrong[i]), &out), KANAL_E_INVALID, "accepted '%s'",
                     wrong[i]);
        cr_assert_eq(out.len, 0);
    }
    kanal_buffer_release(&out);
}
