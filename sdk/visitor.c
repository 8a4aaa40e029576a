#include "kanal/sdk/visitor.h"
#include "kanal/sdk/base64.h"

#define BASE64URL (KANAL_BASE64_URL | KANAL_BASE64_UNPADDED)

void kanal_visitor_new_id(const kanal_host *host, char out[KANAL_VISITOR_ID_LEN + 1])
{
    static const char digits[33] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[KANAL_VISITOR_ID_LEN];
    host->random(host, bytes, sizeof bytes);
    for (size_t i = 0; i < KANAL_VISITOR_ID_LEN; i++)
        out[i] = digits[bytes[i] & 31];
    out[KANAL_VISITOR_ID_LEN] = 0;
}

int kanal_visitor_is_id(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!(text.ptr[i] >= 'a' && text.ptr[i] <= 'z') && !(text.ptr[i] >= '2' && text.ptr[i] <= '7'))
            return 0;
    }
    return text.len == KANAL_VISITOR_ID_LEN;
}

kanal_status kanal_visitor_parse(kanal_str token, struct kanal_visitor *ret_visitor)
{
    const size_t signed_len = 3 + KANAL_VISITOR_ID_LEN;
    struct kanal_buffer mac = { 0 };
    memset(ret_visitor, 0, sizeof *ret_visitor);
    if (!kanal_str_starts(token, "v1.") || token.len <= signed_len || token.ptr[signed_len] != '.' ||
        !kanal_visitor_is_id(kanal_str_of(token.ptr + 3, KANAL_VISITOR_ID_LEN)))
        return KANAL_E_INVALID;
    int right = kanal_base64_decode(&mac, kanal_str_from(token, signed_len + 1), BASE64URL) == KANAL_OK &&
                mac.len == KANAL_VISITOR_MAC_BYTES;
    if (right) {
        memcpy(ret_visitor->mac, mac.data, KANAL_VISITOR_MAC_BYTES);
        memcpy(ret_visitor->id, token.ptr + 3, KANAL_VISITOR_ID_LEN);
        ret_visitor->signed_text = kanal_str_of(token.ptr, signed_len);
    }
    kanal_buffer_release(&mac);
    return right ? KANAL_OK : KANAL_E_INVALID;
}

void kanal_visitor_begin(struct kanal_buffer *out, const char *id)
{
    kanal_buffer_text(out, "v1.");
    kanal_buffer_text(out, id);
}

void kanal_visitor_seal(struct kanal_buffer *out, kanal_str mac)
{
    kanal_buffer_byte(out, '.');
    kanal_base64_encode(out, mac, BASE64URL);
}
