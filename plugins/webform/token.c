#include "token.h"

#define BASE64URL (KANAL_BASE64_URL | KANAL_BASE64_UNPADDED)

static int take_id(kanal_str text, char out[TOKEN_ID_LEN + 1])
{
    if (!kanal_visitor_is_id(text))
        return 0;
    memcpy(out, text.ptr, TOKEN_ID_LEN);
    out[TOKEN_ID_LEN] = 0;
    return 1;
}

/* Cuts off the last piece after a dot. */
static int take_last(kanal_str *text, kanal_str *ret_piece)
{
    size_t dot = text->len;
    while (dot > 0 && text->ptr[dot - 1] != '.')
        dot--;
    if (dot == 0)
        return 0;
    *ret_piece = kanal_str_from(*text, dot);
    text->len = dot - 1;
    return 1;
}

static int take_mac(kanal_str *text, struct token *token)
{
    kanal_str piece;
    struct kanal_buffer mac = { 0 };
    if (!take_last(text, &piece))
        return 0;
    int right = kanal_base64_decode(&mac, piece, BASE64URL) == KANAL_OK && mac.len == TOKEN_MAC_BYTES;
    if (right)
        memcpy(token->mac, mac.data, TOKEN_MAC_BYTES);
    kanal_buffer_release(&mac);
    token->signed_text = *text;
    return right;
}

kanal_status token_parse_form(kanal_str text, struct token *ret_token)
{
    kanal_str nonce, expiry;
    memset(ret_token, 0, sizeof *ret_token);
    if (!kanal_str_starts(text, "f1.") || !take_mac(&text, ret_token) || !take_last(&text, &nonce) ||
        !take_last(&text, &expiry) || text.len <= 3 || !take_id(nonce, ret_token->id) ||
        kanal_str_int(expiry, &ret_token->expires_s) != 0)
        return KANAL_E_INVALID;
    ret_token->form = kanal_str_from(text, 3);
    return KANAL_OK;
}

void token_begin_form(struct kanal_buffer *out, kanal_str form, int64_t expires_s, const char *nonce)
{
    kanal_buffer_text(out, "f1.");
    kanal_buffer_str(out, form);
    kanal_buffer_byte(out, '.');
    kanal_buffer_int(out, expires_s);
    kanal_buffer_byte(out, '.');
    kanal_buffer_text(out, nonce);
}
