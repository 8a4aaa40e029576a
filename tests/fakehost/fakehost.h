/* fakehost.h - a host for a plugin's unit tests: no broker, no network, a clock that stands still until it is moved.
 *
 * One plugin instance in this process. Whatever the plugin asks for is recorded and answered by the test or by defaults
 * (state and timers work; publish succeeds; http_send waits for the test's answer). Callbacks run in fake_run(), never inside
 * a host call. The fake checks what a host checks: one answer per op, struct sizes, well-formed canonical JSON, and fails
 * the test (fake_failures() > 0, text on stderr) otherwise. */
#ifndef KANAL_FAKEHOST_H
#define KANAL_FAKEHOST_H
#include "kanal/plugin.h"
#include "kanal/ext/blob.h"
#include "kanal/ext/lease.h"
#include "kanal/ext/stream.h"
#include "kanal/ext/transfer.h"
#include "kanal/ext/websocket.h"
#include "kanal/sdk/json.h"

struct fake_host;

/* A published event, copied; strings are NUL-ended too. document: the parsed data. */
struct fake_event {
    kanal_event event;
    kanal_op cause;
    yyjson_doc *document;
};

/* An outgoing HTTP request that waits for an answer. secrets are recorded, not expanded. */
struct fake_request {
    kanal_op op, cause;
    kanal_http_request request; /* deep copy */
};

struct fake_answer { /* of respond(), delivered(), finish() or locate(), by op */
    int answered;    /* 0: not yet */
    kanal_status status;
    kanal_http_response response; /* deep copies */
    kanal_result result;
    kanal_http_request location;
    kanal_str reason;
};

/* create() and start(); NULL if create() failed. settings: JSON text, NULL is "{}"; the defaults of settings_schema are filled in, but
 * validating is the host's, so give valid ones. secrets: name, value pairs, count of pairs. The channel is "fake", its public
 * URL https://hub.example.com/c/fake, the clock stands at 2026-11-21T20:53:05Z. */
struct fake_host *fake_new(const kanal_plugin *, const char *settings, const char *const (*secrets)[2],
                           size_t secret_count);
/* stop(), then what is pending ends with KANAL_E_CANCELLED until the plugin finishes; after that nothing is called any more (a
 * plugin that finishes while it has open operations loses their callbacks). destroy(); every op must have been answered.
 * Returns the number of failures. */
size_t fake_free(struct fake_host *);
size_t fake_failures(const struct fake_host *);

kanal_channel *fake_channel(struct fake_host *);
const struct fake_answer *fake_start_answer(struct fake_host *); /* of start() */
/* Runs completions until nothing is due. Time does not move. */
void fake_run(struct fake_host *);
/* Moves the clock and runs the timers that are due on the way. */
void fake_advance(struct fake_host *, uint32_t ms);

/* Calls into the plugin; the op names the answer. Each runs fake_run(). fake_http(): routes and authenticity are the host's:
 * it applies the declared route (404, 405, 401 as a host would) and only then calls on_http(). */
kanal_op fake_http(struct fake_host *, const char *method, const char *target, const kanal_field *headers,
                   size_t header_count, kanal_str body);
/* The same without running what is due: for stopping, or sending more, while a request is under way. */
kanal_op fake_http_pending(struct fake_host *, const char *method, const char *target,
                           const kanal_field *headers, size_t header_count, kanal_str body);
/* The client's address from now on; borrowed. At first 192.0.2.7. */
void fake_set_remote(struct fake_host *, const char *address);
kanal_op fake_deliver(struct fake_host *,
                      const kanal_delivery *); /* zero members are filled in; type: message.send */
kanal_op fake_media(struct fake_host *, const char *reference);
kanal_op fake_provision(struct fake_host *, const char *public_url, int wanted);
/* The answer to an op, never NULL. That of a request is there when the host would let it go: after the events that it caused are
 * stored; 503 if that failed. */
const struct fake_answer *fake_answer(struct fake_host *, kanal_op);

/* What the plugin published since the last clear. */
size_t fake_event_count(const struct fake_host *);
const struct fake_event *fake_event_at(const struct fake_host *, size_t index);
void fake_events_clear(struct fake_host *);
/* Appends each published event as one JSON line (type, data … as a host would write it) to the file that KANAL_FAKE_EVENTS names, if it
 * is set: the contract test validates them strictly. Called by fake_free() by itself. */

/* Requests under way, oldest first, and their answers. */
size_t fake_request_count(const struct fake_host *);
const struct fake_request *fake_request_at(const struct fake_host *, size_t index);
/* Each runs fake_run(). */
void fake_request_answer(struct fake_host *, size_t index, int code,
                         const char *body); /* JSON content type */
void fake_request_answer_with(struct fake_host *, size_t index, const kanal_http_response *);
void fake_request_fail(struct fake_host *, size_t index, kanal_status);

/* Host behaviour from now on. */
void fake_fail_publish(struct fake_host *, kanal_status); /* KANAL_OK: works again */
void fake_fail_state(struct fake_host *, kanal_status);
void fake_fail_blob(struct fake_host *, kanal_status);
/* True if a line of the log contains the text. KANAL_FAKE_LOG=1 prints the log. */
int fake_logged(const struct fake_host *, const char *text);
/* What the plugin said last about its own health; KANAL_OK if nothing. */
kanal_status fake_health(const struct fake_host *);
/* The sum of a counter over all labels. */
double fake_metric(const struct fake_host *, const char *name);
/* A stored value, or NULL. */
const char *fake_state(const struct fake_host *, const char *key);

/* WebSocket: upgrade through the plugin's route; 0 if it was refused (see the answer). */
kanal_op fake_ws_open(struct fake_host *, const char *target, const kanal_field *headers, size_t header_count,
                      kanal_op *ret_request);
void fake_ws_receive(struct fake_host *, kanal_op connection, const char *text);
void fake_ws_close(struct fake_host *, kanal_op connection, uint32_t code);
/* Messages sent to the connection and not yet taken, oldest first; NULL: none. Valid until the next call. */
const char *fake_ws_take(struct fake_host *, kanal_op connection);
int fake_ws_closed(const struct fake_host *, kanal_op connection, uint32_t *ret_code);

/* Streams (kanal.stream/1, and sessions of kanal.transfer/1): what connect() or login() asked for, oldest first. The test opens it,
 * receives on it and closes it; each runs fake_run(). Writes succeed while it is open, with the secrets' values in place. */
struct fake_stream {
    kanal_op op;
    kanal_stream_target target;      /* of connect(); host is NUL-ended */
    kanal_str login_url, login_user; /* of login() */
    uint32_t credit;                 /* left */
    int open, ended, closed;         /* ended: shutdown() was called */
    int secured;                     /* TLS from the start, or by start_tls() */
    kanal_status status;             /* of on_close() */
};
size_t fake_stream_count(const struct fake_host *);
const struct fake_stream *fake_stream_at(const struct fake_host *, size_t index);
void fake_stream_open(struct fake_host *, kanal_op stream);
/* What the plugin has no credit for waits until it has. */
void fake_stream_receive(struct fake_host *, kanal_op stream, const void *bytes, size_t len);
void fake_stream_end(struct fake_host *, kanal_op stream);
void fake_stream_close(struct fake_host *, kanal_op stream, kanal_status);
/* What was written since the last time; valid until the next call for this stream. */
kanal_str fake_stream_take(struct fake_host *, kanal_op stream);

/* Mail that waits for an answer, oldest first, with its pieces joined: sources as "<source:REFERENCE>". */
struct fake_mail {
    kanal_op op, cause;
    kanal_str url, user, secret, token, from, body; /* copies */
    kanal_str *recipients;
    size_t recipient_count;
    uint32_t flags;
};
size_t fake_mail_count(const struct fake_host *);
const struct fake_mail *fake_mail_at(const struct fake_host *, size_t index);
/* code and text: the reply, also to each recipient. Runs fake_run(). */
void fake_mail_answer(struct fake_host *, size_t index, kanal_status, int code, const char *text);

/* Leases are held as soon as they are wanted; here: away to another replica (held 0), and back (1). Runs fake_run(). */
void fake_lease_hold(struct fake_host *, int held);

#endif
