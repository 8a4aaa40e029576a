#include "private.h"

#include <string.h>

enum { PLAIN, BAD, DOT, WILD };

/* Letters and digits first: subjects are long and on the hot path. */
static inline int kind_of(unsigned char c)
{
    if ((c > '>' && c != 127) || (c > '.' && c < '>'))
        return PLAIN;
    if (c == '.')
        return DOT;
    return c == '*' || c == '>' ? WILD : c <= ' ' || c == 127 ? BAD : PLAIN;
}

int broker_subject_valid(kanal_str subject, int wildcards)
{
    int before = DOT;

    if (subject.len == 0 || subject.len >= BROKER_SUBJECT_BYTES)
        return 0;
    for (size_t i = 0; i < subject.len; i++) {
        int kind = kind_of((unsigned char)subject.ptr[i]);

        if (kind != PLAIN) {
            if (kind == BAD || (kind == DOT && before == DOT))
                return 0;
            if (kind == WILD && !wildcards && before == DOT &&
                (i + 1 == subject.len || subject.ptr[i + 1] == '.'))
                return 0;
        }
        before = kind;
    }
    return before != DOT;
}

int broker_publishable(kanal_str subject)
{
    /* In the API's subjects a wildcard may be data (the filter of a consumer). */
    return broker_subject_valid(subject, kanal_str_starts(subject, "$JS.API."));
}

/* RFC-like: a token and a line. */
static int valid_header(const kanal_field *h)
{
    if (h->name.len == 0 || h->name.len > 256)
        return 0;
    for (size_t i = 0; i < h->name.len; i++)
        if (h->name.ptr[i] <= ' ' || h->name.ptr[i] == ':' || h->name.ptr[i] == 127)
            return 0;
    return h->value.len == 0 || (memchr(h->value.ptr, '\r', h->value.len) == NULL &&
                                 memchr(h->value.ptr, '\n', h->value.len) == NULL &&
                                 memchr(h->value.ptr, '\0', h->value.len) == NULL);
}

static int map_status(natsStatus s)
{
    switch (s) {
    case NATS_OK:
        return KANAL_OK;
    case NATS_MAX_PAYLOAD:
        return KANAL_E_TOO_LARGE;
    case NATS_INVALID_ARG:
    case NATS_INVALID_SUBJECT:
    case NATS_NO_SERVER_SUPPORT:
        return KANAL_E_INVALID;
    case NATS_NO_MEMORY:
        return KANAL_E_BUSY;
    default:
        return KANAL_E_NETWORK;
    }
}

static natsStatus add_header(struct broker *b, natsMsg *msg, const kanal_field *h)
{
    kanal_buffer_clear(&b->scratch);
    kanal_buffer_str(&b->scratch, h->name);
    kanal_buffer_byte(&b->scratch, '\0');
    kanal_buffer_str(&b->scratch, h->value);
    kanal_buffer_byte(&b->scratch, '\0');
    if (b->scratch.failed)
        return NATS_NO_MEMORY;
    return natsMsgHeader_Set(msg, b->scratch.data, b->scratch.data + h->name.len + 1);
}

/* The message itself is freed by a thread of cnats; what its headers took is given back here, where the next ones are made: otherwise the two
 * threads are at the allocator's lock against each other. */
static void drop_header(struct broker *b, natsMsg *msg, const kanal_field *h)
{
    kanal_buffer_clear(&b->scratch);
    kanal_buffer_str(&b->scratch, h->name);
    kanal_buffer_byte(&b->scratch, '\0');
    if (!b->scratch.failed)
        natsMsgHeader_Delete(msg, b->scratch.data);
}

static natsStatus send_with_headers(struct broker *b, natsConnection *nc, const struct broker_out *out,
                                    const char *reply)
{
    natsMsg *msg = NULL;
    natsStatus s = natsMsg_Create(&msg, b->subject, reply, out->payload.ptr, (int)out->payload.len);

    for (size_t i = 0; s == NATS_OK && i < out->header_count; i++)
        s = add_header(b, msg, &out->headers[i]);
    if (s == NATS_OK)
        s = natsConnection_PublishMsg(nc, msg);
    for (size_t i = 0; i < out->header_count; i++)
        drop_header(b, msg, &out->headers[i]);
    broker_done_with(b, msg);
    return s;
}

/* Makes room by writing at once what a long turn has gathered. */
static int has_room(struct broker *b, size_t bytes)
{
    if (b->unsent_bytes + bytes <= b->buffer_bytes)
        return 1;
    broker_link_flush(b->link);
    b->unsent_bytes = broker_link_unsent(b->link);
    if (b->unsent_bytes + bytes <= b->buffer_bytes)
        return 1;
    b->buffer_full = 1;
    broker_wake(b);
    return 0;
}

int broker_send(struct broker *b, const struct broker_out *out, const char *reply)
{
    natsConnection *nc = b->linked ? broker_link_connection(b->link) : NULL;
    size_t bytes = out->subject.len + out->payload.len + 64;
    natsStatus s;

    if (!broker_publishable(out->subject))
        return KANAL_E_INVALID;
    for (size_t i = 0; i < out->header_count; i++) {
        if (!valid_header(&out->headers[i]))
            return KANAL_E_INVALID;
        bytes += out->headers[i].name.len + out->headers[i].value.len + 4;
    }
    if (!nc)
        return KANAL_E_NETWORK;
    if (bytes - out->subject.len - 64 + 12 * (out->header_count > 0) > b->max_payload)
        return KANAL_E_TOO_LARGE;
    if (!has_room(b, bytes))
        return KANAL_E_BUSY;
    memcpy(b->subject, out->subject.ptr, out->subject.len);
    b->subject[out->subject.len] = '\0';
    if (out->header_count > 0)
        s = send_with_headers(b, nc, out, reply);
    else if (reply)
        s = natsConnection_PublishRequest(nc, b->subject, reply, out->payload.ptr, (int)out->payload.len);
    else
        s = natsConnection_Publish(nc, b->subject, out->payload.ptr, (int)out->payload.len);
    if (s == NATS_OK)
        b->unsent_bytes += bytes;
    return map_status(s);
}

int broker_publish(struct broker *b, const struct broker_out *out)
{
    if (b->state != BROKER_UP || b->closing)
        return broker_publishable(out->subject) ? KANAL_E_NETWORK : KANAL_E_INVALID;
    return broker_send(b, out, NULL);
}
