#include <stdlib.h>
#include "http/client_private.h"
#include "kanal/sdk/str.h"

#define PARTS_MAX 64u
#define SOURCE_BYTES_MAX (64ull * 1024 * 1024) /* if the part names no limit */
#define SOURCE_WHOLE_BYTES                                                                                   \
    (8u * 1024 * 1024) /* of unknown length: so much is gathered before the form goes out chunked */
#define SOURCE_HIGH_BYTES (256u * 1024) /* of known length: above it the source is paused … */
#define SOURCE_LOW_BYTES (64u * 1024)   /* … until the request has taken so much */
#define TYPE_BYTES_MAX 255u
#define LENGTH_UNKNOWN UINT64_MAX
#define SOURCE_GRACE_MS 1000u /* the request's own deadline comes first */

/* A part that is fetched while it is sent. Its call reads into the buffer, the parent's upload reads from it. */
struct http_source {
    struct http_call *parent;
    struct http_call *call; /* NULL once it has ended */
    curl_mimepart *part;
    struct kanal_buffer bytes;
    size_t taken; /* of bytes */
    uint64_t length, max_bytes;
    int typed; /* the part says its type itself */
    int ready; /* its length is known, or it is too long to wait for */
    int ended; /* read to the end */
    int paused;
    unsigned number; /* 1 for the first part */
    char name[48];
};

static size_t waiting(const struct http_source *source)
{
    return source->bytes.len - source->taken;
}

static void source_fail(struct http_source *source, kanal_status status, const char *what)
{
    http_call_fail(source->parent, status, "part %u (%s): %s", source->number, source->name, what);
}

static void source_ready(struct http_source *source)
{
    source->ready = 1;
    if (http_parts_ready(source->parent))
        http_call_do(source->parent, HTTP_TODO_START);
}

/* ---- From the source ---- */

static int set_type(struct http_source *source, const struct http_in *in)
{
    kanal_str type = kanal_field_get(in->headers, in->header_count, "content-type");
    char *text;
    CURLcode result;

    if (source->typed || type.len == 0 || type.len > TYPE_BYTES_MAX || memchr(type.ptr, '\0', type.len))
        return 0;
    text = kanal_str_dup(type);
    if (!text)
        return -1;
    result = curl_mime_type(source->part, text);
    free(text);
    return result == CURLE_OK ? 0 : -1;
}

static void on_source_head(void *user, const struct http_in *in)
{
    struct http_source *source = user;
    curl_off_t length = -1;
    char text[64];

    if (in->code != 200) {
        snprintf(text, sizeof text, "its source answered %d", in->code);
        source_fail(source, KANAL_E_NOT_FOUND, text);
        return;
    }
    if (set_type(source, in) != 0) {
        source_fail(source, KANAL_E_NETWORK, "out of memory");
        return;
    }
    curl_easy_getinfo(source->call->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length < 0)
        return;
    source->length = (uint64_t)length;
    if (source->length > source->max_bytes)
        source_fail(source, KANAL_E_TOO_LARGE, "its source is larger than allowed");
    else
        source_ready(source);
}

static void make_room(struct http_source *source)
{
    size_t left = waiting(source);

    if (source->taken == 0 || source->taken < left)
        return;
    if (left > 0)
        memmove(source->bytes.data, source->bytes.data + source->taken, left);
    source->bytes.len = left;
    source->taken = 0;
}

static int on_source_data(void *user, kanal_str piece)
{
    struct http_source *source = user;

    make_room(source);
    kanal_buffer_str(&source->bytes, piece);
    if (source->bytes.failed) {
        source_fail(source, KANAL_E_NETWORK, "out of memory");
        return 0;
    }
    if (!source->ready && source->bytes.len > SOURCE_WHOLE_BYTES)
        source_ready(source);
    if (source->parent->send_paused)
        http_call_do(source->parent, HTTP_TODO_SEND);
    source->paused = source->ready && waiting(source) > SOURCE_HIGH_BYTES;
    return source->paused;
}

static void on_source_done(void *user, kanal_status status, const struct http_in *in, const char *message)
{
    struct http_source *source = user;

    (void)in;
    source->call = NULL;
    source->ended = 1;
    if (status == KANAL_E_TOO_LARGE)
        source_fail(source, status, "its source is larger than allowed");
    else if (status == KANAL_E_DENIED || status == KANAL_E_INVALID || status == KANAL_E_CANCELLED)
        source_fail(source, status, message);
    else if (status != KANAL_OK)
        source_fail(source, KANAL_E_NOT_FOUND, message);
    if (status != KANAL_OK)
        return;
    if (!source->ready) {
        source->length = source->bytes.len;
        source_ready(source);
    }
    if (source->parent->send_paused)
        http_call_do(source->parent, HTTP_TODO_SEND);
}

/* ---- Into the request ---- */

static size_t on_part_read(char *buffer, size_t size, size_t count, void *user)
{
    struct http_source *source = user;
    size_t len = waiting(source), room = size * count;

    if (source->parent->verdict != KANAL_OK)
        return CURL_READFUNC_ABORT;
    if (len == 0 && source->ended)
        return 0;
    if (len == 0) {
        source->parent->send_paused = 1;
        return CURL_READFUNC_PAUSE;
    }
    if (len > room)
        len = room;
    memcpy(buffer, source->bytes.data + source->taken, len);
    source->taken += len;
    if (source->paused && waiting(source) < SOURCE_LOW_BYTES && source->call) {
        source->paused = 0;
        http_call_resume(source->call);
    }
    return len;
}

/* ---- The form ---- */

static int has_control(kanal_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < 0x20 || c == 0x7f)
            return 1;
    }
    return 0;
}

typedef CURLcode set_text_fn(curl_mimepart *, const char *);

static int set_text(curl_mimepart *part, set_text_fn *set, kanal_str text)
{
    char *copy;
    CURLcode result;

    if (!text.ptr)
        return 0;
    copy = kanal_str_dup(text);
    if (!copy)
        return KANAL_E_BUSY;
    result = set(part, copy);
    free(copy);
    return result == CURLE_OK ? 0 : KANAL_E_BUSY;
}

static int check_part(struct http_call *call, const struct http_out_part *part)
{
    if (has_control(part->name) || has_control(part->filename) || has_control(part->content_type))
        http_call_fail(call, KANAL_E_INVALID, "a part's name, file name or type holds a control character");
    else if (part->content_type.len > TYPE_BYTES_MAX)
        http_call_fail(call, KANAL_E_INVALID, "a part's type is longer than 255 bytes");
    else if (part->source_url.len > 0 && part->data.len > 0)
        http_call_fail(call, KANAL_E_INVALID, "a part has either data or a source");
    else
        return 0;
    return KANAL_E_INVALID;
}

static int add_part(struct http_call *call, const struct http_out_part *out, unsigned number)
{
    curl_mimepart *part = curl_mime_addpart(call->mime);
    struct http_source *source;
    int status = part ? set_text(part, curl_mime_name, out->name) : KANAL_E_BUSY;

    if (status == 0)
        status = set_text(part, curl_mime_filename, out->filename);
    if (status == 0 && out->content_type.len > 0)
        status = set_text(part, curl_mime_type, out->content_type);
    if (status != 0)
        return status;
    if (out->source_url.len == 0)
        return curl_mime_data(part, out->data.len ? out->data.ptr : "", out->data.len) == CURLE_OK
                   ? 0
                   : KANAL_E_BUSY;
    source = &call->sources[call->source_count++];
    source->parent = call;
    source->part = part;
    source->length = LENGTH_UNKNOWN;
    source->max_bytes = out->max_bytes ? out->max_bytes : SOURCE_BYTES_MAX;
    source->typed = out->content_type.len > 0;
    source->number = number;
    snprintf(source->name, sizeof source->name, "%.*s", (int)(out->name.len < 40 ? out->name.len : 40),
             out->name.ptr ? out->name.ptr : "");
    return 0;
}

static int open_source(struct http_source *source, const struct http_out *parent,
                       const struct http_out_part *part)
{
    static const struct http_stream_sink sink = { on_source_head, on_source_data };
    struct http_out out = { .method = KANAL_LIT("GET"),
                            .url = part->source_url,
                            .timeout_ms = source->parent->timeout_ms,
                            .max_response = UINT32_MAX,
                            .allow = parent->allow,
                            .allow_user = part->allow_user,
                            .redirects = parent->redirects,
                            .redirect = parent->redirect };

    if (out.timeout_ms < UINT32_MAX - SOURCE_GRACE_MS)
        out.timeout_ms += SOURCE_GRACE_MS;
    if (source->max_bytes < UINT32_MAX)
        out.max_response = source->max_bytes > 0 ? (uint32_t)source->max_bytes : 1;
    source->call = http_call_begin(source->parent->client, &out, &sink, on_source_done, source, 1);
    return source->call ? 0 : KANAL_E_BUSY;
}

int http_parts_build(struct http_call *call, const struct http_out *out)
{
    int status = 0;
    size_t opened = 0;

    if (out->part_count == 0)
        return 0;
    if (out->part_count > PARTS_MAX) {
        http_call_fail(call, KANAL_E_INVALID, "more than 64 parts");
        return KANAL_E_INVALID;
    }
    for (size_t i = 0; i < out->part_count && status == 0; i++)
        status = check_part(call, &out->parts[i]);
    if (status != 0)
        return status;
    call->mime = curl_mime_init(call->easy);
    call->sources = calloc(out->part_count, sizeof *call->sources);
    if (!call->mime || !call->sources)
        return KANAL_E_BUSY;
    for (size_t i = 0; i < out->part_count && status == 0; i++)
        status = add_part(call, &out->parts[i], (unsigned)i + 1);
    for (size_t i = 0; i < out->part_count && status == 0; i++) {
        if (out->parts[i].source_url.len > 0)
            status = open_source(&call->sources[opened++], out, &out->parts[i]);
    }
    return status;
}

int http_parts_ready(const struct http_call *call)
{
    for (size_t i = 0; i < call->source_count; i++) {
        if (!call->sources[i].ready)
            return 0;
    }
    return 1;
}

int http_parts_finish(struct http_call *call)
{
    for (size_t i = 0; i < call->source_count; i++) {
        struct http_source *source = &call->sources[i];
        curl_off_t size = source->length == LENGTH_UNKNOWN ? -1 : (curl_off_t)source->length;
        if (curl_mime_data_cb(source->part, size, on_part_read, NULL, NULL, source) != CURLE_OK)
            return KANAL_E_BUSY;
    }
    return 0;
}

void http_parts_release(struct http_call *call)
{
    for (size_t i = 0; i < call->source_count; i++) {
        struct http_source *source = &call->sources[i];
        if (source->call) {
            source->call->done = NULL;
            http_call_end(source->call, CURLE_ABORTED_BY_CALLBACK);
        }
        kanal_buffer_release(&source->bytes);
    }
    if (call->mime) {
        curl_easy_setopt(call->easy, CURLOPT_MIMEPOST, NULL);
        curl_mime_free(call->mime);
        call->kind_set = HTTP_KIND_NONE;
    }
    free(call->sources);
    call->mime = NULL;
    call->sources = NULL;
    call->source_count = 0;
}
