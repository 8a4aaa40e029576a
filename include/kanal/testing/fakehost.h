/* kanal/testing/fakehost.h - a host for a plugin's unit tests: no broker, no network, a clock that stands still until it is moved.
 * `pkg-config kanal-fakehost`; never linked into a plugin. The names begin with fake_, so that a test reads well.
 *
 * One channel a fake_host; several may live side by side in one process. Whatever the plugin asks for is recorded and answered by
 * the test, by a scripted provider, or by defaults (state and timers work; publish succeeds; http_send waits for the test's answer).
 * Callbacks run in fake_run(), never inside a host call. random() is repeatable by seed.
 *
 * The fake checks what a host checks and more, and fails the test (fake_failures() > 0, text on stderr) otherwise: each op is answered
 * exactly once, by the right slot, in the lane's thread; struct sizes; every event by the contract's schema; no callback longer
 * than a second; no user pointer into a dead stack frame; no secret in the log; nothing but granted hosts asked for. What is handed to
 * the plugin is overwritten when its callback returns. It aborts only when memory runs out. */
#ifndef KANAL_TESTING_FAKEHOST_H
#define KANAL_TESTING_FAKEHOST_H
#include "../plugin.h"
#include "../ext/blob.h"
#include "../ext/lease.h"
#include "../ext/link.h"
#include "../ext/stream.h"
#include "../ext/transfer.h"
#include "../ext/websocket.h"
#include "../sdk/json.h"
#ifdef __cplusplus
extern "C" {
#endif

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

/* Each argument lies at the end of memory pages of its own, without a NUL behind it; the pages are closed when the callback returns.
 * A plugin that reads further, or later, ends with SIGSEGV at an address that fake_guarded() knows. Costs a system call a string. */
#define FAKE_GUARDED 1u
#define FAKE_OLDEST_MINOR 2u /* every growing struct, and the host's table, is as small as in minor 0 */
#define FAKE_NEWER_MINOR 4u  /* … is 64 bytes larger than this header knows; these hold 0xA5 */
#define FAKE_CREATE_ONLY 8u  /* no start(); without fake_start(), fake_free() only calls destroy() */
#define FAKE_CANCEL_LATE 16u /* cancel() comes too late: what it names ends as if it had not been called */
#define FAKE_NO_PUBLIC_URL 32u
#define FAKE_SCRIPT_ONLY                                                                                     \
    64u /* a request that no rule of the script answers is a failure, and answered with 404 */

/* What a failure is about. */
enum fake_fault {
    FAKE_FAULT_ARGUMENT, /* a host call was given what it does not take */
    FAKE_FAULT_ANSWER,   /* an op was answered twice, by the wrong slot, or never */
    FAKE_FAULT_EVENT,    /* an event breaks the contract */
    FAKE_FAULT_TIME,     /* a call took too long, or has no end */
    FAKE_FAULT_LANE,     /* another thread, a call where none is allowed, a user pointer into a dead frame */
    FAKE_FAULT_LIFE,     /* stop() does not end; the descriptor is wrong */
    FAKE_FAULT_TEST      /* the test itself asks for what cannot be */
};
/* where: the call into the plugin that runs, or ran last: "deliver()". */
typedef void fake_failure_fn(void *user, enum fake_fault, const char *where, const char *text);
struct fake_options { /* zeroed: as fake_new() */
    const char *settings;
    const char *const (*secrets)[2];
    size_t secret_count;
    const char *channel_id;      /* NULL: "fake" */
    uint64_t seed;               /* of random() */
    kanal_op first_op;           /* so that ops of two hosts differ; 0: 1 */
    uint32_t flags;              /* FAKE_… */
    fake_failure_fn *on_failure; /* NULL: stderr */
    void *user;
    int64_t now_ms; /* what the clock shows at first; 0: as fake_new() */
};
struct fake_host *fake_new_with(const kanal_plugin *, const struct fake_options *);
/* After FAKE_CREATE_ONLY: what fake_new() does itself. */
void fake_start(struct fake_host *);
/* stop(), then what is pending ends with KANAL_E_CANCELLED until the plugin finishes; after that nothing is called any more (a
 * plugin that finishes while it has open operations loses their callbacks). destroy(); every op must have been answered.
 * Returns the number of failures. */
size_t fake_free(struct fake_host *);
size_t fake_failures(const struct fake_host *);

kanal_channel *fake_channel(struct fake_host *);
/* The table that the plugin holds, for a test or a bench that puts slots of its own there (impl too, if all of them are its own) and, before
 * the fake host is used again, back what stood there. */
kanal_host *fake_table(struct fake_host *);
const struct fake_answer *fake_start_answer(struct fake_host *); /* of start() */
/* Runs completions until nothing is due. Time does not move. */
void fake_run(struct fake_host *);
/* Moves the clock and runs the timers that are due on the way. */
void fake_advance(struct fake_host *, uint32_t ms);

/* Calls into the plugin; the op names the answer. Each runs fake_run(). fake_http(): routes and authenticity are the host's:
 * it applies the declared route (404, 405, 401 as a host would) and only then calls on_http(). */
kanal_op fake_http(struct fake_host *, const char *method, const char *target, const kanal_field *headers,
                   size_t header_count, kanal_str body);
/* As fake_http(), with the proof that the declared route asks for, made with the configured secret. */
kanal_op fake_http_signed(struct fake_host *, const char *method, const char *target,
                          const kanal_field *headers, size_t header_count, kanal_str body);
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

/* 0: the op was not answered yet. All ops that the plugin owes an answer: fake_owed_count(). */
int fake_answered(struct fake_host *, kanal_op);
size_t fake_owed_count(const struct fake_host *);
/* One on_wake(), as any thread may cause it. */
void fake_wake(struct fake_host *);
int64_t fake_now(const struct fake_host *);
/* The call into the plugin that runs now, or NULL. Only reads, for signal handlers. */
const char *fake_inside(const struct fake_host *);
/* The URL of a path below the channel, as the plugin was told it. */
const char *fake_public_url(const struct fake_host *);
/* What is wrong with touching that address, and the call whose argument it was; NULL: it is none. For a SIGSEGV handler: only reads. */
const char *fake_guarded(const struct fake_host *, const void *address, const char **ret_call);

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

/* A provider that answers by itself. From then on requests are answered where the script or the function says so, others wait for the test
 * as before. */
struct fake_reply { /* zeroed: 200 without a body, at once */
    kanal_status
        status; /* KANAL_OK, or how the exchange failed: KANAL_E_NETWORK, _TIMEOUT, _MAYBE, _TOO_LARGE */
    int code;   /* 0: 200 */
    uint32_t delay_ms;
    kanal_str body; /* JSON, if headers say nothing else */
    const kanal_field *headers;
    size_t header_count;
};
typedef int fake_provider_fn(void *user, const struct fake_request *,
                             struct fake_reply *); /* 0: not answered by it */
void fake_provider(struct fake_host *, fake_provider_fn *, void *user);
/* rules: a JSON array of {"method", "path" (a glob; of the URL without host and query), "contains" (in the body), "times"} and the answer
 * {"code", "headers", "body" (any JSON; a string is sent as it is), "status": "network"|"timeout"|"maybe"|"too_large", "delay_ms"}; the first that
 * fits answers. Copied. 0 or KANAL_E_INVALID (and a failure). */
int fake_provider_script(struct fake_host *, kanal_str rules);
/* What comes instead of the script's answer, for a provider's bad day. */
enum fake_trouble {
    FAKE_FINE,
    FAKE_429,     /* with Retry-After: 7 and the body of trouble_body, or none */
    FAKE_500,     /* an HTML page */
    FAKE_401,     /* the token was revoked */
    FAKE_400,     /* {"error":"…"} */
    FAKE_TIMEOUT, /* KANAL_E_TIMEOUT: nothing left */
    FAKE_NETWORK, /* KANAL_E_NETWORK: nothing left */
    FAKE_MAYBE,   /* KANAL_E_MAYBE */
    FAKE_SILENT,  /* no answer until it is cancelled or stop() */
    FAKE_GARBAGE, /* 200 and random bytes */
    FAKE_CUT,     /* 200 and the first half of the script's body */
    FAKE_EMPTY,   /* 200 and nothing */
    FAKE_STRANGE, /* 200 and JSON of another shape, changing from answer to answer */
    FAKE_HUGE     /* 200 and 1 MiB of JSON */
};
void fake_provider_trouble(struct fake_host *, enum fake_trouble);
/* True if any request was made since the last fake_provider_trouble(). */
int fake_asked_provider(const struct fake_host *);

/* Host calls that carry an op, so far; and the one of that number (from 0) ends with the status instead. */
uint64_t fake_call_count(const struct fake_host *);
void fake_fail_call(struct fake_host *, uint64_t number, kanal_status);
/* The name of the call of the last fake_fail_call() that was reached ("state_put"), or NULL. */
const char *fake_failed_call(const struct fake_host *);

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

/* Mail that waits for an answer, oldest first, with its pieces joined: sources as "<source:REFERENCE>". A rule of fake_provider_script() with the
 * method "MAIL" answers by itself: its code from 400 on refuses, its body is the server's words. */
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

/* How links to the channel look, as it said last; empty: it offers none. */
kanal_str fake_link_template(const struct fake_host *);

#ifdef __cplusplus
}
#endif
#endif
