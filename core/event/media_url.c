#include "event/media_url.h"

#include "kanal/sdk/base64.h"
#include "kanal/sdk/str.h"

#define EXPIRY_BYTES 6u
#define SIGNATURE_BYTES 16u
#define HEAD_BYTES (EXPIRY_BYTES + SIGNATURE_BYTES)
#define TOKEN_FLAGS (KANAL_BASE64_URL | KANAL_BASE64_UNPADDED)

/* What is signed: expiry, channel, NUL, what follows the signature in the token. */
static int sign(struct ids *ids, const char *expiry, kanal_str channel, kanal_str named,
                unsigned char *signature, int verify)
{
    struct kanal_buffer text = { 0 };
    kanal_buffer_append(&text, expiry, EXPIRY_BYTES);
    kanal_buffer_str(&text, channel);
    kanal_buffer_byte(&text, 0);
    kanal_buffer_str(&text, named);
    int result = KANAL_E_INTERNAL;
    if (!text.failed && verify)
        result = ids_verify(ids, "media", kanal_buffer_view(&text), signature) ? 0 : KANAL_E_REJECTED;
    else if (!text.failed)
        result = ids_sign(ids, "media", kanal_buffer_view(&text), signature);
    kanal_buffer_release(&text);
    return result;
}

int media_url_write(struct ids *ids, kanal_str base_url, kanal_str channel, kanal_str reference,
                    kanal_str type, int64_t expires_ms, struct kanal_buffer *out)
{
    char head[HEAD_BYTES] = { 0 };
    unsigned char signature[SIGNATURE_BYTES];
    if (reference.len == 0 || reference.len > MEDIA_REFERENCE_MAX)
        return KANAL_E_INVALID;
    uint64_t seconds = (uint64_t)(expires_ms / 1000);
    for (size_t i = 0; i < EXPIRY_BYTES; i++)
        head[i] = (char)(seconds >> (8 * (EXPIRY_BYTES - 1 - i)));
    struct kanal_buffer token = { 0 };
    if (!media_type_valid(type))
        type.len = 0;
    kanal_buffer_append(&token, head, sizeof head);
    kanal_buffer_byte(&token, (char)type.len);
    kanal_buffer_str(&token, type);
    kanal_buffer_str(&token, reference);
    if (token.failed ||
        sign(ids, head, channel, kanal_str_from(kanal_buffer_view(&token), HEAD_BYTES), signature, 0) != 0) {
        kanal_buffer_release(&token);
        return KANAL_E_INTERNAL;
    }
    memcpy(token.data + EXPIRY_BYTES, signature, SIGNATURE_BYTES);
    kanal_buffer_str(out, base_url);
    kanal_buffer_text(out, "/m/");
    kanal_buffer_str(out, channel);
    kanal_buffer_byte(out, '/');
    kanal_base64_encode(out, kanal_buffer_view(&token), TOKEN_FLAGS);
    int failed = out->failed;
    kanal_buffer_release(&token);
    return failed ? KANAL_E_INTERNAL : 0;
}

int media_url_read(struct ids *ids, kanal_str channel, kanal_str token, int64_t now_ms,
                   struct kanal_buffer *ret_reference, struct kanal_buffer *ret_type)
{
    struct kanal_buffer bytes = { 0 };
    int result = KANAL_E_REJECTED;
    if (token.len > 2 * (HEAD_BYTES + 1 + MEDIA_TYPE_MAX + MEDIA_REFERENCE_MAX) ||
        kanal_base64_decode(&bytes, token, TOKEN_FLAGS) != 0 || bytes.failed || bytes.len <= HEAD_BYTES)
        goto out;
    kanal_str named = kanal_str_from(kanal_buffer_view(&bytes), HEAD_BYTES);
    result = sign(ids, bytes.data, channel, named, (unsigned char *)bytes.data + EXPIRY_BYTES, 1);
    if (result != 0)
        goto out;
    int64_t seconds = 0;
    for (size_t i = 0; i < EXPIRY_BYTES; i++)
        seconds = seconds << 8 | (unsigned char)bytes.data[i];
    size_t type_len = (unsigned char)named.ptr[0];
    if (1 + type_len >= named.len) {
        result = KANAL_E_REJECTED;
    } else if (now_ms / 1000 > seconds) {
        result = KANAL_E_TIMEOUT;
    } else {
        kanal_buffer_append(ret_type, named.ptr + 1, type_len);
        kanal_buffer_str(ret_reference, kanal_str_from(named, 1 + type_len));
    }
out:
    kanal_buffer_release(&bytes);
    return result;
}
