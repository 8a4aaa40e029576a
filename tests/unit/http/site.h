/* site.h - a server in a thread of its own, with a handler whose behaviour the request's path chooses:
 *
 *   /now            200 "now", inside run()                /later     200 "later", 5 ms after run()
 *   /echo           200 and what came in, as lines         /hold      no answer; site_answer_held() gives it
 *   /code/NNN       NNN "coded"                            /small     takes 100 bytes, then as /echo
 *   /refuse         401 inside begin()                     /mute      begin() refuses and says nothing
 *   /big            1 MiB                                  /header    200 with headers that are not the handler's to write
 *   /stream/KIND    an answer in pieces: see site.c        /ws        WebSocket: sends back what comes; see site.c */
#ifndef TEST_HTTP_SITE_H
#define TEST_HTTP_SITE_H
#include <stdatomic.h>
#include <uv.h>
#include "http/server.h"

#define SITE_HELD 64

struct site_options {
    struct http_limits limits;
    const char *listen; /* NULL: 127.0.0.1:0 */
    const kanal_str *proxies;
    size_t proxy_count;
    uint32_t ping_ms, close_ms, linger_ms, least_bytes_per_ms; /* 0: as it is */
};

struct site {
    /* Counted by the loop's thread, read by the test's. */
    atomic_uint begun, ran, gone, stream_resumed, stream_gone, opened, messages, closed, close_code;
    atomic_ullong streamed;
    char close_reason[128];
    uint16_t port;

    /* The loop's. */
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t async;
    uv_mutex_t mutex;
    uv_cond_t done;
    void (*call)(struct site *, void *);
    void *call_argument;
    struct http_server *server;
    struct http_exchange *held[SITE_HELD];
    size_t held_count;
    struct http_socket *socket; /* the last one that was opened */
    int status;                 /* of http_server_new() */
    struct site_options options;
};

struct site *site_start(const struct site_options *); /* NULL: defaults */
/* Ends the server and its loop, and checks that nothing of it is left. */
void site_stop(struct site *);
/* Runs a function in the loop's thread, and waits for it. */
void site_call(struct site *, void (*function)(struct site *, void *), void *argument);
void site_answer_held(struct site *); /* 200 "held N" for all of them, N from 0 */
size_t site_open(struct site *);      /* http_server_open() */
void site_drain(struct site *);
/* Waits until a counter has (at least) a value; fails the test after five seconds. */
void site_wait(atomic_uint *counter, unsigned value);
/* CPU time of the loop's thread. */
double site_cpu_ms(struct site *);

/* The handler, for the program that other clients talk to. */
extern const struct http_handler site_handler;

#endif
