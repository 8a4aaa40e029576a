/* Which hosts a channel may reach: the operator's list, else what the plugin asks for; and at which addresses. */
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
    for (int reach = 0; reach < EGRESS_REACHES; reach++)
        channel->gates[reach] = (struct egress_gate){ .channel = channel, .reach = reach };
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

struct pattern {
    kanal_str host, port, prefix; /* port: absent: any; prefix: of a network */
};

/* "api.example.com", "api.example.com:8443", "[::1]:8443", "*.example.com", "10.1.0.0/16". Without a port any will do. */
static struct pattern read_pattern(const char *pattern)
{
    kanal_str text = kanal_str_c(pattern), host = text, port = { 0 };
    const char *slash = memchr(text.ptr, '/', text.len), *bracket = memchr(text.ptr, ']', text.len);
    if (slash)
        return (struct pattern){ .host = kanal_str_of(text.ptr, (size_t)(slash - text.ptr)),
                                 .prefix = kanal_str_from(text, (size_t)(slash - text.ptr) + 1) };
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
    return (struct pattern){ .host = host, .port = port };
}

static int matches(const char *text, const struct kanal_url *url)
{
    struct pattern pattern = read_pattern(text);
    kanal_str host = pattern.host, port = pattern.port;
    if (pattern.prefix.ptr)
        return in_network(host, pattern.prefix, url->host);
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

/* ---- Addresses ---- */

/* Names that the public DNS does not have (RFC 6761, 6762, 8375; ICANN's .internal), or that have no dot, as hosts of one
 * network of containers: who may answer for them is who runs the network. */
static int is_local_name(kanal_str host)
{
    static const char *const ends[] = { ".localhost", ".local", ".internal", ".home.arpa", ".svc" };
    unsigned char bytes[16];
    if (host.len == 0 || parse_address(host, bytes))
        return 0;
    if (!memchr(host.ptr, '.', host.len))
        return 1;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        kanal_str end = kanal_str_c(ends[i]);
        if (host.len > end.len && kanal_str_equal_nocase(kanal_str_from(host, host.len - end.len), end))
            return 1;
    }
    return 0;
}

static kanal_str port_text(const struct sockaddr *address, char text[8])
{
    uint16_t port = address->sa_family == AF_INET6
                        ? ((const struct sockaddr_in6 *)(const void *)address)->sin6_port
                        : ((const struct sockaddr_in *)(const void *)address)->sin_port;
    snprintf(text, 8, "%u", ntohs(port));
    return kanal_str_c(text);
}

/* An IPv4 address that came as a mapped IPv6 one is looked up as what it is. */
static const char *address_text(const struct sockaddr *address, char text[INET6_ADDRSTRLEN])
{
    if (address->sa_family != AF_INET6)
        return inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, text,
                         INET6_ADDRSTRLEN);
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(six))
        return inet_ntop(AF_INET, &six->s6_addr[12], text, INET6_ADDRSTRLEN);
    return inet_ntop(AF_INET6, six, text, INET6_ADDRSTRLEN);
}

/* The operator listed this very address, with this port or none, or a network that holds it. */
static int is_listed(const struct channel *channel, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN], digits[8];
    unsigned char wanted[16], actual[16];
    if (!channel->egress_by_operator || !address_text(address, text))
        return 0;
    kanal_str host = kanal_str_c(text), port = port_text(address, digits);
    int family = parse_address(host, actual);
    for (char **one = channel->egress; one && *one; one++) {
        struct pattern pattern = read_pattern(*one);
        if (pattern.prefix.ptr) {
            if (in_network(pattern.host, pattern.prefix, host))
                return 1;
            continue;
        }
        if (parse_address(pattern.host, wanted) == family &&
            memcmp(wanted, actual, family == AF_INET ? 4 : 16) == 0 &&
            (pattern.port.len == 0 || kanal_str_equal(pattern.port, port)))
            return 1;
    }
    return 0;
}

/* ---- Requests ---- */

int egress_granted(const struct channel *channel, const struct kanal_url *url)
{
    for (char **pattern = channel->egress; pattern && *pattern; pattern++)
        if (matches(*pattern, url))
            return 1;
    return 0;
}

void *egress_gate(struct channel *channel, enum egress_reach reach)
{
    return &channel->gates[reach];
}

static void *gate_to(struct channel *channel, kanal_str host)
{
    return egress_gate(channel,
                       channel->egress_by_operator && is_local_name(host) ? EGRESS_LOCAL : EGRESS_GRANTED);
}

void *egress_gate_of(struct channel *channel, const struct kanal_url *url)
{
    return egress_granted(channel, url) ? gate_to(channel, url->host) : NULL;
}

void *egress_gate_of_port(struct channel *channel, const struct kanal_url *url)
{
    for (char **pattern = channel->egress; pattern && *pattern; pattern++)
        if (read_pattern(*pattern).port.len > 0 && matches(*pattern, url))
            return gate_to(channel, url->host);
    return NULL;
}

int egress_allow(void *user, const struct sockaddr *address)
{
    const struct egress_gate *gate = user;
    if (gate->reach == EGRESS_OWN || !address_is_private(address))
        return 1;
    if (gate->reach == EGRESS_PUBLIC)
        return 0;
    if (gate->reach == EGRESS_LOCAL && !address_is_never_a_host(address))
        return 1;
    return is_listed(gate->channel, address);
}

int egress_redirect(void *user, kanal_str text, void **ret_user)
{
    const struct egress_gate *gate = user;
    struct kanal_url url;
    if (gate->reach == EGRESS_OWN || kanal_url_parse(text, &url) != 0 || url.userinfo.len > 0 ||
        (!kanal_str_is(url.scheme, "https") && !kanal_str_is(url.scheme, "http")))
        return 0;
    if (gate->reach == EGRESS_PUBLIC)
        return 1;
    void *next = egress_gate_of(gate->channel, &url);
    if (!next)
        return 0;
    *ret_user = next;
    return 1;
}
