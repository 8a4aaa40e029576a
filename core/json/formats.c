/* json/formats.c - each format a function; the table at the end names them. */
#include <arpa/inet.h>
#include <string.h>
#include "formats.h"

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static kanal_str part(kanal_str text, size_t from, size_t to)
{
    kanal_str piece = { text.ptr + from, to - from };
    return piece;
}

/* ---- Times ---- */

/* Exactly `digits` digits at *at; -1: they are not there. */
static int take_number(kanal_str text, size_t *at, size_t digits)
{
    int value = 0;

    for (size_t i = 0; i < digits; i++, (*at)++) {
        if (*at >= text.len || !is_digit(text.ptr[*at]))
            return -1;
        value = value * 10 + (text.ptr[*at] - '0');
    }
    return value;
}

static int take_char(kanal_str text, size_t *at, char wanted)
{
    if (*at >= text.len || text.ptr[*at] != wanted)
        return 0;
    (*at)++;
    return 1;
}

static int take_date(kanal_str text, size_t *at)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year = take_number(text, at, 4), month, day, leap;

    if (year < 0 || !take_char(text, at, '-'))
        return 0;
    month = take_number(text, at, 2);
    if (month < 1 || month > 12 || !take_char(text, at, '-'))
        return 0;
    day = take_number(text, at, 2);
    leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

/* *ret_minutes: east of UTC. */
static int take_offset(kanal_str text, size_t *at, int *ret_minutes)
{
    int sign, hours, minutes;

    *ret_minutes = 0;
    if (take_char(text, at, 'Z') || take_char(text, at, 'z'))
        return 1;
    sign = take_char(text, at, '+') ? 1 : take_char(text, at, '-') ? -1 : 0;
    if (sign == 0)
        return 0;
    hours = take_number(text, at, 2);
    if (hours < 0 || hours > 23 || !take_char(text, at, ':'))
        return 0;
    minutes = take_number(text, at, 2);
    if (minutes < 0 || minutes > 59)
        return 0;
    *ret_minutes = sign * (hours * 60 + minutes);
    return 1;
}

static int take_time(kanal_str text, size_t *at)
{
    int hour = take_number(text, at, 2), minute, second, offset, utc;

    if (hour < 0 || hour > 23 || !take_char(text, at, ':'))
        return 0;
    minute = take_number(text, at, 2);
    if (minute < 0 || minute > 59 || !take_char(text, at, ':'))
        return 0;
    second = take_number(text, at, 2);
    if (second < 0 || second > 60)
        return 0;
    if (take_char(text, at, '.')) {
        size_t from = *at;
        while (*at < text.len && is_digit(text.ptr[*at]))
            (*at)++;
        if (*at == from)
            return 0;
    }
    if (!take_offset(text, at, &offset))
        return 0;
    /* A leap second ends a day in UTC. */
    utc = ((hour * 60 + minute - offset) % 1440 + 1440) % 1440;
    return second < 60 || utc == 1439;
}

static int check_date(kanal_str text)
{
    size_t at = 0;
    return take_date(text, &at) && at == text.len;
}

static int check_time(kanal_str text)
{
    size_t at = 0;
    return take_time(text, &at) && at == text.len;
}

static int check_date_time(kanal_str text)
{
    size_t at = 0;
    return take_date(text, &at) && (take_char(text, &at, 'T') || take_char(text, &at, 't')) &&
           take_time(text, &at) && at == text.len;
}

/* Digits followed by one of the units, each unit at most once and in order; how many were there. */
static int take_units(kanal_str text, size_t *at, const char *units)
{
    int count = 0;

    while (*units && *at < text.len) {
        size_t end = *at;
        while (end < text.len && is_digit(text.ptr[end]))
            end++;
        if (end == *at || end == text.len)
            break;
        while (*units && *units != text.ptr[end])
            units++;
        if (!*units)
            break;
        units++;
        *at = end + 1;
        count++;
    }
    return count;
}

static int check_duration(kanal_str text)
{
    size_t at = 0;
    int count;

    if (!take_char(text, &at, 'P'))
        return 0;
    if (take_units(text, &at, "W") == 1)
        return at == text.len;
    count = take_units(text, &at, "YMD");
    if (take_char(text, &at, 'T')) {
        int clock = take_units(text, &at, "HMS");
        if (clock == 0)
            return 0;
        count += clock;
    }
    return count > 0 && at == text.len;
}

/* ---- Names and addresses ---- */

int json_format_hostname(kanal_str text)
{
    size_t label = 0;

    if (text.len > 0 && text.ptr[text.len - 1] == '.')
        text.len--;
    if (text.len == 0 || text.len > 253)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '.') {
            if (label == 0 || text.ptr[i - 1] == '-')
                return 0;
            label = 0;
            continue;
        }
        if (!is_letter(c) && !is_digit(c) && (c != '-' || label == 0))
            return 0;
        if (++label > 63)
            return 0;
    }
    return label > 0 && text.ptr[text.len - 1] != '-';
}

static int check_email(kanal_str text)
{
    const char *sign = text.len > 0 ? memchr(text.ptr, '@', text.len) : NULL;
    size_t local = sign ? (size_t)(sign - text.ptr) : 0;

    if (local == 0 || local > 64)
        return 0;
    for (size_t i = 0; i < local; i++) {
        char c = text.ptr[i];
        if (c == '.' ? i == 0 || i + 1 == local || text.ptr[i - 1] == '.'
                     : !is_letter(c) && !is_digit(c) && (c == 0 || !strchr("!#$%&'*+/=?^_`{|}~-", c)))
            return 0;
    }
    return text.ptr[text.len - 1] != '.' && json_format_hostname(part(text, local + 1, text.len));
}

static int check_address(int family, kanal_str text)
{
    char copy[INET6_ADDRSTRLEN];
    unsigned char address[16];

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, 0, text.len))
        return 0;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    return inet_pton(family, copy, address) == 1;
}

static int check_ipv4(kanal_str text)
{
    return check_address(AF_INET, text);
}

static int check_ipv6(kanal_str text)
{
    return check_address(AF_INET6, text);
}

static int check_uuid(kanal_str text)
{
    if (text.len != 36)
        return 0;
    for (size_t i = 0; i < text.len; i++) {
        int is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text.ptr[i] != '-' : !is_hex(text.ptr[i]))
            return 0;
    }
    return 1;
}

/* ---- URIs ---- */

/* Unreserved characters, sub-delims, complete %XX, and those in `also`. */
static int uri_characters(kanal_str text, const char *also)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (i + 2 >= text.len || !is_hex(text.ptr[i + 1]) || !is_hex(text.ptr[i + 2]))
                return 0;
            i += 2;
        } else if (!is_letter(c) && !is_digit(c) &&
                   (c == 0 || (!strchr("-._~!$&'()*+,;=", c) && !strchr(also, c)))) {
            return 0;
        }
    }
    return 1;
}

/* [user@]host[:port] */
static int uri_authority(kanal_str text)
{
    const char *sign = text.len > 0 ? memchr(text.ptr, '@', text.len) : NULL;
    size_t host = sign ? (size_t)(sign - text.ptr) + 1 : 0, end = host;

    if (sign && !uri_characters(part(text, 0, host - 1), ":"))
        return 0;
    if (host < text.len && text.ptr[host] == '[') {
        const char *close = memchr(text.ptr + host, ']', text.len - host);
        if (!close || !check_ipv6(part(text, host + 1, (size_t)(close - text.ptr))))
            return 0;
        end = (size_t)(close - text.ptr) + 1;
    } else {
        while (end < text.len && text.ptr[end] != ':')
            end++;
        if (!uri_characters(part(text, host, end), ""))
            return 0;
    }
    if (end == text.len)
        return 1;
    if (text.ptr[end] != ':')
        return 0;
    for (end++; end < text.len; end++)
        if (!is_digit(text.ptr[end]))
            return 0;
    return 1;
}

/* What follows the scheme: ["//" authority] path ["?" query] ["#" fragment]. */
static int uri_rest(kanal_str text)
{
    size_t at = 0, end = text.len;
    const char *mark = text.len > 0 ? memchr(text.ptr, '#', text.len) : NULL;

    if (mark) {
        end = (size_t)(mark - text.ptr);
        if (!uri_characters(part(text, end + 1, text.len), ":@/?"))
            return 0;
    }
    mark = end > 0 ? memchr(text.ptr, '?', end) : NULL;
    if (mark) {
        size_t query = (size_t)(mark - text.ptr);
        if (!uri_characters(part(text, query + 1, end), ":@/?"))
            return 0;
        end = query;
    }
    if (end >= 2 && text.ptr[0] == '/' && text.ptr[1] == '/') {
        for (at = 2; at < end && text.ptr[at] != '/';)
            at++;
        if (!uri_authority(part(text, 2, at)))
            return 0;
    }
    return uri_characters(part(text, at, end), ":@/");
}

/* Length of "scheme:", or 0. */
static size_t uri_scheme(kanal_str text)
{
    size_t at = 0;

    if (text.len == 0 || !is_letter(text.ptr[0]))
        return 0;
    while (at < text.len && (is_letter(text.ptr[at]) || is_digit(text.ptr[at]) ||
                             (text.ptr[at] && strchr("+-.", text.ptr[at]))))
        at++;
    return at < text.len && text.ptr[at] == ':' ? at + 1 : 0;
}

static int check_uri(kanal_str text)
{
    size_t scheme = uri_scheme(text);

    return scheme > 0 && uri_rest(part(text, scheme, text.len));
}

static int check_uri_reference(kanal_str text)
{
    const char *colon;

    if (check_uri(text))
        return 1;
    /* A relative path's first segment has no colon (RFC 3986, 4.2). */
    colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
    for (size_t i = 0; colon && i < (size_t)(colon - text.ptr); i++)
        if (strchr("/?#", text.ptr[i]))
            colon = NULL;
    return !colon && uri_rest(text);
}

static const struct {
    const char *name, *words;
    int (*check)(kanal_str);
} formats[] = {
    { "uri", "a URI", check_uri },
    { "uri-reference", "a URI reference", check_uri_reference },
    { "date-time", "a time such as 2026-11-21T20:53:05Z", check_date_time },
    { "date", "a date such as 2026-11-21", check_date },
    { "time", "a time of day such as 20:53:05Z", check_time },
    { "duration", "an ISO 8601 duration such as PT10M", check_duration },
    { "email", "an e-mail address", check_email },
    { "ipv4", "an IPv4 address", check_ipv4 },
    { "ipv6", "an IPv6 address", check_ipv6 },
    { "hostname", "a host name", json_format_hostname },
    { "uuid", "a UUID", check_uuid },
};

uint32_t json_format_find(kanal_str name)
{
    for (uint32_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strlen(formats[i].name) == name.len && memcmp(formats[i].name, name.ptr, name.len) == 0)
            return i + 1;
    return 0;
}

int json_format_check(uint32_t format, kanal_str text)
{
    return formats[format - 1].check(text);
}

const char *json_format_words(uint32_t format)
{
    return formats[format - 1].words;
}
