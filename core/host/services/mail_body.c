#include "host/services/mail_body.h"

#include "broker/kv.h"
#include "host/host.h"
#include "host/services/egress.h"
#include "host/services/services.h"
#include "kanal/sdk/base64.h"
#include "mail/mail.h"

#define PIECES_MAX 64u
#define INLINE_MAX (16u * 1024 * 1024)
#define SOURCE_DEFAULT (64u * 1024 * 1024)
#define AHEAD_MAX (256u * 1024) /* of a source, in memory */
#define LINE_BYTES 57u          /* make 76 characters of base64 (RFC 2045, 6.8) */
#define SOURCE_TIMEOUT_MS 30000u

/* Where a piece's bytes come from, while it is being read. Outlives the body when libcurl has not let go of it yet. */
struct feed {
    struct mail_body *body; /* NULL: nobody reads any more */
    struct kanal_buffer bytes;
    size_t at;
    uint64_t received, most;
    struct http_call *call;   /* of a URL, or … */
    struct object_read *read; /* … of a blob */
    int ended, paused;
    kanal_status status; /* not KANAL_OK: broken */
};

struct piece {
    kanal_str data, source;
    uint32_t encoding, max_bytes;
    void *gate; /* of a URL */
};

struct mail_body {
    struct channel *channel;
    void (*ready)(void *user);
    void *user;
    char *text; /* what the pieces point into */
    size_t piece_count, current;
    size_t at; /* in the current piece's data */
    struct feed *feed;
    int waiting;
    kanal_status status;
    struct kanal_buffer line; /* encoded, not yet handed over */
    size_t line_at;
    struct piece pieces[];
};

/* ---- Sources ---- */

static void feed_free(struct feed *f)
{
    kanal_buffer_release(&f->bytes);
    free(f);
}

static void tell(struct feed *f)
{
    struct mail_body *b = f->body;
    if (b && b->waiting) {
        b->waiting = 0;
        b->ready(b->user);
    }
}

static void fail(struct feed *f, kanal_status status)
{
    if (f->status == KANAL_OK)
        f->status = status;
}

/* 1: pause. */
static int take(struct feed *f, kanal_str bytes)
{
    f->received += bytes.len;
    if (f->received > f->most)
        fail(f, KANAL_E_TOO_LARGE);
    if (f->status == KANAL_OK && f->body) {
        if (f->at > 0 && f->at == f->bytes.len) {
            kanal_buffer_clear(&f->bytes);
            f->at = 0;
        }
        kanal_buffer_str(&f->bytes, bytes);
        if (f->bytes.failed)
            fail(f, KANAL_E_BUSY);
    }
    f->paused = f->bytes.len - f->at >= AHEAD_MAX;
    tell(f);
    return f->paused;
}

static void on_head(void *user, const struct http_in *in)
{
    if (in->code != 200)
        fail(user, KANAL_E_NOT_FOUND);
}

static int on_http_data(void *user, kanal_str bytes)
{
    return take(user, bytes);
}

static void on_http_done(void *user, kanal_status status, const struct http_in *in, const char *message)
{
    struct feed *f = user;
    (void)in, (void)message;
    f->call = NULL;
    f->ended = 1;
    if (status != KANAL_OK)
        fail(f, status == KANAL_E_MAYBE ? KANAL_E_NETWORK : status);
    if (f->body)
        tell(f);
    else
        feed_free(f);
}

static void on_blob_info(void *user, const struct object_info *info)
{
    (void)user, (void)info;
}

static int on_blob_data(void *user, kanal_str bytes)
{
    return take(user, bytes);
}

static void on_blob_done(void *user, kanal_status status)
{
    struct feed *f = user;
    f->read = NULL;
    f->ended = 1;
    if (status != KANAL_OK)
        fail(f, status == KANAL_E_REJECTED ? KANAL_E_NOT_FOUND : status);
    tell(f);
}

static int feed_start(struct mail_body *b, const struct piece *p)
{
    static const struct http_stream_sink http_sink = { .head = on_head, .data = on_http_data };
    static const struct object_sink blob_sink = { .info = on_blob_info,
                                                  .data = on_blob_data,
                                                  .done = on_blob_done };
    struct host *host = b->channel->host;
    struct feed *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    f->body = b;
    f->most = p->max_bytes;
    if (kanal_str_starts(p->source, "blob:")) {
        if (object_read_start(host->broker, host->names.media, kanal_str_from(p->source, 5), &blob_sink, f,
                              &f->read) != 0)
            f->read = NULL;
    } else {
        struct http_out out = { .method = KANAL_LIT("GET"),
                                .url = p->source,
                                .timeout_ms = SOURCE_TIMEOUT_MS,
                                .max_response = p->max_bytes,
                                .allow = egress_allow,
                                .allow_user = p->gate,
                                .redirects = EGRESS_REDIRECTS_MAX,
                                .redirect = egress_redirect };
        f->call = http_client_stream(host->http, &out, &http_sink, on_http_done, f);
    }
    if (!f->read && !f->call) {
        feed_free(f);
        return -1;
    }
    b->feed = f;
    return 0;
}

static void feed_stop(struct mail_body *b)
{
    struct feed *f = b->feed;
    b->feed = NULL;
    if (!f)
        return;
    f->body = NULL;
    if (f->call) {
        http_call_cancel(f->call); /* its end frees the feed */
        return;
    }
    if (f->read)
        object_read_cancel(f->read);
    feed_free(f);
}

static void feed_go_on(struct feed *f)
{
    if (!f->paused || f->bytes.len - f->at > AHEAD_MAX / 2)
        return;
    f->paused = 0;
    if (f->call)
        http_call_resume(f->call);
    else if (f->read)
        object_read_resume(f->read);
}

/* ---- Reading ---- */

/* What is there of the current piece; *ret_last: there will be no more. 0; MAIL_WAIT; MAIL_BROKEN. */
static int available(struct mail_body *b, kanal_str *ret_bytes, int *ret_last)
{
    const struct piece *p = &b->pieces[b->current];
    if (p->source.len == 0) {
        *ret_bytes = kanal_str_from(p->data, b->at);
        *ret_last = 1;
        return 0;
    }
    if (!b->feed && feed_start(b, p) != 0) {
        b->status = KANAL_E_BUSY;
        return MAIL_BROKEN;
    }
    const struct feed *f = b->feed;
    if (f->status != KANAL_OK) {
        b->status = f->status;
        return MAIL_BROKEN;
    }
    *ret_bytes = kanal_str_of(f->bytes.data + f->at, f->bytes.len - f->at);
    *ret_last = f->ended;
    size_t enough = p->encoding == KANAL_PIECE_BASE64 ? LINE_BYTES : 1;
    return !f->ended && ret_bytes->len < enough ? MAIL_WAIT : 0;
}

static void consume(struct mail_body *b, size_t len)
{
    if (!b->feed) {
        b->at += len;
        return;
    }
    b->feed->at += len;
    /* Moved to the front now and then, so that the buffer does not grow with the source. */
    if (b->feed->at >= AHEAD_MAX) {
        memmove(b->feed->bytes.data, b->feed->bytes.data + b->feed->at, b->feed->bytes.len - b->feed->at);
        b->feed->bytes.len -= b->feed->at;
        b->feed->at = 0;
    }
    feed_go_on(b->feed);
}

static size_t drain_line(struct mail_body *b, char *into, size_t len)
{
    size_t left = b->line.len - b->line_at, n = left < len ? left : len;
    if (n > 0)
        memcpy(into, b->line.data + b->line_at, n);
    b->line_at += n;
    return n;
}

/* One step; bytes, 0 when the piece came to an end, or MAIL_…. */
static ssize_t step(struct mail_body *b, char *into, size_t len)
{
    kanal_str bytes;
    int last = 0;
    if (b->line_at < b->line.len)
        return (ssize_t)drain_line(b, into, len);
    int status = available(b, &bytes, &last);
    if (status != 0 || bytes.len == 0)
        return status;
    if (b->pieces[b->current].encoding != KANAL_PIECE_BASE64) {
        size_t n = bytes.len < len ? bytes.len : len;
        memcpy(into, bytes.ptr, n);
        consume(b, n);
        return (ssize_t)n;
    }
    size_t n = bytes.len < LINE_BYTES ? bytes.len : LINE_BYTES;
    kanal_buffer_clear(&b->line);
    b->line_at = 0;
    kanal_base64_encode(&b->line, kanal_str_of(bytes.ptr, n), 0);
    kanal_buffer_text(&b->line, "\r\n");
    if (b->line.failed) {
        b->status = KANAL_E_BUSY;
        return MAIL_BROKEN;
    }
    consume(b, n);
    return (ssize_t)drain_line(b, into, len);
}

ssize_t mail_body_read(void *body, char *into, size_t len)
{
    struct mail_body *b = body;
    size_t filled = 0;
    while (filled < len && b->current < b->piece_count) {
        ssize_t n = step(b, into + filled, len - filled);
        if (n > 0) {
            filled += (size_t)n;
        } else if (n == 0) {
            feed_stop(b);
            b->current++;
            b->at = 0;
        } else if (n == MAIL_WAIT && filled == 0) {
            b->waiting = 1;
            return MAIL_WAIT;
        } else if (n == MAIL_WAIT) {
            break;
        } else {
            return MAIL_BROKEN;
        }
    }
    return (ssize_t)filled;
}

kanal_status mail_body_status(const struct mail_body *b)
{
    return b->status;
}

/* ---- Making ---- */

void mail_body_free(struct mail_body *b)
{
    if (!b)
        return;
    feed_stop(b);
    kanal_buffer_release(&b->line);
    free(b->text);
    free(b);
}

static int piece_check(struct channel *channel, kanal_op cause, const kanal_piece *p, void **ret_gate)
{
    if (!text_valid(p->data) || !text_valid(p->source) || (p->data.len > 0 && p->source.len > 0) ||
        (p->encoding != 0 && p->encoding != KANAL_PIECE_BASE64) || p->source.len > 8192)
        return KANAL_E_INVALID;
    if (p->source.len == 0 || kanal_str_starts(p->source, "blob:"))
        return 0;
    *ret_gate = source_gate(channel, cause, p->source);
    return *ret_gate ? 0 : KANAL_E_DENIED;
}

static kanal_str copy(char **at, kanal_str text)
{
    kanal_str there = kanal_str_of(*at, text.len);
    if (text.len > 0)
        memcpy(*at, text.ptr, text.len);
    *at += text.len;
    return there;
}

int mail_body_new(struct mail_body **ret_body, struct channel *channel, kanal_op cause,
                  const kanal_piece *pieces, size_t count, void (*ready)(void *user), void *user)
{
    void *gates[PIECES_MAX] = { NULL };
    int status = 0;
    size_t total = 0, inside = 0;
    if (count == 0 || count > PIECES_MAX || !pieces)
        return KANAL_E_INVALID;
    for (size_t i = 0; i < count; i++) {
        if ((status = piece_check(channel, cause, &pieces[i], &gates[i])) != 0)
            return status;
        if (pieces[i].data.len > INLINE_MAX || (inside += pieces[i].data.len) > INLINE_MAX)
            return KANAL_E_TOO_LARGE;
        total += pieces[i].data.len + pieces[i].source.len;
    }
    struct mail_body *b = calloc(1, sizeof *b + count * sizeof *b->pieces);
    char *at = b ? malloc(total + 1) : NULL;
    if (!at) {
        free(b);
        return KANAL_E_BUSY;
    }
    b->channel = channel;
    b->ready = ready;
    b->user = user;
    b->text = at;
    b->piece_count = count;
    for (size_t i = 0; i < count; i++)
        b->pieces[i] =
            (struct piece){ .data = copy(&at, pieces[i].data),
                            .source = copy(&at, pieces[i].source),
                            .encoding = pieces[i].encoding,
                            .max_bytes = pieces[i].max_bytes ? pieces[i].max_bytes : SOURCE_DEFAULT,
                            .gate = gates[i] };
    *ret_body = b;
    return 0;
}
