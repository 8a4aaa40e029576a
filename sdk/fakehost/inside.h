/* inside.h - the fake host's own structs, for its files only.
 *
 * Everything that comes from the plugin is copied at once; everything that is handed to it is a copy that dies when its
 * callback returns, so that a sanitizer sees a plugin that keeps what it only borrowed. */
#ifndef FAKEHOST_INSIDE_H
#define FAKEHOST_INSIDE_H
#include "kanal/testing/fakehost.h"

#define FAKE_CHANNEL_ID "fake"
#define FAKE_ORIGIN "https://hub.example.com"
#define FAKE_START_MS INT64_C(1795294385000) /* 2026-11-21T20:53:05Z */
#define FAKE_MAX_PENDING 1024u

#define FAKE_CALLBACK_MS 1000
#define FAKE_NEWER_BYTES 64u
#define FAKE_NEWER_BYTE 0xA5

/* The size up to a member: what a minor that ended with it had. */
#define FAKE_SIZE_TO(type, member) (offsetof(type, member) + sizeof(((type *)NULL)->member))
#define FAKE_PLUGIN_LEAST FAKE_SIZE_TO(kanal_plugin, extension)
#define FAKE_HOST_LEAST FAKE_SIZE_TO(kanal_host, extension)
#define FAKE_CONFIG_LEAST FAKE_SIZE_TO(kanal_config, public_url)
#define FAKE_LIMITS_LEAST FAKE_SIZE_TO(kanal_limits, per_recipient_minute)
#define FAKE_EVENT_LEAST FAKE_SIZE_TO(kanal_event, raw)
#define FAKE_DELIVERY_LEAST FAKE_SIZE_TO(kanal_delivery, data)
#define FAKE_RESULT_LEAST FAKE_SIZE_TO(kanal_result, reason)
#define FAKE_REQUEST_LEAST FAKE_SIZE_TO(kanal_http_request, part_count)
#define FAKE_RESPONSE_LEAST FAKE_SIZE_TO(kanal_http_response, header_count)
#define FAKE_MAIL_RESULT_LEAST sizeof(kanal_mail_result)

/* ---- arena.c: copies that are freed together, guarded or not ---- */

struct fake_region {
    struct fake_region *next;
    char *base;
    size_t room, total; /* of bytes in use, and with the closed page behind them */
    const char *origin; /* the call that it was an argument of */
    int closed;
};
struct fake_guard {
    struct fake_region *regions; /* newest first; never given back before the host goes */
    size_t page_bytes;
};
void *fake_guard_alloc(struct fake_guard *, size_t size, size_t alignment, const char *origin);
void fake_guard_close(struct fake_guard *, const void *inside);
void fake_guard_release(struct fake_guard *);
/* What is wrong with reading there, and the call it is about; NULL: it is no guarded address. Reads only. */
const char *fake_guard_find(const struct fake_guard *, const void *address, const char **ret_origin);

struct fake_arena_block;
struct fake_arena { /* zeroed: empty, not guarded */
    struct fake_arena_block *first;
    struct fake_guard *guard;
    const char *origin;
    void **guarded;
    size_t guarded_count;
};
/* A copy of a growing struct, as large as the options say. */
void *fake_arena_struct(struct fake_arena *, const struct fake_host *, const void *from, size_t size,
                        size_t least);
void fake_arena_release(struct fake_arena *);
void *fake_arena_zeroed(struct fake_arena *, size_t bytes);
kanal_str fake_arena_str(struct fake_arena *, kanal_str); /* absent stays absent; NUL-ended if not guarded */
void fake_arena_event(struct fake_arena *, kanal_event *to, const kanal_event *from);
void fake_arena_delivery(struct fake_arena *, kanal_delivery *to, const kanal_delivery *from);
void fake_arena_result(struct fake_arena *, kanal_result *to, const kanal_result *from);
void fake_arena_request(struct fake_arena *, kanal_http_request *to, const kanal_http_request *from);
void fake_arena_response(struct fake_arena *, kanal_http_response *to, const kanal_http_response *from);

/* ---- Operations ---- */

/* TASK_CALL: the end of an extension's call; TASK_EXTENSION: what nobody has asked for. Both by run(). */
enum task_kind { TASK_DONE, TASK_VALUE, TASK_RESPONSE, TASK_CALL, TASK_WAKE, TASK_EXTENSION };

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
    void (*run)(struct fake_host *, struct task *); /* of TASK_CALL and TASK_EXTENSION */
    int kind_of_run;                                /* what run() makes of it */
    int64_t due_ms;                                 /* of a timer, or an answer with a delay; else 0 */
    kanal_status planned;                           /* how it ends when it is due */
    const struct fake_request *request;             /* of http_send */
    kanal_op held;                                  /* of publish: the request whose 2xx waits */
    kanal_status status;
    uint64_t revision;        /* of a state value; of an extension a number */
    struct fake_arena copies; /* of the two below */
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

struct writing { /* a blob, piece by piece */
    struct writing *next;
    kanal_op op;
    uint64_t size;
};

struct metric {
    struct metric *next;
    char *name;
    double sum;
};

struct script_rule;

struct fake_host {
    kanal_host table;  /* the original */
    kanal_host *given; /* what the plugin got: perhaps smaller, larger or guarded */
    const kanal_plugin *plugin;
    kanal_plugin descriptor; /* a copy, zero beyond the plugin's own struct_size; plugin points at it */
    kanal_channel *channel;
    const struct kanal_websocket_plugin *websocket;
    const kanal_stream_plugin *stream_plugin;
    const kanal_lease_plugin *lease_plugin;
    struct fake_arena kept, given_memory;
    struct fake_guard guard;
    kanal_str settings;
    const char *(*secrets)[2];
    size_t secret_count, failures;
    const char *channel_id, *public_url;
    uint32_t flags;
    fake_failure_fn *on_failure;
    void *failure_user;
    kanal_status health;
    const char *remote;

    uint64_t lane_thread;
    const char *where;       /* the call into the plugin that runs, or ran last */
    const char *stack_above; /* the frame that made it; NULL: none runs */
    int64_t entered_ns;

    int64_t now_ms;
    uint64_t random_state, last_op, last_revision;
    int creating, started, stopped, wake_queued;
    size_t pending;
    struct task *ready, **ready_end, *waiting;
    struct owed *owed;
    kanal_op start_op;

    uint64_t call_count, fail_at;
    kanal_status fail_status; /* KANAL_OK: none fails */
    const char *failed_call;

    struct fake_event *events;
    size_t event_count, event_capacity;
    struct kanal_buffer event_lines, log;
    struct fake_request **requests;
    size_t request_count, request_capacity;
    struct state_entry *state;
    struct connection *connections;
    struct stream *streams;
    struct fake_mail **mails;
    size_t stream_count, mail_count;
    struct lease *leases;
    struct writing *writings;
    int lease_elsewhere;
    kanal_str link_template;
    struct metric *metrics;
    uint64_t blob_count;
    kanal_status publish_status, state_status, blob_status;

    fake_provider_fn *provider;
    void *provider_user;
    struct script_rule *rules;
    enum fake_trouble trouble;
    int asked;
    uint64_t troubled;
};

static inline struct fake_host *fake_of(const kanal_host *host)
{
    return (struct fake_host *)host->impl;
}

static inline void fake_random(struct fake_host *host, void *out, size_t len)
{
    unsigned char *bytes = (unsigned char *)out;
    for (size_t i = 0; i < len; i++) { /* xorshift64*: repeatable, never cryptographic */
        host->random_state ^= host->random_state >> 12;
        host->random_state ^= host->random_state << 25;
        host->random_state ^= host->random_state >> 27;
        bytes[i] = (unsigned char)(host->random_state * UINT64_C(2685821657736338717) >> 56);
    }
}

/* ---- lane.c ---- */

__attribute__((format(printf, 3, 4))) void fake_fault(struct fake_host *, enum fake_fault, const char *format,
                                                      ...);
#define fake_fail(host, ...) fake_fault(host, FAKE_FAULT_ARGUMENT, __VA_ARGS__)
kanal_op fake_next_op(struct fake_host *);
/* Around each call into the plugin: whose turn it is, how long it takes. */
#define FAKE_ENTER(host, name) fake_enter(host, name, __builtin_frame_address(0))
void fake_enter(struct fake_host *, const char *name, const void *frame);
void fake_leave(struct fake_host *);
/* A slot marked [lane] was called: fails if by another thread, or after the end. */
void fake_check_lane(struct fake_host *, const char *slot);
/* An arena for what the plugin is handed. */
struct fake_arena fake_arguments(struct fake_host *);
/* A task for the host call of that name, or NULL if nothing is owed any more (after stop). Over the limit, or when it is its turn to fail, it is
 * queued so and *ret_refused is 1. Otherwise the caller queues it or lets it wait. */
struct task *fake_task(struct fake_host *, const char *slot, enum task_kind, void *user, int *ret_refused);
/* A task of an extension: run() calls the plugin. */
struct task *fake_extension_task(struct fake_host *, void (*run)(struct fake_host *, struct task *), int kind,
                                 kanal_op);
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
/* An extension: one entry in extensions.c, one file. Each may be NULL but id and table. */
struct fake_extension {
    const char *id;
    const void *table;
    void (*attach)(struct fake_host *);    /* after create(): looks for the plugin's table */
    void (*stop)(struct fake_host *);      /* after stop() was called: what is open is closed */
    void (*check_end)(struct fake_host *); /* after stop() was finished */
    void (*release)(struct fake_host *);   /* frees what is not in an arena */
};
extern const struct fake_extension fake_extension_blob, fake_extension_blob2, fake_extension_lease,
    fake_extension_link, fake_extension_stream, fake_extension_transfer, fake_extension_websocket;
const void *fake_extension_find(const kanal_host *, const char *id); /* the table's slot */
void fake_extensions_attach(struct fake_host *);
void fake_extensions_stop(struct fake_host *);
void fake_extensions_check_end(struct fake_host *);
void fake_extensions_release(struct fake_host *);

/* stream.c: for mail.c, whose sessions are streams, too */
kanal_op fake_stream_begin(struct fake_host *, const char *slot, const kanal_stream_target *, int is_login);

/* ---- provider.c, script.c ---- */

void fake_provider_reply(struct fake_host *, struct task *, const struct fake_reply *);
/* Lets the provider answer; 0: it waits for the test. */
int fake_provider_asked(struct fake_host *, struct task *);
int fake_script_answers(struct fake_host *, const struct fake_request *, struct fake_reply *);

/* ---- contract.c ---- */

/* Fails for each thing that is wrong with the line of a CloudEvent. */
void fake_contract_check(struct fake_host *, kanal_str line);

#endif
