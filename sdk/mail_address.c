#include "kanal/sdk/phone.h"
#include "kanal/sdk/url.h"

static int is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int is_local_part(kanal_str local)
{
    for (size_t i = 0; i < local.len; i++) {
        if (!is_alphanumeric(local.ptr[i]) &&
            (local.ptr[i] == 0 || strchr(".!#$%&'*+/=?^_`{|}~-", local.ptr[i]) == NULL))
            return 0;
    }
    return local.len >= 1 && local.len <= 64;
}

/* Labels of letters, digits and hyphens; letters are also those of other scripts, which become A-labels in the core. */
static int is_domain(kanal_str domain)
{
    size_t label = 0, dots = 0;
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        int at_edge = label == 0 || i + 1 == domain.len || domain.ptr[i + 1] == '.';
        if (c == '.') {
            if (label == 0)
                return 0;
            label = 0;
            dots++;
        } else if (is_alphanumeric(c) || (c == '-' && !at_edge)) {
            if (++label > 63)
                return 0;
        } else if ((unsigned char)c >= 0x80) {
            label = label > 0 ? label : 1; /* how long it is in A-labels is not known here */
        } else {
            return 0;
        }
    }
    return label > 0 && dots > 0 && domain.len <= 253 && kanal_str_utf8(domain);
}

int kanal_mail_address(kanal_str typed, struct kanal_buffer *out)
{
    size_t at = 0;
    while (at < typed.len && typed.ptr[at] != '@')
        at++;
    kanal_str local = kanal_str_of(typed.ptr, at), domain = kanal_str_from(typed, at + 1);
    if (at == typed.len || !is_local_part(local) || !is_domain(domain))
        return KANAL_E_INVALID;
    kanal_buffer_text(out, "mailto:");
    kanal_url_encode(out, local);
    kanal_buffer_byte(out, '@');
    for (size_t i = 0; i < domain.len; i++) {
        char c = domain.ptr[i];
        kanal_url_encode(
            out,
            kanal_str_of(c >= 'A' && c <= 'Z' ? &"abcdefghijklmnopqrstuvwxyz"[c - 'A'] : domain.ptr + i, 1));
    }
    return 1;
}
