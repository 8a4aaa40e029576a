/* Media: a signed URL of ours, streamed from the provider by the plugin's recipe, or from the broker's object store. */
#include <inttypes.h>
#include <stddef.h>

#include "broker/kv.h"
#include "event/media_url.h"
#include "host/services/services.h"
#include "http/client.h"
#include "inbound/internal.h"
#include "inbound/range.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/url.h"

#define MEDIA_BYTES_MAX (256u * 1024 * 1024)
#define STREAM_HIGH (256u * 1024) /* bytes that wait for the client before the source pauses */
#define RECIPE_HEADERS_MAX 40u    /* with more, no Range is added */

struct media {
    enum inbound_kind kind; /* first, as of every user of an exchange */
    struct waiter waiter;   /* for the plugin's recipe */
    struct front *front;
    struct http_exchange *exchange; /* NULL: the client left */
    struct channel *channel;
    struct kanal_buffer reference, type; /* type: as the event told; may be empty */
    struct op *op;                       /* media() is being asked */
    struct http_call *call;
    struct object_read *read;
    int streaming, paused;
    struct range range;
    int has_range;       /* the client wants a part */
    int may_range;       /* the recipe lets a Range be added */
    int asked_range;     /* the provider was asked for it */
    uint64_t skip, left; /* of the object: bytes that are not wanted, then those that are */
    int is_range_wrong;
    char content_range[RANGE_TEXT_BYTES]; /* of the object */
};

/* What the source tells of the file. */
struct media_head {
    int code; /* 200 or 206 */
    kanal_str type, filename, content_range;
    int knows_ranges;
    uint64_t length;
};

static void media_free(struct media *m)
{
    overdue_unwatch(&m->waiter);
    kanal_buffer_release(&m->reference);
    kanal_buffer_release(&m->type);
    free(m);
}

static void refuse(struct media *m, int code, const char *error, const char *message)
{
    if (m->exchange) {
        http_exchange_set_user(m->exchange, NULL);
        front_refuse(m->front, m->exchange, m->channel, code, error, message, NULL);
    }
    media_free(m);
}

/* ---- The client's side ---- */

static void on_resume(void *user, struct http_exchange *exchange)
{
    struct media *m = user;
    (void)exchange;
    if (!m->paused)
        return;
    m->paused = 0;
    if (m->call)
        http_call_resume(m->call);
    if (m->read)
        object_read_resume(m->read);
}

static void on_client_gone(void *user, struct http_exchange *exchange)
{
    struct media *m = user;
    (void)exchange;
    m->exchange = NULL;
    if (m->call) {
        http_call_cancel(m->call); /* its done() frees */
        return;
    }
    object_read_cancel(m->read);
    media_free(m);
}

static const struct http_stream_events stream_events = { .resume = on_resume, .gone = on_client_gone };

static int starts_nocase(kanal_str text, const char *prefix)
{
    kanal_str wanted = kanal_str_c(prefix);
    return text.len >= wanted.len && kanal_str_equal_nocase(kanal_str_of(text.ptr, wanted.len), wanted);
}

/* The provider's type; where it has none to tell (Telegram serves all its files as octets), the event's. */
static kanal_str choose_type(const struct media *m, kanal_str type)
{
    static const char octets[] = "application/octet-stream";
    if (media_type_valid(type) && !starts_nocase(type, octets))
        return type;
    return m->type.len > 0 ? kanal_buffer_view(&m->type) : kanal_str_c(octets);
}

/* May a browser show it in its place? Not what could hold a script. */
static int is_harmless(kanal_str type)
{
    return (starts_nocase(type, "image/") || starts_nocase(type, "audio/") ||
            starts_nocase(type, "video/")) &&
           !starts_nocase(type, "image/svg");
}

/* What is handed on of the provider's answer; never its cookies, never something that a browser would run on our origin. */
static void start_stream(struct media *m, const struct media_head *head)
{
    struct kanal_buffer disposition = { 0 };
    kanal_str type = choose_type(m, head->type);
    kanal_buffer_text(&disposition, is_harmless(type) ? "inline" : "attachment");
    if (head->filename.len > 0) {
        kanal_buffer_text(&disposition, "; filename*=UTF-8''"); /* RFC 6266, RFC 8187 */
        kanal_url_encode(&disposition, head->filename);
    }
    kanal_field headers[8] = {
        { KANAL_LIT("content-type"), type },
        { KANAL_LIT("content-disposition"), kanal_buffer_view(&disposition) },
        { KANAL_LIT("cache-control"), KANAL_LIT("private, max-age=3600") },
        { KANAL_LIT("x-content-type-options"), KANAL_LIT("nosniff") },
        { KANAL_LIT("content-security-policy"), KANAL_LIT("default-src 'none'; sandbox") },
        { KANAL_LIT("cross-origin-resource-policy"), KANAL_LIT("cross-origin") },
    };
    size_t count = 6;
    if (head->knows_ranges || head->code == 206)
        headers[count++] = (kanal_field){ KANAL_LIT("accept-ranges"), KANAL_LIT("bytes") };
    if (head->code == 206)
        headers[count++] = (kanal_field){ KANAL_LIT("content-range"), head->content_range };
    m->streaming = 1;
    front_count(m->front, m->channel, head->code);
    http_exchange_set_user(m->exchange, NULL);
    http_stream(m->exchange, head->code, headers, count, head->length, &stream_events, m);
    kanal_buffer_release(&disposition);
}

/* 416. content_range: how large the file is, or absent. */
static void refuse_range(struct media *m, kanal_str content_range)
{
    if (m->exchange) {
        kanal_field header = { KANAL_LIT("content-range"), content_range };
        http_exchange_set_user(m->exchange, NULL);
        front_refuse(m->front, m->exchange, m->channel, 416, "wrong_range", "the file has no such bytes",
                     content_range.len > 0 ? &header : NULL);
    }
    media_free(m);
}

static int write_piece(struct media *m, kanal_str piece)
{
    if (!m->exchange || !m->streaming)
        return 0;
    m->paused = http_stream_write(m->exchange, piece) > STREAM_HIGH;
    return m->paused;
}

/* ---- From the provider ---- */

/* An answer of 206 must be what was asked for: one part, and as long as it says. */
static int read_head(const struct media *m, const struct http_in *in, struct media_head *ret_head)
{
    uint64_t part = 0;
    int64_t length = -1;
    kanal_str_int(kanal_field_get(in->headers, in->header_count, "content-length"), &length);
    *ret_head =
        (struct media_head){ .code = in->code,
                             .type = kanal_field_get(in->headers, in->header_count, "content-type"),
                             .content_range = kanal_field_get(in->headers, in->header_count, "content-range"),
                             .length = length >= 0 ? (uint64_t)length : UINT64_MAX };
    ret_head->knows_ranges =
        m->may_range &&
        kanal_str_equal_nocase(kanal_field_get(in->headers, in->header_count, "accept-ranges"),
                               KANAL_LIT("bytes"));
    if (in->code != 206)
        return in->code == 200;
    if (!m->asked_range || range_content_parse(ret_head->content_range, &part) != 0 || part == 0 ||
        (length >= 0 && part != (uint64_t)length))
        return 0;
    ret_head->length = part;
    return 1;
}

static void on_head(void *user, const struct http_in *in)
{
    struct media *m = user;
    struct media_head head;
    if (m->exchange && read_head(m, in, &head))
        start_stream(m, &head);
}

static int on_data(void *user, kanal_str piece)
{
    return write_piece(user, piece);
}

static void on_done(void *user, kanal_status status, const struct http_in *in, const char *message)
{
    struct media *m = user;
    (void)message;
    m->call = NULL;
    if (m->streaming) {
        if (m->exchange)
            http_stream_end(m->exchange, status == KANAL_OK);
        media_free(m);
    } else if (status == KANAL_OK && (in->code == 404 || in->code == 410)) {
        refuse(m, 404, "media_gone", "the provider does not have this file any more");
    } else if (status == KANAL_OK && in->code == 416 && m->asked_range) {
        uint64_t none;
        kanal_str said = kanal_field_get(in->headers, in->header_count, "content-range");
        refuse_range(m, range_content_parse(said, &none) == 0 ? said : (kanal_str){ 0 });
    } else {
        refuse(m, 502, "media_unavailable", "the provider did not deliver the file; try again later");
    }
}

static const struct http_stream_sink http_sink = { .head = on_head, .data = on_data };

static int has_header(const kanal_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (kanal_str_equal_nocase(request->headers[i].name, kanal_str_c(name)))
            return 1;
    return 0;
}

/* The client's range joins the recipe's headers. Returns the request to be made. */
static const kanal_http_request *add_range(struct media *m, const kanal_http_request *request,
                                           kanal_http_request *copy, kanal_field *headers, char *text)
{
    m->may_range = KANAL_HAS(request, header_count) && request->header_count < RECIPE_HEADERS_MAX &&
                   fields_valid(request->headers, request->header_count, RECIPE_HEADERS_MAX) &&
                   text_valid(request->method) && kanal_str_is(request->method, "GET") &&
                   !has_header(request, "range");
    if (!m->has_range || !m->may_range)
        return request;
    memcpy(copy, request, request->struct_size < sizeof *copy ? request->struct_size : sizeof *copy);
    for (size_t i = 0; i < request->header_count; i++)
        headers[i] = request->headers[i];
    headers[copy->header_count++] = (kanal_field){ KANAL_LIT("range"), range_write(&m->range, text) };
    copy->headers = headers;
    m->asked_range = 1;
    return copy;
}

static void fetch(struct media *m, const kanal_http_request *request)
{
    char reason[256], text[RANGE_TEXT_BYTES];
    kanal_http_request copy = { 0 };
    kanal_field headers[RECIPE_HEADERS_MAX];
    struct outgoing outgoing = { .out = NULL };
    request = add_range(m, request, &copy, headers, text);
    if (outgoing_init(&outgoing, m->channel, 0, request, reason) != 0) {
        log_write(m->front->host->log, KANAL_LOG_WARN, "media", m->channel->id.ptr,
                  "a media recipe was refused: %s", reason);
        refuse(m, 502, "media_unavailable", "the channel cannot fetch this file");
        return;
    }
    outgoing.out->max_response = MEDIA_BYTES_MAX;
    m->call = http_client_stream(m->front->host->http, outgoing.out, &http_sink, on_done, m);
    outgoing_release(&outgoing);
    if (!m->call)
        refuse(m, 503, "busy", "the gateway is out of memory");
}

static void on_located(struct op *op, const void *answer)
{
    struct media *m = op->owner;
    const struct channel_location *location = answer;
    m->op = NULL;
    overdue_unwatch(&m->waiter);
    if (!location || !location->request)
        refuse(m, location && location->status == KANAL_E_NOT_FOUND ? 404 : 502, "media_unavailable",
               "the channel cannot fetch this file");
    else
        fetch(m, location->request);
}

static void on_late(struct waiter *waiter)
{
    struct media *m = (struct media *)((char *)waiter - offsetof(struct media, waiter));
    channel_forget(m->op);
    refuse(m, 504, "no_answer", "the channel did not say in time where the file is");
}

/* ---- From the object store ---- */

/* The object is read from its beginning to its end, so that its digest is checked; what is not wanted of it is dropped here. */
static void on_object(void *user, const struct object_info *info)
{
    struct media *m = user;
    struct media_head head = { .code = 200,
                               .type = info->content_type,
                               .filename = info->filename,
                               .knows_ranges = 1,
                               .length = info->size };
    uint64_t from = 0, end = info->size;
    if (!m->exchange)
        return;
    if (m->has_range && range_of(&m->range, info->size, &from, &end) != 0) {
        m->is_range_wrong = 1;
        snprintf(m->content_range, sizeof m->content_range, "bytes */%" PRIu64, info->size);
        return;
    }
    if (m->has_range) {
        int n = snprintf(m->content_range, sizeof m->content_range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                         from, end - 1, info->size);
        head.code = 206;
        head.content_range = kanal_str_of(m->content_range, (size_t)n);
        head.length = end - from;
    }
    m->skip = from;
    m->left = end - from;
    start_stream(m, &head);
}

static int on_object_data(void *user, kanal_str piece)
{
    struct media *m = user;
    uint64_t skipped = m->skip < piece.len ? m->skip : piece.len;
    piece = kanal_str_from(piece, (size_t)skipped);
    m->skip -= skipped;
    if (piece.len > m->left)
        piece.len = (size_t)m->left;
    m->left -= piece.len;
    return piece.len > 0 ? write_piece(m, piece) : 0;
}

static void on_object_done(void *user, kanal_status status)
{
    struct media *m = user;
    m->read = NULL;
    if (m->streaming) {
        if (m->exchange)
            http_stream_end(m->exchange, status == KANAL_OK);
        media_free(m);
    } else if (status == KANAL_OK && m->is_range_wrong) {
        refuse_range(m, kanal_str_c(m->content_range));
    } else if (status == KANAL_E_NOT_FOUND) {
        refuse(m, 404, "media_gone", "the file is not kept any more");
    } else {
        refuse(m, 503, "media_unavailable", "the broker did not deliver the file; try again later");
    }
}

static const struct object_sink object_sink = { .info = on_object,
                                                .data = on_object_data,
                                                .done = on_object_done };

/* ---- The request ---- */

/* With If-Range a part is wanted only of the very file that the client has a part of; we hand out no validator, so it is not (RFC 9110, 13.1.5). */
static void read_range(struct media *m, const struct http_request *request)
{
    kanal_str range = kanal_field_get(request->headers, request->header_count, "range");
    m->has_range = kanal_str_is(request->method, "GET") &&
                   !kanal_field_get(request->headers, request->header_count, "if-range").ptr &&
                   range_parse(range, &m->range) == 0;
}

/* "<channel-id>/<token>"; fills in channel and reference. The HTTP code of a refusal, or 0. */
static int read_path(struct media *m, kanal_str path)
{
    const char *slash = memchr(path.ptr, '/', path.len);
    if (!slash)
        return 404;
    kanal_str id = kanal_str_of(path.ptr, (size_t)(slash - path.ptr));
    m->channel = host_find(m->front->host, id);
    if (!m->channel)
        return 404;
    int status = media_url_read(m->front->host->envelope.ids, id, kanal_str_from(path, id.len + 1),
                                host_now_ms(), &m->reference, &m->type);
    return status == 0 ? 0 : status == KANAL_E_TIMEOUT ? 410 : 403;
}

void media_run(struct front *front, struct http_exchange *exchange, kanal_str path)
{
    struct media *m = calloc(1, sizeof *m);
    if (!m) {
        front_refuse(front, exchange, NULL, 503, "busy", "the gateway is out of memory", NULL);
        return;
    }
    *m = (struct media){ .kind = INBOUND_MEDIA, .front = front, .exchange = exchange };
    read_range(m, http_exchange_request(exchange));
    int code = read_path(m, path);
    if (code == 410) {
        refuse(m, 410, "expired", "the URL has expired; ask kanal.api.media-sign for a new one");
        return;
    }
    if (code != 0) {
        refuse(m, code, code == 403 ? "wrong_signature" : "unknown_path",
               code == 403 ? "the URL was not made by this gateway" : "no such media");
        return;
    }
    http_exchange_set_user(exchange, m);
    kanal_str reference = kanal_buffer_view(&m->reference);
    if (kanal_str_starts(reference, "blob:")) {
        if (object_read_start(front->host->broker, front->host->names.media, kanal_str_from(reference, 5),
                              &object_sink, m, &m->read) != 0)
            refuse(m, 503, "busy", "the gateway is out of memory");
        return;
    }
    m->op = channel_media(m->channel, reference, on_located, m);
    if (m->op)
        overdue_watch(front->overdue, &m->waiter, on_late);
    else
        refuse(m, 503, "channel_down", "the channel is not up");
}

void media_drop(struct op *op)
{
    struct media *m = op->owner;
    channel_forget(op);
    media_free(m);
}

void media_gone(void *user)
{
    struct media *m = user;
    m->exchange = NULL;
    if (m->op) {
        channel_forget(m->op);
        media_free(m);
    } else if (m->call) {
        http_call_cancel(m->call);
    } else {
        object_read_cancel(m->read);
        media_free(m);
    }
}
