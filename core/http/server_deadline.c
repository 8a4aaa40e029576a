#include "http/server_private.h"
#include <poll.h>
#include "http/server_tcp.h"

#define PEER_CHECK_MS 1000
#define PEER_BATCH 64

/* A connection between two requests. Its request's time runs from the first byte. libmicrohttpd does not tell of it, so the
 * kernel's count of bytes does, at no cost for the requests themselves; or exchange_on_target(), if that is earlier. */
static void look_at_idle(struct http_exchange *x, uint64_t now_ms)
{
    struct http_server *s = x->server;
    uint64_t bytes = http_tcp_received(x->fd);

    if (x->is_received_known && bytes != x->received_bytes) {
        x->phase = PHASE_HEADERS;
        if (!x->is_fresh)
            x->deadline_ms = now_ms + s->limits.header_timeout_ms;
        return;
    }
    if (x->is_received_known && s->is_draining)
        exchange_cut(x);
    x->is_received_known = 1;
    x->received_bytes = bytes;
}

static void answer_too_late(struct http_exchange *x)
{
    exchange_gone(x);
    if (x->phase != PHASE_RUNNING || x->server->is_closing)
        return; /* gone() answered after all, or freed the server */
    exchange_answer_text(x, 503, "no answer in time");
    x->phase = PHASE_ANSWERED;
    exchange_resume(x);
}

static void deadline_passed(struct http_exchange *x)
{
    switch (x->phase) {
    case PHASE_IDLE:
        if (x->is_fresh && http_tcp_received(x->fd) > 0)
            exchange_cut_with(x, 408, "the headers took too long");
        else
            exchange_cut(x);
        break;
    case PHASE_HEADERS:
        exchange_cut_with(x, 408, "the headers took too long");
        break;
    case PHASE_BODY:
        exchange_cut_with(x, 408, "the body took too long");
        break;
    case PHASE_REFUSED: /* the rest of a body that nobody wants does not come */
        exchange_linger(x);
        break;
    case PHASE_RUNNING:
        answer_too_late(x);
        break;
    case PHASE_STREAMING:
        if (!stream_is_waiting(x))
            exchange_cut(x);
        break;
    case PHASE_LINGER:
    case PHASE_SENDING:
        exchange_cut(x);
        break;
    default:
        break;
    }
}

/* Who is suspended, long enough that it may be worth knowing whether the client is still there. */
static int is_worth_checking(const struct http_exchange *x, uint64_t now_ms)
{
    if (!x->is_suspended)
        return 0;
    return x->phase == PHASE_STREAMING ||
           (x->phase == PHASE_RUNNING && now_ms - x->running_since_ms >= PEER_CHECK_MS);
}

static void client_left(struct http_exchange *x)
{
    if (x->phase == PHASE_STREAMING)
        stream_client_left(x);
    else
        exchange_gone(x);
    exchange_cut(x);
}

/* libmicrohttpd does not watch a suspended connection. A client that has closed its side is taken for gone, as libmicrohttpd
 * itself takes it when it reads: a half-closed connection cannot be told from a closed one. */
static void check_batch(struct http_exchange **waiting, struct pollfd *fds, size_t count)
{
    if (count == 0 || poll(fds, count, 0) <= 0)
        return;
    for (size_t i = 0; i < count; i++)
        if (fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR))
            client_left(waiting[i]);
}

static void check_peers(struct http_server *s, uint64_t now_ms)
{
    struct http_exchange *waiting[PEER_BATCH];
    struct pollfd fds[PEER_BATCH];
    size_t count = 0;

    s->peers_checked_ms = now_ms;
    /* Nothing is unlinked in here: that is libmicrohttpd's doing, which does not run now. */
    for (struct http_exchange *x = s->exchanges; x; x = x->next) {
        if (!is_worth_checking(x, now_ms))
            continue;
        waiting[count] = x;
        fds[count++] = (struct pollfd){ .fd = x->fd, .events = POLLRDHUP };
        if (count == PEER_BATCH) {
            check_batch(waiting, fds, count);
            count = 0;
        }
    }
    check_batch(waiting, fds, count);
}

void http_deadline_tick(uv_timer_t *timer)
{
    struct http_server *s = timer->data;
    uint64_t now_ms = http_server_now(s);

    http_server_enter(s);
    for (struct http_exchange *x = s->exchanges; x && !s->is_closing; x = x->next) {
        if (x->deadline_ms != 0 && now_ms >= x->deadline_ms)
            deadline_passed(x);
        else if (x->phase == PHASE_IDLE)
            look_at_idle(x, now_ms);
    }
    if (!s->is_closing && now_ms - s->peers_checked_ms >= PEER_CHECK_MS)
        check_peers(s, now_ms);
    if (!s->is_closing)
        socket_tick_all(s, now_ms);
    if (!s->exchanges) { /* nobody there: let the process sleep */
        uv_timer_stop(timer);
        s->is_ticking = 0;
    }
    http_server_leave(s);
}

void http_deadline_start(struct http_server *s)
{
    if (s->is_ticking || s->is_closing)
        return;
    s->is_ticking = 1;
    uv_timer_start(&s->tick, http_deadline_tick, s->tick_ms, s->tick_ms);
}
