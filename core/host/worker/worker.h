/* host/worker/worker.h - the workers of a running gateway: which channel runs in which, their frames, their deaths. [loop]
 *
 * A worker is a place that outlives its processes: it has a plugin, its channels, and mostly a process. For the rest of the core a
 * channel in a worker is a channel like any other, of a plugin whose slots make frames (proxy.c); frames that come back call the
 * channel's own host table (receive.c). Only a death is more than that: the worker calls channel_lost() for each of its channels,
 * waits, starts a new process and then the channels again.
 *
 * idle → starting (a process runs, and has not said what it is) → up → ending (its socket is closed, it is being reaped) → waiting
 * (to be started again) → starting …   A worker without channels is idle. */
#ifndef KANAL_HOST_WORKER_WORKER_H
#define KANAL_HOST_WORKER_WORKER_H
#include "host/host.h"
#include "host/worker/describe.h"

struct ticket;

enum worker_state { WORKER_IDLE, WORKER_STARTING, WORKER_UP, WORKER_ENDING, WORKER_WAITING };

#define WORKER_OUT_MOST                                                                                      \
    (1024u * 1024) /* bytes that wait for a worker; then its channels' calls wait in their lanes */
#define WORKER_CALLS_MOST 256u /* frames of a channel that its worker has not worked off */

/* A channel's instance in a worker; what its plugin's slots are called with. */
struct kanal_channel {
    struct worker *worker;
    struct channel *channel; /* NULL: destroyed; the number is free again when the worker says so */
    uint32_t number;
    uint32_t outstanding; /* frames that the worker has not worked off */
    int is_parked;        /* its lane waits for the worker */
    int is_free;          /* its number belongs to no channel */
    struct kanal_channel *next_parked, *next_free;
    struct ticket *tickets;
    uint64_t loose_sends; /* things sent for no delivery in particular */
};

struct worker {
    struct workers *workers;
    struct worker *next;
    struct plugin *plugin;
    struct channel *owner; /* its only channel; NULL: shared */
    enum worker_state state;
    struct worker_process *process; /* of starting, up and ending */
    uv_poll_t *poll, *errors;       /* of its socket and its stderr; NULL: none */
    uv_timer_t *timer;              /* to be reaped, to be started again */
    int poll_events, has_hello, is_dirty;
    struct worker *next_dirty;
    struct kanal_buffer out;
    size_t out_sent;
    struct kanal_channel **instances; /* by number */
    uint32_t instance_room;
    struct kanal_channel *free_instances, *first_parked;
    struct ticket **tickets; /* hash table */
    size_t ticket_room, ticket_count;
    uint64_t frames_sent, frames_flushed; /* of the process; the page counts those that are worked off */
    uint64_t page_calls;
    int64_t page_changed_ms, heard_ms, started_ms; /* loop time */
    int is_dismissed;                              /* its last channel has left: its end is no accident */
    const char *why; /* it is being ended for: "hang", "broken_frame"; NULL: of itself */
    char words[160]; /* the same for people */
    int64_t ending_since_ms;
    uint32_t failures;    /* deaths, none of which was long after its start */
    int is_file_told;     /* the file has changed: said once */
    uint32_t denied_told; /* of the page's notice */
    int64_t denied_told_ms;
    struct metric *rss, *frames_in, *frames_out;
    char line[512]; /* of stderr, not ended yet */
    size_t line_bytes;
    int64_t line_second;
    uint32_t lines;
};

struct workers {
    struct host *host;
    struct worker *first, *first_dirty;
    uv_timer_t *watch;
    struct wire_scratch scratch;
    struct metric_family *restarts, *rss, *frames;
    struct metric_family *denied;
    int is_sandbox_told;
    uint64_t ticks;
    int64_t watched_ms;          /* the last of them */
    void (*stopped)(void *user); /* workers_stop() */
    void *stopped_user;
    int64_t stop_until_ms;
};

static inline int64_t worker_now_ms(const struct worker *worker)
{
    return (int64_t)uv_now(worker->workers->host->loop);
}

/* workers.c; the rest until link.c: supervise.c */
int workers_new(struct workers **ret_workers, struct host *);
/* Every channel has stopped: the processes end, each in its own time but 2 s at most; then done(). */
void workers_stop(struct workers *, void (*done)(void *user), void *user);
/* Kills what is left. The loop must run once more. */
void workers_free(struct workers *);
/* Writes what the channels' turn has made. */
void workers_flush(void *workers);
/* 1: the channel's worker has a process, perhaps a new one. 0: it cannot take it now; the channel will be started with its worker. */
int worker_takes(struct channel *);
/* Ends the process: why is a word for the metric. */
void worker_end(struct worker *, const char *why, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The channel is retired. A worker without channels ends. */
void worker_leave(struct channel *);
/* For /channels: 0 if it is not in a worker, or none runs. */
pid_t worker_pid(const struct channel *);

/* sandboxed.c: once a gateway, what the sandbox is made of here; and, each 10 s at most, what it refused the worker. */
void worker_tell_sandbox(struct worker *);
void worker_tell_denied(struct worker *);
/* watch.c: the timer of all workers */
#define WORKER_DESCRIBE_MS 10000
#define WORKER_WATCH_MS 100
void worker_on_watch(uv_timer_t *);

/* link.c: the socket */
int worker_attach(struct worker *, struct worker_process *);
void worker_detach(struct worker *);
void worker_flush(struct worker *);
/* Appends a frame for an instance. 0, KANAL_E_TOO_LARGE, KANAL_E_INTERNAL. */
int worker_send(struct kanal_channel *, enum wire_type, const void *frame);
/* The same for what the worker can wait for: it leaves with the next frame, or when much of it is there. */
int worker_send_lazily(struct kanal_channel *, enum wire_type, const void *frame);
/* Lanes that waited for the worker go on, as far as it takes more. */
void worker_unpark(struct worker *);

/* proxy.c */
/* 1: it has worked off every frame. */
int worker_is_done(const struct kanal_channel *);
struct kanal_channel *instance_find(const struct worker *, uint32_t number);
void instance_gone(struct kanal_channel *);
/* Those of a process that died. */
void instances_free(struct worker *);
/* proxy_extensions.c: the plugin's table of an extension, or NULL. */
const void *worker_proxy_extension(const char *id);
/* A lease that the worker knows as held is held until then. */
void worker_lease_renewed(struct kanal_channel *, kanal_op lease, uint64_t until_ms);
/* 1: the lane may run an item; 0: it is parked until worker_unpark(). */
int worker_may_run(struct lane *);

/* receive.c: what the worker asks and answers. KANAL_E_INVALID: broken. */
int worker_receive(struct worker *, const struct wire_frame *);
/* supervise.c: what it says before it is up. */
int worker_receive_first(struct worker *, const struct wire_frame *);

/* tickets.c: calls of the worker's channels that services work on */
struct ticket {
    struct ticket *next_in_slot, *previous, *next;
    struct kanal_channel *instance;
    uint64_t number;
    kanal_op op;    /* 0: the service has not answered yet with its number */
    kanal_op cause; /* of http_send for a delivery */
    int is_quiet;   /* its end needs not be told at once */
    int stays;      /* of a stream, a lease or a blob, until that is over */
};
/* NULL: no memory, or the number is in use. */
struct ticket *ticket_new(struct kanal_channel *, uint64_t number);
struct ticket *ticket_find(const struct kanal_channel *, uint64_t number);
void ticket_free(struct ticket *);
void tickets_drop(struct kanal_channel *);

#endif
