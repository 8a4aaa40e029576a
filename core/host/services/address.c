/* Addresses that are not on the public internet. Source: IANA's special-purpose registries (RFC 6890 and its updates). */
#include <netinet/in.h>
#include <string.h>

#include "host/services/egress.h"

struct v4_net {
    uint32_t net;
    unsigned bits;
};

static const struct v4_net private_v4[] = {
    { 0x00000000, 8 },  /* "this network" (RFC 791) */
    { 0x0a000000, 8 },  /* private (RFC 1918) */
    { 0x64400000, 10 }, /* carriers' NAT (RFC 6598) */
    { 0x7f000000, 8 },  /* loopback */
    { 0xa9fe0000, 16 }, /* link-local (RFC 3927) */
    { 0xac100000, 12 }, /* private */
    { 0xc0000000, 24 }, /* protocol assignments (RFC 6890) */
    { 0xc0000200, 24 }, /* documentation (RFC 5737) */
    { 0xc0586300, 24 }, /* 6to4 relays (RFC 7526) */
    { 0xc0a80000, 16 }, /* private */
    { 0xc6120000, 15 }, /* benchmarks (RFC 2544) */
    { 0xc6336400, 24 }, /* documentation */
    { 0xcb007100, 24 }, /* documentation */
    { 0xe0000000, 4 },  /* multicast */
    { 0xf0000000, 4 },  /* reserved, broadcast */
};

static const struct v4_net hostless_v4[] = {
    { 0x00000000, 8 },
    { 0xa9fe0000, 16 },
    { 0xe0000000, 4 },
    { 0xf0000000, 4 },
};

static int in_nets(uint32_t address, const struct v4_net *nets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if ((address ^ nets[i].net) >> (32 - nets[i].bits) == 0)
            return 1;
    return 0;
}

#define IN_NETS(address, nets) in_nets(address, nets, sizeof(nets) / sizeof *(nets))

static uint32_t v4_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

struct v6_net {
    unsigned char net[6];
    unsigned bits;
};

/* Within 2000::/3, the only part of IPv6 that is given out; all else is refused. */
static const struct v6_net private_v6[] = {
    { { 0x20, 0x01, 0x00, 0x00 }, 23 }, /* protocol assignments, Teredo, ORCHID (RFC 2928) */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, /* documentation (RFC 3849) */
    { { 0x20, 0x02 }, 16 },             /* 6to4 (RFC 7526): an IPv4 address inside */
    { { 0x3f, 0xff, 0x00 }, 20 },       /* documentation (RFC 9637) */
};

static int in_net(const unsigned char *bytes, const struct v6_net *net)
{
    for (unsigned bit = 0; bit < net->bits; bit++)
        if ((bytes[bit / 8] ^ net->net[bit / 8]) >> (7 - bit % 8) & 1)
            return 0;
    return 1;
}

/* The same host of the IPv4 internet, written as IPv6: mapped (RFC 4291), translated by NAT64 (RFC 6052). */
static const unsigned char *v4_meant(const struct in6_addr *a)
{
    static const unsigned char nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    if (IN6_IS_ADDR_V4MAPPED(a) || memcmp(a->s6_addr, nat64, sizeof nat64) == 0)
        return a->s6_addr + 12;
    return NULL;
}

/* ISATAP (RFC 5214) tunnels to the IPv4 address in its last bytes. */
static int is_private_tunnel(const unsigned char *bytes)
{
    return (bytes[8] & 0xfd) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe &&
           IN_NETS(v4_at(bytes + 12), private_v4);
}

static int is_private_v6(const struct in6_addr *a)
{
    static const struct v6_net global = { { 0x20 }, 3 };
    const unsigned char *v4 = v4_meant(a);
    if (v4)
        return IN_NETS(v4_at(v4), private_v4);
    if (!in_net(a->s6_addr, &global) || is_private_tunnel(a->s6_addr))
        return 1;
    for (size_t i = 0; i < sizeof private_v6 / sizeof *private_v6; i++)
        if (in_net(a->s6_addr, &private_v6[i]))
            return 1;
    return 0;
}

int address_is_private(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return IN_NETS(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr),
                       private_v4);
    if (address->sa_family != AF_INET6)
        return 1;
    return is_private_v6(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
}

int address_is_never_a_host(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return IN_NETS(ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr),
                       hostless_v4);
    if (address->sa_family != AF_INET6)
        return 1;
    const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    const unsigned char *v4 = v4_meant(a);
    return (v4 && IN_NETS(v4_at(v4), hostless_v4)) || IN6_IS_ADDR_UNSPECIFIED(a) ||
           IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_SITELOCAL(a) || IN6_IS_ADDR_MULTICAST(a);
}
