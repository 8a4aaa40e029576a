#include "event/address.h"

#include <idn2.h>
#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"

/* What libidn2 is given: a domain has at most 253 bytes in A-labels, and a character of UTF-8 at most 4. */
#define DOMAIN_BYTES_MAX 255u

static int is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_unreserved(char c)
{
    return is_alpha(c) || is_digit(c) || (c != 0 && strchr("-._~", c) != NULL);
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

kanal_str address_scheme(kanal_str address)
{
    size_t n = 0;
    while (n < address.len && address.ptr[n] != ':')
        n++;
    return kanal_str_of(address.ptr, n < address.len ? n : 0);
}

kanal_str address_rest(kanal_str address)
{
    return kanal_str_from(address, address_scheme(address).len + 1);
}

static int valid_scheme(kanal_str scheme)
{
    if (scheme.len == 0 || scheme.len > 32 || !is_alpha(scheme.ptr[0]))
        return 0;
    for (size_t i = 1; i < scheme.len; i++)
        if (!is_alpha(scheme.ptr[i]) && !is_digit(scheme.ptr[i]) && !strchr("+-.", scheme.ptr[i]))
            return 0;
    return 1;
}

/* E.164: '+', then 5 to 15 digits, the first not 0. */
static int valid_tel(kanal_str number)
{
    if (number.len < 6 || number.len > 16 || number.ptr[0] != '+' || number.ptr[1] == '0')
        return 0;
    for (size_t i = 1; i < number.len; i++)
        if (!is_digit(number.ptr[i]))
            return 0;
    return 1;
}

static int valid_mail(kanal_str mail)
{
    size_t ats = 0, at = 0;
    for (size_t i = 0; i < mail.len; i++)
        if (mail.ptr[i] == '@') {
            ats++;
            at = i;
        }
    return ats == 1 && at > 0 && at + 1 < mail.len;
}

/* Appends the rest with its escapes in the normal form; -1: a character that may not stand there. */
static int append_rest(struct kanal_buffer *out, kanal_str rest, int lower_case)
{
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        if (c == '%') {
            int high = i + 2 < rest.len ? hex_value(rest.ptr[i + 1]) : -1;
            int low = i + 2 < rest.len ? hex_value(rest.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -1;
            c = (char)(high * 16 + low);
            i += 2;
            if (!is_unreserved(c)) {
                char escape[3] = { '%', "0123456789ABCDEF"[high], "0123456789ABCDEF"[low] };
                kanal_buffer_append(out, escape, sizeof escape);
                continue;
            }
        } else if (!is_unreserved(c) && (c == 0 || !strchr("!$&'()*+,;=:@/", c))) {
            return -1;
        }
        kanal_buffer_byte(out, lower_case ? lower(c) : c);
    }
    return 0;
}

static int is_ldh(const char *domain)
{
    for (; *domain; domain++)
        if (!is_digit(*domain) && !(*domain >= 'a' && *domain <= 'z') && *domain != '-' && *domain != '.')
            return 0;
    return 1;
}

/* The domain from `start` in A-labels, if it has letters that need them: "ex%C3%A4mple.com" is "xn--exmple-cua.com". A domain that cannot be
 * converted stays: mail from there has to have an address all the same. */
static void write_a_labels(struct kanal_buffer *out, size_t start)
{
    kanal_str domain = kanal_str_of(out->data + start, out->len - start);
    struct kanal_buffer text = { 0 };
    char *ascii = NULL;
    if (!memchr(domain.ptr, '%', domain.len))
        return;
    if (kanal_url_decode(&text, domain, 0) == 0 && text.len <= DOMAIN_BYTES_MAX &&
        !memchr(text.data, 0, text.len) && kanal_str_utf8(kanal_buffer_view(&text))) {
        kanal_buffer_byte(&text, 0);
        /* Not with STD3 rules: libidn2 2.3 then leaves characters out, and two domains would become one. */
        int flags = IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL;
        if (!text.failed && idn2_to_ascii_8z(text.data, &ascii, flags) == IDN2_OK && is_ldh(ascii)) {
            out->len = start;
            kanal_buffer_text(out, ascii);
        }
    }
    idn2_free(ascii);
    kanal_buffer_release(&text);
}

int address_normalise(kanal_str address, struct kanal_buffer *out)
{
    kanal_str scheme = address_scheme(address), rest = address_rest(address);
    size_t before = out->len;
    if (address.len > ADDRESS_BYTES_MAX || !valid_scheme(scheme) || rest.len == 0)
        return KANAL_E_INVALID;
    for (size_t i = 0; i < scheme.len; i++)
        kanal_buffer_byte(out, lower(scheme.ptr[i]));
    kanal_buffer_byte(out, ':');
    kanal_str written = kanal_str_of(out->data ? out->data + before : NULL, scheme.len);
    int is_mail = !out->failed && kanal_str_is(written, "mailto");
    int is_tel = !out->failed && kanal_str_is(written, "tel");
    size_t start = out->len;
    int bad = append_rest(out, rest, is_mail);
    kanal_str normal = kanal_str_of(out->data ? out->data + start : NULL, out->len - start);
    if (bad || out->failed || (is_tel && !valid_tel(normal)) || (is_mail && !valid_mail(normal))) {
        out->len = before;
        return KANAL_E_INVALID;
    }
    if (is_mail)
        write_a_labels(out,
                       start + (size_t)((const char *)memchr(normal.ptr, '@', normal.len) - normal.ptr) + 1);
    return out->failed ? KANAL_E_INVALID : 0;
}

int channel_id_valid(kanal_str id)
{
    if (id.len == 0 || id.len > 64 || kanal_str_is(id, "any") || kanal_str_is(id, "_"))
        return 0;
    for (size_t i = 0; i < id.len; i++)
        if (!is_alpha(id.ptr[i]) && !is_digit(id.ptr[i]) && id.ptr[i] != '_' && id.ptr[i] != '-')
            return 0;
    return 1;
}
