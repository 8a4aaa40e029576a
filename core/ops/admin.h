/* ops/admin.h - the operator's HTTP side: /livez, /readyz, /channels, /metrics. [loop]
 *
 *   /livez     200 while the loop turns.
 *   /readyz    200 when the listeners are open and the configuration is loaded, 503 while stopping. Not the broker and not the providers: a pod that
 *              is taken out of service can neither refuse nor spool, and registering at a provider may call back first.
 *   /channels  the health of each channel, with reasons: {"broker":{…},"channels":[{"id","plugin","state","health","reason","since",…}]}
 *   /metrics   Prometheus text. */
#ifndef KANAL_OPS_ADMIN_H
#define KANAL_OPS_ADMIN_H
#include "host/host.h"
#include "http/server.h"

struct admin;

int admin_new(struct admin **ret_admin, struct host *, const char *listen);
uint16_t admin_port(const struct admin *);
void admin_set_ready(struct admin *, int ready);
void admin_free(struct admin *);

#endif
