#include "net/stream.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "kanal/sdk/str.h"

#define WRITES_MAX 256u
#define READS_A_TURN 16u /* then the other streams of the loop have their turn */
#define HANDLES 3u

struct write {
    STAILQ_ENTRY(write) link;
    struct kanal_buffer bytes;
    size_t sent;
    int touched; /* something of it may have left */
    net_written_fn *written;
    void *user;
};

STAILQ_HEAD(write_queue, write);

struct net_stream {
    uv_poll_t poll;
    uv_timer_t idle, kick;
    unsigned open_handles;
    const struct net_transport *transport;
    void *impl;
    const struct net_stream_events *events;
    void *user;
    struct write_queue writes;
    size_t write_count, queued_bytes;
    uint32_t idle_ms;
    uint64_t heard_ms;
    int polled;                             /* the events that are watched */
    int read_waits_write, write_waits_read; /* as TLS may want it */
    int ended_in, finishing, ended_out;     /* the peer's end was read; ours is wanted; ours is sent */
    int freed, closed;                      /* by the owner; close() was told */
    net_secured_fn *secured;                /* a handshake is under way */
    void *secured_user;
    int handshake_wants;
    char *buffer;
};

/* ---- The end ---- */

static void write_free(struct net_stream *s, struct write *w, kanal_status status)
{
    STAILQ_REMOVE(&s->writes, w, write, link);
    s->write_count--;
    s->queued_bytes -= w->bytes.len - w->sent;
    if (w->written)
        w->written(w->user, status);
    if (w->bytes.data)
        explicit_bzero(w->bytes.data, w->bytes.capacity);
    kanal_buffer_release(&w->bytes);
    free(w);
}

static void fail_writes(struct net_stream *s)
{
    struct write *w;
    while ((w = STAILQ_FIRST(&s->writes)))
        write_free(s, w, w->touched ? KANAL_E_MAYBE : KANAL_E_NETWORK);
}

static void on_closed(uv_handle_t *handle)
{
    struct net_stream *s = handle->data;
    if (--s->open_handles > 0)
        return;
    s->transport->release(s->impl);
    free(s->buffer);
    free(s);
}

void net_stream_free(struct net_stream *s)
{
    if (!s || s->freed)
        return;
    s->freed = s->closed = 1;
    fail_writes(s);
    uv_close((uv_handle_t *)&s->poll, on_closed);
    uv_close((uv_handle_t *)&s->idle, on_closed);
    uv_close((uv_handle_t *)&s->kick, on_closed);
}

/* Tells the owner that it is over, and watches nothing more. */
static void over(struct net_stream *s, kanal_status status, const char *reason)
{
    net_secured_fn *secured = s->secured;
    if (s->closed)
        return;
    s->closed = 1;
    uv_poll_stop(&s->poll);
    uv_timer_stop(&s->idle);
    uv_timer_stop(&s->kick);
    fail_writes(s);
    s->secured = NULL;
    if (s->freed)
        return; /* by a written() */
    if (secured)
        secured(s->secured_user, status, reason);
    else
        s->events->close(s->user, status, reason);
}

static void broken(struct net_stream *s, ssize_t what, const char *reason)
{
    over(s, what == NET_REFUSED ? KANAL_E_REJECTED : KANAL_E_NETWORK, reason);
}

/* ---- What is watched ---- */

static void on_event(uv_poll_t *poll, int status, int events);

static void watch(struct net_stream *s)
{
    int wanted = 0;
    if (s->closed)
        return;
    if (s->secured) {
        wanted = s->handshake_wants == NET_WAIT_READ ? UV_READABLE : UV_WRITABLE;
    } else {
        if (!s->ended_in && s->events->room(s->user) > 0)
            wanted |= s->read_waits_write ? UV_WRITABLE : UV_READABLE;
        if (!STAILQ_EMPTY(&s->writes) || (s->finishing && !s->ended_out))
            wanted |= s->write_waits_read ? UV_READABLE : UV_WRITABLE;
    }
    if (wanted == s->polled)
        return;
    s->polled = wanted;
    if (wanted == 0)
        uv_poll_stop(&s->poll);
    else if (uv_poll_start(&s->poll, wanted, on_event) != 0)
        over(s, KANAL_E_INTERNAL, "the socket cannot be watched");
}

/* ---- Out ---- */

static void finish_out(struct net_stream *s)
{
    char reason[NET_REASON_MAX] = "";
    int result = s->transport->finish ? s->transport->finish(s->impl, reason) : 0;
    s->write_waits_read = result == NET_WAIT_READ;
    if (result == NET_WAIT_READ || result == NET_WAIT_WRITE)
        return;
    if (result < 0) {
        broken(s, result, reason);
        return;
    }
    s->ended_out = 1;
    if (s->ended_in)
        over(s, KANAL_OK, "both sides have ended");
}

static void write_out(struct net_stream *s)
{
    struct write *w;
    char reason[NET_REASON_MAX] = "";
    while (!s->closed && (w = STAILQ_FIRST(&s->writes))) {
        ssize_t n = w->bytes.len > w->sent
                        ? s->transport->send(s->impl, w->bytes.data + w->sent, w->bytes.len - w->sent, reason)
                        : 0;
        s->write_waits_read = n == NET_WAIT_READ;
        w->touched |= n > 0 || s->transport->opaque(s->impl);
        if (n == NET_WAIT_READ || n == NET_WAIT_WRITE)
            return;
        if (n < 0) {
            broken(s, n, reason);
            return;
        }
        w->sent += (size_t)n;
        s->queued_bytes -= (size_t)n;
        if (w->sent == w->bytes.len)
            write_free(s, w, KANAL_OK);
    }
    if (!s->closed && s->finishing && !s->ended_out)
        finish_out(s);
}

int net_stream_write(struct net_stream *s, struct kanal_buffer *bytes, size_t max_queued,
                     net_written_fn *written, void *user)
{
    int status =
        bytes->failed                             ? KANAL_E_BUSY
        : s->closed || s->finishing || s->secured ? KANAL_E_NOT_FOUND
        : s->write_count >= WRITES_MAX || bytes->len > max_queued || s->queued_bytes > max_queued - bytes->len
            ? KANAL_E_BUSY
            : 0;
    struct write *w = status == 0 ? calloc(1, sizeof *w) : NULL;
    if (!w) {
        if (bytes->data)
            explicit_bzero(bytes->data, bytes->capacity);
        kanal_buffer_release(bytes);
        return status ? status : KANAL_E_BUSY;
    }
    w->bytes = *bytes;
    memset(bytes, 0, sizeof *bytes);
    w->written = written;
    w->user = user;
    STAILQ_INSERT_TAIL(&s->writes, w, link);
    s->write_count++;
    s->queued_bytes += w->bytes.len;
    watch(s);
    return 0;
}

void net_stream_shutdown(struct net_stream *s)
{
    s->finishing = 1;
    watch(s);
}

/* ---- In ---- */

static void read_in(struct net_stream *s)
{
    char reason[NET_REASON_MAX] = "";
    for (unsigned i = 0; i < READS_A_TURN && !s->closed && !s->ended_in && !s->secured; i++) {
        size_t room = s->events->room(s->user);
        if (room == 0)
            return;
        ssize_t n = s->transport->receive(s->impl, s->buffer, room < NET_CHUNK ? room : NET_CHUNK, reason);
        s->read_waits_write = n == NET_WAIT_WRITE;
        if (n == NET_WAIT_READ || n == NET_WAIT_WRITE)
            return;
        if (n < 0) {
            broken(s, n, reason);
            return;
        }
        s->heard_ms = uv_now(s->poll.loop);
        if (n > 0) {
            s->events->data(s->user, kanal_str_of(s->buffer, (size_t)n));
            continue;
        }
        s->ended_in = 1;
        s->events->end(s->user);
        if (!s->closed && s->ended_out)
            over(s, KANAL_OK, "both sides have ended");
    }
    /* What the transport holds, the descriptor does not tell of. */
    if (!s->closed && !s->ended_in && !s->secured && s->transport->pending(s->impl))
        net_stream_resume(s);
}

static void on_kick(uv_timer_t *timer)
{
    struct net_stream *s = timer->data;
    if (!s->secured)
        read_in(s);
    watch(s);
}

void net_stream_resume(struct net_stream *s)
{
    if (s->closed)
        return;
    if (s->transport->pending(s->impl) && !s->secured)
        uv_timer_start(&s->kick, on_kick, 0, 0);
    watch(s);
}

static void on_idle(uv_timer_t *timer)
{
    struct net_stream *s = timer->data;
    uint64_t now = uv_now(timer->loop), quiet = now - s->heard_ms;
    if (!s->secured && (s->ended_in || s->events->room(s->user) == 0)) {
        s->heard_ms = now; /* it is not the peer who is quiet */
        quiet = 0;
    }
    if (quiet >= s->idle_ms)
        over(s, KANAL_E_TIMEOUT, "nothing came for too long");
    else
        uv_timer_start(timer, on_idle, s->idle_ms - quiet, 0);
}

/* ---- TLS ---- */

static void shake(struct net_stream *s)
{
    char reason[NET_REASON_MAX] = "";
    int result = s->transport->handshake(s->impl, reason);
    if (result == NET_WAIT_READ || result == NET_WAIT_WRITE) {
        s->handshake_wants = result;
        return;
    }
    if (result < 0) {
        broken(s, result, reason);
        return;
    }
    net_secured_fn *secured = s->secured;
    s->secured = NULL;
    s->heard_ms = uv_now(s->poll.loop);
    uv_timer_stop(&s->idle);
    if (s->idle_ms)
        uv_timer_start(&s->idle, on_idle, s->idle_ms, 0);
    secured(s->secured_user, KANAL_OK, "");
    if (!s->closed)
        net_stream_resume(s); /* the first bytes may have come with the handshake's last */
}

static void on_handshake_deadline(uv_timer_t *timer)
{
    over(timer->data, KANAL_E_TIMEOUT, "the TLS handshake took too long");
}

int net_stream_secure(struct net_stream *s, uint32_t timeout_ms, net_secured_fn *done, void *user)
{
    if (s->closed || s->secured || s->finishing || !s->transport->handshake || !STAILQ_EMPTY(&s->writes))
        return KANAL_E_INVALID;
    s->secured = done;
    s->secured_user = user;
    s->handshake_wants = NET_WAIT_WRITE; /* the client begins */
    uv_timer_start(&s->idle, on_handshake_deadline, timeout_ms, 0);
    watch(s);
    return 0;
}

/* ---- The loop ---- */

static void on_event(uv_poll_t *poll, int status, int events)
{
    struct net_stream *s = poll->data;
    (void)events; /* what can be done is tried: TLS may need the other direction */
    if (status < 0) {
        s->polled = 0; /* libuv has stopped it; reading or writing finds out what it is */
    }
    if (s->secured)
        shake(s);
    if (!s->closed && !s->secured)
        write_out(s);
    if (!s->closed && !s->secured)
        read_in(s);
    watch(s);
}

int net_stream_new(struct net_stream **ret_stream, const struct net_stream_options *options)
{
    struct net_stream *s = calloc(1, sizeof *s);
    char *buffer = malloc(NET_CHUNK);
    if (!s || !buffer || uv_poll_init(options->loop, &s->poll, options->fd) != 0) {
        free(s);
        free(buffer);
        return KANAL_E_INTERNAL;
    }
    s->buffer = buffer;
    uv_timer_init(options->loop, &s->idle);
    uv_timer_init(options->loop, &s->kick);
    s->open_handles = HANDLES;
    s->poll.data = s->idle.data = s->kick.data = s;
    s->transport = options->transport;
    s->impl = options->impl;
    s->events = options->events;
    s->user = options->user;
    s->idle_ms = options->idle_ms;
    s->heard_ms = uv_now(options->loop);
    STAILQ_INIT(&s->writes);
    if (s->idle_ms)
        uv_timer_start(&s->idle, on_idle, s->idle_ms, 0);
    /* Not inside the call: the owner has not got it yet. */
    uv_timer_start(&s->kick, on_kick, 0, 0);
    *ret_stream = s;
    return 0;
}
