/* channel.h - a channel's live state: connections, visitors in memory, and the jobs that change a visitor's history.
 *
 * Everything runs in the channel's lane. A *connection* exists from accept() to on_close() and is named by its op; whoever waits for
 * a callback keeps that op, never a pointer. A *visitor* exists while there is a connection or a job of theirs and some
 * minutes more (so that a reconnect finds its rate limits), and is pinned while a batch of theirs runs.
 *
 * A *job* is one read or change of a visitor's stored history. Jobs of one visitor run in order, in batches: load the
 * document, apply every job, publish the events that they bring, store the document under the revision that was loaded, tell
 * every job. A revision conflict (another replica wrote) loads and applies again, so apply() may run several times and must
 * derive everything from the document; events carry dedupe keys, so publishing them again changes nothing. */
#ifndef WEBCHAT_CHANNEL_H
#define WEBCHAT_CHANNEL_H
#include "kanal/ext/blob.h"
#include "kanal/ext/websocket.h"
#include "kanal/plugin.h"
#include "bucket.h"
#include "frame.h"
#include "history.h"
#include "session.h"
#include "settings.h"
#include "table.h"

#define ADDRESS_BUCKETS 1024
#define CLIENT_JOBS_MAX 32 /* of one visitor, waiting */
#define DELIVERY_JOBS_MAX 64
#define BATCH_JOBS_MAX 32

struct visitor;
struct batch;

struct kanal_channel {
    const kanal_host *host;
    const kanal_websocket_host *websocket;
    const kanal_blob_host *blob; /* NULL: no uploads */
    struct settings settings;
    struct kanal_buffer script; /* widget.js with the configuration */
    char etag[24];
    struct table connections, visitors;
    struct bucket addresses[ADDRESS_BUCKETS]; /* new visitors, by hash of the network address */
    uint64_t upload_bytes;                    /* of uploads under way */
    uint32_t pending;                         /* host calls whose callback is owed */
    int32_t stopping;
    kanal_op sweep; /* the timer, or 0 */
    kanal_op stop;  /* to be finished, or 0 */
};

/* Around every host call that owes a callback: stop() is answered when none is left and all connections are closed. */
void channel_call_begin(struct kanal_channel *);
void channel_call_end(struct kanal_channel *);
void channel_connection_gone(struct kanal_channel *);
/* Has the sweep timer run while there is something to sweep. */
void channel_sweep_arm(struct kanal_channel *);
int64_t channel_now_ms(const struct kanal_channel *);

/* ---- Connections ---- */

enum connection_state {
    CONNECTION_NEW,
    CONNECTION_IDENTIFYING,
    CONNECTION_WELCOMING,
    CONNECTION_JOINED,
    CONNECTION_CLOSING
};

struct connection {
    struct table_node node;
    kanal_op op;
    struct kanal_channel *channel;
    enum connection_state state;
    uint32_t hellos;
    int64_t since_ms, typing_ms;
    uint64_t address_hash;
    struct bucket frames;
    struct visitor *visitor;               /* from CONNECTION_WELCOMING on */
    struct connection *next, **back;       /* of the same visitor */
    struct kanal_buffer token;             /* until the welcome */
    struct kanal_buffer page, attribution; /* canonical JSON, or empty */
    char reference[FRAME_REFERENCE_BYTES +
                   1]; /* of the link that the page was opened by; empty: none, or told */
    char locale[36];
};

/* Called by on_http(): checks, then accept() or a refusal. */
void connection_request(struct kanal_channel *, kanal_op, const kanal_http_request *);
const kanal_websocket_plugin *connection_table(void);
struct connection *connection_find(struct kanal_channel *, kanal_op);
void connection_send(struct connection *, kanal_str frame);
void connection_error(struct connection *, const char *code, kanal_str id, int retry, uint32_t after_ms,
                      const char *message);
void connection_close(struct connection *, uint32_t code, const char *reason);
/* Frees it; on_close() came, or the channel goes. */
void connection_free(struct connection *);
/* Closes those that never said hello. */
void connection_sweep(struct kanal_channel *);

/* ---- Visitors ---- */

struct visitor {
    struct table_node node;
    struct kanal_channel *channel;
    char id[SESSION_VISITOR_LEN + 1];
    struct connection *connections;
    uint32_t connection_count, client_jobs, delivery_jobs;
    struct bucket messages, uploads, links;
    int64_t idle_ms; /* since when there is neither connection nor job */
    struct job *first, **last;
    struct batch *batch; /* NULL: none runs */
};

/* The visitor of an id; made if there is room, else NULL. */
struct visitor *visitor_get(struct kanal_channel *, const char *id);
/* 0, or KANAL_E_BUSY: too many connections of this visitor. */
kanal_status visitor_attach(struct visitor *, struct connection *);
void visitor_detach(struct connection *);
/* To all joined connections, save one (NULL: none). */
void visitor_push(struct visitor *, kanal_str frame, const struct connection *except);
/* Frees those who have been idle long enough, all that are idle if `hard`. */
void visitor_sweep(struct kanal_channel *, int hard);
void visitor_free(struct visitor *);

/* ---- Jobs ---- */

struct job;

struct job_kind {
    /* Looks at the document, changes it, brings events. May run again after a conflict. */
    void (*apply)(struct job *, struct batch *);
    /* It is stored, or could not be: KANAL_OK or why. The job is freed after it. */
    void (*done)(struct job *, kanal_status);
    void (*free)(struct job *);
    int32_t is_delivery;
};

struct job {
    const struct job_kind *kind;
    struct job *next;
    struct visitor *visitor;
    struct session_claim *claim; /* to be verified before apply(); NULL: nothing. Owned by the job */
    kanal_status verified;       /* of the claim */
};

/* Takes the job, in order behind the visitor's others. KANAL_E_BUSY: too many wait; the job is still the caller's. */
kanal_status job_add(struct visitor *, struct job *);
/* Answers all that wait with a status: the channel stops. */
void job_fail_all(struct visitor *, kanal_status);
/* Cancels the host call of the batch under way. */
void batch_cancel(struct visitor *);

/* For apply(). */
struct history *batch_history(struct batch *);
/* The document has changed and is to be stored. */
void batch_changed(struct batch *);
/* Out of memory half-way: nothing of the batch is stored. */
void batch_failed(struct batch *);
/* An event of the visitor, stored before the document is. Ids are copied; data is taken over (the buffer is emptied). */
struct batch_event {
    const char *type;
    const char *dedupe_prefix; /* followed by visitor, ':' and dedupe */
    kanal_str dedupe, external_id, command_id;
    int64_t time_ms;
};
void batch_event_add(struct batch *, const struct batch_event *, struct kanal_buffer *data);

/* What a connection asks for; each takes what it needs from the frame. The connection has joined. */
struct frame;
void incoming_welcome(struct connection *, int first);
void incoming_message(struct connection *, const struct frame *);
void incoming_receipt(struct connection *, const struct frame *);
void incoming_link(struct connection *, const struct frame *);
void incoming_typing(struct connection *);

/* The slots that other files fill. */
void outgoing_deliver(struct kanal_channel *, kanal_op, const kanal_delivery *);
void upload_request(struct kanal_channel *, kanal_op, const kanal_http_request *);

/* The path of what the channel stores of a visitor: "visitor/ID". */
#define STATE_KEY_PREFIX "visitor/"

#endif
