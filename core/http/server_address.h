/* http/server_address.h - addresses of clients: ranges of trusted proxies, X-Forwarded-For, and how many connections
 * each address has. */
#ifndef KANAL_HTTP_SERVER_ADDRESS_H
#define KANAL_HTTP_SERVER_ADDRESS_H
#include <netinet/in.h>
#include <sys/socket.h>
#include "kanal/plugin.h"

#define HTTP_ADDRESS_TEXT INET6_ADDRSTRLEN

/* Always sixteen bytes; an IPv4 address is written ::ffff:a.b.c.d, so that it is the same however it came in. */
struct http_address {
    uint8_t bytes[16];
};

struct http_cidr {
    struct http_address base;
    unsigned bits; /* of 128 */
};

/* 0 or KANAL_E_INVALID: neither IPv4 nor IPv6. */
int http_address_from(const struct sockaddr *, struct http_address *ret_address);
/* "192.0.2.1", "2001:db8::1"; with a port only as "192.0.2.1:80" or "[2001:db8::1]:80", and brackets alone, as proxies write
 * them. 0 or KANAL_E_INVALID. */
int http_address_parse(kanal_str text, struct http_address *ret_address);
/* Writes at most HTTP_ADDRESS_TEXT bytes, with the NUL; returns the length without it. */
size_t http_address_format(const struct http_address *, char *out);

/* "10.0.0.0/8", "fd00::/8", or an address alone. Bits behind the prefix must be zero. 0 or KANAL_E_INVALID. */
int http_cidr_parse(kanal_str text, struct http_cidr *ret_cidr);
int http_cidr_match(const struct http_cidr *, size_t count, const struct http_address *);

/* The client behind trusted proxies: from the right, the first address of X-Forwarded-For that is not trusted itself; the
 * leftmost if all are. What stands left of something that is no address is not believed. peer is a trusted proxy. */
void http_forwarded_client(const struct http_cidr *trusted, size_t trusted_count, const kanal_field *headers,
                           size_t header_count, const struct http_address *peer,
                           struct http_address *ret_client);

/* Connections by address. IPv6 addresses are counted by their /64: that is what one customer is given. */
struct http_address_count;
struct http_address_table {
    struct http_address_count **buckets;
    size_t bucket_count; /* a power of two; 0 before the first one */
    size_t used;
};
/* A zeroed struct is an empty table. */
void http_address_table_release(struct http_address_table *);
uint32_t http_address_table_get(const struct http_address_table *, const struct http_address *);
/* 0 or KANAL_E_INTERNAL: out of memory, nothing was counted. */
int http_address_table_add(struct http_address_table *, const struct http_address *);
void http_address_table_remove(struct http_address_table *, const struct http_address *);

#endif
