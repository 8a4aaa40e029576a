/* kanal/sdk/url.h - URLs, queries and urlencoded forms. Part of the static helpers, not of the ABI. */
#ifndef KANAL_SDK_URL_H
#define KANAL_SDK_URL_H
#include "buffer.h"
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Percent-encodes everything but RFC 3986 unreserved characters: right for a path segment, a query value, a form value and
 * a part of a Kanal address. */
void kanal_url_encode(struct kanal_buffer *out, kanal_str);
/* Decodes %XX, and '+' as a space if plus. 0, or KANAL_E_INVALID (a broken escape) with out as it was. */
kanal_status kanal_url_decode(struct kanal_buffer *out, kanal_str text, int plus);

struct kanal_url { /* views into the parsed text */
    kanal_str scheme, userinfo, host, port, path, query,
        fragment; /* host without the brackets of an IPv6 address */
};
/* An absolute http, https, ws or wss URL. 0 or KANAL_E_INVALID. The host is ASCII letters, digits, '-', '.', '_', or an IPv6
 * address. Refused everywhere: controls, space, '"', '<', '>', invalid UTF-8; before the query a backslash too. Other
 * characters that browsers leave unescaped pass, and escapes are not decoded. */
kanal_status kanal_url_parse(kanal_str text, struct kanal_url *ret_url);
/* True if it is an http or https URL of printable ASCII, of at most max_bytes, without user and fragment: what can be fetched as it
 * stands, and be a media reference. */
int kanal_url_is_fetchable(kanal_str url, size_t max_bytes);

/* A provider's base URL out of a setting: a copy without slashes at the end, to be freed. 0; KANAL_E_INVALID (no http or https URL) or
 * KANAL_E_INTERNAL with *ret_base untouched. */
kanal_status kanal_url_base(kanal_str url, char **ret_base);

/* Appends an absolute URL as a page knows it, with everything escaped that RFC 3986 does not allow. 0; KANAL_E_INVALID (it is none, or has
 * a password in it) or KANAL_E_TOO_LARGE (over max_bytes) with out as it was. */
kanal_status kanal_url_clean(struct kanal_buffer *out, kanal_str url, size_t max_bytes);

/* Walks application/x-www-form-urlencoded text or a query: *rest starts as the text. name and value are decoded into
 * scratch (cleared first) and live until the next call; neither is ever absent. 1: a pair; 0: the end; KANAL_E_INVALID: a broken
 * escape, which is passed over by calling again; KANAL_E_INTERNAL: out of memory. */
int kanal_form_next(kanal_str *rest, struct kanal_buffer *scratch, kanal_str *ret_name, kanal_str *ret_value);
/* The first value of a name, decoded into out (appended). 0, KANAL_E_NOT_FOUND or KANAL_E_INVALID. */
kanal_status kanal_form_get(kanal_str form, const char *name, struct kanal_buffer *out);
/* Appends name=value, with '&' where needed. */
void kanal_form_add(struct kanal_buffer *out, const char *name, kanal_str value);

#ifdef __cplusplus
}
#endif
#endif
