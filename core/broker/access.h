/* broker/access.h - how to enter the broker: credentials, TLS, and the client's options made of them.
 *
 * Unchangeable once made, and counted: a thread that connects keeps it alive. */
#ifndef KANAL_BROKER_ACCESS_H
#define KANAL_BROKER_ACCESS_H
#include <nats/nats.h>
#include "broker.h"
#include "servers.h"

struct broker_access;

/* Reads each file once, so that what is wrong is said at start. 0, or KANAL_E_INVALID and the reason. */
int broker_access_new(struct broker_access **ret_access, const struct broker_options *, char reason[256]);
struct broker_access *broker_access_retain(struct broker_access *);
void broker_access_release(struct broker_access *); /* NULL is fine */
/* [any thread] True if a connection to this server is encrypted. */
int broker_access_is_tls(const struct broker_access *, const struct broker_server *);
/* [any thread] Options for one connection without reconnects of cnats' own; natsOptions_Destroy() them.
 * Reads the TLS files (milliseconds): not for the loop. */
natsStatus broker_access_options(const struct broker_access *, const struct broker_server *,
                                 natsOptions **ret_options);

#endif
