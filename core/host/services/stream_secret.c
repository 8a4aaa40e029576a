/* Secrets in what is written to a stream: inserted, and the lengths around them corrected. */
#include "host/services/services.h"
#include "host/services/stream.h"
#include "kanal/ext/stream.h"

#define SECRETS_MAX 4u

static kanal_status secrets_check(const struct channel *channel, kanal_str data,
                                  const kanal_stream_secret *secrets, size_t count)
{
    uint32_t before = 0;
    if (count > SECRETS_MAX || (count > 0 && !secrets))
        return KANAL_E_INVALID;
    for (size_t i = 0; i < count; i++) {
        const kanal_stream_secret *s = &secrets[i];
        if (!text_valid(s->secret) || s->position > data.len || s->position < before ||
            (s->length_bytes != 0 && s->length_bytes != 1 && s->length_bytes != 2 && s->length_bytes != 4) ||
            s->length_bytes > data.len || s->length_position > data.len - s->length_bytes)
            return KANAL_E_INVALID;
        before = s->position;
    }
    /* What a plugin asks for by default is no consent to hand its peer a password as it is. */
    return count > 0 && !channel->egress_by_operator ? KANAL_E_DENIED : KANAL_OK;
}

static kanal_status secret_check(kanal_str secret, const kanal_stream_secret *use)
{
    if (secret.len == 0)
        return KANAL_E_NOT_FOUND;
    if (secret.len > (use->max_bytes ? use->max_bytes : 255))
        return KANAL_E_TOO_LARGE;
    for (size_t i = 0; i < secret.len; i++)
        if ((unsigned char)secret.ptr[i] < 0x20)
            return KANAL_E_REJECTED;
    return KANAL_OK;
}

/* Adds to the big-endian number; what does not fit is refused. */
static kanal_status length_add(unsigned char *at, uint32_t width, size_t more)
{
    uint64_t number = 0;
    for (uint32_t i = 0; i < width; i++)
        number = number << 8 | at[i];
    number += more;
    if (width > 0 && number >> (8 * width))
        return KANAL_E_TOO_LARGE;
    for (uint32_t i = width; i-- > 0; number >>= 8)
        at[i] = (unsigned char)(number & 0xff);
    return KANAL_OK;
}

kanal_status stream_compose(const struct channel *channel, kanal_str data, const kanal_stream_secret *secrets,
                            size_t count, struct kanal_buffer *out)
{
    kanal_status status = secrets_check(channel, data, secrets, count);
    kanal_str values[SECRETS_MAX] = { { 0 } };
    size_t more = 0;
    for (size_t i = 0; status == KANAL_OK && i < count; i++) {
        values[i] = channel_secret(channel, secrets[i].secret);
        status = secret_check(values[i], &secrets[i]);
        more += values[i].len;
    }
    if (status != KANAL_OK)
        return status;
    if (kanal_buffer_reserve(out, data.len + more) !=
        0) /* at once: no copy of a secret is left behind by growing */
        return KANAL_E_BUSY;
    kanal_buffer_str(out, data);
    for (size_t i = 0; status == KANAL_OK && i < count; i++)
        status = length_add((unsigned char *)out->data + secrets[i].length_position, secrets[i].length_bytes,
                            values[i].len);
    for (size_t i = count; status == KANAL_OK && i-- > 0;) {
        char *at = out->data + secrets[i].position;
        memmove(at + values[i].len, at, out->len - secrets[i].position);
        memcpy(at, values[i].ptr, values[i].len);
        out->len += values[i].len;
    }
    return status;
}
