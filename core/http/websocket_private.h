/* http/websocket_private.h - an upgraded connection, between its life (websocket.c) and its frames (websocket_io.c). */
#ifndef KANAL_HTTP_WEBSOCKET_PRIVATE_H
#define KANAL_HTTP_WEBSOCKET_PRIVATE_H
#include <wslay/wslay.h>
#include "http/server_private.h"

#define SOCKET_REASON_BYTES 123 /* RFC 6455, 5.5 */

/* An upgraded connection. Its descriptor belongs to libmicrohttpd, and is closed by it after MHD_upgrade_action(). Made by
 * http_upgrade(), opened when libmicrohttpd has sent the 101, finished exactly once, freed by the close of its poll. */
struct http_socket {
    struct http_server *server;
    struct http_socket *prev, *next, *next_work;
    struct http_exchange *exchange;
    struct http_socket_events events;
    void *user;
    wslay_event_context_ptr wslay;
    struct MHD_UpgradeResponseHandle *upgrade;
    uv_poll_t poll;
    int fd; /* -1: not open yet */
    int poll_events;
    struct kanal_buffer extra; /* what libmicrohttpd had read behind the request */
    size_t extra_taken, read_now;
    uint64_t ping_at_ms;
    uint64_t close_at_ms; /* 0, or when the close handshake must be done */
    uint8_t pings_unanswered;
    uint8_t is_work, is_opened, has_poll;
    uint8_t is_closing; /* a close frame was queued or received: no more messages either way */
    uint8_t is_ending;  /* … and all was said; only the client's end of the connection is waited for */
    uint8_t is_broken;  /* the connection is gone */
    uint8_t is_finished;
    uint16_t own_code;  /* why we closed, if the reason lay in the client's behaviour */
    uint16_t peer_code; /* of the client's close frame; 0: there was none */
    uint8_t reason_len;
    char reason[SOCKET_REASON_BYTES];
};

/* ---- websocket.c ---- */

/* The socket has something to do at the end of the turn. */
void socket_add_work(struct http_socket *);
/* From now on it has close_ms to end. */
void socket_start_closing(struct http_socket *);
/* The end: close() is called, the socket is freed. */
void socket_finish(struct http_socket *);

/* ---- websocket_io.c ---- */

extern const struct wslay_event_callbacks socket_callbacks;
/* Reads and writes what can be, and says what to wait for. The socket may be finished afterwards. */
void socket_pump(struct http_socket *);

#endif
