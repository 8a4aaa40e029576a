/* http/server.h - the HTTP/1.1 and WebSocket server: libmicrohttpd in the event loop, with limits of our own.
 *
 * An exchange is one request and its one answer. The handler sees it twice: begin() when the headers are in, run() when the
 * body is in too; from run() on the connection is suspended until http_respond(), which may come at once or much later.
 * Everything is [loop]. Refused before any handler: headers over the limit (431), Content-Length beside Transfer-Encoding
 * (400), a body over what begin() allowed (413, also when it is chunked), headers or body that take too long (408, deadlines
 * of our own: libmicrohttpd only knows inactivity), too many connections in all or from one address (503/429). */
#ifndef KANAL_HTTP_SERVER_H
#define KANAL_HTTP_SERVER_H
#include <uv.h>
#include "kanal/plugin.h"

struct http_server;
struct http_exchange; /* valid until its answer is complete or gone() was called */
struct http_socket;   /* an upgraded WebSocket connection */

struct http_limits {
    uint32_t header_bytes;      /* 16 KiB */
    uint32_t header_timeout_ms; /* 10 s, from the connection or the last answer's end and the first byte */
    uint32_t body_timeout_ms;   /* 30 s for the whole body */
    uint32_t idle_timeout_ms;   /* 75 s, keep-alive */
    uint32_t answer_timeout_ms; /* 35 s from run() to http_respond(): 503 then */
    uint32_t connections;       /* 4,096 */
    uint32_t connections_per_address; /* 256 */
};

struct http_server_options {
    const char *listen;        /* "0.0.0.0:8080", "[::1]:0" (port 0: any free one) */
    struct http_limits limits; /* 0 in a member: the default above */
    const kanal_str
        *trusted_proxies; /* CIDRs: only their X-Forwarded-For (rightmost untrusted) and -Proto count */
    size_t trusted_proxy_count;
};

/* What is known of the request; everything is borrowed until the exchange ends. */
struct http_request {
    kanal_str method;           /* upper case */
    kanal_str target;           /* path and query as sent */
    kanal_str path;             /* decoded, dot segments and "//" refused with 400 before begin() */
    kanal_str query;            /* raw, without '?' */
    kanal_str remote;           /* the client's address as text, through trusted proxies */
    const kanal_field *headers; /* names in lower case; repeated ones appear repeatedly */
    size_t header_count;
    kanal_str body;   /* in run() only */
    int is_websocket; /* a well-formed upgrade request, version 13 */
};

struct http_handler {
    /* The headers are in. Returns how many bytes of body are allowed, or a negative number after it has answered with
     * http_respond() (404, 405, 401 …). */
    int64_t (*begin)(void *user, struct http_exchange *, const struct http_request *);
    /* The whole request is in. Answer with http_respond() or http_stream() or http_upgrade(), now or later. */
    void (*run)(void *user, struct http_exchange *, const struct http_request *);
    /* The client went away, or the answer timed out, before http_respond(): forget the exchange. */
    void (*gone)(void *user, struct http_exchange *);
};

/* 0; KANAL_E_INVALID: listen is no address; KANAL_E_NETWORK: it cannot be bound, errno says why. */
int http_server_new(struct http_server **ret_server, uv_loop_t *, const struct http_server_options *,
                    const struct http_handler *, void *user);
uint16_t http_server_port(const struct http_server *);
/* Stops accepting and closes idle keep-alive connections; exchanges under way go on. */
void http_server_drain(struct http_server *);
/* How many exchanges and sockets are open. */
size_t http_server_open(const struct http_server *);
/* Closes everything; the handler is not called any more. The loop must run once more afterwards. */
void http_server_free(struct http_server *);

void http_exchange_set_user(struct http_exchange *, void *);
void *http_exchange_user(const struct http_exchange *);
const struct http_request *http_exchange_request(const struct http_exchange *);

/* The one answer; everything is copied. Content-Length, Date and Connection are the server's. Of a HEAD the body is not
 * sent. A code outside 200..599 is sent as 500. */
void http_respond(struct http_exchange *, int code, const kanal_field *headers, size_t header_count,
                  kanal_str body);

/* An answer whose body comes piece by piece (media). length: bytes, or UINT64_MAX for unknown (chunked).
 * http_stream_write() returns how many bytes are waiting for the client; above 256 KiB the source should pause until
 * resume() is called. http_stream_end(ok 0) breaks the connection off, so that the client sees that it is not whole. */
struct http_stream_events {
    void (*resume)(void *user, struct http_exchange *);
    void (*gone)(void *user,
                 struct http_exchange *); /* the client left; write and end are not allowed any more */
};
void http_stream(struct http_exchange *, int code, const kanal_field *headers, size_t header_count,
                 uint64_t length, const struct http_stream_events *, void *user);
size_t http_stream_write(struct http_exchange *, kanal_str piece);
void http_stream_end(struct http_exchange *, int ok);

/* ---- WebSocket ---- */

struct http_socket_events {
    void (*open)(void *user, struct http_socket *);
    void (*message)(void *user, struct http_socket *, int is_text, kanal_str message);
    /* Exactly once; the socket is not valid afterwards. code 1006: without a close frame. */
    void (*close)(void *user, struct http_socket *, uint16_t code, kanal_str reason);
};
/* Instead of http_respond(), for an exchange whose request is_websocket. Text messages are checked to be UTF-8; a message over
 * max_message closes with 1009; pings each 30 s, closed when two stay unanswered; TCP_NODELAY. open() comes later, or close()
 * alone if the client is gone. NULL: out of memory, the exchange was answered with 503; or it was no upgrade to accept. */
struct http_socket *http_upgrade(struct http_exchange *, uint32_t max_message,
                                 const struct http_socket_events *, void *user);
/* 0; KANAL_E_BUSY: more than 1 MiB waits, the socket is closed with 1013; KANAL_E_NOT_FOUND: it is closing. */
int http_socket_send(struct http_socket *, int is_text, kanal_str message);
void http_socket_close(struct http_socket *, uint16_t code, kanal_str reason);

#endif
