#include "http/websocket_private.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include "http/websocket_handshake.h"
#include "kanal/sdk/str.h"

#define SEND_BYTES ((size_t)1024 * 1024) /* that may wait for a client */
#define FRAME_COST 64                    /* what a waiting frame costs beside its payload */
#define CODE_ABNORMAL 1006
#define CODE_TRY_AGAIN_LATER 1013

void socket_add_work(struct http_socket *k)
{
    if (k->is_work || k->is_finished)
        return;
    k->is_work = 1;
    k->next_work = k->server->work;
    k->server->work = k;
    http_server_stir(k->server);
}

void socket_start_closing(struct http_socket *k)
{
    k->is_closing = 1;
    if (k->close_at_ms == 0)
        k->close_at_ms = http_server_now(k->server) + k->server->close_ms;
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

void socket_finish(struct http_socket *k)
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
    socket_finish(x->socket);
}

void socket_discard_all(struct http_server *s)
{
    while (s->sockets)
        discard(s->sockets);
}

/* ---- In the loop ------------------------------------------------------------------------------------------------------------ */

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
    socket_add_work(k);
}

static void work(struct http_socket *k)
{
    if (k->is_broken) {
        socket_finish(k);
        return;
    }
    if (!k->is_opened) {
        k->is_opened = 1;
        if (!k->is_closing && k->events.open)
            k->events.open(k->user, k);
    }
    if (!k->server->is_closing)
        socket_pump(k);
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
            socket_finish(k);
        return;
    }
    if (now_ms < k->ping_at_ms)
        return;
    k->ping_at_ms = now_ms + k->server->ping_ms;
    if (k->pings_unanswered >= 2) {
        socket_finish(k);
        return;
    }
    k->pings_unanswered++;
    wslay_event_queue_msg(k->wslay, &ping);
    socket_add_work(k);
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
    struct http_socket *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    k->server = x->server;
    k->exchange = x;
    k->events = *events;
    k->user = user;
    k->fd = -1;
    if (wslay_event_context_server_init(&k->wslay, &socket_callbacks, k) != 0) {
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

static uint64_t waiting_bytes(const struct http_socket *k)
{
    return wslay_event_get_queued_msg_length(k->wslay) +
           FRAME_COST * wslay_event_get_queued_msg_count(k->wslay);
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
    socket_add_work(k);
    return 0;
}

void http_socket_close(struct http_socket *k, uint16_t code, kanal_str reason)
{
    if (k->is_closing || k->is_finished)
        return;
    if (reason.len > SOCKET_REASON_BYTES)
        reason.len = SOCKET_REASON_BYTES;
    if (wslay_event_queue_close(k->wslay, code, (const uint8_t *)reason.ptr, reason.len) != 0)
        k->is_broken = 1;
    socket_start_closing(k);
    socket_add_work(k);
}
