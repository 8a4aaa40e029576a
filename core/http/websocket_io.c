#include "http/websocket_private.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "kanal/sdk/str.h"

#define QUEUED_FRAMES 1024              /* waiting frames; above, nothing more is read: pings make pongs */
#define READ_BYTES ((size_t)256 * 1024) /* of one connection before the others have their turn */

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
        k->reason_len =
            (uint8_t)(arg->msg_length - 2 < SOCKET_REASON_BYTES ? arg->msg_length - 2 : SOCKET_REASON_BYTES);
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

/* ---- Driving ------------------------------------------------------------------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events);

static int wants_more(const struct http_socket *k)
{
    return wslay_event_want_read(k->wslay) && wslay_event_get_queued_msg_count(k->wslay) <= QUEUED_FRAMES;
}

static int set_poll(struct http_socket *k)
{
    int events = 0;

    if (k->is_ending || wants_more(k))
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
        socket_finish(k);
        return;
    }
    if (!k->is_ending) {
        k->is_ending = 1;
        k->own_code = wslay_event_get_status_code_sent(k->wslay);
        shutdown(k->fd, SHUT_WR);
    }
    if (is_client_done(k))
        socket_finish(k);
    else
        set_poll(k);
}

void socket_pump(struct http_socket *k)
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
        socket_finish(k);
        return;
    }
    /* wslay stops reading after an error that it answers with a close frame of its own. */
    if (k->is_closing || !wslay_event_get_read_enabled(k->wslay))
        socket_start_closing(k);
    if (k->is_ending || (!wslay_event_want_read(k->wslay) && !wslay_event_want_write(k->wslay))) {
        all_said(k);
        return;
    }
    if (set_poll(k) != 0)
        socket_finish(k);
    else if (k->extra_taken < k->extra.len && wants_more(k))
        socket_add_work(k); /* no event will tell of these bytes */
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct http_socket *k = poll->data;
    struct http_server *s = k->server;

    (void)events;
    http_server_enter(s);
    if (status < 0)
        k->is_broken = 1;
    socket_pump(k);
    http_server_leave(s);
}

const struct wslay_event_callbacks socket_callbacks = { .recv_callback = on_recv,
                                                        .send_callback = on_send,
                                                        .on_msg_recv_callback = on_frame };
