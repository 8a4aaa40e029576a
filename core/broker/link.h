/* broker/link.h - one connection of the NATS client, from connecting until it is lost. It is never repaired:
 * the next one is a new link.
 *
 * natsConnection_Connect() blocks, so it runs on a thread of its own; from then on only the loop touches the
 * connection: it polls the socket, lets cnats read, and lets it write once at the end of a turn. cnats calls
 * back (read, write, detach) only inside calls that the loop makes, because its reconnects, pings and flusher
 * are switched off.
 *
 * TLS: cnats 3.4 to 3.12 turns in a loop, its lock held, while OpenSSL wants more of a record or room in
 * the socket; a broker that stalls would stall us with it. So between an encrypted connection and its
 * socket stands a pump (pump.h). [loop] */
#ifndef KANAL_BROKER_LINK_H
#define KANAL_BROKER_LINK_H
#include <nats/nats.h>
#include <uv.h>
#include "access.h"
#include "servers.h"

struct broker_link;
struct broker_link_events {
    void (*connected)(void *user);
    /* refused: the server does not accept the credentials. */
    void (*failed)(void *user, int refused, const char *reason);
    /* cnats read something: drain the subscriptions, then look at broker_link_lost(). */
    void (*readable)(void *user);
    /* Something was put into the buffer: broker_link_flush() at the end of the turn. */
    void (*wants_write)(void *user);
};

/* Exactly one of connected() and failed() follows, never inside the call. 0 or KANAL_E_INTERNAL. */
int broker_link_open(struct broker_link **ret_link, uv_loop_t *, struct broker_access *,
                     const struct broker_server *, const struct broker_link_events *, void *user);
/* No callback comes any more; what is unsent is dropped. Does not wait, but the loop stays alive until an
 * attempt to connect has ended (2.5 s at most). Destroy the subscriptions before. NULL is fine. */
void broker_link_close(struct broker_link *);

/* After connected(), else NULL. */
natsConnection *broker_link_connection(const struct broker_link *);
const struct broker_server *broker_link_server(const struct broker_link *);
/* One write of what is buffered, unless the socket is full: then it goes on by itself. May lose the
 * connection. */
void broker_link_flush(struct broker_link *);
/* Reads what is there already. */
void broker_link_read(struct broker_link *);
/* Bytes that did not go to the kernel yet. */
size_t broker_link_unsent(const struct broker_link *);
/* True if the connection broke; the reason then. */
int broker_link_lost(const struct broker_link *, char reason[256]);
/* Flushes and says goodbye, blocking for at most timeout_ms; only broker_link_close() may follow. */
void broker_link_drain(struct broker_link *, uint32_t timeout_ms);

#endif
