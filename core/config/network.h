/* config/network.h - is it written right? Addresses to listen on, networks, hosts that may be reached. [any thread]
 *
 * Each returns NULL, or says what is wrong (static text, to follow the found value). Nothing is resolved. */
#ifndef KANAL_CONFIG_NETWORK_H
#define KANAL_CONFIG_NETWORK_H
#include "kanal/plugin.h"

/* "0.0.0.0:8080", "[::1]:0": a literal address and a port. */
const char *config_listen_wrong(kanal_str);
/* "10.0.0.0/8", "fd00::/8"; bits behind the prefix must be 0. */
const char *config_network_wrong(kanal_str);
/* A host name, a literal address ("[::1]" or "::1") or a network; names and addresses with ":PORT" or without. */
const char *config_egress_wrong(kanal_str);
/* "nats://host:4222", "tls://user:password@host". */
const char *config_broker_url_wrong(kanal_str);
/* "https://hub.example.com", perhaps with a path: no user, query or fragment. */
const char *config_public_url_wrong(kanal_str);

#endif
