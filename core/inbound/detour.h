/* inbound/detour.h - what an event does that cannot simply be sent to the broker. [loop]
 *
 *   late    It may have been stored so long ago that the stream's duplicate window has forgotten it: its time is older than half the window, lies in the
 *           future, or is not told. It is looked for in the stream first (broker/find.h), and is sent if it is not there.
 *   spool   Its channel has `when_broker_down: spool`. It is sent, and goes to local disk if the broker is away, stalled or refuses; from there to
 *           the broker, oldest first (drain.c).
 *   behind  Of its chat or its customer something is on its way here, or in the spool: it must not pass.
 *
 * So an event is acknowledged when the broker has it, or the disk. Everything else goes straight (host/publisher.h). */
#ifndef KANAL_INBOUND_DETOUR_H
#define KANAL_INBOUND_DETOUR_H
#include "host/host.h"
#include "inbound/spool/store.h"

struct detour;

struct detour_options {
    struct host *host;
    const char *prefix;
    const char *data_dir;
    int64_t
        window_ms; /* the streams' duplicate window as configured; what a stream says of itself counts more */
    uint64_t max_bytes, max_events; /* of the spool */
};

/* Opens the spool if a channel wants one or there is one; this waits for the disk. KANAL_E_REJECTED, KANAL_E_INTERNAL: it cannot be opened, reason
 * says why. Sets the publisher's detour. */
int detour_new(struct detour **ret_detour, const struct detour_options *, char reason[STORE_REASON_BYTES]);
/* The broker is up and its streams are there. */
void detour_broker_up(struct detour *);
/* What is under way ends with KANAL_E_CANCELLED, unless the disk has it. Before host_free(); the loop must run once more. NULL is fine. */
void detour_free(struct detour *);

#endif
