/* host/publisher.h - the one way an event leaves: stamped, checked, stored. [loop] */
#ifndef KANAL_HOST_PUBLISHER_H
#define KANAL_HOST_PUBLISHER_H
#include "broker/broker.h"
#include "event/envelope.h"
#include "host/parcel.h"
#include "ops/log.h"
#include "ops/metrics.h"

struct publisher;

/* The context is borrowed: its base_url may be set later. */
int publisher_new(struct publisher **ret_publisher, struct broker *, const struct envelope_context *,
                  struct log *, struct metrics *);
void publisher_free(struct publisher *);

/* Stores every event of a batch; done() runs once, never inside the call, with KANAL_OK when each is stored (or was before) or need not
 * be kept; else with the worst status: KANAL_E_INVALID / _DENIED / _TOO_LARGE (nothing was sent: an event is wrong, logged),
 * KANAL_E_NETWORK / _BUSY / _TIMEOUT / _MAYBE (the broker; some may be stored, saying them again is safe).
 * keep_raw: also store event.raw in the raw stream. done may be NULL. */
typedef void published_fn(void *user, kanal_status);
void publisher_publish(struct publisher *, const struct envelope_source *, const kanal_event *const *events,
                       size_t count, int keep_raw, published_fn *done, void *user);
/* Another way for some batches: those of channels that spool, late ones that have to be looked for first, and what must not pass them. Without
 * one every batch is sent at once. */
struct publisher_detour {
    /* 1: this batch takes the detour. On the hot path. */
    int (*wants)(void *user, const struct envelope_source *, const kanal_event *const *events, size_t count,
                 int64_t now_ms);
    /* The parcel is the callee's; done() runs once, never inside the call, as of publisher_publish(). */
    void (*take)(void *user, struct parcel *, published_fn *done, void *done_user);
    void *user;
};
void publisher_set_detour(struct publisher *, const struct publisher_detour *);
size_t publisher_pending(const struct publisher *);
/* A sequence of the stream of events that was there when the last event was confirmed; 0: none yet. */
uint64_t publisher_events_seen(const struct publisher *);

#endif
