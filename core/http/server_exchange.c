#include "http/server_private.h"
#include <string.h>
#include "kanal/sdk/str.h"

#define BODY_KEPT_BYTES ((size_t)8 * 1024) /* of a connection's buffer, between requests */

void http_exchange_set_user(struct http_exchange *x, void *user)
{
    x->user = user;
}

void *http_exchange_user(const struct http_exchange *x)
{
    return x->user;
}

const struct http_request *http_exchange_request(const struct http_exchange *x)
{
    return &x->request;
}

/* ---- The request comes in --------------------------------------------------------------------------------------------- */

void *exchange_on_target(void *server, const char *target, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_exchange *x = info ? info->socket_context : NULL;
    struct http_server *s = server;
    size_t len;
    char *copy;

    if (!x)
        return NULL;
    if (x->phase == PHASE_IDLE) {
        x->phase = PHASE_HEADERS;
        if (!x->is_fresh)
            x->deadline_ms = http_server_now(s) + s->limits.header_timeout_ms;
    }
    /* libmicrohttpd cuts the query into arguments in place, so this is the only chance to keep it. */
    len = target ? strlen(target) : 0;
    copy = len > 0 ? exchange_take(x, len) : NULL;
    if (copy) {
        memcpy(copy, target, len);
        x->request.target = kanal_str_of(copy, len);
        x->target_end = target + len;
    }
    return x;
}

static int has_body(const struct http_exchange *x)
{
    return x->content_length > 0;
}

static enum MHD_Result too_large(struct http_exchange *x)
{
    exchange_gone(x);
    exchange_answer_text(x, 413, "the body is larger than is accepted here");
    return exchange_refuse(x, 0);
}

/* The headers are in. */
static enum MHD_Result on_headers(struct http_exchange *x, const char *method, const char *version)
{
    struct http_server *s = x->server;
    size_t header_bytes =
        MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE)->header_size;
    const char *why = NULL;
    int status = request_read(x, method, version, &why);
    int64_t allowed;

    if (x->over_limit) {
        status = x->over_limit;
        why = "too many connections";
    } else if (status == 0 && header_bytes > s->limits.header_bytes) {
        status = 431;
        why = "the headers are larger than is accepted here";
    }
    if (status != 0) {
        exchange_answer_text(x, status, why);
        return exchange_refuse(x, 1);
    }
    x->phase = PHASE_BODY;
    x->deadline_ms = http_server_now(s) + s->limits.body_timeout_ms;
    x->is_open = x->is_owed = 1;
    s->open_exchanges++;
    allowed = s->handler.begin(s->user, x, &x->request);
    if (allowed < 0 || x->response) {
        x->is_owed = 0;
        if (!x->response)
            exchange_answer_text(x, 500, "the request was refused without an answer");
        return exchange_refuse(x, 0);
    }
    x->body_limit = (uint64_t)allowed;
    if (!x->is_chunked && x->content_length > x->body_limit)
        return too_large(x);
    if (has_body(x) && !x->is_chunked) /* one allocation, if any, for what is usual */
        kanal_buffer_reserve(&x->body, x->content_length < EXCHANGE_SWALLOW_BYTES ? (size_t)x->content_length
                                                                                  : EXCHANGE_SWALLOW_BYTES);
    return MHD_YES;
}

static enum MHD_Result on_body(struct http_exchange *x, const char *piece, size_t len)
{
    x->body_seen += len;
    if (x->body_seen > x->body_limit)
        return too_large(x);
    kanal_buffer_append(&x->body, piece, len);
    if (!x->body.failed)
        return MHD_YES;
    exchange_gone(x);
    exchange_answer_text(x, 503, "out of memory");
    return exchange_refuse(x, 0);
}

/* The whole request is in. */
static enum MHD_Result on_complete(struct http_exchange *x)
{
    struct http_server *s = x->server;

    x->phase = PHASE_RUNNING;
    x->running_since_ms = http_server_now(s);
    x->deadline_ms = x->running_since_ms + s->limits.answer_timeout_ms;
    x->request.body = kanal_buffer_view(&x->body);
    s->handler.run(s->user, x, &x->request);
    if (x->phase == PHASE_ANSWERED)
        return exchange_queue(x);
    MHD_suspend_connection(x->mhd);
    x->is_suspended = 1;
    return MHD_YES;
}

static enum MHD_Result on_unwanted(struct http_exchange *x, size_t len)
{
    x->swallowed += len;
    if (x->phase == PHASE_REFUSED) {
        if (len == 0)
            return exchange_queue(x);
        return x->swallowed > EXCHANGE_SWALLOW_BYTES ? exchange_linger(x) : MHD_YES;
    }
    return len == 0 ? MHD_NO : MHD_YES; /* until the deadline, however much it is: it costs no memory */
}

enum MHD_Result exchange_on_request(void *server, struct MHD_Connection *mhd, const char *url,
                                    const char *method, const char *version, const char *upload,
                                    size_t *upload_size, void **exchange)
{
    struct http_exchange *x = *exchange;
    size_t len = *upload_size;

    (void)server;
    (void)mhd;
    (void)url;
    *upload_size = 0;
    if (!x || x->server->is_closing)
        return MHD_NO;
    switch (x->phase) {
    case PHASE_HEADERS:
        return on_headers(x, method, version);
    case PHASE_BODY:
        return len > 0 ? on_body(x, upload, len) : on_complete(x);
    case PHASE_REFUSED:
    case PHASE_LINGER:
        return on_unwanted(x, len);
    case PHASE_ANSWERED:
        return exchange_queue(x);
    default:
        return MHD_NO;
    }
}

/* ---- The exchange ends -------------------------------------------------------------------------------------------------- */

void exchange_gone(struct http_exchange *x)
{
    struct http_server *s = x->server;

    if (!x->is_owed)
        return;
    x->is_owed = 0;
    if (!s->is_closing && s->handler.gone)
        s->handler.gone(s->user, x);
}

/* Ready for the connection's next request. */
static void reset(struct http_exchange *x)
{
    if (x->is_open)
        x->server->open_exchanges--;
    x->is_open = x->is_owed = 0;
    exchange_drop_answer(x);
    exchange_memory_clear(x);
    kanal_buffer_clear(&x->body);
    if (x->body.capacity > BODY_KEPT_BYTES)
        kanal_buffer_release(&x->body);
    kanal_buffer_release(&x->raw);
    memset(&x->request, 0, sizeof x->request);
    x->websocket_key = kanal_str_of(NULL, 0);
    x->target_end = NULL;
    x->user = NULL;
    x->is_chunked = x->expects_continue = x->is_head = x->is_version_bad = 0;
    x->content_length = x->body_limit = x->body_seen = x->swallowed = x->answer_bytes = 0;
    x->is_fresh = x->is_received_known = 0;
    x->phase = PHASE_IDLE;
    x->deadline_ms = http_server_now(x->server) + x->server->limits.idle_timeout_ms;
}

void exchange_on_completed(void *server, struct MHD_Connection *mhd, void **exchange,
                           enum MHD_RequestTerminationCode code)
{
    struct http_exchange *x = *exchange;

    (void)server;
    (void)mhd;
    (void)code;
    *exchange = NULL;
    if (!x)
        return;
    x->is_suspended = 0;
    if (x->stream.is_active)
        stream_end_with_exchange(x);
    if (x->socket && x->phase != PHASE_SOCKET)
        socket_never_opened(x);
    exchange_gone(x);
    reset(x);
}
