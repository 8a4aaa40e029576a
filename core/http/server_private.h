/* http/server_private.h - what the files of the server share. Everything is [loop].
 *
 * A connection carries one exchange at a time, so both are one block: nothing is allocated per request. The block lives from
 * libmicrohttpd's notice of a new connection to its notice of the closed one; its phase says what it is doing.
 *
 * libmicrohttpd is run from the loop exactly once a turn (server.c), and has no timeouts of its own: every deadline is
 * deadline_ms of the block, looked at by one timer (server_deadline.c). */
#ifndef KANAL_HTTP_SERVER_PRIVATE_H
#define KANAL_HTTP_SERVER_PRIVATE_H
#include <microhttpd.h>
#include "http/server.h"
#include "http/server_address.h"
#include "kanal/sdk/buffer.h"

enum exchange_phase {
    PHASE_IDLE,    /* no byte of a request was noticed yet */
    PHASE_HEADERS, /* a request has begun to come in */
    PHASE_BODY,    /* begin() has allowed it; the body is coming in, if there is one */
    PHASE_REFUSED, /* the answer is known; it is given when the rest of the body has come in and was thrown away */
    PHASE_LINGER, /* the answer was written past libmicrohttpd; what still comes in is thrown away until the client closes */
    PHASE_RUNNING,   /* run() was called; usually suspended */
    PHASE_ANSWERED,  /* the answer is known; libmicrohttpd has not asked for it yet */
    PHASE_SENDING,   /* libmicrohttpd has it */
    PHASE_STREAMING, /* as SENDING; more of the body may follow */
    PHASE_SOCKET,    /* upgraded: the socket has the connection */
    PHASE_DEAD       /* cut off; libmicrohttpd has not noticed yet */
};

/* A block of memory that lives as long as the exchange, behind the one in the exchange itself. */
struct exchange_block {
    struct exchange_block *next;
    size_t capacity;
    char bytes[];
};

/* Of a streamed answer: what the source has written and the client was not sent yet. */
struct http_stream {
    struct http_stream_events events;
    void *user;
    struct kanal_buffer data;
    size_t taken;    /* of data, by libmicrohttpd */
    uint64_t length; /* UINT64_MAX: unknown */
    uint64_t written;
    uint8_t is_active; /* from http_stream() to the end of the exchange */
    uint8_t is_ended, is_failed;
    uint8_t is_paused; /* resume() is owed */
    uint8_t is_deaf;   /* gone() was called, or the source ended it: no more callbacks */
};

#define EXCHANGE_FIELDS 24
#define EXCHANGE_TEXT 1024
#define EXCHANGE_SWALLOW_BYTES ((size_t)64 * 1024) /* of a refused body, to keep the connection */

struct http_exchange {
    /* Of the connection. */
    struct http_server *server;
    struct http_exchange *prev, *next;
    struct MHD_Connection *mhd;
    struct http_address peer;
    char peer_text[HTTP_ADDRESS_TEXT];
    uint8_t peer_text_len;
    uint8_t is_trusted; /* the peer is a trusted proxy */
    uint8_t is_counted; /* in the table of addresses */
    uint8_t is_fresh;   /* no request was answered on it yet */
    uint8_t is_received_known;
    uint16_t over_limit; /* 0; 503 or 429: one connection too many, to be told so */
    int fd;
    uint64_t received_bytes; /* by the kernel's count, when the connection was last seen idle */
    uint64_t deadline_ms;    /* of the loop's clock; 0: none. What it means depends on the phase */

    /* Of the exchange. */
    enum exchange_phase phase;
    uint8_t is_open; /* begin() was called: counted as open */
    uint8_t is_owed; /* the handler knows it and has not answered: gone() is due if it ends */
    uint8_t is_suspended;
    uint8_t is_chunked, expects_continue, http_minor;
    uint8_t is_head;
    uint8_t is_version_bad; /* a WebSocket upgrade of another version */
    void *user;
    struct http_request request;
    const char *target_end; /* in libmicrohttpd's buffer: to see whether a NUL hid a part of the target */
    kanal_str websocket_key;
    uint64_t content_length; /* UINT64_MAX: unknown */
    uint64_t body_limit, body_seen, swallowed;
    uint64_t running_since_ms;
    struct kanal_buffer body;
    struct kanal_buffer raw; /* an answer as bytes, for a client that is still sending its body */

    struct MHD_Response *response;  /* of PHASE_ANSWERED and PHASE_REFUSED */
    struct response_cached *cached; /* … if it belongs to the cache */
    int code;
    uint64_t answer_bytes;
    struct http_stream stream;
    struct http_socket *socket;

    kanal_field *fields; /* own_fields, or allocated and kept */
    size_t field_capacity;
    struct exchange_block *blocks;
    size_t text_used;
    kanal_field own_fields[EXCHANGE_FIELDS];
    char text[EXCHANGE_TEXT];
};

#define RESPONSE_CACHE 8
#define RESPONSE_KEY 256

/* A small answer that was given before: building one anew costs more than all else that is done for it. */
struct response_cached {
    struct MHD_Response *response;
    uint32_t pins; /* exchanges that will hand it to libmicrohttpd */
    uint32_t key_len;
    char key[RESPONSE_KEY];
};

struct http_server {
    uv_loop_t *loop;
    struct http_handler handler;
    void *user;
    struct http_limits limits;
    struct http_cidr *proxies;
    size_t proxy_count;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_check_t check;
    uv_idle_t idle; /* keeps the loop from sleeping while something is to be done in its next turn */
    uv_timer_t tick;
    uint32_t tick_ms;
    uint64_t peers_checked_ms;
    uint16_t port;
    uint8_t is_dirty; /* libmicrohttpd is to be run */
    uint8_t is_draining;
    uint8_t is_ticking;
    uint8_t is_closing; /* freed, as soon as nothing of it is on the stack */
    uint8_t is_closed;
    unsigned busy;    /* how deep the stack is in callbacks of this server */
    unsigned handles; /* not closed yet */

    struct http_exchange *exchanges; /* every connection */
    struct http_address_table addresses;
    uint32_t connection_count, over_limit_count;
    size_t open_exchanges, open_sockets;

    struct response_cached responses[RESPONSE_CACHE];
    unsigned response_next;

    struct http_socket *sockets; /* every one that has been upgraded or will be */
    struct http_socket *work;    /* those with something to do at the end of the turn */
    /* Constants, but that tests have less time. */
    uint32_t ping_ms, close_ms;  /* 30 s and 5 s */
    uint32_t linger_ms;          /* 5 s: for a client to read a refusal while it still sends */
    uint32_t least_bytes_per_ms; /* 16: slower than that no client may take an answer */
};

/* ---- server.c ---------------------------------------------------------------------------------------------------- */

/* The loop has another turn before it sleeps; with wake, libmicrohttpd is run in it. */
void http_server_stir(struct http_server *);
void http_server_wake(struct http_server *);
void http_server_enter(struct http_server *);
/* Carries out what was put off while callbacks were running. The server may be gone afterwards. */
void http_server_leave(struct http_server *);
uint64_t http_server_now(const struct http_server *);

/* ---- server_deadline.c ------------------------------------------------------------------------------------------- */

void http_deadline_tick(uv_timer_t *);
void http_deadline_start(struct http_server *);

/* ---- server_exchange.c: libmicrohttpd's callbacks ---------------------------------------------------------------- */

void *exchange_on_target(void *server, const char *target, struct MHD_Connection *);
enum MHD_Result exchange_on_request(void *server, struct MHD_Connection *, const char *url,
                                    const char *method, const char *version, const char *upload,
                                    size_t *upload_size, void **exchange);
void exchange_on_completed(void *server, struct MHD_Connection *, void **exchange,
                           enum MHD_RequestTerminationCode);

/* ---- server_answer.c ----------------------------------------------------------------------------------------------- */

/* The server's own answer, in words. */
void exchange_answer_text(struct http_exchange *, int code, const char *text);
/* Hands the answer to libmicrohttpd; only inside its request callback. */
enum MHD_Result exchange_queue(struct http_exchange *);
/* The answer is known before the whole request is in. must_close: the connection's framing is not to be trusted. Inside
 * the request callback. */
enum MHD_Result exchange_refuse(struct http_exchange *, int must_close);
/* From PHASE_REFUSED: so much came in that the answer is written at once and the connection closed. */
enum MHD_Result exchange_linger(struct http_exchange *);
/* Writes an answer to the bare connection, when libmicrohttpd cannot, and closes it. */
void exchange_cut_with(struct http_exchange *, int code, const char *text);
/* Closes the connection under libmicrohttpd, which then ends the exchange. */
void exchange_cut(struct http_exchange *);
/* Tells the handler, once, that the exchange is over, if it does not know. */
void exchange_gone(struct http_exchange *);
void exchange_resume(struct http_exchange *);
/* Forgets an answer that was never handed over. */
void exchange_drop_answer(struct http_exchange *);

/* ---- server_response.c -------------------------------------------------------------------------------------------- */

/* NULL: out of memory. *ret_cached: the cache's, pinned; or NULL, then the response is the caller's. */
struct MHD_Response *response_get(struct http_server *, const kanal_field *headers, size_t count,
                                  kanal_str body, struct response_cached **ret_cached);
/* Headers for a response of any kind; what is the server's to say is left out. */
void response_add_headers(struct MHD_Response *, const kanal_field *headers, size_t count, int must_close);
/* The whole answer as bytes, with Connection: close. */
void response_write(struct kanal_buffer *out, int code, const kanal_field *headers, size_t count,
                    kanal_str body, int is_head);
void response_cache_release(struct http_server *);

/* ---- server_request.c ---------------------------------------------------------------------------------------------- */

/* Fills in exchange->request from libmicrohttpd's tables. 0, or the status to refuse it with; *ret_text says why. */
int request_read(struct http_exchange *, const char *method, const char *version, const char **ret_text);
/* Memory of the exchange, unaligned; NULL when there is none. */
char *exchange_take(struct http_exchange *, size_t len);
void exchange_memory_clear(struct http_exchange *);

/* ---- server_stream.c ------------------------------------------------------------------------------------------------ */

/* The connection is over: tells the source if it has not ended the stream; frees. */
void stream_end_with_exchange(struct http_exchange *);
int stream_is_waiting(const struct http_exchange *); /* for its source, suspended */
void stream_client_left(struct http_exchange *);

/* ---- websocket.c ---------------------------------------------------------------------------------------------------- */

void socket_on_upgrade(void *socket, struct MHD_Connection *, void *exchange, const char *extra,
                       size_t extra_size, MHD_socket fd, struct MHD_UpgradeResponseHandle *);
void socket_work_all(struct http_server *);
void socket_tick_all(struct http_server *, uint64_t now_ms);
/* The connection ended before it was upgraded. */
void socket_never_opened(struct http_exchange *);
/* Without callbacks: the server is freed. */
void socket_discard_all(struct http_server *);

#endif
