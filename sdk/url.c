/* Sources: RFC 3986 (URLs, percent-encoding), the WHATWG URL standard (urlencoded forms). */
#include "kanal/sdk/url.h"

static int is_alphanumeric(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* NUL is in no set. */
static int is_in(char c, const char *set)
{
    return c != 0 && strchr(set, c) != NULL;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* ---- Percent-encoding ---- */

void kanal_url_encode(struct kanal_buffer *out, kanal_str text)
{
    static const char digits[17] = "0123456789ABCDEF";
    size_t copied = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (is_alphanumeric(c) || is_in(c, "-._~"))
            continue;
        char escape[3] = { '%', digits[(unsigned char)c >> 4], digits[c & 15] };
        kanal_buffer_append(out, text.ptr + copied, i - copied);
        kanal_buffer_append(out, escape, sizeof escape);
        copied = i + 1;
    }
    if (copied < text.len)
        kanal_buffer_append(out, text.ptr + copied, text.len - copied);
}

kanal_status kanal_url_decode(struct kanal_buffer *out, kanal_str text, int plus)
{
    if (kanal_buffer_reserve(out, text.len) != 0)
        return KANAL_E_INTERNAL;
    size_t at = out->len; /* published at the end: a broken escape leaves out as it was */
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return KANAL_E_INVALID;
            c = (char)(unsigned char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        out->data[at++] = c;
    }
    out->len = at;
    return KANAL_OK;
}

/* ---- URLs ---- */

/* Where one of the characters of `set` stands first, or the length. */
static size_t find_any(kanal_str text, const char *set)
{
    size_t i = 0;
    while (i < text.len && !is_in(text.ptr[i], set))
        i++;
    return i;
}

static int is_scheme(kanal_str text)
{
    static const char *const schemes[] = { "http", "https", "ws", "wss" };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (kanal_str_equal_nocase(text, kanal_str_c(schemes[i])))
            return 1;
    }
    return 0;
}

/* What browsers leave unescaped passes; what could end a header line or change hands between parsers does not. */
static int has_forbidden(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c <= 0x20 || c == 0x7F || c == '"' || c == '<' || c == '>')
            return 1;
    }
    return !kanal_str_utf8(text);
}

static int is_name_or_ipv4(kanal_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (!is_alphanumeric(host.ptr[i]) && !is_in(host.ptr[i], "-._"))
            return 0;
    }
    return host.len > 0 && host.len <= 253;
}

static int is_ipv6(kanal_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        if (hex_value(host.ptr[i]) < 0 && !is_in(host.ptr[i], ":."))
            return 0;
    }
    return host.len >= 2 && host.len <= 45 && memchr(host.ptr, ':', host.len) != NULL;
}

static int is_port(kanal_str port)
{
    int64_t number;
    if (port.len == 0)
        return 1;
    return port.len <= 5 && port.ptr[0] != '+' && port.ptr[0] != '-' && kanal_str_int(port, &number) == 0 &&
           number <= 65535;
}

static kanal_status parse_authority(kanal_str authority, struct kanal_url *ret)
{
    size_t at = find_any(authority, "@");
    if (at < authority.len) {
        ret->userinfo = kanal_str_of(authority.ptr, at);
        authority = kanal_str_from(authority, at + 1); /* a second '@' is no character of a host */
    }
    kanal_str after;
    if (kanal_str_starts(authority, "[")) {
        size_t end = find_any(authority, "]");
        if (end == authority.len)
            return KANAL_E_INVALID;
        ret->host = kanal_str_of(authority.ptr + 1, end - 1);
        after = kanal_str_from(authority, end + 1);
        if (!is_ipv6(ret->host))
            return KANAL_E_INVALID;
    } else {
        size_t end = find_any(authority, ":");
        ret->host = kanal_str_of(authority.ptr, end);
        after = kanal_str_from(authority, end);
        if (!is_name_or_ipv4(ret->host))
            return KANAL_E_INVALID;
    }
    if (after.len > 0 && after.ptr[0] != ':')
        return KANAL_E_INVALID;
    ret->port = after.len > 0 ? kanal_str_from(after, 1) : kanal_str_of(NULL, 0);
    return is_port(ret->port) ? KANAL_OK : KANAL_E_INVALID;
}

kanal_status kanal_url_parse(kanal_str text, struct kanal_url *ret_url)
{
    struct kanal_url url;
    memset(&url, 0, sizeof url);
    size_t end = find_any(text, ":");
    url.scheme = kanal_str_of(text.ptr, end);
    kanal_str rest = kanal_str_from(text, end);
    if (!is_scheme(url.scheme) || !kanal_str_starts(rest, "://") || has_forbidden(rest))
        return KANAL_E_INVALID;
    rest = kanal_str_from(rest, 3);
    end = find_any(rest, "/?#\\"); /* a backslash never passes: some parsers take it for a slash */
    if (parse_authority(kanal_str_of(rest.ptr, end), &url) != KANAL_OK)
        return KANAL_E_INVALID;
    rest = kanal_str_from(rest, end);
    end = find_any(rest, "?#");
    url.path = kanal_str_of(rest.ptr, end);
    if (find_any(url.path, "\\") < url.path.len)
        return KANAL_E_INVALID;
    rest = kanal_str_from(rest, end);
    if (kanal_str_starts(rest, "?")) {
        end = find_any(rest, "#");
        url.query = kanal_str_of(rest.ptr + 1, end - 1);
        rest = kanal_str_from(rest, end);
    }
    if (kanal_str_starts(rest, "#"))
        url.fragment = kanal_str_from(rest, 1);
    *ret_url = url;
    return KANAL_OK;
}

/* ---- Forms ---- */

int kanal_form_next(kanal_str *rest, struct kanal_buffer *scratch, kanal_str *ret_name, kanal_str *ret_value)
{
    while (kanal_str_starts(*rest, "&"))
        *rest = kanal_str_from(*rest, 1);
    if (rest->len == 0)
        return 0;
    kanal_str pair = kanal_str_of(rest->ptr, find_any(*rest, "&"));
    *rest = kanal_str_from(*rest, pair.len + 1);
    size_t equals = find_any(pair, "=");
    kanal_buffer_clear(scratch);
    if (kanal_buffer_reserve(scratch, pair.len + 1) != 0) /* once: the name must not move under the value */
        return KANAL_E_INTERNAL;
    if (kanal_url_decode(scratch, kanal_str_of(pair.ptr, equals), 1) != KANAL_OK)
        return KANAL_E_INVALID;
    size_t name_len = scratch->len;
    if (kanal_url_decode(scratch, kanal_str_from(pair, equals + 1), 1) != KANAL_OK)
        return KANAL_E_INVALID;
    *ret_name = kanal_str_of(scratch->data, name_len);
    *ret_value = kanal_str_of(scratch->data + name_len, scratch->len - name_len);
    return 1;
}

kanal_status kanal_form_get(kanal_str form, const char *name, struct kanal_buffer *out)
{
    struct kanal_buffer scratch;
    kanal_str found, value;
    int more;
    kanal_status status = KANAL_E_NOT_FOUND;
    kanal_buffer_init(&scratch);
    while ((more = kanal_form_next(&form, &scratch, &found, &value)) != 0) {
        if (more < 0) {
            status = more;
            break;
        }
        if (kanal_str_is(found, name)) {
            kanal_buffer_str(out, value);
            status = out->failed ? KANAL_E_INTERNAL : KANAL_OK;
            break;
        }
    }
    kanal_buffer_release(&scratch);
    return status;
}

void kanal_form_add(struct kanal_buffer *out, const char *name, kanal_str value)
{
    if (out->len > 0 && out->data[out->len - 1] != '?' && out->data[out->len - 1] != '&')
        kanal_buffer_byte(out, '&');
    kanal_url_encode(out, kanal_str_c(name));
    kanal_buffer_byte(out, '=');
    kanal_url_encode(out, value);
}

int kanal_url_is_fetchable(kanal_str url, size_t max_bytes)
{
    struct kanal_url parsed;
    if (url.len == 0 || url.len > max_bytes)
        return 0;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] > '~')
            return 0;
    return kanal_url_parse(url, &parsed) == 0 && parsed.userinfo.len == 0 && parsed.fragment.len == 0 &&
           (kanal_str_is(parsed.scheme, "https") || kanal_str_is(parsed.scheme, "http"));
}

/* Browsers leave some characters as they are that a URI may not have. */
static void escape_part(struct kanal_buffer *out, kanal_str part)
{
    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];
        int is_escape = c == '%' && i + 2 < part.len && hex_value(part.ptr[i + 1]) >= 0 &&
                        hex_value(part.ptr[i + 2]) >= 0;
        if (is_escape || is_in(c, "!$&'()*+,;=:@/?"))
            kanal_buffer_byte(out, c);
        else
            kanal_url_encode(out, kanal_str_of(&c, 1));
    }
}

kanal_status kanal_url_base(kanal_str url, char **ret_base)
{
    if (!kanal_str_starts(url, "http://") && !kanal_str_starts(url, "https://"))
        return KANAL_E_INVALID;
    while (url.ptr[url.len - 1] == '/')
        url.len--;
    char *base = kanal_str_dup(url);
    if (base == NULL)
        return KANAL_E_INTERNAL;
    *ret_base = base;
    return KANAL_OK;
}

kanal_status kanal_url_clean(struct kanal_buffer *out, kanal_str text, size_t max_bytes)
{
    struct kanal_url url;
    size_t before = out->len;
    if (kanal_url_parse(text, &url) != KANAL_OK || url.userinfo.ptr != NULL)
        return KANAL_E_INVALID;
    kanal_buffer_append(out, text.ptr, (size_t)(url.path.ptr - text.ptr));
    escape_part(out, url.path);
    if (url.query.ptr != NULL) {
        kanal_buffer_byte(out, '?');
        escape_part(out, url.query);
    }
    if (url.fragment.ptr != NULL) {
        kanal_buffer_byte(out, '#');
        escape_part(out, url.fragment);
    }
    if (out->len - before <= max_bytes)
        return KANAL_OK;
    out->len = before;
    return KANAL_E_TOO_LARGE;
}
