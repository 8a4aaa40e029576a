#include "inbound/kept.h"

#include <string.h>

#include "kanal/sdk/str.h"
#include "kanal/sdk/url.h"

#define SECRET_MIN 4u

static int is_credential(kanal_str name)
{
    static const char *const names[] = { "authorization", "proxy-authorization", "cookie", NULL };
    for (const char *const *n = names; *n; n++)
        if (kanal_str_equal_nocase(name, kanal_str_c(*n)))
            return 1;
    return 0;
}

/* The path was decoded; what would end it, or the line, is encoded again. */
static void write_path(struct kanal_buffer *out, kanal_str path)
{
    for (size_t i = 0; i < path.len; i++) {
        unsigned char c = (unsigned char)path.ptr[i];
        if (c <= ' ' || c >= 0x7f || strchr("?#%", c))
            kanal_url_encode(out, kanal_str_of(path.ptr + i, 1));
        else
            kanal_buffer_byte(out, path.ptr[i]);
    }
}

static void write_message(struct kanal_buffer *out, kanal_str path, const kanal_http_request *request)
{
    kanal_buffer_str(out, request->method);
    kanal_buffer_byte(out, ' ');
    write_path(out, path);
    if (request->query.len > 0) {
        kanal_buffer_byte(out, '?');
        kanal_buffer_str(out, request->query);
    }
    kanal_buffer_text(out, " HTTP/1.1\r\n");
    for (size_t i = 0, count = 0; i < request->header_count && count < KEPT_HEADERS_MAX; i++) {
        if (is_credential(request->headers[i].name))
            continue;
        kanal_buffer_str(out, request->headers[i].name);
        kanal_buffer_text(out, ": ");
        kanal_buffer_str(out, request->headers[i].value);
        kanal_buffer_text(out, "\r\n");
        count++;
    }
    kanal_buffer_text(out, "\r\n");
    kanal_buffer_str(out, request->body);
}

/* ---- Cutting secrets out ---- */

struct secret {
    kanal_str value;
    const char *name;
    int is_encoded;
};

struct cutter {
    const struct config_channel *channel;
    struct kanal_buffer encoded; /* of one secret */
    size_t count;
};

/* The first secret in the text, the longest of those at one place; its offset, or the text's length. */
static size_t find(struct cutter *c, kanal_str text, struct secret *ret_secret)
{
    size_t first = text.len;
    ret_secret->value.len = 0;
    for (size_t i = 0; i < 2 * c->channel->secret_count; i++) {
        const struct config_secret *secret = &c->channel->secrets[i / 2];
        kanal_str value = secret->value;
        if (i % 2 == 1) {
            kanal_buffer_clear(&c->encoded);
            kanal_url_encode(&c->encoded, secret->value);
            value = kanal_buffer_view(&c->encoded);
        }
        if (value.len < SECRET_MIN || (i % 2 == 1 && kanal_str_equal(value, secret->value)))
            continue;
        const char *at = memmem(text.ptr, text.len, value.ptr, value.len);
        size_t offset = at ? (size_t)(at - text.ptr) : text.len;
        if (!at || offset > first || (offset == first && value.len <= ret_secret->value.len))
            continue;
        first = offset;
        *ret_secret = (struct secret){ { NULL, value.len }, secret->name, (int)(i % 2) };
    }
    return first;
}

static void cut(struct cutter *c, kanal_str text, struct kanal_buffer *out, struct kanal_buffer *cuts)
{
    while (text.len > 0) {
        struct secret secret = { .is_encoded = 0 };
        size_t before = find(c, text, &secret);
        kanal_buffer_append(out, text.ptr, before);
        if (before == text.len)
            return;
        if (c->count++ < KEPT_CUTS_MAX) {
            if (cuts->len > 0)
                kanal_buffer_byte(cuts, ',');
            kanal_buffer_uint(cuts, out->len);
            kanal_buffer_byte(cuts, ':');
            kanal_buffer_text(cuts, secret.name);
            if (secret.is_encoded)
                kanal_buffer_byte(cuts, '%');
        }
        text = kanal_str_from(text, before + secret.value.len);
    }
}

void kept_write(const struct config_channel *channel, kanal_str path, const kanal_http_request *request,
                struct kanal_buffer *text, struct kanal_buffer *cuts)
{
    struct cutter cutter = { .channel = channel };
    struct kanal_buffer whole = { 0 };
    write_message(&whole, path, request);
    cut(&cutter, kanal_buffer_view(&whole), text, cuts);
    text->failed |= whole.failed | cutter.encoded.failed;
    if (whole.data)
        explicit_bzero(whole.data, whole.capacity);
    if (cutter.encoded.data)
        explicit_bzero(cutter.encoded.data, cutter.encoded.capacity);
    kanal_buffer_release(&whole);
    kanal_buffer_release(&cutter.encoded);
}

/* ---- And putting them back ---- */

static kanal_str until(kanal_str *rest, char end)
{
    const char *at = rest->len > 0 ? memchr(rest->ptr, end, rest->len) : NULL;
    kanal_str part = kanal_str_of(rest->ptr, at ? (size_t)(at - rest->ptr) : rest->len);
    *rest = kanal_str_from(*rest, part.len + (at != NULL));
    return part;
}

static const struct config_secret *secret_of(const struct config_channel *channel, kanal_str name)
{
    for (size_t i = 0; i < channel->secret_count; i++)
        if (kanal_str_is(name, channel->secrets[i].name))
            return &channel->secrets[i];
    return NULL;
}

void kept_restore(const struct config_channel *channel, kanal_str text, kanal_str cuts,
                  struct kanal_buffer *out, size_t *ret_missing)
{
    size_t done = 0;
    *ret_missing = 0;
    while (cuts.len > 0) {
        kanal_str name = until(&cuts, ','), number = until(&name, ':');
        int64_t at = -1;
        int is_encoded = name.len > 0 && name.ptr[name.len - 1] == '%';
        name.len -= (size_t)is_encoded;
        const struct config_secret *secret = secret_of(channel, name);
        if (kanal_str_int(number, &at) != 0 || at < (int64_t)done || (uint64_t)at > text.len || !secret) {
            ++*ret_missing;
            continue;
        }
        kanal_buffer_append(out, text.ptr + done, (size_t)at - done);
        done = (size_t)at;
        if (is_encoded)
            kanal_url_encode(out, secret->value);
        else
            kanal_buffer_str(out, secret->value);
    }
    kanal_str rest = kanal_str_from(text, done);
    kanal_buffer_str(out, rest);
}

/* ---- Reading ---- */

/* Up to CR LF. 0: there is none. */
static int read_line(kanal_str *rest, kanal_str *ret_line)
{
    const char *at = rest->len > 0 ? memmem(rest->ptr, rest->len, "\r\n", 2) : NULL;
    if (!at)
        return 0;
    *ret_line = kanal_str_of(rest->ptr, (size_t)(at - rest->ptr));
    *rest = kanal_str_from(*rest, ret_line->len + 2);
    return 1;
}

int kept_read(kanal_str text, struct kept_request *ret_request)
{
    kanal_str line;
    *ret_request = (struct kept_request){ .header_count = 0 };
    if (!read_line(&text, &line))
        return KANAL_E_INVALID;
    ret_request->method = until(&line, ' ');
    ret_request->target = until(&line, ' ');
    if (ret_request->method.len == 0 || !kanal_str_starts(ret_request->target, "/") ||
        !kanal_str_is(line, "HTTP/1.1"))
        return KANAL_E_INVALID;
    while (read_line(&text, &line)) {
        if (line.len == 0) {
            ret_request->body = text;
            return 0;
        }
        if (ret_request->header_count == KEPT_HEADERS_MAX)
            return KANAL_E_INVALID;
        kanal_field *header = &ret_request->headers[ret_request->header_count++];
        header->name = until(&line, ':');
        while (line.len > 0 && line.ptr[0] == ' ')
            line = kanal_str_from(line, 1);
        header->value = line;
        if (header->name.len == 0)
            return KANAL_E_INVALID;
    }
    return KANAL_E_INVALID;
}
