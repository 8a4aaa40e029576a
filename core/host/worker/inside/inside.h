/* host/worker/inside/inside.h - what the files of the worker's own program share. One thread [lane] runs everything; log() and wake() may
 * come from a plugin's threads.
 *
 * The program maps one plugin, tells what it is, and then does what the core's frames say: they become calls of the plugin's slots, and
 * the plugin's calls of its host table become frames. It holds no secret, knows no configuration but the channels' settings, and
 * ends when its socket ends. */
#ifndef KANAL_HOST_WORKER_INSIDE_H
#define KANAL_HOST_WORKER_INSIDE_H
#include <pthread.h>

#include "host/worker/page.h"
#include "host/worker/wire.h"
#include "kanal/ext/blob.h"
#include "kanal/ext/lease.h"
#include "kanal/ext/link.h"
#include "kanal/ext/stream.h"
#include "kanal/ext/transfer.h"
#include "kanal/ext/websocket.h"

#define INSIDE_OPS_MAX 1024u           /* host calls of a channel under way, as in the core */
#define INSIDE_OUT_MOST (1024u * 1024) /* bytes that wait for the core; then no more calls are taken */

struct inside_op;
struct inside_connection;

struct inside_channel {
    kanal_host table; /* impl is this struct */
    struct inside *inside;
    uint32_t number;
    uint32_t ran; /* frames since the last that was told */
    struct inside_channel *next_ran;
    int has_ran, is_woken; /* is_woken: atomic */
    int is_closed;         /* it has stopped: slots that return an op return 0 */
    kanal_channel *instance;
    const kanal_websocket_plugin *sockets;
    const kanal_stream_plugin *streams;
    const kanal_lease_plugin *leases;
    struct inside_op *ops;
    size_t op_count;                              /* calls under way */
    size_t stream_count, lease_count, blob_count; /* also in ops */
    size_t first_todo, last_todo;                 /* of the frames that were read, + 1; 0: none */
    struct inside_channel *next_ready;
    uint32_t log_lines, log_dropped; /* under out_lock, as the next */
    int64_t log_second;
    int64_t entered_ns; /* when the callback that runs began */
    char id[];          /* NUL-ended */
};

struct inside {
    int socket, wake;
    kanal_plugin plugin; /* a copy; zero beyond its struct_size */
    struct worker_page *page;
    pthread_mutex_t out_lock;
    struct kanal_buffer out; /* frames; under out_lock */
    size_t out_sent;         /* of out */
    struct area sent;        /* what stands aside; under out_lock, too. The core says how large it is */
    const char *got;         /* what the core puts aside; WORKER_AREA_BYTES_MOST, read-only */
    char *in;
    size_t in_bytes, in_capacity;
    struct wire_scratch scratch;
    struct inside_channel **channels; /* by number */
    size_t channel_room;
    struct inside_channel *first_ran;
    struct inside_todo *todo; /* what was read and is not yet done */
    size_t todo_room;
    struct inside_op **places; /* operations by the low bits of their number */
    size_t place_room;
    struct inside_op *free_ops;
    struct inside_op *local, **last_local; /* completions that the core is not asked for */
    uint64_t uses;
    struct inside_connection **connections; /* hash table */
    size_t connection_room, connection_count;
    pthread_t lane;  /* the thread that runs the channels */
    int is_woken;    /* atomic: one of the channels is */
    uint64_t frames; /* of channels, worked off */
    int is_over;     /* the core is gone, or a frame was broken */
};

/* ---- inside.c: the socket ---- */

/* Appends a frame. 0, KANAL_E_TOO_LARGE or KANAL_E_INTERNAL. When much waits it is written first: the core always reads. */
int inside_send(struct inside *, enum wire_type, const struct inside_channel *, const void *value);
/* AREA: so much may stand aside from now on. TAKEN: what stood there is read. KANAL_E_INVALID. */
int inside_area_frame(struct inside *, enum wire_type, uint32_t number);
/* Writes what waits, without waiting. */
void inside_flush(struct inside *);
/* Runs until the core closes the socket. */
void inside_run(struct inside *);
void inside_wake(struct inside *);
/* Measures a callback, and shows it on the page. */
void inside_enter(struct inside_channel *, enum wire_type);
void inside_leave(struct inside_channel *, enum wire_type);

/* ---- calls.c: frames become calls ---- */

/* KANAL_E_INVALID: the frame makes no sense. */
int inside_dispatch(struct inside *, const struct wire_frame *);
struct inside_channel *inside_find(const struct inside *, uint32_t number);
void inside_run_woken(struct inside *);
void inside_free_channels(struct inside *);

/* ---- table.c: the host table ---- */

void inside_table_init(kanal_host *, struct inside_channel *);
/* A line of the host's own in the channel's log. */
void inside_log(struct inside_channel *, int level, kanal_str text);

/* ---- ops.c: what the plugin asked and was not told yet ---- */

enum inside_kind {
    INSIDE_DONE,
    INSIDE_VALUE,
    INSIDE_RESPONSE,
    INSIDE_MAIL, /* the last of the calls; what follows stays until it is over */
    INSIDE_STREAM,
    INSIDE_LEASE,
    INSIDE_BLOB
};

struct inside_op {
    kanal_op number;
    uint32_t place;
    enum inside_kind kind;
    struct inside_channel *channel;
    struct inside_op *previous, *next; /* of the channel; next also of the free ones */
    struct inside_op *next_local;
    union {
        kanal_done_fn *done;
        kanal_value_fn *value;
        kanal_response_fn *response;
        kanal_mail_fn *mail;
    } callback;
    void *user;
    kanal_status local_status;
    uint64_t
        until_ms; /* of a lease: certainly held; of a blob: forgotten if it is left alone. By CLOCK_BOOTTIME */
    kanal_op blob; /* of a commit() */
    int is_over;   /* of a blob: commit() was called */
    char *name;    /* of a lease */
};

/* NULL: no memory. */
struct inside_op *inside_op_new(struct inside_channel *, enum inside_kind);
struct inside_op *inside_op_find(const struct inside *, const struct inside_channel *, kanal_op);
void inside_op_free(struct inside_op *);
void inside_ops_drop(struct inside_channel *);
/* It ends here with this status, soon: BUSY, TOO_LARGE. */
void inside_op_end(struct inside_op *, kanal_status);
void inside_run_local(struct inside *);
void inside_ops_release(struct inside *);

/* ---- table.c again ---- */

/* The slots' way to ask: an operation (NULL: the channel has stopped, or no memory), then its frame, which leaves, or the operation ends
 * here. The operation's number. */
struct inside_op *inside_ask(const kanal_host *, enum inside_kind, void *user);
kanal_op inside_asked(struct inside_op *, enum wire_type, const void *frame);

/* ---- sockets.c, blobs.c, streams.c, leases.c: extensions ---- */

extern const kanal_websocket_host inside_websocket;
extern const kanal_blob_host inside_blob;
extern const kanal_blob2_host inside_blob2;
extern const kanal_stream_host inside_stream;
extern const kanal_transfer_host inside_transfer;
extern const kanal_lease_host inside_lease;
extern const kanal_link_host inside_link;
/* SOCKET_…: from the core. */
int inside_socket_frame(struct inside_channel *, enum wire_type, const struct wire_socket *);
void inside_sockets_drop(struct inside_channel *);
void inside_sockets_release(struct inside *);
/* STREAM_… */
void inside_stream_frame(struct inside_channel *, enum wire_type, const struct wire_on *);
/* One that the core was never asked for. */
void inside_stream_refused(struct inside_channel *, kanal_op, kanal_status);
/* Never NULL, also without an answer. */
const kanal_mail_result *inside_mail_result(const kanal_mail_result *);
/* LEASE_… */
void inside_lease_frame(struct inside_channel *, enum wire_type, const struct wire_lease *);
uint64_t inside_boot_ms(void);
/* BLOB_GONE; and a commit() that has ended, before its callback. */
void inside_blob_gone(struct inside_channel *, kanal_op blob);
void inside_blob_commit_ended(struct inside_channel *, const struct inside_op *commit);

#endif
