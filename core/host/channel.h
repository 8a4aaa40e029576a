/* host/channel.h - one configured channel: its plugin's instance, its lane, its life and health. [loop]
 *
 * new → starting → up → stopping → stopped; from starting and up also → down → starting. `up` means that start() succeeded: requests and deliveries are let in. `failed`:
 * create() refused; nothing will come until the configuration changes. Health is a view on top: an `up` channel whose
 * provider refuses its token is unhealthy, with the reason. */
#ifndef KANAL_HOST_CHANNEL_H
#define KANAL_HOST_CHANNEL_H
#include "config/config.h"
#include "event/envelope.h"
#include "host/lane.h"
#include "host/services/egress.h"
#include "host/loader.h"
#include "host/op.h"
#include "kanal/ext/blob.h"
#include "kanal/ext/lease.h"
#include "kanal/ext/link.h"
#include "kanal/ext/stream.h"
#include "kanal/ext/transfer.h"
#include "kanal/ext/websocket.h"
#include "ops/metrics.h"

struct handover;
struct host;
struct http_exchange;
struct outlet;
struct worker;

enum channel_state {
    CHANNEL_NEW,
    CHANNEL_STARTING,
    CHANNEL_UP,
    CHANNEL_STOPPING,
    CHANNEL_STOPPED,
    CHANNEL_FAILED,
    CHANNEL_DOWN,   /* its worker died, or its start failed: it is tried again */
    CHANNEL_RETIRED /* another has taken its place, or it was removed: only what still points to it keeps it */
};

/* What the operator lets stand still. */
#define CHANNEL_PAUSE_IN 1u  /* requests get 503, other events cannot be stored: sources keep them */
#define CHANNEL_PAUSE_OUT 2u /* deliveries wait */
struct channel_pause {
    unsigned directions; /* CHANNEL_PAUSE_… */
    int64_t until_ms;    /* wall clock: it goes on by itself; 0: never */
};

#define CHANNEL_OPS_MAX 1024u  /* host calls of a channel under way */
#define CHANNEL_HTTP_MAX 2048u /* requests in a channel at once */

struct channel {
    struct lane lane;
    struct host *host;
    struct plugin *plugin;
    const struct config_channel *config;
    struct channel *next;
    kanal_str id; /* NUL-ended too */
    struct envelope_source source;
    kanal_host table; /* what the plugin calls; impl is this channel */
    kanal_channel *instance;
    const kanal_websocket_plugin *sockets;
    const kanal_stream_plugin *streams;
    const kanal_lease_plugin *leases;
    size_t stream_count, mail_count, blob_count, lease_count;
    char *
        link_template; /* what it offered last (ext/link.h); NULL: nothing. Outlives the instance, until another offers */
    int closed;             /* no instance: extensions' slots that return an op return 0 */
    char **egress;          /* NULL-ended patterns that apply */
    int egress_by_operator; /* they may name private addresses */
    struct egress_gate gates[EGRESS_REACHES];
    enum channel_state state;
    kanal_status health; /* KANAL_OK, or why not */
    int is_refused;      /* that is what a delivery was told, and nobody has said anything since */
    char reason[256];
    int64_t since_ms; /* of state or health, wall clock */
    int64_t last_in_ms, last_out_ms;
    uint64_t spooled;          /* events that wait on local disk */
    size_t ops, http;          /* under way */
    size_t calls;              /* deliver() and media() that are not answered */
    struct handover *handover; /* another instance is about to take its place: requests are held */
    struct channel *successor; /* of a retired one: who took its place; NULL: it was removed */
    int is_quiet;              /* its health is not told: part of a handover */
    struct channel_pause pause;
    int64_t paused_until_ms; /* loop time: the provider wants no deliveries until then */
    struct worker *worker;   /* host/worker/: where it runs; NULL: in this process, or nowhere yet */
    uint32_t blames;         /* deaths of a worker that it was running in, within some minutes */
    int64_t blamed_ms;
    struct outlet *outlet; /* outbound/lanes.c's: what waits for its turn; or NULL */
    uint32_t start_attempts, provision_attempts;
    uint64_t health_changes; /* for dedupe keys of channel.up and .down */
    int told;                /* the last that was published: 1 up, -1 down, 0 nothing yet */
    int health_untold;       /* the last change could not be stored: the broker was away */
    uint64_t told_ms;        /* loop time of that */
    uv_timer_t *tell_timer;  /* the next may be told when it fires */
    struct op *finishing;    /* start, provision or stop that is not answered yet */
    uv_timer_t *timer;       /* for deadlines of these and for trying again */
    void (*on_timer)(struct channel *);
    void (*stopped)(struct channel *, void *user); /* not NULL while it is being stopped */
    void *stopped_user;
    struct lane_item wake;
    int wake_pending;     /* atomic */
    uint32_t log_lines;   /* of this second; atomic, as the next two */
    uint32_t log_dropped; /* that its worker did not send */
    int64_t log_refill_ms;
    size_t metric_series;
};

/* NULL: no memory. */
struct channel *channel_new(struct host *, const struct config_channel *, struct plugin *);
/* Never started, or stopped. The loop must run once more. */
void channel_free(struct channel *);

/* create() and start(); failures of start are tried again with backoff. */
void channel_start(struct channel *);
/* Only create(): the instance stands beside another one of the same id, and channel_start() goes on with it. 0: it could not be made, the
 * state says why; of a plugin in a worker, a refusal comes later (channel_refused()). */
int channel_prepare(struct channel *);
/* 1: it has an instance, and whatever was asked of it has run. */
int channel_is_idle(const struct channel *);
/* stop() with its deadline, cancel what is pending, destroy(); then stopped() once. */
void channel_stop(struct channel *, void (*stopped)(struct channel *, void *user), void *user);

/* Its worker died: what is under way is answered, what the plugin was owed is cancelled, and the channel is down until channel_start(). The
 * instance is gone; its memory is the caller's. Deliveries end as unknown if something may have left for them, else they are to be
 * tried again. */
void channel_lost(struct channel *, kanal_status, kanal_str reason);
/* create() refused, told later: there will be no instance until the configuration changes. */
void channel_refused(struct channel *);

/* 1: that direction stands still now. */
int channel_is_paused(const struct channel *, unsigned direction);
const char *channel_state_name(enum channel_state);
/* Records the health, and publishes channel.up or channel.down when it changed: at most once a second, then the latest. */
void channel_set_health(struct channel *, kanal_status, kanal_str reason);
/* It spoke for itself no longer, or not yet; now it does: tells what the last one who spoke did not. */
void channel_unquiet(struct channel *, int told);
/* The broker is back: says the last change of health that could not be stored. */
void channel_tell_health(struct channel *);
/* services/link.c: how links to it look; what is not valid is logged and changes nothing. */
void channel_offer_link(struct channel *, kanal_str uri_template);
/* The value of a secret; absent: not configured. */
kanal_str channel_secret(const struct channel *, kanal_str name);
/* The channel's public URL, "" appended to out if none is configured. */
void channel_public_url(const struct channel *, struct kanal_buffer *out);

/* ---- Calls into the plugin: each runs later, in the lane ---- */

/* answered() gets a kanal_http_response, or NULL if the channel stops, or channel_upgraded (the exchange became a WebSocket); after the host held back a 2xx until all that was
 * published with this op as its cause is stored. request is borrowed until answered() or channel_http_forget(). NULL: BUSY or not up. */
struct op *channel_http(struct channel *, const kanal_http_request *, struct http_exchange *,
                        void (*answered)(struct op *, const void *), void *owner);
extern const char channel_upgraded[];
/* The client is gone. */
void channel_http_forget(struct op *);

/* delivery is borrowed until answered(), which gets a kanal_result or NULL (the channel stops). NULL: not up. */
struct op *channel_deliver(struct channel *, const kanal_delivery *,
                           void (*answered)(struct op *, const void *), void *owner);
/* The deadline passed: a later answer is dropped. answered() is not called. */
void channel_forget(struct op *);

struct channel_location {
    kanal_status status;
    const kanal_http_request *request;
};
/* answered() gets a struct channel_location. */
struct op *channel_media(struct channel *, kanal_str reference, void (*answered)(struct op *, const void *),
                         void *owner);

/* ---- For the rest of host/ ---- */

/* A call that the plugin answers with finish(): run() calls it in the lane, answered() gets a struct channel_finish. Any state. */
struct op *channel_ask(struct channel *, void (*run)(struct lane_item *),
                       void (*answered)(struct op *, const void *));
/* The channel's one timer, for what its life-cycle waits for. NULL: stop it. */
void channel_timer(struct channel *, uint32_t delay_ms, void (*due)(struct channel *));

/* A new op of a host call, or NULL when over the quota: the table then completes an op of its own with BUSY. */
struct op *channel_op(struct channel *, enum op_kind);
/* Queues the plugin's callback. value (OP_VALUE) and response (OP_RESPONSE) are copied. */
void op_complete(struct op *, kanal_status);
void op_complete_value(struct op *, kanal_status, kanal_str value, uint64_t revision);
void op_complete_response(struct op *, kanal_status, const kanal_http_response *);
/* A publish that named op as its cause has ended. */
void channel_cause_stored(struct channel *, kanal_op cause, kanal_status);
/* Measures a call into the plugin; one over the deadline is logged and counted. */
uint64_t channel_enter(void);
void channel_leave(struct channel *, uint64_t entered_ns, const char *slot);
/* A copy in one block, to be freed. */
kanal_http_response *response_copy(const kanal_http_response *);
/* Answers every op that the plugin still owes, and drops what it is owed: the channel has stopped. */
void channel_drop_ops(struct channel *);
/* The same for one that was lost: requests that the plugin has answered still wait for their events. loose_sends: things that it sent for
 * no delivery in particular. */
void channel_lose_ops(struct channel *, uint64_t loose_sends);

#endif
