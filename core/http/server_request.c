#include "http/server_private.h"
#include <stdlib.h>
#include <string.h>
#include "http/server_target.h"
#include "http/websocket_handshake.h"
#include "kanal/sdk/str.h"

#define BLOCK_BYTES 4096

/* ---- Memory of the exchange ------------------------------------------------------------------------------------------ */

char *exchange_take(struct http_exchange *x, size_t len)
{
    struct exchange_block *block;
    size_t capacity = len > BLOCK_BYTES ? len : BLOCK_BYTES;
    char *taken;

    if (!x->blocks) {
        if (len <= EXCHANGE_TEXT - x->text_used) {
            taken = x->text + x->text_used;
            x->text_used += len;
            return taken;
        }
        x->text_used = 0; /* from here on it counts the newest block */
    } else if (len <= x->blocks->capacity - x->text_used) {
        taken = x->blocks->bytes + x->text_used;
        x->text_used += len;
        return taken;
    }
    block = malloc(sizeof *block + capacity);
    if (!block)
        return NULL;
    block->capacity = capacity;
    block->next = x->blocks;
    x->blocks = block;
    x->text_used = len;
    return block->bytes;
}

void exchange_memory_clear(struct http_exchange *x)
{
    struct exchange_block *next;

    for (; x->blocks; x->blocks = next) {
        next = x->blocks->next;
        free(x->blocks);
    }
    x->text_used = 0;
}

/* ---- Headers --------------------------------------------------------------------------------------------------------- */

/* What the headers say about the request itself. */
struct scan {
    struct http_exchange *x;
    int status; /* 0, or what to refuse with */
    const char *why;
    unsigned hosts, lengths, codings, upgrades;
    kanal_str length, coding;
};

static int refuse(struct scan *s, int status, const char *why)
{
    if (s->status == 0) {
        s->status = status;
        s->why = why;
    }
    return MHD_NO;
}

/* The lower-case form of a character that may stand in a name (RFC 9110, 5.6.2), or 0. */
static char token_lower(char c)
{
    if ((c >= 'a' && c <= 'z') || c == '-' || (c >= '0' && c <= '9'))
        return c;
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    return c != '\0' && strchr("!#$%&'*+.^_`|~", c) ? c : '\0';
}

/* Tab, visible characters, and bytes of UTF-8. No early exit: this is vectorised. */
static int is_value(const char *value, size_t len)
{
    unsigned bad = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];

        bad |= (unsigned)((c < 0x20) & (c != '\t')) | (unsigned)(c == 0x7f);
    }
    return bad == 0;
}

static kanal_field *next_field(struct http_exchange *x)
{
    size_t capacity = x->field_capacity * 2;
    kanal_field *more;

    if (x->request.header_count < x->field_capacity)
        return &x->fields[x->request.header_count];
    more = realloc(x->fields == x->own_fields ? NULL : x->fields, capacity * sizeof *more);
    if (!more)
        return NULL;
    if (x->fields == x->own_fields)
        memcpy(more, x->own_fields, sizeof x->own_fields);
    x->fields = more;
    x->field_capacity = capacity;
    return &more[x->request.header_count];
}

static void note_header(struct scan *s, const kanal_field *f)
{
    switch (f->name.len) {
    case 4:
        s->hosts += memcmp(f->name.ptr, "host", 4) == 0;
        break;
    case 6:
        if (memcmp(f->name.ptr, "expect", 6) == 0 &&
            kanal_str_equal_nocase(f->value, KANAL_LIT("100-continue")))
            s->x->expects_continue = 1;
        break;
    case 7:
        s->upgrades += memcmp(f->name.ptr, "upgrade", 7) == 0;
        break;
    case 14:
        if (memcmp(f->name.ptr, "content-length", 14) == 0) {
            s->lengths++;
            s->length = f->value;
        }
        break;
    case 17:
        if (memcmp(f->name.ptr, "transfer-encoding", 17) == 0) {
            s->codings++;
            s->coding = f->value;
        }
        break;
    default:
        break;
    }
}

/* One of libmicrohttpd's headers. The value stays where it is: its memory is the connection's until the answer is out. */
static enum MHD_Result on_header(void *scan, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                 const char *value, size_t value_len)
{
    struct scan *s = scan;
    struct http_exchange *x = s->x;
    kanal_field *f = next_field(x);
    char *name = exchange_take(x, key_len);

    (void)kind;
    if (!f || !name)
        return refuse(s, 503, "out of memory");
    for (size_t i = 0; i < key_len; i++)
        if ((name[i] = token_lower(key[i])) == '\0')
            return refuse(s, 400, "a header's name holds a character that it may not");
    while (value_len > 0 && (value[value_len - 1] == ' ' || value[value_len - 1] == '\t'))
        value_len--;
    if (key_len == 0 || !is_value(value, value_len))
        return refuse(s, 400, "a header holds a control character");
    f->name = kanal_str_of(name, key_len);
    f->value = kanal_str_of(value ? value : "", value_len);
    /* What anybody can write about where they come from counts only from a trusted proxy. */
    if (!x->is_trusted && kanal_str_starts(f->name, "x-forwarded-"))
        return MHD_YES;
    x->request.header_count++;
    note_header(s, f);
    return MHD_YES;
}

/* ---- Framing --------------------------------------------------------------------------------------------------------- */

/* Anything ambiguous about where the body ends is refused: a proxy before us may have understood it differently, and then
 * what we take for the next request was hidden in this one (RFC 9112, 6.3 and 11.2). */
static int check_framing(struct scan *s)
{
    struct http_exchange *x = s->x;
    int64_t length;

    x->content_length = 0;
    if (s->codings > 0) {
        x->is_chunked = 1;
        x->content_length = UINT64_MAX;
        if (s->lengths > 0)
            return refuse(s, 400, "Content-Length beside Transfer-Encoding");
        if (s->codings > 1 || x->http_minor == 0)
            return refuse(s, 400, "an ambiguous Transfer-Encoding");
        if (!kanal_str_equal_nocase(s->coding, KANAL_LIT("chunked")))
            return refuse(s, 501, "the only Transfer-Encoding understood is chunked");
    }
    if (s->lengths > 1)
        return refuse(s, 400, "more than one Content-Length");
    if (s->lengths == 1) {
        if (s->length.len == 0 || s->length.ptr[0] < '0' || s->length.ptr[0] > '9' ||
            kanal_str_int(s->length, &length) != 0)
            return refuse(s, 400, "Content-Length is no number");
        x->content_length = (uint64_t)length;
    }
    return 0;
}

static int check_head(struct scan *s)
{
    struct http_exchange *x = s->x;
    enum websocket_handshake handshake = WEBSOCKET_NONE;

    if (check_framing(s) != 0)
        return MHD_NO;
    if (s->hosts > 1 || (s->hosts == 0 && x->http_minor > 0))
        return refuse(s, 400, "exactly one Host header is needed");
    if (s->upgrades > 0)
        handshake = websocket_check(x->request.method, x->http_minor, x->request.headers,
                                    x->request.header_count, &x->websocket_key);
    if (handshake == WEBSOCKET_VERSION) {
        x->is_version_bad = 1;
        return refuse(s, 426, "only version 13 of the WebSocket protocol is spoken here");
    }
    if (handshake == WEBSOCKET_BAD || (handshake == WEBSOCKET_GOOD && x->content_length > 0))
        return refuse(s, 400, "a malformed WebSocket handshake");
    x->request.is_websocket = handshake == WEBSOCKET_GOOD;
    return MHD_YES;
}

static int check_method(kanal_str method)
{
    if (method.len == 0 || method.len > 32)
        return KANAL_E_INVALID;
    for (size_t i = 0; i < method.len; i++)
        if ((method.ptr[i] < 'A' || method.ptr[i] > 'Z') && method.ptr[i] != '-' && method.ptr[i] != '_')
            return KANAL_E_INVALID;
    return 0;
}

static int read_target(struct http_exchange *x, const char *version)
{
    struct http_request *r = &x->request;
    char *scratch = NULL;

    /* libmicrohttpd hands the target out as a C string. The version stands right behind it, unless a NUL cut it short. */
    if ((uintptr_t)version != (uintptr_t)x->target_end + 1)
        return KANAL_E_INVALID;
    if (memchr(r->target.ptr, '%', r->target.len)) {
        scratch = exchange_take(x, r->target.len);
        if (!scratch)
            return KANAL_E_INTERNAL;
    }
    return http_target_split(r->target, scratch, &r->path, &r->query);
}

static void read_remote(struct http_exchange *x)
{
    struct http_request *r = &x->request;
    struct http_address client;
    char *text;

    r->remote = kanal_str_of(x->peer_text, x->peer_text_len);
    if (!x->is_trusted)
        return;
    http_forwarded_client(x->server->proxies, x->server->proxy_count, r->headers, r->header_count, &x->peer,
                          &client);
    text = exchange_take(x, HTTP_ADDRESS_TEXT);
    if (text)
        r->remote = kanal_str_of(text, http_address_format(&client, text));
}

int request_read(struct http_exchange *x, const char *method, const char *version, const char **ret_text)
{
    struct http_request *r = &x->request;
    struct scan s = { .x = x };

    r->method = kanal_str_c(method);
    x->is_head = kanal_str_is(r->method, "HEAD") != 0;
    x->http_minor = strcmp(version, "HTTP/1.0") != 0;
    if (check_method(r->method) != 0)
        refuse(&s, 400, "a malformed method");
    else if (!r->target.ptr || read_target(x, version) != 0)
        refuse(&s, 400, "a malformed target");
    /* Also of a bad target: whether a body follows must be known. */
    MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, on_header, &s);
    r->headers = x->fields;
    check_head(&s);
    read_remote(x);
    *ret_text = s.why;
    return s.status;
}
