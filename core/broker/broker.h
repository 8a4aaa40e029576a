/* broker/broker.h - the one connection to NATS, driven from the event loop.
 *
 * cnats does the wire protocol, TLS and credentials; the loop does its reads and writes (one write a turn), so
 * that no message crosses a thread. Connecting (which blocks) happens on a short-lived thread, and each connection
 * is a new one: reconnecting is ours. Requests carry a reply subject below our own inbox whose last token is a slot
 * number; answers are drained with NextMsg(0). cnats' own waiting calls (js_*, kvStore_*) must not be used: on the
 * loop thread they time out. Window and deadlines are ours. Everything is [loop].
 *
 * One thing only cannot be told from this side: a request to a subject that a service of the server holds but does
 * not answer (DIRECT.GET of a stream that does not allow it, MSG.NEXT of a consumer that is gone) gets no answer at
 * all, not even KANAL_E_NOT_FOUND. jetstream.h looks first. */
#ifndef KANAL_BROKER_BROKER_H
#define KANAL_BROKER_BROKER_H
#include <uv.h>
#include "kanal/plugin.h"

struct broker;

struct broker_options {
    const char *const *urls;
    size_t url_count;
    const char *creds, *nkey_seed; /* files, or NULL */
    const char *user, *password, *token;
    const char *tls_ca, *tls_cert, *tls_key; /* files, or NULL */
    const char *name;                        /* shown by the server's connz */
    uint32_t window;                         /* requests under way at most: 16,384 */
    uint32_t buffer_bytes;                   /* unsent bytes at most: 8 MiB; more is KANAL_E_BUSY */
    uint32_t ping_ms;                        /* 2,000; two unanswered pings: the broker is stalled */
};

enum broker_state {
    BROKER_CONNECTING, /* the first time */
    BROKER_UP,
    BROKER_STALLED, /* connected, but it does not answer pings, or the buffer is full: counts as away */
    BROKER_DOWN,    /* reconnecting with jittered backoff, for ever */
    BROKER_CLOSED   /* every server refused the credentials before any took them, or broker_free() */
};
/* reason: "SERVER: the client's words"; "" when up. Runs at each change of either, not for broker_free(). When the
 * connection breaks it runs before the requests under way are told. A refusal after the first time up is DOWN: keys
 * are changed while we run, and credentials are read again for each attempt. */
typedef void broker_state_fn(void *user, enum broker_state, const char *reason);

/* Starts to connect and returns at once. KANAL_E_INVALID: a URL or file is wrong; reason says
 * which. */
int broker_new(struct broker **ret_broker, uv_loop_t *, const struct broker_options *, broker_state_fn *,
               void *user, char reason[256]);
/* Sends what is buffered, fails what is under way with KANAL_E_CANCELLED, now; whatever is asked for
 * afterwards is dropped without an answer. For the end: those who asked are told while they are still
 * there; broker_free() follows. NULL is fine. */
void broker_shut(struct broker *);
/* Sends what is buffered and waits until the server has taken it, 1 s at most; fails what is under way with
 * KANAL_E_CANCELLED, closes and frees. Fine inside a callback. Stop pulls and watches before. While a connection is
 * being made the loop stays alive for up to 2.5 s more. */
void broker_free(struct broker *);
enum broker_state broker_get_state(const struct broker *);
/* URL of the server connected to, without credentials; or "". */
const char *broker_server(const struct broker *);
uint64_t broker_max_payload(const struct broker *);
size_t broker_pending(const struct broker *); /* requests under way */
/* The server's words when it last refused a subject ("Permissions Violation for Publish to …"), or "".
 * Such a request runs into its deadline: the server does not say which one it was. */
const char *broker_violation(const struct broker *);

/* A message out. Headers: NATS headers ("Nats-Msg-Id"). */
struct broker_out {
    kanal_str subject;
    kanal_str payload;
    const kanal_field *headers;
    size_t header_count;
};
/* A message in; borrowed until the callback returns. */
struct broker_in {
    kanal_str subject, reply, payload;
    int code; /* status header: 404, 408, 409, 503 (no responders) …; 0: none */
    void *impl;
};
kanal_str broker_in_header(const struct broker_in *, const char *name); /* absent: {NULL, 0} */

/* Fire and forget. 0, KANAL_E_NETWORK (not up), KANAL_E_BUSY (buffer full), KANAL_E_INVALID (subject),
 * KANAL_E_TOO_LARGE. */
int broker_publish(struct broker *, const struct broker_out *);

/* One answer or a failure, exactly once, never inside the call: KANAL_OK, KANAL_E_TIMEOUT (deadline
 * passed: it may have been stored), KANAL_E_MAYBE (the connection broke meanwhile: the same),
 * KANAL_E_NETWORK (not up: nothing left), KANAL_E_BUSY (window or buffer full: nothing left),
 * KANAL_E_NOT_FOUND (no responders), KANAL_E_CANCELLED. in is NULL unless KANAL_OK. */
typedef void broker_reply_fn(void *user, kanal_status, const struct broker_in *in);
/* timeout_ms: 0 is 5 s. */
void broker_request(struct broker *, const struct broker_out *, uint32_t timeout_ms, broker_reply_fn *,
                    void *user);

/* A core subscription; messages come in the loop. Survives reconnects. queue: group or NULL. */
struct broker_subscription;
typedef void broker_message_fn(void *user, const struct broker_in *in);
int broker_subscribe(struct broker *, const char *subject, const char *queue, broker_message_fn *, void *user,
                     struct broker_subscription **ret_subscription);
void broker_unsubscribe(struct broker_subscription *);

/* A fresh subject below our inbox, for answers that come many times (pull requests): messages to it go to
 * fn. */
struct broker_inbox;
int broker_inbox_open(struct broker *, broker_message_fn *, void *user, struct broker_inbox **ret_inbox);
const char *broker_inbox_subject(const struct broker_inbox *);
void broker_inbox_close(struct broker_inbox *);

#endif
