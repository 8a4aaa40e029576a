#include "http/server_private.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <wslay/wslay.h>
#include "http/websocket_handshake.h"
#include "kanal/sdk/str.h"

#define SEND_BYTES (1024 * 1024) /* that may wait for a client */
#define QUEUED_FRAMES 1024       /* waiting frames; above, nothing more is read: pings make pongs */
#define FRAME_COST 64            /* what a waiting frame costs beside its payload */
#define READ_BYTES (256 * 1024)  /* of one connection before the others have their turn */
#define REASON_BYTES 123         /* RFC 6455, 5.5 */
#define CODE_ABNORMAL 1006
#define CODE_TRY_AGAIN_LATER 1013

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
    char reason[REASON_BYTES];
};

static void add_work(struct http_socket *k)
{
    if (k->is_work || k->is_finished)
        return;
    k->is_work = 1;
    k->next_work = k->server->work;
    k->server->work = k;
    http_server_stir(k->server);
}

static uint64_t waiting_bytes(const struct http_socket *k)
{
    return wslay_event_get_queued_msg_length(k->wslay) +
           FRAME_COST * wslay_event_get_queued_msg_count(k->wslay);
}

/* ---- wslay's callbacks -------------------------------------------------------------------------------------------------- */

static ssize_t would_block(wslay_event_context_ptr wslay)
{
    wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
    return -1;
}

static ssize_t broken(struct http_socket *k)
{
    k->is_broken = 1;
    wslay_event_set_error(k->wslay, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t on_recv(wslay_event_context_ptr wslay, uint8_t *out, size_t len, int flags, void *user)
{
    struct http_socket *k = user;
    size_t left = k->extra.len - k->extra_taken;
    ssize_t got;

    (void)flags;
    if (k->read_now >= READ_BYTES || wslay_event_get_queued_msg_count(wslay) > QUEUED_FRAMES)
        return would_block(wslay);
    if (left > 0) {
        got = (ssize_t)(left < len ? left : len);
        memcpy(out, k->extra.data + k->extra_taken, (size_t)got);
        k->extra_taken += (size_t)got;
        return got;
    }
    do
        got = recv(k->fd, out, len, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return would_block(wslay);
    if (got <= 0)
        return broken(k);
    k->read_now += (size_t)got;
    return got;
}

static ssize_t on_send(wslay_event_context_ptr wslay, const uint8_t *bytes, size_t len, int flags, void *user)
{
    struct http_socket *k = user;
    ssize_t sent;

    do
        sent = send(k->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT | (flags & WSLAY_MSG_MORE ? MSG_MORE : 0));
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return would_block(wslay);
    return sent < 0 ? broken(k) : sent;
}

static void on_close_frame(struct http_socket *k, const struct wslay_event_on_msg_recv_arg *arg)
{
    k->peer_code = arg->status_code ? arg->status_code : WSLAY_CODE_NO_STATUS_RCVD;
    if (arg->msg_length > 2) {
        k->reason_len = (uint8_t)(arg->msg_length - 2 < REASON_BYTES ? arg->msg_length - 2 : REASON_BYTES);
        memcpy(k->reason, arg->msg + 2, k->reason_len);
    }
    k->is_closing = 1;
}

static void on_frame(wslay_event_context_ptr wslay, const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
    struct http_socket *k = user;

    (void)wslay;
    if (arg->opcode == WSLAY_CONNECTION_CLOSE) {
        on_close_frame(k, arg);
    } else if (arg->opcode == WSLAY_PONG) {
        k->pings_unanswered = 0;
    } else if (arg->opcode == WSLAY_TEXT_FRAME || arg->opcode == WSLAY_BINARY_FRAME) {
        if (!k->is_closing && !k->server->is_closing && k->events.message)
            k->events.message(k->user, k, arg->opcode == WSLAY_TEXT_FRAME,
                              kanal_str_of((const char *)arg->msg, arg->msg_length));
    }
}

/* ---- The end ------------------------------------------------------------------------------------------------------------- */

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Lets go of everything; no callbacks. */
static void discard(struct http_socket *k)
{
    struct http_server *s = k->server;
    struct http_socket **at = &s->work;

    k->is_finished = 1;
    while (*at && *at != k)
        at = &(*at)->next_work;
    if (*at)
        *at = k->next_work;
    if (k->next)
        k->next->prev = k->prev;
    if (k->prev)
        k->prev->next = k->next;
    else
        s->sockets = k->next;
    s->open_sockets--;
    k->exchange->socket = NULL;
    wslay_event_context_free(k->wslay);
    kanal_buffer_release(&k->extra);
    if (k->has_poll) /* before what follows: that leads to the descriptor's end */
        uv_close((uv_handle_t *)&k->poll, on_poll_closed);
    if (k->fd >= 0) {
        MHD_upgrade_action(k->upgrade, MHD_UPGRADE_ACTION_CLOSE);
        http_server_wake(s);
    }
    if (!k->has_poll)
        free(k);
}

static void finish(struct http_socket *k)
{
    uint16_t code = k->peer_code ? k->peer_code : k->own_code ? k->own_code : CODE_ABNORMAL;

    if (k->is_finished)
        return;
    k->is_finished = 1;
    if (!k->server->is_closing && k->events.close)
        k->events.close(k->user, k, code, kanal_str_of(k->reason, k->reason_len));
    discard(k);
}

void socket_never_opened(struct http_exchange *x)
{
    finish(x->socket);
}

void socket_discard_all(struct http_server *s)
{
    while (s->sockets)
        discard(s->sockets);
}

/* ---- Driving ------------------------------------------------------------------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events);

static int set_poll(struct http_socket *k)
{
    int events = 0;

    if (k->is_ending ||
        (wslay_event_want_read(k->wslay) && wslay_event_get_queued_msg_count(k->wslay) <= QUEUED_FRAMES))
        events |= UV_READABLE;
    if (wslay_event_want_write(k->wslay))
        events |= UV_WRITABLE;
    if (events == k->poll_events)
        return 0;
    k->poll_events = events;
    return events ? uv_poll_start(&k->poll, events, on_poll) : uv_poll_stop(&k->poll);
}

/* Throws away what the client still sends; true once it has closed. */
static int is_client_done(struct http_socket *k)
{
    char bytes[16 * 1024];
    ssize_t got;

    for (int i = 0; i < 16; i++) {
        got = recv(k->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
    }
    return 0;
}

/* wslay has nothing more to read or to write. After a whole close handshake that is the end. After an error of the client's,
 * what it has already sent must be read, or the kernel resets the connection and our close frame is lost. */
static void all_said(struct http_socket *k)
{
    if (!wslay_event_get_close_sent(k->wslay) || wslay_event_get_close_received(k->wslay)) {
        finish(k);
        return;
    }
    if (!k->is_ending) {
        k->is_ending = 1;
        k->own_code = wslay_event_get_status_code_sent(k->wslay);
        shutdown(k->fd, SHUT_WR);
    }
    if (is_client_done(k))
        finish(k);
    else
        set_poll(k);
}

static void start_closing(struct http_socket *k)
{
    k->is_closing = 1;
    if (k->close_at_ms == 0)
        k->close_at_ms = http_server_now(k->server) + k->server->close_ms;
}

static void pump(struct http_socket *k)
{
    struct http_server *s = k->server;
    int failed = 0;

    k->read_now = 0;
    if (!k->is_ending) {
        if (wslay_event_want_read(k->wslay))
            failed = wslay_event_recv(k->wslay) != 0;
        if (s->is_closing)
            return;
        if (!failed && wslay_event_want_write(k->wslay))
            failed = wslay_event_send(k->wslay) != 0;
    }
    if (failed || k->is_broken) {
        finish(k);
        return;
    }
    /* wslay stops reading after an error that it answers with a close frame of its own. */
    if (k->is_closing || !wslay_event_get_read_enabled(k->wslay))
        start_closing(k);
    if (k->is_ending || (!wslay_event_want_read(k->wslay) && !wslay_event_want_write(k->wslay))) {
        all_said(k);
        return;
    }
    if (set_poll(k) != 0)
        finish(k);
    else if (k->extra_taken < k->extra.len && wslay_event_want_read(k->wslay))
        add_work(k); /* no event will tell of these bytes */
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_socket *k = poll->data;
    struct http_server *s = k->server;

    (void)events;
    http_server_enter(s);
    if (status < 0)
        k->is_broken = 1;
    pump(k);
    http_server_leave(s);
}

void socket_on_upgrade(void *socket, struct MHD_Connection *mhd, void *exchange, const char *extra,
                       size_t extra_size, MHD_socket fd, struct MHD_UpgradeResponseHandle *upgrade)
{
    struct http_socket *k = socket;
    int on = 1;

    (void)mhd;
    (void)exchange;
    k->exchange->phase = PHASE_SOCKET;
    k->exchange->deadline_ms = 0;
    k->upgrade = upgrade;
    k->fd = fd;
    /* libmicrohttpd gives the descriptor back with Nagle's algorithm on: 40 ms for an answer to a small message. */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    kanal_buffer_append(&k->extra, extra, extra_size);
    k->ping_at_ms = http_server_now(k->server) + k->server->ping_ms;
    k->poll.data = k;
    k->has_poll = uv_poll_init(k->server->loop, &k->poll, fd) == 0;
    if (!k->has_poll || k->extra.failed)
        k->is_broken = 1;
    add_work(k);
}

static void work(struct http_socket *k)
{
    if (k->is_broken) {
        finish(k);
        return;
    }
    if (!k->is_opened) {
        k->is_opened = 1;
        if (!k->is_closing && k->events.open)
            k->events.open(k->user, k);
    }
    if (!k->server->is_closing)
        pump(k);
}

void socket_work_all(struct http_server *s)
{
    struct http_socket *list = s->work, *k;

    s->work = NULL;
    while ((k = list) != NULL && !s->is_closing) {
        list = k->next_work;
        k->is_work = 0;
        if (k->fd >= 0 && !k->is_finished)
            work(k);
    }
}

static void tick(struct http_socket *k, uint64_t now_ms)
{
    struct wslay_event_msg ping = { .opcode = WSLAY_PING };

    if (k->close_at_ms != 0) {
        if (now_ms >= k->close_at_ms)
            finish(k);
        return;
    }
    if (now_ms < k->ping_at_ms)
        return;
    k->ping_at_ms = now_ms + k->server->ping_ms;
    if (k->pings_unanswered >= 2) {
        finish(k);
        return;
    }
    k->pings_unanswered++;
    wslay_event_queue_msg(k->wslay, &ping);
    add_work(k);
}

void socket_tick_all(struct http_server *s, uint64_t now_ms)
{
    struct http_socket *next;

    for (struct http_socket *k = s->sockets; k && !s->is_closing; k = next) {
        next = k->next;
        if (k->fd >= 0)
            tick(k, now_ms);
    }
}

/* ---- For the handler ------------------------------------------------------------------------------------------------------- */

static struct MHD_Response *make_response(struct http_exchange *x, struct http_socket *k)
{
    struct MHD_Response *response = MHD_create_response_for_upgrade(socket_on_upgrade, k);
    char accept[WEBSOCKET_ACCEPT_SIZE];

    if (!response)
        return NULL;
    websocket_accept(x->websocket_key, accept);
    if (MHD_add_response_header(response, "Upgrade", "websocket") == MHD_YES &&
        MHD_add_response_header(response, "Sec-WebSocket-Accept", accept) == MHD_YES)
        return response;
    MHD_destroy_response(response);
    return NULL;
}

static struct http_socket *new_socket(struct http_exchange *x, uint32_t max_message,
                                      const struct http_socket_events *events, void *user)
{
    static const struct wslay_event_callbacks callbacks = { .recv_callback = on_recv,
                                                            .send_callback = on_send,
                                                            .on_msg_recv_callback = on_frame };
    struct http_socket *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    k->server = x->server;
    k->exchange = x;
    k->events = *events;
    k->user = user;
    k->fd = -1;
    if (wslay_event_context_server_init(&k->wslay, &callbacks, k) != 0) {
        free(k);
        return NULL;
    }
    /* Without this wslay takes whatever length a frame announces. */
    wslay_event_config_set_max_recv_msg_length(k->wslay, max_message);
    return k;
}

static void link_socket(struct http_exchange *x, struct http_socket *k)
{
    struct http_server *s = x->server;

    k->next = s->sockets;
    if (s->sockets)
        s->sockets->prev = k;
    s->sockets = k;
    s->open_sockets++;
    x->socket = k;
    if (x->is_open)
        s->open_exchanges--; /* it is counted as a socket now */
    x->is_open = x->is_owed = 0;
}

struct http_socket *http_upgrade(struct http_exchange *x, uint32_t max_message,
                                 const struct http_socket_events *events, void *user)
{
    struct http_socket *k;

    if (x->phase != PHASE_RUNNING || x->response || !x->request.is_websocket)
        return NULL;
    k = new_socket(x, max_message, events, user);
    x->response = k ? make_response(x, k) : NULL;
    if (!x->response) {
        if (k) {
            wslay_event_context_free(k->wslay);
            free(k);
        }
        http_respond(x, 503, NULL, 0, KANAL_LIT("out of memory"));
        return NULL;
    }
    x->code = 101;
    link_socket(x, k);
    x->phase = PHASE_ANSWERED;
    exchange_resume(x);
    return k;
}

int http_socket_send(struct http_socket *k, int is_text, kanal_str message)
{
    struct wslay_event_msg out = { .opcode = is_text ? WSLAY_TEXT_FRAME : WSLAY_BINARY_FRAME,
                                   .msg = (const uint8_t *)message.ptr,
                                   .msg_length = message.len };

    if (k->is_closing || k->is_finished || wslay_event_get_close_sent(k->wslay))
        return KANAL_E_NOT_FOUND;
    if (waiting_bytes(k) + message.len > SEND_BYTES) {
        http_socket_close(k, CODE_TRY_AGAIN_LATER, kanal_str_of(NULL, 0));
        k->own_code = CODE_TRY_AGAIN_LATER;
        return KANAL_E_BUSY;
    }
    if (wslay_event_queue_msg(k->wslay, &out) != 0)
        return KANAL_E_NOT_FOUND;
    add_work(k);
    return 0;
}

void http_socket_close(struct http_socket *k, uint16_t code, kanal_str reason)
{
    if (k->is_closing || k->is_finished)
        return;
    if (reason.len > REASON_BYTES)
        reason.len = REASON_BYTES;
    if (wslay_event_queue_close(k->wslay, code, (const uint8_t *)reason.ptr, reason.len) != 0)
        k->is_broken = 1;
    start_closing(k);
    add_work(k);
}
