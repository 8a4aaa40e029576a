/* host/handover.h - puts another instance in a channel's place (other settings, another version of its plugin, or simply a fresh one)
 * without losing or doubling anything. [loop]
 *
 *   create   the next one is created beside, in a worker of its own if the plugin is another; refused: nothing has changed
 *   drain    the channel's new requests are held, deliveries wait in their lanes; what is under way ends, or has 5 s
 *   stop     the old one stops: from here on nobody serves the channel, at no time two do
 *   start    the next one starts; up: it takes the channel's place and what was held
 *   undo     it did not: it stops, and the old one starts again with what was held
 *
 * Requests are held for 10 s at most, then they get 503. */
#ifndef KANAL_HOST_HANDOVER_H
#define KANAL_HOST_HANDOVER_H
#include "host/channel.h"

struct handover;

/* done() runs once, later. KANAL_OK: channel is the next one (the old one is retired). Else it is the old one, which is as it was or starts
 * again: KANAL_E_INVALID (create refused), KANAL_E_TIMEOUT, or what start() ended with; reason in words. */
typedef void handover_done_fn(void *user, struct channel *channel, kanal_status, kanal_str reason);
/* config and plugin: of the next one; borrowed. 0; KANAL_E_BUSY: one is under way already; KANAL_E_INTERNAL: no memory. */
int handover_begin(struct channel *, const struct config_channel *, struct plugin *, handover_done_fn *,
                   void *user);
/* The gateway ends: done() is not called, what was held goes to the old one. The next one, which perhaps runs, is the caller's. */
struct channel *handover_abort(struct handover *);
/* NULL is fine. */
void handover_free(struct handover *);

/* For channel_http(): 1: it is held. */
int handover_hold(struct handover *, struct op *);
/* A held request's client is gone. */
void handover_drop(struct handover *, struct op *);

#endif
