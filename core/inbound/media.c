/* Media: a signed URL of ours, streamed from the provider by the plugin's recipe, or from the broker's object store. */
#include "broker/kv.h"
#include "event/media_url.h"
#include "host/services/services.h"
#include "http/client.h"
#include "inbound/internal.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/url.h"

#define MEDIA_TIMEOUT_MS 30000u
#define MEDIA_BYTES_MAX (256u * 1024 * 1024)
#define STREAM_HIGH (256u * 1024) /* bytes that wait for the client before the source pauses */

struct media {
    enum inbound_kind kind; /* first, as of every user of an exchange */
    struct front *front;
    struct http_exchange *exchange; /* NULL: the client left */
    struct channel *channel;
    struct kanal_buffer reference, type; /* type: as the event told; may be empty */
    struct op *op;                       /* media() is being asked */
    struct http_call *call;
    struct object_read *read;
    int streaming, paused;
};

static void media_free(struct media *m)
{
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
static void start_stream(struct media *m, kanal_str type, kanal_str filename, uint64_t length)
{
    struct kanal_buffer disposition = { 0 };
    type = choose_type(m, type);
    kanal_buffer_text(&disposition, is_harmless(type) ? "inline" : "attachment");
    if (filename.len > 0) {
        kanal_buffer_text(&disposition, "; filename*=UTF-8''"); /* RFC 6266, RFC 8187 */
        kanal_url_encode(&disposition, filename);
    }
    kanal_field headers[] = {
        { KANAL_LIT("content-type"), type },
        { KANAL_LIT("content-disposition"), kanal_buffer_view(&disposition) },
        { KANAL_LIT("cache-control"), KANAL_LIT("private, max-age=3600") },
        { KANAL_LIT("x-content-type-options"), KANAL_LIT("nosniff") },
        { KANAL_LIT("content-security-policy"), KANAL_LIT("default-src 'none'; sandbox") },
        { KANAL_LIT("cross-origin-resource-policy"), KANAL_LIT("cross-origin") },
    };
    m->streaming = 1;
    front_count(m->front, m->channel, 200);
    http_exchange_set_user(m->exchange, NULL);
    http_stream(m->exchange, 200, headers, sizeof headers / sizeof *headers, length, &stream_events, m);
    kanal_buffer_release(&disposition);
}

static int write_piece(struct media *m, kanal_str piece)
{
    if (!m->exchange || !m->streaming)
        return 0;
    m->paused = http_stream_write(m->exchange, piece) > STREAM_HIGH;
    return m->paused;
}

/* ---- From the provider ---- */

static void on_head(void *user, const struct http_in *in)
{
    struct media *m = user;
    int64_t length = -1;
    kanal_str_int(kanal_field_get(in->headers, in->header_count, "content-length"), &length);
    if (m->exchange && in->code == 200)
        start_stream(m, kanal_field_get(in->headers, in->header_count, "content-type"), (kanal_str){ 0 },
                     length >= 0 ? (uint64_t)length : UINT64_MAX);
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
    } else {
        refuse(m, 502, "media_unavailable", "the provider did not deliver the file; try again later");
    }
}

static const struct http_stream_sink http_sink = { .head = on_head, .data = on_data };

static void fetch(struct media *m, const kanal_http_request *request)
{
    char reason[256];
    struct outgoing outgoing = { .out = NULL };
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
    if (!location || !location->request)
        refuse(m, location && location->status == KANAL_E_NOT_FOUND ? 404 : 502, "media_unavailable",
               "the channel cannot fetch this file");
    else
        fetch(m, location->request);
}

/* ---- From the object store ---- */

static void on_object(void *user, const struct object_info *info)
{
    struct media *m = user;
    if (m->exchange)
        start_stream(m, info->content_type, info->filename, info->size);
}

static void on_object_done(void *user, kanal_status status)
{
    struct media *m = user;
    m->read = NULL;
    if (m->streaming) {
        if (m->exchange)
            http_stream_end(m->exchange, status == KANAL_OK);
        media_free(m);
    } else if (status == KANAL_E_NOT_FOUND) {
        refuse(m, 404, "media_gone", "the file is not kept any more");
    } else {
        refuse(m, 503, "media_unavailable", "the broker did not deliver the file; try again later");
    }
}

static const struct object_sink object_sink = { .info = on_object, .data = on_data, .done = on_object_done };

/* ---- The request ---- */

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
    if (!m->op)
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
