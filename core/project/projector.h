/* project/projector.h - the projector: reads what was published, once and in order, and tells it to its projections. [loop]
 *
 * One gateway at a time is the projector, by the lease "_.projector". It reads the streams of events and of activity by the durable
 * `kanal-projector` of each, collects what came into batches, and hands each event of a batch to every projection, in the order in
 * which these were registered; the next batch begins when every projection has answered for every event of this one. So a projection
 * never sees two batches at once, and events of one stream come to it in the stream's order. Between the two streams there is no order.
 *
 * Exactly-once is made of two parts: the projector says an event again until all have stored its effect, and a projection makes the
 * same event said again change nothing (by the stream's sequence stored with its record, by compare-and-set, by an id of what it
 * publishes that is derived from the event's).
 *
 * How far it is: the record `_position` of the bucket <prefix>_profiles, written when a batch has ended. Whoever takes over goes on there,
 * in order, and says again at most the PROJECTOR_AGAIN_MAX events that came last; the durables merely follow, and are what operators look
 * at (`nats consumer info`). Memory: two batches, PROJECTOR_BYTES_MAX of events, whatever waits in the stream. */
#ifndef KANAL_PROJECT_PROJECTOR_H
#define KANAL_PROJECT_PROJECTOR_H
#include "event/ids.h"
#include "host/host.h"

#define PROJECTOR_BATCH 1024u           /* events of a batch, at most */
#define PROJECTOR_AGAIN_MAX 8192u       /* events that may be said again after a crash, of both streams */
#define PROJECTOR_BYTES_MAX (16u << 20) /* of events that wait or are under way */

enum projected_stream { PROJECTED_EVENTS, PROJECTED_ACTIVITY, PROJECTED_STREAMS };

/* One event as it lies in its stream. Borrowed; it stays until this projection has called done() for it. */
struct projected {
    enum projected_stream stream;
    uint64_t sequence;   /* in that stream */
    int64_t stored_ms;   /* by the broker's clock */
    int64_t time_ms;     /* its `time`: the provider's, else when it was received */
    int64_t recorded_ms; /* its `recordedtime` */
    kanal_str subject, json;
    yyjson_val *root, *data;   /* objects */
    kanal_str id, type;        /* "e_…", "message.received" */
    kanal_str channel, plugin; /* as the subject says; "_" where no channel is concerned */
    struct id node, customer;  /* of data.customer; node.text "": there is no customer, or none with a node */
    kanal_str address;         /* data.customer.address, or absent */
};

/* The answer to one event. KANAL_OK: its effect is stored (or it has none): as far as this projection goes it is acknowledged. Anything
 * else: it could not be stored; the projector forgets the batch, waits a second, and says everything since `_position` again. An event
 * that can never succeed is therefore logged by the projection and answered with KANAL_OK. */
typedef void projected_fn(void *user, kanal_status);

/* What is made of events. Embedded in, or pointing by `user` to, who makes it. */
struct projection {
    const char *name; /* in the log and in metrics: "identity" */
    /* Exactly one done() for each event: inside the call, after flush(), or later; also after reset(), when it is only counted. */
    void (*event)(void *user, const struct projected *, projected_fn *done, void *done_user);
    /* The batch is complete: what was collected over its events is stored now. NULL: nothing is collected. */
    void (*flush)(void *user);
    /* This gateway is no longer the projector, or goes again from `_position`: what is remembered of records is forgotten, since another
     * gateway may change them. Events that were not answered still are. NULL: nothing is remembered. */
    void (*reset)(void *user);
    /* This gateway is the projector now; the first event comes after ready(), which runs exactly once, inside the call or later. Status: as of
     * done(). NULL: ready at once. */
    void (*begin)(void *user, projected_fn *ready, void *ready_user);
    void *user;
    struct projection *next; /* the projector's */
};

struct projector;
struct profiles;

struct projector_options {
    struct host *host; /* broker, log, metrics, leases */
    const char *prefix;
    int is_enabled; /* 0 (projector.enabled: false): this gateway never is the projector */
};

/* 0, or KANAL_E_INTERNAL: no memory. */
int projector_new(struct projector **ret_projector, const struct projector_options *);
/* At the end of the list; before projector_start(). The projection stays the caller's and outlives the projector. Identity's is the first. */
void projector_add(struct projector *, struct projection *);
/* The profiles' own: to be added like the others. */
struct projection *projector_profiles(struct projector *);
/* The streams and buckets are there. From now on host->projector is kept up to date. */
void projector_start(struct projector *);
/* Begins no other batch, waits for nothing, and gives the lease back: another gateway goes on at once. For the drain. */
void projector_leave(struct projector *);
/* After broker_shut(). The loop must run once more. NULL is fine. */
void projector_free(struct projector *);

/* Appends "<prefix>.<family>.<plugin>.<channel>.<object>.<verb>."; family: "events". */
void projected_subject(kanal_str prefix, const char *family, kanal_str plugin, kanal_str channel,
                       kanal_str type, struct kanal_buffer *out);
/* An event as the streams have it. document stays the caller's, which frees it when the event is done with; borrows from subject and json, too. 0, or KANAL_E_INVALID: it is no
 * event of ours. */
int projected_read(struct projected *ret_event, enum projected_stream, kanal_str subject, kanal_str json,
                   yyjson_doc **ret_document);

#endif
