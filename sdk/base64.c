#include "kanal/sdk/base64.h"

static const char standard_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void kanal_base64_encode(struct kanal_buffer *out, kanal_str bytes, uint32_t flags)
{
    const char *alphabet = flags & KANAL_BASE64_URL ? url_alphabet : standard_alphabet;
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    if (bytes.len > SIZE_MAX / 4 || kanal_buffer_reserve(out, (bytes.len + 2) / 3 * 4) != 0) {
        out->failed = 1;
        return;
    }
    size_t i = 0, at = out->len;
    for (; bytes.len - i >= 3; i += 3) {
        uint32_t group = (uint32_t)p[i] << 16 | (uint32_t)p[i + 1] << 8 | p[i + 2];
        out->data[at++] = alphabet[group >> 18];
        out->data[at++] = alphabet[group >> 12 & 63];
        out->data[at++] = alphabet[group >> 6 & 63];
        out->data[at++] = alphabet[group & 63];
    }
    size_t rest = bytes.len - i;
    if (rest > 0) {
        uint32_t group = (uint32_t)p[i] << 16 | (rest == 2 ? (uint32_t)p[i + 1] << 8 : 0);
        out->data[at++] = alphabet[group >> 18];
        out->data[at++] = alphabet[group >> 12 & 63];
        if (rest == 2)
            out->data[at++] = alphabet[group >> 6 & 63];
        if (!(flags & KANAL_BASE64_UNPADDED)) {
            out->data[at++] = '=';
            if (rest == 1)
                out->data[at++] = '=';
        }
    }
    out->len = at;
}

/* 0 to 63, or -1. */
static int digit_value(char c, uint32_t flags)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (flags & KANAL_BASE64_URL ? '-' : '+'))
        return 62;
    if (c == (flags & KANAL_BASE64_URL ? '_' : '/'))
        return 63;
    return -1;
}

/* The text without its padding; 0, or -1 if the length or the padding is wrong. */
static int strip_padding(kanal_str *text, uint32_t flags)
{
    size_t padding = 0;
    if (text->len % 4 == 0) {
        while (padding < 2 && padding < text->len && text->ptr[text->len - 1 - padding] == '=')
            padding++;
    } else if (!(flags & KANAL_BASE64_UNPADDED)) {
        return -1;
    }
    text->len -= padding;
    return text->len % 4 == 1 ? -1 : 0;
}

kanal_status kanal_base64_decode(struct kanal_buffer *out, kanal_str text, uint32_t flags)
{
    const size_t before = out->len;
    if (strip_padding(&text, flags) != 0)
        return KANAL_E_INVALID;
    if (kanal_buffer_reserve(out, text.len / 4 * 3 + 3) != 0)
        return KANAL_E_INTERNAL;
    uint32_t bits = 0;
    unsigned count = 0;
    size_t at = before;
    for (size_t i = 0; i < text.len; i++) {
        int value = digit_value(text.ptr[i], flags);
        if (value < 0)
            return KANAL_E_INVALID;
        bits = (bits << 6 | (uint32_t)value) & 0xFFFFFF;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out->data[at++] = (char)(unsigned char)(bits >> count & 0xFF);
        }
    }
    if ((bits & ((1u << count) - 1)) != 0)
        return KANAL_E_INVALID; /* left-over bits: a second spelling of the same bytes */
    out->len = at;
    return KANAL_OK;
}

void kanal_hex_encode(struct kanal_buffer *out, kanal_str bytes)
{
    static const char digits[17] = "0123456789abcdef";
    if (bytes.len > SIZE_MAX / 4 || kanal_buffer_reserve(out, bytes.len * 2) != 0) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char byte = (unsigned char)bytes.ptr[i];
        out->data[out->len++] = digits[byte >> 4];
        out->data[out->len++] = digits[byte & 15];
    }
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

kanal_status kanal_hex_decode(struct kanal_buffer *out, kanal_str text)
{
    if (text.len % 2 != 0)
        return KANAL_E_INVALID;
    if (kanal_buffer_reserve(out, text.len / 2) != 0)
        return KANAL_E_INTERNAL;
    size_t at = out->len;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = hex_value(text.ptr[i]), low = hex_value(text.ptr[i + 1]);
        if (high < 0 || low < 0)
            return KANAL_E_INVALID;
        out->data[at++] = (char)(unsigned char)(high << 4 | low);
    }
    out->len = at;
    return KANAL_OK;
}

void kanal_base32_encode(struct kanal_buffer *out, kanal_str bytes)
{
    static const char alphabet[33] = "abcdefghijklmnopqrstuvwxyz234567";
    if (bytes.len > SIZE_MAX / 16 || kanal_buffer_reserve(out, (bytes.len * 8 + 4) / 5) != 0) {
        out->failed = 1;
        return;
    }
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits << 8 | (unsigned char)bytes.ptr[i]) & 0xFFFF;
        count += 8;
        while (count >= 5) {
            count -= 5;
            out->data[out->len++] = alphabet[bits >> count & 31];
        }
    }
    if (count > 0)
        out->data[out->len++] = alphabet[bits << (5 - count) & 31];
}
