/* broker/jetstream.h - streams, publishing with acknowledgement, and pull consumers, by the JSON API of
 * JetStream.
 *
 * Source of the wire forms: docs.nats.io, "JetStream wire API" and ADR-8 (KV), ADR-20 (objects).
 * Everything is [loop]. */
#ifndef KANAL_BROKER_JETSTREAM_H
#define KANAL_BROKER_JETSTREAM_H
#include "broker.h"

/* ---- Publish ---- */

struct js_ack {
    uint64_t sequence;
    int duplicate; /* an equal Nats-Msg-Id was already stored within the window */
};
/* KANAL_OK: stored (or a duplicate). KANAL_E_REJECTED: the server refused (reason: its words; wrong last
 * sequence among them). KANAL_E_BUSY: also when the server cannot store for the moment (no leader, no
 * room: reason). KANAL_E_NOT_FOUND: no stream takes the subject. Others as broker_request(). */
typedef void js_ack_fn(void *user, kanal_status, const struct js_ack *, kanal_str reason);
#define JS_ANY_SEQUENCE UINT64_MAX
/* expected_last: of this subject (Nats-Expected-Last-Subject-Sequence), or JS_ANY_SEQUENCE. msg_id may be
 * absent. headers: further ones, at most 6. */
void js_publish(struct broker *, const struct broker_out *, kanal_str msg_id, uint64_t expected_last,
                uint32_t timeout_ms, js_ack_fn *, void *user);

/* ---- Streams ---- */

enum js_retention { JS_LIMITS, JS_WORK_QUEUE };
struct js_stream {
    const char *name;
    const char *const *subjects; /* NULL-ended */
    enum js_retention retention;
    int64_t max_age_ms; /* 0: for ever */
    int64_t duplicate_window_ms;
    int64_t max_bytes;            /* 0: unlimited */
    int32_t max_msgs_per_subject; /* 0: unlimited; KV history */
    int32_t max_msg_size;         /* 0: the server's */
    int32_t replicas;             /* 1, 3, 5 */
    int memory;                   /* 1: memory storage */
    int allow_direct, allow_rollup, deny_delete, deny_purge, discard_new;
};
/* Creates the stream, or checks the one that exists: nothing is ever changed. KANAL_OK; KANAL_E_REJECTED:
 * it exists with another configuration, or the server refused: reason lists each difference ("max_age is
 * 7d, expected 400d") or has its words. */
typedef void js_result_fn(void *user, kanal_status, kanal_str reason);
void js_stream_ensure(struct broker *, const struct js_stream *, js_result_fn *, void *user);

/* A stored message. KANAL_E_NOT_FOUND if there is none. DIRECT.GET where the stream allows it. */
struct js_message {
    kanal_str subject, payload;
    uint64_t sequence;
    int64_t time_ms;
    kanal_str operation; /* header KV-Operation, or absent */
    kanal_str msg_id;
};
typedef void js_message_fn(void *user, kanal_status, const struct js_message *);
void js_get_last(struct broker *, const char *stream, kanal_str subject, js_message_fn *, void *user);
void js_get_sequence(struct broker *, const char *stream, uint64_t sequence, js_message_fn *, void *user);
/* The first message at or after sequence under the exact subject. */
void js_get_next(struct broker *, const char *stream, kanal_str subject, uint64_t sequence, js_message_fn *,
                 void *user);
/* What a stream holds. KANAL_E_NOT_FOUND: there is no such stream; others as broker_request(). */
struct js_state {
    uint64_t messages, first_sequence, last_sequence;
};
typedef void js_state_fn(void *user, kanal_status, const struct js_state *);
void js_stream_state(struct broker *, const char *stream, js_state_fn *, void *user);
/* The subjects under a filter that hold anything, and how many messages each; at most 100,000 of them. each(), then done(), which may come alone. */
struct js_subjects {
    void (*each)(void *user, kanal_str subject, uint64_t messages);
    void (*done)(void *user, kanal_status);
    void *user;
};
void js_stream_subjects(struct broker *, const char *stream, const char *filter, const struct js_subjects *);
/* Takes one message out and overwrites its bytes. KANAL_OK; KANAL_E_NOT_FOUND: it is not there (any more). */
void js_delete_sequence(struct broker *, const char *stream, uint64_t sequence, js_result_fn *, void *user);
/* Removes what lies under the filter before that sequence; 0: all of it. KANAL_OK: also if it was nothing. */
void js_purge_before(struct broker *, const char *stream, const char *filter, uint64_t sequence,
                     js_result_fn *, void *user);

/* ---- Consumers ---- */

struct js_consumer {
    const char *stream, *durable;
    const char *filter;      /* one subject filter or NULL; several are silently ignored before 2.10 */
    uint64_t start_sequence; /* 0: from the first message left */
    int64_t ack_wait_ms;
    int32_t max_ack_pending;
    int32_t max_deliver; /* 0: for ever */
    int64_t inactive_ms; /* removed after so long without a pull; 0: never */
    int ack_none;        /* 1: no acknowledgements (a reader) */
    int ack_all;         /* 1: one acknowledgement settles all before it, too: js_settle_through() */
};
/* Creates it, or finds it with the same configuration. recreate: deletes it first (a lease holder that
 * takes over must never inherit un-acked messages: they come late and out of order). */
void js_consumer_ensure(struct broker *, const struct js_consumer *, int recreate, js_result_fn *,
                        void *user);
void js_consumer_delete(struct broker *, const char *stream, const char *durable, js_result_fn *, void *user);

/* How much of the stream a consumer has still to deliver, and delivered without having been acknowledged. */
struct js_consumer_state {
    uint64_t pending, unacknowledged;
};
typedef void js_consumer_state_fn(void *user, kanal_status, const struct js_consumer_state *);
void js_consumer_state(struct broker *, const char *stream, const char *durable, js_consumer_state_fn *,
                       void *user);

/* A running pull: keeps requests of `batch` messages out, and asks for more when half of them came, up to
 * `window` messages handed over and not yet acknowledged. Re-asks after reconnects and after a server's
 * 404/408/409. */
struct js_pull;
struct js_delivered {
    kanal_str subject, payload;
    uint64_t stream_sequence, consumer_sequence, deliveries, pending;
    int64_t time_ms;
    struct js_token { /* for acknowledging later, copied by value */
        char reply[160];
    } token;
    const struct broker_in *in; /* headers */
};
struct js_pull_options {
    const char *stream, *durable;
    uint32_t batch;  /* 256 */
    uint32_t window; /* 1,024 */
    int ack_none;    /* 1: a reader; messages need no settling and are not counted */
    int known;       /* 1: the consumer was made just now; else it is looked up before the first pull */
};
/* error() tells what keeps the pull from working (consumer deleted …); it goes on trying each second. */
int js_pull_start(struct broker *, const struct js_pull_options *,
                  void (*message)(void *user, const struct js_delivered *),
                  void (*error)(void *user, kanal_str reason), void *user, struct js_pull **ret_pull);
/* Asks for no more; what was handed over can still be settled. What was asked for still comes, at most a batch. */
void js_pull_pause(struct js_pull *);
void js_pull_resume(struct js_pull *);
/* NULL is fine. */
void js_pull_stop(struct js_pull *);
enum js_verdict { JS_ACK, JS_NAK, JS_TERM, JS_WORKING, JS_LATER };
/* JS_LATER: a NAK that comes again after a minute. Each message handed over needs one ACK, NAK, LATER or TERM;
 * the pull counts them against its window. Fire and forget; a lost ack means a redelivery. Not after
 * js_pull_stop(). */
void js_settle(struct js_pull *, const struct js_token *, enum js_verdict);
/* Of a consumer with ack_all: acknowledges this message and all before it, `count` of them since the last time. */
void js_settle_through(struct js_pull *, const struct js_token *, uint32_t count);

#endif
