#include "http/server_address.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include "kanal/sdk/str.h"

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static int is_mapped(const struct http_address *a)
{
    return memcmp(a->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
}

static void set_mapped(struct http_address *a, const void *four_bytes)
{
    memcpy(a->bytes, mapped_prefix, sizeof mapped_prefix);
    memcpy(a->bytes + sizeof mapped_prefix, four_bytes, 4);
}

int http_address_from(const struct sockaddr *from, struct http_address *ret_address)
{
    /* Copied, because a sockaddr from a library need not be aligned for the larger types. */
    if (from->sa_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, from, sizeof in);
        set_mapped(ret_address, &in.sin_addr);
        return 0;
    }
    if (from->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;

        memcpy(&in6, from, sizeof in6);
        memcpy(ret_address->bytes, &in6.sin6_addr, sizeof ret_address->bytes);
        return 0;
    }
    return KANAL_E_INVALID;
}

/* An address alone. */
static int parse_plain(kanal_str text, struct http_address *ret_address)
{
    char copy[HTTP_ADDRESS_TEXT];
    struct in_addr in;
    struct in6_addr in6;

    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len))
        return KANAL_E_INVALID;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &in) == 1) {
        set_mapped(ret_address, &in);
        return 0;
    }
    if (inet_pton(AF_INET6, copy, &in6) == 1) {
        memcpy(ret_address->bytes, &in6, sizeof ret_address->bytes);
        return 0;
    }
    return KANAL_E_INVALID;
}

static int is_short_number(kanal_str text)
{
    int64_t port;

    return text.len >= 1 && text.len <= 5 && text.ptr[0] >= '0' && text.ptr[0] <= '9' &&
           kanal_str_int(text, &port) == 0 && port <= 65535;
}

int http_address_parse(kanal_str text, struct http_address *ret_address)
{
    const char *mark;
    size_t len;

    if (text.len > 0 && text.ptr[0] == '[') {
        mark = memchr(text.ptr, ']', text.len);
        if (!mark)
            return KANAL_E_INVALID;
        len = (size_t)(mark - text.ptr);
        if (len + 1 < text.len && (mark[1] != ':' || !is_short_number(kanal_str_from(text, len + 2))))
            return KANAL_E_INVALID;
        /* Brackets are for IPv6 only. */
        if (!memchr(text.ptr, ':', len))
            return KANAL_E_INVALID;
        return parse_plain(kanal_str_of(text.ptr + 1, len - 1), ret_address);
    }
    mark = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
    if (mark) {
        len = (size_t)(mark - text.ptr);
        if (memchr(text.ptr, '.', len) && is_short_number(kanal_str_from(text, len + 1)))
            return parse_plain(kanal_str_of(text.ptr, len), ret_address);
    }
    return parse_plain(text, ret_address);
}

size_t http_address_format(const struct http_address *a, char *out)
{
    const char *done = is_mapped(a) ? inet_ntop(AF_INET, a->bytes + 12, out, HTTP_ADDRESS_TEXT)
                                    : inet_ntop(AF_INET6, a->bytes, out, HTTP_ADDRESS_TEXT);

    if (!done)
        out[0] = '\0';
    return strlen(out);
}

/* ---- Trusted proxies --------------------------------------------------------------------------------------------- */

static int prefix_equal(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    if (memcmp(a, b, whole) != 0)
        return 0;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

int http_cidr_parse(kanal_str text, struct http_cidr *ret_cidr)
{
    const char *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
    kanal_str address = slash ? kanal_str_of(text.ptr, (size_t)(slash - text.ptr)) : text;
    struct http_cidr cidr;
    unsigned skipped;
    int64_t bits;

    if (parse_plain(address, &cidr.base) != 0)
        return KANAL_E_INVALID;
    skipped = memchr(address.ptr, ':', address.len) ? 0 : 96;
    bits = 128 - skipped;
    if (slash) {
        kanal_str number = kanal_str_from(text, address.len + 1);

        if (!is_short_number(number) || kanal_str_int(number, &bits) != 0 || bits > 128 - skipped)
            return KANAL_E_INVALID;
    }
    cidr.bits = (unsigned)bits + skipped;
    for (unsigned i = cidr.bits; i < 128; i++)
        if (cidr.base.bytes[i / 8] & (0x80u >> i % 8))
            return KANAL_E_INVALID;
    *ret_cidr = cidr;
    return 0;
}

int http_cidr_match(const struct http_cidr *cidrs, size_t count, const struct http_address *a)
{
    for (size_t i = 0; i < count; i++)
        if (prefix_equal(cidrs[i].base.bytes, a->bytes, cidrs[i].bits))
            return 1;
    return 0;
}

static kanal_str trim(kanal_str s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = kanal_str_of(s.ptr + 1, s.len - 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* Cuts the last element off a comma-separated list. */
static kanal_str pop_last(kanal_str *list)
{
    const char *comma = list->len > 0 ? memrchr(list->ptr, ',', list->len) : NULL;
    kanal_str last = comma ? kanal_str_from(*list, (size_t)(comma - list->ptr) + 1) : *list;

    list->len = comma ? (size_t)(comma - list->ptr) : 0;
    return trim(last);
}

void http_forwarded_client(const struct http_cidr *trusted, size_t trusted_count, const kanal_field *headers,
                           size_t header_count, const struct http_address *peer,
                           struct http_address *ret_client)
{
    *ret_client = *peer;
    for (size_t i = header_count; i > 0; i--) {
        kanal_str list = headers[i - 1].value;

        if (!kanal_str_is(headers[i - 1].name, "x-forwarded-for"))
            continue;
        while (list.len > 0) {
            kanal_str element = pop_last(&list);
            struct http_address found;

            if (element.len == 0)
                continue;
            if (http_address_parse(element, &found) != 0)
                return;
            *ret_client = found;
            if (!http_cidr_match(trusted, trusted_count, &found))
                return;
        }
    }
}

/* ---- Counting ------------------------------------------------------------------------------------------------------ */

struct http_address_count {
    struct http_address_count *next;
    struct http_address key;
    uint32_t connections;
};

static struct http_address count_key(const struct http_address *a)
{
    struct http_address key = *a;

    if (!is_mapped(a))
        memset(key.bytes + 8, 0, 8);
    return key;
}

/* FNV-1a: the keys are few (one an open connection at most), and each costs its owner an open connection. */
static size_t bucket_of(const struct http_address_table *t, const struct http_address *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < sizeof key->bytes; i++)
        hash = (hash ^ key->bytes[i]) * UINT64_C(1099511628211);
    return (size_t)(hash ^ hash >> 32) & (t->bucket_count - 1);
}

static struct http_address_count **find(const struct http_address_table *t, const struct http_address *key)
{
    struct http_address_count **at = &t->buckets[bucket_of(t, key)];

    while (*at && memcmp(&(*at)->key, key, sizeof *key) != 0)
        at = &(*at)->next;
    return at;
}

static int grow(struct http_address_table *t)
{
    struct http_address_table larger = { 0 };

    larger.bucket_count = t->bucket_count ? t->bucket_count * 2 : 64;
    larger.used = t->used;
    larger.buckets = calloc(larger.bucket_count, sizeof(struct http_address_count *));
    if (!larger.buckets)
        return KANAL_E_INTERNAL;
    for (size_t i = 0; i < t->bucket_count; i++) {
        struct http_address_count *c = t->buckets[i], *next;

        for (; c; c = next) {
            struct http_address_count **at = &larger.buckets[bucket_of(&larger, &c->key)];

            next = c->next;
            c->next = *at;
            *at = c;
        }
    }
    free(t->buckets);
    *t = larger;
    return 0;
}

void http_address_table_release(struct http_address_table *t)
{
    for (size_t i = 0; i < t->bucket_count; i++) {
        struct http_address_count *c = t->buckets[i], *next;

        for (; c; c = next) {
            next = c->next;
            free(c);
        }
    }
    free(t->buckets);
    memset(t, 0, sizeof *t);
}

uint32_t http_address_table_get(const struct http_address_table *t, const struct http_address *a)
{
    struct http_address key = count_key(a);
    struct http_address_count *c = t->bucket_count ? *find(t, &key) : NULL;

    return c ? c->connections : 0;
}

int http_address_table_add(struct http_address_table *t, const struct http_address *a)
{
    struct http_address key = count_key(a);
    struct http_address_count **at, *c;

    if (t->used >= t->bucket_count && grow(t) != 0)
        return KANAL_E_INTERNAL;
    at = find(t, &key);
    if (!*at) {
        c = calloc(1, sizeof *c);
        if (!c)
            return KANAL_E_INTERNAL;
        c->key = key;
        *at = c;
        t->used++;
    }
    (*at)->connections++;
    return 0;
}

void http_address_table_remove(struct http_address_table *t, const struct http_address *a)
{
    struct http_address key = count_key(a);
    struct http_address_count **at = t->bucket_count ? find(t, &key) : NULL;
    struct http_address_count *c = at ? *at : NULL;

    if (!c || --c->connections > 0)
        return;
    *at = c->next;
    free(c);
    t->used--;
}
