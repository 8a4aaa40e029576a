/* Which hosts a channel may reach: the operator's list, else what the plugin asks for. */
#include "host/services/egress.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "host/host.h"
#include "host/services/place.h"
#include "host/services/services.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/url.h"

#define PATTERNS_MAX 64u

static char *joined(kanal_str host, kanal_str port)
{
    struct kanal_buffer text = { 0 };
    int is_v6 = host.len > 0 && memchr(host.ptr, ':', host.len) != NULL;
    if (is_v6)
        kanal_buffer_byte(&text, '[');
    kanal_buffer_str(&text, host);
    if (is_v6)
        kanal_buffer_byte(&text, ']');
    if (port.len > 0) {
        kanal_buffer_byte(&text, ':');
        kanal_buffer_str(&text, port);
    }
    char *copy = kanal_str_dup(kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    return copy;
}

/* "${setting:NAME}" stands for the host and port of that URL setting. */
static char *expand(const char *pattern, yyjson_val *settings)
{
    kanal_str text = kanal_str_c(pattern);
    if (!kanal_str_starts(text, "${setting:") || text.ptr[text.len - 1] != '}')
        return kanal_str_dup(text);
    char name[65] = { 0 };
    size_t len = text.len - 11;
    struct kanal_url url;
    struct place place;
    if (len == 0 || len >= sizeof name)
        return NULL;
    memcpy(name, text.ptr + 10, len);
    if (place_parse(kanal_json_text_at(settings, name), &place) == 0) {
        char port[12];
        snprintf(port, sizeof port, "%u", (unsigned)place.port);
        return joined(kanal_str_c(place.host), kanal_str_c(port));
    }
    if (kanal_url_parse(kanal_json_text_at(settings, name), &url) != 0)
        return NULL;
    return joined(url.host, url.port);
}

int egress_init(struct channel *channel)
{
    const char *const *wanted =
        channel->config->egress ? channel->config->egress : channel->plugin->descriptor.egress;
    size_t count = 0;
    channel->egress_by_operator = channel->config->egress != NULL;
    channel->egress = calloc(PATTERNS_MAX + 1, sizeof *channel->egress);
    yyjson_doc *settings = kanal_json_parse(channel->config->settings);
    for (; channel->egress && wanted && *wanted && count < PATTERNS_MAX; wanted++) {
        char *pattern =
            channel->config->egress ? strdup(*wanted) : expand(*wanted, yyjson_doc_get_root(settings));
        if (pattern)
            channel->egress[count++] = pattern;
    }
    yyjson_doc_free(settings);
    return channel->egress ? 0 : KANAL_E_INTERNAL;
}

/* AF_INET or AF_INET6 and the bytes of a literal address, or 0. */
static int parse_address(kanal_str text, unsigned char bytes[16])
{
    char copy[INET6_ADDRSTRLEN] = "";
    if (text.len >= sizeof copy)
        return 0;
    memcpy(copy, text.ptr, text.len);
    if (inet_pton(AF_INET, copy, bytes) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, copy, bytes) == 1 ? AF_INET6 : 0;
}

/* "10.1.0.0/16", "fd00::/8": the URLs whose host is an address in it. A name is granted by its name only: what it leads to today says
 * nothing of tomorrow. */
static int in_network(kanal_str network, kanal_str prefix, kanal_str host)
{
    unsigned char a[16], b[16];
    int64_t bits;
    int family = parse_address(network, a);
    if (!family || parse_address(host, b) != family || kanal_str_int(prefix, &bits) != 0 || bits < 0 ||
        bits > (family == AF_INET ? 32 : 128))
        return 0;
    for (int64_t bit = 0; bit < bits; bit++)
        if ((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1)
            return 0;
    return 1;
}

/* "api.example.com", "api.example.com:8443", "[::1]:8443", "*.example.com", "10.1.0.0/16". Without a port any will do. */
static int matches(const char *pattern, const struct kanal_url *url)
{
    kanal_str text = kanal_str_c(pattern), host = text, port = { 0 };
    const char *slash = memchr(text.ptr, '/', text.len), *bracket = memchr(text.ptr, ']', text.len);
    if (slash)
        return in_network(kanal_str_of(text.ptr, (size_t)(slash - text.ptr)),
                          kanal_str_from(text, (size_t)(slash - text.ptr) + 1), url->host);
    if (text.len > 0 && text.ptr[0] == '[' && bracket) {
        host = kanal_str_of(text.ptr + 1, (size_t)(bracket - text.ptr) - 1);
        port = kanal_str_from(text, host.len + 3);
    }
    const char *colon = memchr(text.ptr, ':', text.len);
    if (!bracket && colon &&
        colon == memrchr(text.ptr, ':', text.len)) { /* several: an IPv6 address, whole */
        host.len = (size_t)(colon - text.ptr);
        port = kanal_str_from(text, host.len + 1);
    }
    kanal_str actual_port = url->port.len > 0                    ? url->port
                            : kanal_str_is(url->scheme, "https") ? KANAL_LIT("443")
                                                                 : KANAL_LIT("80");
    if (port.len > 0 && !kanal_str_equal(port, actual_port))
        return 0;
    if (kanal_str_starts(host, "*.") && url->host.len > host.len - 1)
        return kanal_str_equal_nocase(kanal_str_from(host, 1),
                                      kanal_str_from(url->host, url->host.len - host.len + 1));
    return kanal_str_equal_nocase(host, url->host);
}

int egress_granted(const struct channel *channel, const struct kanal_url *url)
{
    for (char **pattern = channel->egress; pattern && *pattern; pattern++)
        if (matches(*pattern, url))
            return 1;
    return 0;
}

static int names_port(kanal_str pattern)
{
    const char *colon = memrchr(pattern.ptr, ':', pattern.len),
               *bracket = memchr(pattern.ptr, ']', pattern.len);
    return colon && (bracket ? colon == bracket + 1 : memchr(pattern.ptr, ':', pattern.len) == colon);
}

int egress_granted_port(const struct channel *channel, const struct kanal_url *url)
{
    for (char **pattern = channel->egress; pattern && *pattern; pattern++)
        if (names_port(kanal_str_c(*pattern)) && matches(*pattern, url))
            return 1;
    return 0;
}

static int private_v4(uint32_t a)
{
    static const struct {
        uint32_t net, mask;
    } nets[] = {
        /* IANA special-purpose registry, RFC 6890 and its updates */
        { 0x00000000, 0xff000000 }, { 0x0a000000, 0xff000000 }, { 0x64400000, 0xffc00000 },
        { 0x7f000000, 0xff000000 }, { 0xa9fe0000, 0xffff0000 }, { 0xac100000, 0xfff00000 },
        { 0xc0000000, 0xffffff00 }, { 0xc0a80000, 0xffff0000 }, { 0xc6120000, 0xfffe0000 },
        { 0xe0000000, 0xf0000000 }, { 0xf0000000, 0xf0000000 },
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++)
        if ((a & nets[i].mask) == nets[i].net)
            return 1;
    return 0;
}

/* 6to4 (2002::/16) and Teredo (2001::/32) carry an IPv4 address inside, perhaps a private one; discard-only (100::/64) leads nowhere. */
static int is_tunnel(const struct in6_addr *a)
{
    static const unsigned char teredo[4] = { 0x20, 0x01, 0, 0 }, discard[8] = { 1, 0 };
    return (a->s6_addr[0] == 0x20 && a->s6_addr[1] == 0x02) ||
           memcmp(a->s6_addr, teredo, sizeof teredo) == 0 || memcmp(a->s6_addr, discard, sizeof discard) == 0;
}

int address_is_private(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return private_v4(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr));
    if (address->sa_family != AF_INET6)
        return 1;
    const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(a) || IN6_IS_ADDR_V4COMPAT(a)) {
        uint32_t v4;
        memcpy(&v4, &a->s6_addr[12], sizeof v4);
        return private_v4(ntohl(v4));
    }
    int nat64 =
        a->s6_addr[0] == 0x00 && a->s6_addr[1] == 0x64 && a->s6_addr[2] == 0xff && a->s6_addr[3] == 0x9b;
    return nat64 || IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_UNSPECIFIED(a) || IN6_IS_ADDR_LINKLOCAL(a) ||
           IN6_IS_ADDR_MULTICAST(a) || (a->s6_addr[0] & 0xfe) == 0xfc || IN6_IS_ADDR_SITELOCAL(a) ||
           is_tunnel(a);
}
