/* http/client.h - outgoing HTTP: libcurl's multi interface in the event loop.
 *
 * Keep-alive, HTTP/1.1, redirects only where they are asked for, no proxy from the environment, no cookies, TLS verified, no Expect header. Everything
 * is [loop]; callbacks never run inside the call that starts a request. */
#ifndef KANAL_HTTP_CLIENT_H
#define KANAL_HTTP_CLIENT_H
#include <sys/socket.h>
#include <uv.h>
#include "kanal/plugin.h"

struct http_client;
struct http_call; /* one request under way; valid until its done callback returns */

struct http_client_options {
    uint32_t connections;          /* kept open in all: 256 */
    uint32_t connections_per_host; /* at once: 64 */
    const char *user_agent;        /* "kanal/0.1.0" */
    const char *ca_file;           /* or NULL: the system's */
};

/* One outgoing request; everything is copied. */
struct http_out {
    kanal_str method, url;
    const kanal_field *headers;
    size_t header_count;
    kanal_str body;
    const struct http_out_part *parts; /* multipart/form-data instead of body */
    size_t part_count;
    uint32_t timeout_ms; /* whole exchange; of a stream: to the headers, then 30 s without a byte; 0: 30 s */
    uint32_t max_response; /* bytes of body; more: KANAL_E_TOO_LARGE; 0: 1 MiB, of a stream any number */
    /* May this address be connected to? Called with the address that is about to be connected (so that DNS answers cannot
     * lie), again with the address of a kept connection that is about to be used, and so for every part's source_url. An
     * IPv4 address may come as a mapped IPv6 one. NULL: any. Returns 1 or 0 (→ KANAL_E_DENIED). Runs inside of libcurl:
     * it calls nothing of the client. */
    int (*allow)(void *user, const struct sockaddr *);
    void *allow_user;
    /* Of a GET by http_client_stream(): how many redirects may be followed, one after the other; 0: none, and the answer is the
     * 3xx. redirect() is asked about each with its absolute URL: 1, and by whom allow() is asked then, or 0 (→
     * KANAL_E_DENIED, as for too many, or from https to http). To another origin no header of the request goes along. Runs
     * inside of libcurl. A part's source_url is asked about with the part's allow_user. */
    uint32_t redirects;
    int (*redirect)(void *user, kanal_str url, void **ret_allow_user);
};

struct http_out_part {
    kanal_str name, filename, content_type, data;
    kanal_str source_url; /* instead of data: streamed from there into the form, not held whole in memory */
    uint64_t max_bytes;   /* of source_url; 0: 64 MiB */
    void *allow_user;     /* of source_url: what allow() is asked with instead of the request's */
};

struct http_in {
    int code;
    const kanal_field *headers; /* names in lower case */
    size_t header_count;
    kanal_str body; /* empty for a stream */
    uint32_t total_ms;
};

/* KANAL_OK: an answer with any code. Otherwise `in` is NULL: KANAL_E_NETWORK (resolve, connect or TLS failed), _TIMEOUT (before
 * a byte of the request was sent), _MAYBE (sent or partly sent, no whole answer), _DENIED, _TOO_LARGE, _CANCELLED, _INVALID
 * (URL), _NOT_FOUND (a source_url did not answer 200: message says which and what). message: libcurl's words, without URLs. */
typedef void http_done_fn(void *user, kanal_status, const struct http_in *in, const char *message);

int http_client_new(struct http_client **ret_client, uv_loop_t *, const struct http_client_options *);
/* Cancels what is under way (callbacks run with KANAL_E_CANCELLED, inside this call), then frees; the loop must turn once more
 * afterwards. Not from a callback. */
void http_client_free(struct http_client *);
size_t http_client_pending(const struct http_client *);

/* NULL: out of memory, done is not called. */
struct http_call *http_client_send(struct http_client *, const struct http_out *, http_done_fn *, void *user);

/* A request whose answer's body is handed on piece by piece. head() runs once; data() returns 1 to pause, until
 * http_call_resume(). done() has the last word. */
struct http_stream_sink {
    void (*head)(void *user, const struct http_in *in);
    int (*data)(void *user, kanal_str piece);
};
struct http_call *http_client_stream(struct http_client *, const struct http_out *,
                                     const struct http_stream_sink *, http_done_fn *, void *user);
void http_call_resume(struct http_call *);
/* done() runs soon with KANAL_E_CANCELLED. */
void http_call_cancel(struct http_call *);

#endif
