#include <criterion/criterion.h>

#include "event/address.h"
#include "kanal/sdk/str.h"

static const struct {
    const char *given, *normal; /* NULL: refused */
} cases[] = {
    { "telegram:3527065", "telegram:3527065" },
    { "Telegram:3527065", "telegram:3527065" },
    { "tel:+79161234567", "tel:+79161234567" },
    { "TEL:+79161234567", "tel:+79161234567" },
    { "mailto:Anna@Example.COM", "mailto:anna@example.com" },
    { "mailto:an%6ea@example.com", "mailto:anna@example.com" },
    { "mailto:Anna@Ex%C3%84mple.COM", "mailto:anna@xn--exmple-cua.com" },
    { "mailto:anna@exa%CC%88mple.com", "mailto:anna@xn--exmple-cua.com" }, /* a and its dots apart */
    { "mailto:anna@XN--Exmple-cua.com", "mailto:anna@xn--exmple-cua.com" },
    { "mailto:anna@%D0%BF%D1%80%D0%B8%D0%BC%D0%B5%D1%80.%D1%80%D1%84", "mailto:anna@xn--e1afmkfd.xn--p1ai" },
    { "mailto:a@fa%C3%9F.de", "mailto:a@xn--fa-hia.de" }, /* not fass.de: another domain since IDNA 2008 */
    { "mailto:a@ex_%C3%A4mple.com",
      "mailto:a@ex_%C3%A4mple.com" }, /* no domain: stays, and stays another one */
    { "mailto:a@%E2%98%83.net", "mailto:a@%E2%98%83.net" },
    { "mailto:a@b%EF%BC%A0c.com",
      "mailto:a@b%EF%BC%A0c.com" }, /* what becomes an '@' is no way to another domain */
    { "mailto:a@b%C3.com", "mailto:a@b%C3.com" },
    { "mailto:%C3%84@example.com", "mailto:%C3%84@example.com" },
    { "mailto:anna%2Bnews@example.com", "mailto:anna%2Bnews@example.com" },
    { "messenger:1234/5678", "messenger:1234/5678" },
    { "viber:acc/%2fx", "viber:acc/%2Fx" },
    { "visitor:%7Ea", "visitor:~a" },
    { "x:%d0%90", "x:%D0%90" },
    { "", NULL },
    { "telegram:", NULL },
    { ":1", NULL },
    { "telegram", NULL },
    { "1x:1", NULL },
    { "te_l:1", NULL },
    { "telegram:a b", NULL },
    { "telegram:%4", NULL },
    { "telegram:%zz", NULL },
    { "telegram:\xd0\x90", NULL },
    { "telegram:a\"b", NULL },
    { "tel:89161234567", NULL },
    { "tel:+0123456", NULL },
    { "tel:+7916123456789012", NULL },
    { "tel:+7-916", NULL },
    { "tel:+12", NULL },
    { "mailto:anna", NULL },
    { "mailto:@b", NULL },
    { "mailto:a@", NULL },
    { "mailto:a@b@c", NULL },
};

Test(address, has_one_normal_form)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kanal_buffer out = { 0 };
        kanal_buffer_text(&out, "kept");
        int status = address_normalise(kanal_str_c(cases[i].given), &out);
        cr_expect_eq(status, cases[i].normal ? 0 : KANAL_E_INVALID, "%s: %d", cases[i].given, status);
        kanal_str written = kanal_str_from(kanal_buffer_view(&out), 4);
        cr_expect(kanal_str_is(written, cases[i].normal ? cases[i].normal : ""), "%s gave %.*s",
                  cases[i].given, (int)written.len, written.ptr);
        kanal_buffer_release(&out);
    }
}

Test(address, the_normal_form_is_its_own)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kanal_buffer out = { 0 };
        if (!cases[i].normal)
            continue;
        cr_expect_eq(address_normalise(kanal_str_c(cases[i].normal), &out), 0);
        cr_expect(kanal_str_is(kanal_buffer_view(&out), cases[i].normal));
        kanal_buffer_release(&out);
    }
}

Test(address, is_bounded)
{
    char text[ADDRESS_BYTES_MAX + 2];
    struct kanal_buffer out = { 0 };
    memset(text, 'a', sizeof text);
    text[1] = ':';
    cr_assert_eq(address_normalise(kanal_str_of(text, ADDRESS_BYTES_MAX), &out), 0);
    cr_assert_eq(address_normalise(kanal_str_of(text, ADDRESS_BYTES_MAX + 1), &out), KANAL_E_INVALID);
    kanal_buffer_release(&out);
}

Test(address, channel_ids)
{
    cr_assert(channel_id_valid(KANAL_LIT("shop-telegram_2")));
    cr_assert_not(channel_id_valid(KANAL_LIT("")));
    cr_assert_not(channel_id_valid(KANAL_LIT("any")));
    cr_assert_not(channel_id_valid(KANAL_LIT("_")));
    cr_assert_not(channel_id_valid(KANAL_LIT("a.b")));
    cr_assert_not(channel_id_valid(KANAL_LIT("a b")));
    cr_assert_not(channel_id_valid(KANAL_LIT("a>")));
}
