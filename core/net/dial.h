/* net/dial.h - resolving a name and connecting to one of its addresses. [loop] */
#ifndef KANAL_NET_DIAL_H
#define KANAL_NET_DIAL_H
#include <sys/socket.h>
#include <uv.h>
#include "kanal/plugin.h"

struct net_dial;

struct net_dial_options {
    uv_loop_t *loop;
    const char *host; /* a name or an address; copied */
    uint32_t port;
    uint32_t timeout_ms; /* of it all */
    /* May this address be connected to? Asked with each address before it is tried. 1 or 0. */
    int (*allow)(void *user, const struct sockaddr *);
    void *allow_user;
};

/* KANAL_OK: fd is connected, non-blocking, and the callee's. Else fd is -1: KANAL_E_DENIED (every address was refused by
 * allow()), KANAL_E_NETWORK, KANAL_E_TIMEOUT. Runs once, never inside net_dial_start(), and the dial is gone then. */
typedef void net_dialled_fn(void *user, kanal_status, int fd, const char *reason);
/* 0 or KANAL_E_INTERNAL. */
int net_dial_start(struct net_dial **ret_dial, const struct net_dial_options *, net_dialled_fn *, void *user);
/* done() is not called. NULL is fine. */
void net_dial_cancel(struct net_dial *);

#endif
