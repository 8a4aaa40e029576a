#include "http/server_private.h"
#include <string.h>
#include <time.h>
#include "kanal/sdk/str.h"
#include "kanal/sdk/time.h"

/* Headers that only the server may write. */
static int is_servers_own(kanal_str name)
{
    static const char *const own[] = { "content-length", "date", "connection", "transfer-encoding",
                                       "keep-alive" };

    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (kanal_str_equal_nocase(name, kanal_str_c(own[i])))
            return 1;
    return 0;
}

/* A header that can be written as it is: anything else could end the header section early. */
static int is_writable(const kanal_field *f)
{
    if (f->name.len == 0 || f->value.len == 0 || is_servers_own(f->name))
        return 0;
    for (size_t i = 0; i < f->name.len; i++)
        if (f->name.ptr[i] <= ' ' || f->name.ptr[i] >= 0x7f || f->name.ptr[i] == ':')
            return 0;
    for (size_t i = 0; i < f->value.len; i++)
        if (((unsigned char)f->value.ptr[i] < ' ' && f->value.ptr[i] != '\t') || f->value.ptr[i] == 0x7f)
            return 0;
    return 1;
}

/* libmicrohttpd wants C strings. */
static void add_header(struct MHD_Response *response, const kanal_field *f)
{
    char stack[512];
    struct kanal_buffer heap = { 0 };
    size_t need = f->name.len + f->value.len + 2;
    char *at = stack;

    if (need > sizeof stack) {
        if (kanal_buffer_reserve(&heap, need) != 0)
            return;
        at = heap.data;
    }
    memcpy(at, f->name.ptr, f->name.len);
    at[f->name.len] = '\0';
    memcpy(at + f->name.len + 1, f->value.ptr, f->value.len);
    at[need - 1] = '\0';
    MHD_add_response_header(response, at, at + f->name.len + 1);
    kanal_buffer_release(&heap);
}

void response_add_headers(struct MHD_Response *response, const kanal_field *headers, size_t count,
                          int must_close)
{
    if (must_close)
        MHD_add_response_header(response, "Connection", "close");
    for (size_t i = 0; i < count; i++)
        if (is_writable(&headers[i]))
            add_header(response, &headers[i]);
}

static struct MHD_Response *create(const kanal_field *headers, size_t count, kanal_str body, int must_close)
{
    /* The cast is for an old signature: the bytes are copied. */
    struct MHD_Response *response = MHD_create_response_from_buffer(
        body.len, body.len > 0 ? (void *)(uintptr_t)body.ptr : (void *)(uintptr_t) "", MHD_RESPMEM_MUST_COPY);

    if (response)
        response_add_headers(response, headers, count, must_close);
    return response;
}

/* Everything that makes one answer different from another, except the code, which is not part of a response. Returns the
 * length; 0: too long to be worth keeping. */
static uint32_t make_key(char key[RESPONSE_KEY], const kanal_field *headers, size_t count, kanal_str body)
{
    size_t used = 0;

    for (size_t i = 0; i <= count; i++) {
        kanal_str name = i < count ? headers[i].name : body;
        kanal_str value = i < count ? headers[i].value : kanal_str_of(NULL, 0);

        if (name.len >= RESPONSE_KEY || value.len >= RESPONSE_KEY ||
            used + name.len + value.len + 2 > RESPONSE_KEY)
            return 0;
        key[used++] = (char)name.len;
        key[used++] = (char)value.len;
        if (name.len > 0)
            memcpy(key + used, name.ptr, name.len);
        if (value.len > 0)
            memcpy(key + used + name.len, value.ptr, value.len);
        used += name.len + value.len;
    }
    return (uint32_t)used;
}

static struct response_cached *cache_find(struct http_server *s, const char *key, uint32_t len)
{
    for (size_t i = 0; i < RESPONSE_CACHE; i++)
        if (s->responses[i].key_len == len && memcmp(s->responses[i].key, key, len) == 0)
            return &s->responses[i];
    return NULL;
}

/* A place for another answer: an empty one, or the oldest that nobody is about to use. */
static struct response_cached *cache_place(struct http_server *s)
{
    for (unsigned i = 0; i < RESPONSE_CACHE; i++) {
        struct response_cached *c = &s->responses[s->response_next++ % RESPONSE_CACHE];

        if (c->pins > 0)
            continue;
        if (c->response)
            MHD_destroy_response(c->response);
        c->response = NULL;
        c->key_len = 0;
        return c;
    }
    return NULL;
}

struct MHD_Response *response_get(struct http_server *s, const kanal_field *headers, size_t count,
                                  kanal_str body, struct response_cached **ret_cached)
{
    char key[RESPONSE_KEY];
    uint32_t len = s->is_draining ? 0 : make_key(key, headers, count, body);
    struct response_cached *c = len > 0 ? cache_find(s, key, len) : NULL;
    struct MHD_Response *response;

    *ret_cached = NULL;
    if (!c) {
        response = create(headers, count, body, s->is_draining);
        c = len > 0 && response ? cache_place(s) : NULL;
        if (!c)
            return response;
        c->response = response;
        c->key_len = len;
        memcpy(c->key, key, len);
    }
    c->pins++;
    *ret_cached = c;
    return c->response;
}

void response_cache_release(struct http_server *s)
{
    for (size_t i = 0; i < RESPONSE_CACHE; i++)
        if (s->responses[i].response)
            MHD_destroy_response(s->responses[i].response);
}

static int64_t wall_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void response_write(struct kanal_buffer *out, int code, const kanal_field *headers, size_t count,
                    kanal_str body, int is_head)
{
    const char *phrase = MHD_get_reason_phrase_for((unsigned)code);

    kanal_buffer_text(out, "HTTP/1.1 ");
    kanal_buffer_int(out, code);
    kanal_buffer_byte(out, ' ');
    kanal_buffer_text(out, phrase ? phrase : "Unknown");
    kanal_buffer_text(out, "\r\nDate: ");
    kanal_time_http(out, wall_clock_ms());
    kanal_buffer_text(out, "\r\nConnection: close\r\n");
    for (size_t i = 0; i < count; i++) {
        if (!is_writable(&headers[i]))
            continue;
        kanal_buffer_str(out, headers[i].name);
        kanal_buffer_text(out, ": ");
        kanal_buffer_str(out, headers[i].value);
        kanal_buffer_text(out, "\r\n");
    }
    if (code != 204 && code != 304) {
        kanal_buffer_text(out, "Content-Length: ");
        kanal_buffer_uint(out, body.len);
        kanal_buffer_text(out, "\r\n");
    }
    kanal_buffer_text(out, "\r\n");
    if (!is_head && code != 204 && code != 304)
        kanal_buffer_str(out, body);
}
