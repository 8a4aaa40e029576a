#include <criterion/criterion.h>

#include "event/address.h"
#include "event/identifier.h"
#include "kanal/sdk/str.h"

static const struct identifier_domain domains[] = { { { "gmail.com", 9 }, 1 },
                                                    { { "corp.example", 12 }, 0 } };
static const struct identifier_rules keep = { .domains = domains, .domain_count = 2 };
static const struct identifier_rules cut = { .cuts_plus_tags = 1, .domains = domains, .domain_count = 2 };

static void expect(const struct identifier_rules *rules, const char *address, const char *canonical)
{
    struct kanal_buffer out = { 0 };
    kanal_buffer_text(&out, "kept");
    int status = identifier_canonical(rules, kanal_str_c(address), &out);
    kanal_str written = kanal_str_from(kanal_buffer_view(&out), 4);
    cr_expect_eq(status, canonical != NULL, "%s: %d", address, status);
    cr_expect(kanal_str_is(written, canonical ? canonical : ""), "%s gave %.*s", address, (int)written.len,
              written.ptr);
    kanal_buffer_release(&out);
    if (canonical)
        expect(rules, canonical, NULL); /* it is its own */
}

Test(identifier, plus_tags_are_cut_where_it_is_configured)
{
    expect(&keep, "mailto:anna%2Bnews@example.com", NULL);
    expect(&keep, "mailto:anna%2Bnews@gmail.com", "mailto:anna@gmail.com");
    expect(&keep, "mailto:anna+news@gmail.com", "mailto:anna@gmail.com");
    expect(&keep, "mailto:anna%2Bnews%2Bmore@gmail.com", "mailto:anna@gmail.com");
    expect(&keep, "mailto:anna%2Bnews@mail.gmail.com", NULL);
    expect(&cut, "mailto:anna%2Bnews@example.com", "mailto:anna@example.com");
    expect(&cut, "mailto:anna%2Bnews@corp.example", NULL);
    expect(&cut, "mailto:%2Bnews@example.com", NULL); /* nothing would be left */
    expect(&cut, "mailto:anna@example.com", NULL);
    expect(&cut, "mailto:anna%2", NULL);
    expect(&cut, "mailto:", NULL);
}

Test(identifier, one_telephone_is_one_number)
{
    expect(&keep, "tel:+79161234567", NULL);
    expect(&keep, "tel:+5215512345678", "tel:+525512345678");
    expect(&keep, "tel:+551187654321", "tel:+5511987654321");
    expect(&keep, "tel:+551132654321", NULL); /* a landline */
    expect(&keep, "tel:+525512345678", NULL);
    expect(&keep, "tel:+541115-2345-6789", "tel:+5491123456789"); /* however it came to be there */
    expect(&keep, "tel:+4402079460958", "tel:+442079460958");
    expect(&keep, "tel:+390669812345", NULL);
    expect(&keep, "tel:+99912345678", NULL); /* nobody's code: nothing is known of it */
    expect(&keep, "sms:900", NULL);
    expect(&keep, "telegram:5215512345678", NULL);
    expect(&keep, "", NULL);
}
