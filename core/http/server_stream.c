#include "http/server_private.h"
#include <string.h>

#define STREAM_HIGH_BYTES ((size_t)256 * 1024) /* the source should pause above this … */
#define STREAM_LOW_BYTES ((size_t)64 * 1024)   /* … and is resumed below this */
#define STREAM_PIECE_BYTES ((size_t)32 * 1024)

static size_t waiting(const struct http_stream *t)
{
    return t->data.len - t->taken;
}

/* How much may be handed on. Of a stream whose length is known, the last byte waits for the end: libmicrohttpd would take the
 * answer for complete, while the source could still break it off, and hold the exchange. */
static size_t available(const struct http_stream *t, uint64_t position)
{
    size_t bytes = waiting(t);

    if (t->length == UINT64_MAX)
        return bytes;
    if (bytes >= t->length - position && !t->is_ended)
        return (size_t)(t->length - position) - 1;
    return bytes;
}

static void take(struct http_exchange *x, char *out, size_t len)
{
    struct http_stream *t = &x->stream;

    memcpy(out, t->data.data + t->taken, len);
    t->taken += len;
    if (t->taken == t->data.len) {
        kanal_buffer_clear(&t->data);
        t->taken = 0;
    } else if (t->taken >= STREAM_LOW_BYTES) {
        memmove(t->data.data, t->data.data + t->taken, waiting(t));
        t->data.len -= t->taken;
        t->taken = 0;
    }
    x->deadline_ms = http_server_now(x->server) + x->server->limits.idle_timeout_ms;
    if (t->is_paused && waiting(t) < STREAM_LOW_BYTES) {
        t->is_paused = 0;
        if (!t->is_deaf && !x->server->is_closing && t->events.resume)
            t->events.resume(t->user, x);
    }
}

static ssize_t on_read(void *exchange, uint64_t position, char *out, size_t max)
{
    struct http_exchange *x = exchange;
    struct http_stream *t = &x->stream;
    size_t len;

    if (t->is_failed || x->phase == PHASE_DEAD || x->server->is_closing)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    len = available(t, position);
    if (len > max)
        len = max;
    if (len > 0) {
        take(x, out, len);
        return (ssize_t)len;
    }
    if (t->is_ended)
        return t->length == UINT64_MAX ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    MHD_suspend_connection(x->mhd);
    x->is_suspended = 1;
    return 0;
}

static struct MHD_Response *make_response(struct http_exchange *x, const kanal_field *headers, size_t count,
                                          uint64_t length)
{
    struct MHD_Response *response = MHD_create_response_from_callback(
        length == UINT64_MAX ? MHD_SIZE_UNKNOWN : length, STREAM_PIECE_BYTES, on_read, x, NULL);

    if (!response)
        return NULL;
    /* libmicrohttpd 0.9.75 would write the last chunk of a body that a HEAD does not have. */
    if (x->is_head && length == UINT64_MAX)
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    response_add_headers(response, headers, count, x->server->is_draining);
    return response;
}

void http_stream(struct http_exchange *x, int code, const kanal_field *headers, size_t count, uint64_t length,
                 const struct http_stream_events *events, void *user)
{
    struct http_stream *t = &x->stream;

    if (x->phase != PHASE_RUNNING || x->response || t->is_active)
        return;
    x->is_owed = 0;
    t->is_active = 1;
    t->events = *events;
    t->user = user;
    t->length = length;
    x->code = code >= 200 && code <= 599 ? code : 500;
    x->response =
        make_response(x, headers, count, length); /* without one, exchange_queue() closes the connection */
    x->phase = PHASE_ANSWERED;
    /* An answer without a body would be complete at once, and must not be before http_stream_end(). */
    if (length == 0 && x->response)
        x->phase = PHASE_STREAMING;
    else
        exchange_resume(x);
}

size_t http_stream_write(struct http_exchange *x, kanal_str piece)
{
    struct http_stream *t = &x->stream;

    if (!t->is_active || t->is_ended || t->is_deaf || x->phase == PHASE_DEAD)
        return 0;
    if (t->length != UINT64_MAX && piece.len > t->length - t->written)
        piece.len = (size_t)(t->length - t->written);
    t->written += piece.len;
    if (x->is_head) /* nobody will read it */
        return 0;
    kanal_buffer_append(&t->data, piece.ptr, piece.len);
    if (t->data.failed)
        t->is_failed = 1;
    if (waiting(t) > STREAM_HIGH_BYTES)
        t->is_paused = 1;
    if (x->phase == PHASE_STREAMING && t->length != 0) {
        if (x->is_suspended) /* the client has had no chance to take anything while there was nothing */
            x->deadline_ms = http_server_now(x->server) + x->server->limits.idle_timeout_ms;
        exchange_resume(x);
    }
    return waiting(t);
}

void http_stream_end(struct http_exchange *x, int ok)
{
    struct http_stream *t = &x->stream;

    if (!t->is_active || t->is_ended || t->is_deaf)
        return;
    t->is_ended = t->is_deaf = 1;
    t->is_failed |= !ok;
    if (x->phase == PHASE_STREAMING && t->length == 0 && x->response)
        x->phase = t->is_failed ? PHASE_DEAD : PHASE_ANSWERED;
    exchange_resume(x);
}

int stream_is_waiting(const struct http_exchange *x)
{
    return x->is_suspended && !x->stream.is_ended;
}

void stream_client_left(struct http_exchange *x)
{
    struct http_stream *t = &x->stream;

    if (t->is_deaf)
        return;
    t->is_deaf = 1;
    if (!x->server->is_closing && t->events.gone)
        t->events.gone(t->user, x);
}

void stream_end_with_exchange(struct http_exchange *x)
{
    stream_client_left(x);
    kanal_buffer_release(&x->stream.data);
    memset(&x->stream, 0, sizeof x->stream);
}
