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
    expect(KANAL_LIT("+44 20 7946 0958"), "RU", 1, "tel:+442079460958"); /* the country does not matter */
    expect(KANAL_LIT("+7\xC2\xA0"
                     "916 123 45 67"),
           NULL, 1, "tel:+79161234567");
    expect(KANAL_LIT("+123456789012345"), NULL, 1, "tel:+123456789012345");
}

Test(phone, national)
{
    expect(KANAL_LIT("8 (916) 123-45-67"), "RU", 1, "tel:+79161234567");
    expect(KANAL_LIT("79161234567"), "RU", 1, "tel:+79161234567");
    expect(KANAL_LIT("9161234567"), "RU", 1, "tel:+79161234567");
    expect(KANAL_LIT("8 029 123-45-67"), "BY", 1, "tel:+375291234567"); /* 8, then 0 for the area */
    expect(KANAL_LIT("80 29 123-45-67"), "BY", 1, "tel:+375291234567");
    expect(KANAL_LIT("020 7946 0958"), "GB", 1, "tel:+442079460958");
    expect(KANAL_LIT("(202) 555-0143"), "US", 1, "tel:+12025550143");
    expect(KANAL_LIT("1-202-555-0143"), "US", 1, "tel:+12025550143");
    expect(KANAL_LIT("612 345 678"), "ES", 1, "tel:+34612345678");
    expect(KANAL_LIT("8 (916) 123-45-67"), NULL, 0, NULL);
    expect(KANAL_LIT("8 (916) 123-45-67"), "XX", 0, NULL);
    expect(KANAL_LIT("012 345 678"), "ES", 0, NULL); /* no number begins with 0 there */
    expect(KANAL_LIT("8 (916) 123-45"), "RU", 0, NULL);
    expect(KANAL_LIT("89161234567890"), "RU", 0, NULL);
}

Test(phone, hostile)
{
    static const char *const wrong[] = { "",
                                         "+",
                                         "123456",
                                         "phone",
                                         "+7916123456a",
                                         "++79161234567",
                                         "7+9161234567",
                                         "+0123456789",
                                         "+7916;1234567",
                                         "+1234567890123456",
                                         "1234567890123456789",
                                         "+7916\n1234567",
                                         "\xC2",
                                         "+791612345\xC2",
                                         "٠١٢٣٤٥٦٧٨" };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(kanal_str_c(wrong[i]), "RU", KANAL_E_INVALID, NULL);
    expect(kanal_str_of("+79161\0"
                        "234567",
                        13),
           "RU", KANAL_E_INVALID, NULL);
}

Test(email, addresses)
{
    static const char *const right[][2] = { { "a@b.ru", "mailto:a@b.ru" },
                                            { "Anna.K+shop@Mail.Example.COM",
                                              "mailto:Anna.K%2Bshop@mail.example.com" },
                                            { "o'neil@x-y.org", "mailto:o%27neil@x-y.org" } };
    static const char *const wrong[] = { "",           "a",        "@b.ru",    "a@",        "a@b",
                                         "a@b.",       "a@.b.ru",  "a@b..ru",  "a b@c.ru",  "a@b c.ru",
                                         "a@-b.ru",    "a@b-.ru",  "a@@b.ru",  "a@b@c.ru",  "a@b_c.ru",
                                         "\"a\"@b.ru", "a@b.ru\n", "<a@b.ru>", "анна@b.ru", "a@пример.рф",
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
