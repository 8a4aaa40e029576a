#include "event/identifier.h"

#include "event/address.h"
#include "kanal/sdk/phone.h"
#include "kanal/sdk/str.h"

static int cuts_plus_tags(const struct identifier_rules *rules, kanal_str domain)
{
    for (size_t i = 0; i < rules->domain_count; i++)
        if (kanal_str_equal(rules->domains[i].name, domain))
            return rules->domains[i].cuts_plus_tags;
    return rules->cuts_plus_tags;
}

/* A '+' at the very beginning is no tag: nothing would be left. */
static size_t find_tag(kanal_str local)
{
    for (size_t i = 1; i < local.len; i++)
        if (local.ptr[i] == '+' || (i + 2 < local.len && memcmp(local.ptr + i, "%2B", 3) == 0))
            return i;
    return local.len;
}

static int canonical_mail(const struct identifier_rules *rules, kanal_str mail, struct kanal_buffer *out)
{
    const char *at = memchr(mail.ptr, '@', mail.len);
    kanal_str local = kanal_str_of(mail.ptr, at ? (size_t)(at - mail.ptr) : 0);
    kanal_str domain = kanal_str_from(mail, local.len + 1);
    size_t tag = find_tag(local);
    if (tag == local.len || !cuts_plus_tags(rules, domain))
        return 0;
    kanal_buffer_text(out, "mailto:");
    kanal_buffer_str(out, kanal_str_of(local.ptr, tag));
    kanal_buffer_byte(out, '@');
    kanal_buffer_str(out, domain);
    return 1;
}

/* Forms that a plan has given up, and that old accounts of messengers still carry (WhatsApp's wa_id). Mexico: the 1 before mobile numbers, since
 * August 2019. Brazil: mobile numbers of eight digits, which got a 9 before them by 2016; those of landlines begin with 2 to 5. */
static int retired_tel(kanal_str number, struct kanal_buffer *out)
{
    int is_mexican = number.len == 14 && kanal_str_starts(number, "+521");
    int is_brazilian = number.len == 13 && kanal_str_starts(number, "+55") && number.ptr[5] >= '6';
    if (!is_mexican && !is_brazilian)
        return 0;
    size_t kept = is_mexican ? 3 : 5; /* the country's code; and the area's */
    kanal_buffer_text(out, "tel:");
    kanal_buffer_str(out, kanal_str_of(number.ptr, kept));
    if (is_brazilian)
        kanal_buffer_byte(out, '9');
    kanal_buffer_str(out, kanal_str_from(number, is_mexican ? kept + 1 : kept));
    return 1;
}

static int canonical_tel(kanal_str number, struct kanal_buffer *out)
{
    struct kanal_phone phone;
    if (retired_tel(number, out))
        return 1;
    if (kanal_phone_read(number, kanal_str_of(NULL, 0), &phone, NULL) != 1 ||
        kanal_str_is(number, phone.number))
        return 0;
    kanal_buffer_text(out, "tel:");
    kanal_buffer_text(out, phone.number);
    return 1;
}

int identifier_canonical(const struct identifier_rules *rules, kanal_str address, struct kanal_buffer *out)
{
    kanal_str scheme = address_scheme(address), rest = address_rest(address);
    size_t before = out->len;
    int found = kanal_str_is(scheme, "mailto") ? canonical_mail(rules, rest, out)
                : kanal_str_is(scheme, "tel")  ? canonical_tel(rest, out)
                                               : 0;
    if (!out->failed)
        return found;
    out->len = before;
    return KANAL_E_INTERNAL;
}
