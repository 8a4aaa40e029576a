/* outbound/outbound.h - the way out: commands → intake → lanes → deliver() → status events. [loop]
 *
 * Intake reads the stream of commands, refuses what breaks the contract (dead letter, and message.failed where there is an id), and
 * moves the rest into a fixed number of shards by channel. A shard's messages go to per-recipient queues: one delivery
 * of a recipient is under way at a time, so a retry never lets a later message pass. A message is acknowledged to the broker when its
 * last status event is stored. Intake and each shard are one gateway's at a time, by lease; whoever takes one over goes on in order, and
 * knows what was sent, what was not, and what nobody knows (attempts.h). */
#ifndef KANAL_OUTBOUND_OUTBOUND_H
#define KANAL_OUTBOUND_OUTBOUND_H
#include "host/host.h"
#include "json/schema.h"
#include "outbound/reach.h"

struct outbound;

/* What became of a command link.create, once. KANAL_OK: the link is there, or code and detail say why there never will be one; else: not known,
 * to be asked again. */
typedef void outbound_linked_fn(void *user, kanal_status, const char *code, kanal_str detail);

struct outbound_options {
    struct host *host;
    const char *prefix;
    const char *replica;                /* names this process in the log; borrowed; or NULL */
    struct reach_source reach;          /* who knows customers; find NULL: nobody */
    const char *timezone;               /* of customers whose own is not known; borrowed; NULL: UTC */
    const char *const *require_consent; /* NULL-ended purposes; or NULL */
    /* Makes hand-off links (handoff/create.h). command: valid by the contract. NULL: nobody does. */
    void (*make_link)(void *user, yyjson_val *command, outbound_linked_fn *done, void *done_user);
    void *make_link_user;
};

/* log.c: where the log of a message lies. */
void log_subject(const char *prefix, kanal_str command_id, char ret_subject[64]);

int outbound_new(struct outbound **ret_outbound, const struct outbound_options *);
/* The streams are there: begins to take commands. contract: proto/kanal.schema.json, which they must keep; borrowed. */
void outbound_start(struct outbound *, const struct json_schema *contract);
/* Takes no more; deliveries under way go on. drained() runs once when none is left, or after timeout_ms. */
void outbound_drain(struct outbound *, uint32_t timeout_ms, void (*drained)(void *user), void *user);
/* Gives the leases back: another gateway goes on at once. After the drain. */
void outbound_leave(struct outbound *);
/* What was not acknowledged comes again. The loop must run once more. */
void outbound_free(struct outbound *);

#endif
