/* http/client_private.h - what the files of the HTTP client share. Everything is [loop].
 *
 *   client.c          the public functions
 *   client_pool.c     libcurl's multi handle, its timer and its sockets in the event loop
 *   client_gate.c     which address may be connected to, and which request may be sent again
 *   client_call.c     the life of a call: taken, started, ended, answered, recycled
 *   client_request.c  the caller's request, checked, copied and set on the easy handle
 *   client_answer.c   what comes back
 *   client_redirect.c where it sends us
 *   client_parts.c    multipart bodies, and the sources that are streamed into them
 *   client_head.c     header lines
 *
 * Two pools. Ordinary requests share the kept connections and the limit per host; streams (answers that are handed on piece
 * by piece, and the sources of multipart bodies) have a pool of their own without that limit: a stream lives as long as
 * its reader is slow, and a source waits for the request it feeds, so in one pool 64 slow readers of a host's files would
 * keep every request to that host waiting, and sources and requests could wait for each other. */
#ifndef KANAL_HTTP_CLIENT_PRIVATE_H
#define KANAL_HTTP_CLIENT_PRIVATE_H
#include <curl/curl.h>
#include <sys/queue.h>
#include "http/client.h"
#include "http/client_head.h"

#define HTTP_SPARE_CALLS 256          /* recycled calls that are kept, each with its easy handle */
#define HTTP_SPARE_BYTES (64u * 1024) /* buffers larger than this are not kept with them */
#define HTTP_DEFAULT_TIMEOUT_MS 30000u
#define HTTP_DEFAULT_RESPONSE (1024u * 1024)
#define HTTP_CONNECT_TIMEOUT_MS 10000L /* so that a second address of a host gets its turn */
#define HTTP_IDLE_CONNECTION_S                                                                               \
    50L /* older kept connections are not used: servers and balancers close at 60 s */
#define HTTP_STREAM_IDLE_MS 30000u
#define HTTP_STREAM_CONNECTIONS 32L /* kept open in the pool of streams */

struct http_client;

struct http_pool {
    struct http_client *client;
    CURLM *multi;
    uv_timer_t timer;
};

/* A socket of libcurl in the event loop. libcurl lets go of a socket after each answer and takes it again with the next
 * request; that would be three epoll_ctl() a request, so a connection's socket stays armed in between and is disarmed only
 * if something happens on it (`keep`). Sockets that never became a connection are closed without notice by libcurl 7.88,
 * so those are dropped as soon as libcurl lets go. */
struct http_watch {
    uv_poll_t poll;
    struct http_pool *pool;
    int fd;
    int wanted; /* UV_READABLE | UV_WRITABLE, as libcurl says */
    int armed;  /* what the loop watches */
    int keep;
    int opened;               /* by our own open callback: not one of the resolver's */
    struct http_call *opener; /* the call that it was opened for; may have ended */
};

TAILQ_HEAD(http_call_list, http_call);

struct http_client {
    uv_loop_t *loop;
    struct http_pool requests, streams;
    CURLSH *share;               /* TLS sessions: a new connection resumes */
    struct http_watch **watches; /* by file descriptor; NULL where there is none */
    size_t watch_capacity;
    struct http_call_list calls, spare, todo;
    size_t spare_count, pending;
    uint64_t turn;
    uv_timer_t todo_timer;
    unsigned in_curl; /* depth of libcurl calls: its functions must not be called from its callbacks */
    unsigned open_handles;
    int closing;
    uint32_t stream_idle_ms; /* HTTP_STREAM_IDLE_MS; tests set it lower */
    uint32_t connections, per_host;
    char *user_agent, *ca_file;
};

enum http_phase { HTTP_SPARE, HTTP_GATHERING, HTTP_RUNNING, HTTP_ENDED };

/* What is done in the next turn of the loop, outside of libcurl and of the caller. */
enum {
    HTTP_TODO_START = 1,
    HTTP_TODO_RECEIVE = 2,
    HTTP_TODO_SEND = 4,
    HTTP_TODO_END = 8,
    HTTP_TODO_POKE = 16
};

enum http_kind { HTTP_KIND_NONE, HTTP_KIND_GET, HTTP_KIND_HEAD, HTTP_KIND_BODY, HTTP_KIND_PARTS };

struct http_source;

struct http_call {
    struct http_client *client;
    struct http_pool *pool;
    CURL *easy;
    uv_timer_t deadline;
    TAILQ_ENTRY(http_call) link; /* in client->calls or client->spare */
    TAILQ_ENTRY(http_call) todo_link;
    unsigned todo; /* not 0: in client->todo */
    uint64_t todo_turn;
    enum http_phase phase;
    int in_multi;

    http_done_fn *done;
    void *user;
    struct http_stream_sink sink;
    int is_stream;
    int is_source; /* not counted as pending */
    int (*allow)(void *user, const struct sockaddr *);
    void *allow_user;
    int (*redirect)(void *user, kanal_str url, void **ret_allow_user);

    /* The request: one block, the lines of the header point into it. */
    struct kanal_buffer text;
    struct curl_slist *lines;
    size_t line_count, line_capacity;
    size_t url_at, method_at, lines_at, body_at, body_len; /* offsets into text */
    enum http_kind kind, kind_set;                         /* kind_set: what the easy handle is set to */
    int custom_method, custom_set;
    int is_tls;
    int resend; /* may be sent again although it was sent already (an idempotent method) */
    uint32_t timeout_ms;
    curl_mime *mime;
    struct http_source *sources;
    size_t source_count;

    /* How far it came. */
    struct kanal_buffer location; /* not empty: the answer redirects, and this URL follows it */
    unsigned redirects_left;
    unsigned attempts; /* how often a connection was ready for it */
    int connecting;    /* no connection of its own yet */
    unsigned denied, opened;
    uint64_t started_ns;

    /* The answer. */
    struct http_head head;
    struct kanal_buffer body;
    uint64_t received, max_response;
    uint64_t heard_ms;               /* of a stream: the loop's time when the last byte came */
    int paused;                      /* by the reader */
    int receive_paused, send_paused; /* in libcurl */
    kanal_status verdict;            /* not KANAL_OK: how it ends, whatever libcurl says */
    char error[CURL_ERROR_SIZE];     /* libcurl's */
    char message[CURL_ERROR_SIZE];
};

/* ---- client.c ---- */

/* http_client_send() without a sink, http_client_stream() with one. is_source: a part's source, not counted as pending. */
struct http_call *http_call_begin(struct http_client *client, const struct http_out *out,
                                  const struct http_stream_sink *sink, http_done_fn *done, void *user,
                                  int is_source);

/* ---- client_pool.c ---- */

/* kept: connections kept open in all; per_host: at once, 0 for any number. 0 or -1. */
int http_pool_init(struct http_pool *, struct http_client *, long kept, long per_host);
/* Closes its connections; the timer's memory is free after the loop's next turn. */
void http_pool_release(struct http_pool *);
/* Ends the calls that libcurl has finished with. Not from a callback of libcurl. */
void http_pool_drain(struct http_pool *);
/* Puts a fresh socket under watch, before libcurl asks for it. 0 or -1. */
int http_pool_adopt(struct http_call *, int fd);
/* CURLOPT_CLOSESOCKETFUNCTION; its data is the client, because connections outlive the call that opened them. */
int http_pool_close_socket(void *client, curl_socket_t fd);
/* uv_close() callback of every handle of the client: the last one frees the client. */
void http_client_handle_closed(struct http_client *);

/* ---- client_gate.c ---- */

int http_gate_install(struct http_call *);
/* Whether a byte of the request may have left this machine. */
int http_gate_sent(const struct http_call *);

/* ---- client_call.c ---- */

/* A call of the free list, or a new one. NULL: out of memory. */
struct http_call *http_call_take(struct http_client *, struct http_pool *);
void http_call_free(struct http_call *);
/* Gives one back that was never opened. */
void http_call_drop(struct http_call *);
/* Counts it, sets its deadline and starts it, unless it waits for sources or has failed already. */
void http_call_open(struct http_call *);
void http_call_do(struct http_call *, unsigned todo);
/* The first verdict stands; the call ends in the next turn. */
void http_call_fail(struct http_call *, kanal_status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes it out of everything and calls done(). Not from a callback of libcurl. */
void http_call_end(struct http_call *, CURLcode);
void http_call_head_complete(struct http_call *);
int http_call_todo_init(struct http_client *);

/* ---- client_request.c ---- */

/* Copies the request. 0; KANAL_E_INVALID with the message set; KANAL_E_BUSY: out of memory. */
int http_request_build(struct http_call *, const struct http_out *);
/* Sets it on the easy handle. 0 or KANAL_E_BUSY. */
int http_request_apply(struct http_call *);

/* Whether the client would send to it; sets is_tls. 0, or KANAL_E_INVALID with the message set. */
int http_request_check_url(struct http_call *, kanal_str url);
/* Threads the list of header lines through the text. 0 or KANAL_E_BUSY. */
int http_request_link_lines(struct http_call *);

/* ---- client_redirect.c ---- */

/* The header of an answer is complete: 1 if it redirects and that is followed, or has failed the call; 0: it is for the caller. */
int http_redirect_due(struct http_call *);
/* Of a redirect's body; as a write callback of libcurl. */
size_t http_redirect_swallow(struct http_call *, size_t len);
/* Starts the call anew at its location. Not from a callback of libcurl. */
void http_redirect_follow(struct http_call *);

/* ---- client_answer.c ---- */

int http_answer_install(struct http_call *);

/* ---- client_parts.c ---- */

/* Builds the form and opens the sources. As http_request_build(). */
int http_parts_build(struct http_call *, const struct http_out *);
/* Whether enough is known of every source to start the request. */
int http_parts_ready(const struct http_call *);
/* Ties the sources to the form. 0 or KANAL_E_BUSY. */
int http_parts_finish(struct http_call *);
void http_parts_release(struct http_call *);

#endif
