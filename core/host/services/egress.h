/* host/services/egress.h - which hosts a channel may reach. [loop] */
#ifndef KANAL_HOST_EGRESS_H
#define KANAL_HOST_EGRESS_H
#include <sys/socket.h>
#include "kanal/sdk/url.h"

struct channel;

/* Fills channel->egress from the operator's list, or else from the plugin's. 0 or KANAL_E_INTERNAL. */
int egress_init(struct channel *);
/* 1: the URL's host (and port, where the grant names one) is granted. */
int egress_granted(const struct channel *, const struct kanal_url *);
/* The same for what is no HTTP: the grant has to name the port. */
int egress_granted_port(const struct channel *, const struct kanal_url *);
/* 1: loopback, link-local, private, shared, multicast, reserved: not on the public internet. */
int address_is_private(const struct sockaddr *);

#endif
