/* host/services/egress.h - which hosts a channel may reach, and at which addresses. [loop]
 *
 * Two questions, because a name says nothing of where it leads today. May this host be asked for? It must be granted: by the
 * operator's list, else by the plugin's. May this address be connected to? Public ones may. Others only if the operator
 * lists that address or its network; or lists a name that the public DNS cannot answer for ("crm", "crm.internal"), and
 * even then no link-local one (169.254.169.254 is where clouds keep their keys). */
#ifndef KANAL_HOST_EGRESS_H
#define KANAL_HOST_EGRESS_H
#include <sys/socket.h>
#include "kanal/sdk/url.h"

struct channel;

#define EGRESS_REDIRECTS_MAX 3u /* of media, which the host streams; http_send() follows none */

enum egress_reach {
    EGRESS_PUBLIC,  /* any host of the public internet: media that a consumer named */
    EGRESS_GRANTED, /* granted hosts; of private addresses those that the operator listed */
    EGRESS_LOCAL,   /* granted by a local name: private addresses too */
    EGRESS_OWN,     /* the gateway's own URL, wherever it leads */
    EGRESS_REACHES
};

/* What a request is made under; in the channel, so that it lives as long as the request. */
struct egress_gate {
    struct channel *channel;
    enum egress_reach reach;
};

/* Fills channel->egress and channel->gates, from the operator's list, or else from the plugin's. 0 or KANAL_E_INTERNAL. */
int egress_init(struct channel *);
/* 1: the URL's host (and port, where the grant names one) is granted. */
int egress_granted(const struct channel *, const struct kanal_url *);
/* The gate of a granted URL; NULL: it is not granted. */
void *egress_gate_of(struct channel *, const struct kanal_url *);
/* The same for what is no HTTP: the grant has to name the port. */
void *egress_gate_of_port(struct channel *, const struct kanal_url *);
void *egress_gate(struct channel *, enum egress_reach);

/* struct http_out's allow() and redirect(); user is a gate. */
int egress_allow(void *user, const struct sockaddr *);
int egress_redirect(void *user, kanal_str url, void **ret_user);

/* 1: not on the public internet: loopback, link-local, private, shared, multicast, reserved, documentation, and tunnels and
 * translations that lead to such. */
int address_is_private(const struct sockaddr *);
/* 1: link-local, multicast, broadcast, unspecified: no host of a private network. */
int address_is_never_a_host(const struct sockaddr *);

#endif
