/* inside.h - the fake host's own structs, for its files only.
 *
 * Everything that comes from the plugin is copied at once; everything that is handed to it is a copy that dies when its
 * callback returns, so that a sanitizer sees a plugin that keeps what it only borrowed. */
#ifndef FAKEHOST_INSIDE_H
#define FAKEHOST_INSIDE_H
#include "fakehost.h"

#define FAKE_CHANNEL_ID "fake"
#define FAKE_ORIGIN "https://hub.example.com"
#define FAKE_PUBLIC_URL FAKE_ORIGIN "/c/" FAKE_CHANNEL_ID
#define FAKE_START_MS INT64_C(1795294385000) /* 2026-11-21T20:53:05Z */
#define FAKE_MAX_PENDING 1024u

/* ---- arena.c: copies that are freed together ---- */

struct arena_block;
struct arena { /* zeroed: empty */
    struct arena_block *first;
};
void arena_release(struct arena *);
void *arena_zeroed(struct arena *, size_t bytes);
kanal_str arena_str(struct arena *, kanal_str); /* absent stays absent; NUL-ended */
void arena_event(struct arena *, kanal_event *to, const kanal_event *from);
void arena_delivery(struct arena *, kanal_delivery *to, const kanal_delivery *from);
void arena_result(struct arena *, kanal_result *to, const kanal_result *from);
void arena_request(struct arena *, kanal_http_request *to, const kanal_http_request *from);
void arena_response(struct arena *, kanal_http_response *to, const kanal_http_response *from);

/* ---- Operations ---- */

enum task_kind {
    TASK_DONE,
    TASK_VALUE,
    TASK_RESPONSE,
    TASK_MAIL, /* the last of those that a host call waits for */
    TASK_WAKE,
    TASK_WS_OPEN,
    TASK_WS_MESSAGE,
    TASK_WS_CLOSE,
    TASK_STREAM, /* revision: which of enum stream_event */
    TASK_LEASE
};

/* One completion, due now (in host->ready), at a time, or when the test answers (in host->waiting). */
struct task {
    struct task *next;
    enum task_kind kind;
    kanal_op op;
    union {
        kanal_done_fn *done;
        kanal_value_fn *value;
        kanal_response_fn *response;
        kanal_mail_fn *mail;
    } call;
    void *user;
    int64_t due_ms;                     /* of a timer; else 0 */
    const struct fake_request *request; /* of http_send */
    kanal_op held;                      /* of publish: the request whose 2xx waits */
    kanal_status status;
    uint64_t revision;   /* of a state value; of WS_CLOSE the code */
    struct arena copies; /* of the two below */
    kanal_str value;
    kanal_http_response response;
};

enum call_kind { CALL_START, CALL_STOP, CALL_PROVISION, CALL_HTTP, CALL_DELIVER, CALL_MEDIA };

/* An op that the plugin owes an answer. */
struct owed {
    struct owed *next;
    kanal_op op;
    enum call_kind kind;
    int done;       /* answered by the plugin; the answer may still be held back */
    int upgraded;   /* accepted as a WebSocket */
    size_t held_by; /* publishes that must end first */
    int hold_failed;
    struct fake_answer answer;
};

struct state_entry {
    struct state_entry *next;
    char *key, *value; /* value NULL: deleted */
    size_t value_len;
    uint64_t revision;
};

struct connection {
    struct connection *next;
    kanal_op op;
    uint32_t max_message;
    int opened, closing, closed;
    uint32_t close_code;
    struct sent_message {
        struct sent_message *next;
        kanal_str text;
    } * first_sent;
    size_t unsent_bytes;
};

enum stream_event { STREAM_OPEN, STREAM_DATA, STREAM_END, STREAM_CLOSE };

struct stream {
    struct fake_stream seen; /* first */
    struct stream *next;
    struct kanal_buffer written, waiting; /* waiting: received without credit */
    int is_login, closing;
};

struct lease {
    struct lease *next;
    kanal_op op;
    kanal_str name;
    int told;
};

struct writing {
    struct writing *next;
    kanal_op op;
    uint64_t size;
};

struct metric {
    struct metric *next;
    char *name;
    double sum;
};

struct fake_host {
    kanal_host table; /* first: table.impl is this */
    const kanal_plugin *plugin;
    kanal_channel *channel;
    const struct kanal_websocket_plugin *websocket;
    const kanal_stream_plugin *stream_plugin;
    const kanal_lease_plugin *lease_plugin;
    struct stream *streams;
    struct fake_mail **mails;
    size_t stream_count, mail_count;
    struct lease *leases;
    struct writing *writings;
    int lease_elsewhere;
    struct arena kept;
    kanal_str settings;
    const char *(*secrets)[2];
    size_t secret_count, failures;
    kanal_status health;
    const char *remote;

    int64_t now_ms;
    uint64_t random_state, last_op, last_revision;
    int creating, stopped, wake_queued;
    size_t pending;
    struct task *ready, **ready_end, *waiting;
    struct owed *owed;
    kanal_op start_op;

    struct fake_event *events;
    size_t event_count, event_capacity;
    struct kanal_buffer event_lines, log;
    struct fake_request **requests;
    size_t request_count, request_capacity;
    struct state_entry *state;
    struct connection *connections;
    struct metric *metrics;
    uint64_t blob_count;
    kanal_status publish_status, state_status, blob_status;
};

static inline struct fake_host *fake_of(const kanal_host *host)
{
    return (struct fake_host *)host->impl;
}

/* ---- lane.c ---- */

__attribute__((format(printf, 2, 3))) void fake_fail(struct fake_host *, const char *format, ...);
kanal_op fake_next_op(struct fake_host *);
/* A task for a host call, or NULL if nothing is owed any more (after stop). Over the limit it is queued as KANAL_E_BUSY, and
 * *ret_refused is 1. Otherwise the caller queues it or lets it wait. */
struct task *fake_task(struct fake_host *, enum task_kind, void *user, int *ret_refused);
void fake_ready(struct fake_host *, struct task *, kanal_status);
void fake_wait(struct fake_host *, struct task *);
/* Takes a task out of the waiting ones; NULL: it does not wait. */
struct task *fake_take_waiting(struct fake_host *, kanal_op);
void fake_cancel_all(struct fake_host *);
void fake_tasks_free(struct fake_host *);

/* ---- answers.c ---- */

struct owed *fake_owe(struct fake_host *, enum call_kind);
struct owed *fake_owed(struct fake_host *, kanal_op);
void fake_respond_as_host(struct fake_host *, struct owed *, int code); /* refused before the plugin saw it */
void fake_release_hold(struct fake_host *, kanal_op held, kanal_status);
void fake_finish(const kanal_host *, kanal_op, kanal_status, kanal_str);
void fake_delivered(const kanal_host *, kanal_op, const kanal_result *);
void fake_respond(const kanal_host *, kanal_op, const kanal_http_response *);
void fake_locate(const kanal_host *, kanal_op, kanal_status, const kanal_http_request *);

/* ---- services.c, crypto.c, state.c, events.c, blob.c, websocket.c ---- */

void fake_table_init(struct fake_host *);
kanal_op fake_verify(const kanal_host *, kanal_str secret, kanal_str algorithm, kanal_str data,
                     kanal_str claimed, kanal_done_fn *, void *user);
kanal_op fake_sign(const kanal_host *, kanal_str secret, kanal_str algorithm, kanal_str data,
                   kanal_value_fn *, void *user);
/* The configured value; NULL: none. */
const char *fake_secret(const struct fake_host *, kanal_str name);
/* 0, or a status; out: 20 or 32 bytes. */
kanal_status fake_mac(const char *secret, kanal_str algorithm, kanal_str data, unsigned char out[64],
                      size_t *ret_len);
int fake_same_bytes(kanal_str, kanal_str);

kanal_op fake_state_get(const kanal_host *, kanal_str key, kanal_value_fn *, void *user);
kanal_op fake_state_put(const kanal_host *, kanal_str key, kanal_str value, uint64_t if_revision,
                        kanal_value_fn *, void *user);
kanal_op fake_publish(const kanal_host *, kanal_op cause, const kanal_event *const *events, size_t count,
                      kanal_done_fn *, void *user);
void fake_events_free(struct fake_host *);
/* Appends the CloudEvent as one line. */
void fake_event_line(struct fake_host *, const struct fake_event *, struct kanal_buffer *out);

kanal_op fake_http_send(const kanal_host *, kanal_op cause, const kanal_http_request *, kanal_response_fn *,
                        void *user);
const void *fake_extension(const kanal_host *, const char *id);
extern const kanal_blob_host fake_blob_table;
extern const kanal_websocket_host fake_websocket_table;
void fake_ws_run(struct fake_host *, struct task *);
void fake_ws_stop(struct fake_host *);
void fake_ws_free(struct fake_host *);

/* ---- stream.c, mail.c, lease.c, blob.c: further extensions ---- */

extern const kanal_stream_host fake_stream_table;
extern const kanal_transfer_host fake_transfer_table;
extern const kanal_lease_host fake_lease_table;
extern const kanal_blob2_host fake_blob2_table;
void fake_stream_run(struct fake_host *, struct task *);
kanal_op fake_stream_begin(struct fake_host *, const kanal_stream_target *, int is_login);
void fake_streams_free(struct fake_host *);
void fake_mail_run(struct fake_host *, struct task *);
void fake_mails_free(struct fake_host *);
void fake_lease_run(struct fake_host *, struct task *);

#endif
