#include "nkey.h"

#include <string.h>
#include <openssl/evp.h>
#include "kanal/sdk/base64.h"
#include "kanal/sdk/str.h"

#define PREFIX_SEED (18u << 3) /* 'S' */
#define PREFIX_USER (20u << 3) /* 'U' */
#define SEED_TEXT 58u          /* base32 of 2 + 32 + 2 bytes */

/* CRC-16/XMODEM. */
static uint16_t crc16(const unsigned char *bytes, size_t len)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc ^ (uint16_t)(bytes[i] << 8));
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

static int base32_decode(kanal_str text, unsigned char *out, size_t size)
{
    uint32_t bits = 0, count = 0;
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        uint32_t value;

        if (c >= 'A' && c <= 'Z')
            value = (uint32_t)(c - 'A');
        else if (c >= '2' && c <= '7')
            value = (uint32_t)(c - '2' + 26);
        else
            return -1;
        bits = bits << 5 | value;
        count += 5;
        if (count >= 8) {
            if (n == size)
                return -1;
            count -= 8;
            out[n++] = (unsigned char)(bits >> count);
            bits &= (1u << count) - 1;
        }
    }
    return n == size ? 0 : -1;
}

static void base32_encode(const unsigned char *bytes, size_t len, char *out)
{
    uint32_t bits = 0, count = 0;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        count += 8;
        while (count >= 5) {
            count -= 5;
            out[n++] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[bits >> count & 31];
            bits &= (1u << count) - 1;
        }
    }
    if (count > 0)
        out[n++] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[bits << (5 - count) & 31];
    out[n] = '\0';
}

static kanal_str find_seed(kanal_str text)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        kanal_str line = kanal_str_of(text.ptr, end ? (size_t)(end - text.ptr) : text.len);

        text = kanal_str_from(text, line.len + 1);
        while (line.len > 0 && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
            line = kanal_str_from(line, 1);
        if (line.len >= SEED_TEXT && kanal_str_starts(line, "SU"))
            return kanal_str_of(line.ptr, SEED_TEXT);
    }
    return kanal_str_of(NULL, 0);
}

int broker_nkey_public(kanal_str text, char ret_public[BROKER_NKEY_BYTES])
{
    unsigned char raw[36], public[35] = { PREFIX_USER };
    size_t public_len = 32;
    uint16_t crc;
    EVP_PKEY *key = NULL;
    int r = KANAL_E_INVALID;

    if (base32_decode(find_seed(text), raw, sizeof raw) != 0)
        goto done;
    crc = crc16(raw, 34);
    if (raw[34] != (crc & 0xff) || raw[35] != crc >> 8)
        goto done;
    /* Five bits say "seed", the next five of which kind. */
    if ((raw[0] & 0xf8u) != PREFIX_SEED || (((raw[0] & 7u) << 5) | ((raw[1] & 0xf8u) >> 3)) != PREFIX_USER)
        goto done;
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw + 2, 32);
    if (!key || EVP_PKEY_get_raw_public_key(key, public + 1, &public_len) != 1)
        goto done;
    crc = crc16(public, 33);
    public[33] = (unsigned char)(crc & 0xff);
    public[34] = (unsigned char)(crc >> 8);
    base32_encode(public, sizeof public, ret_public);
    r = 0;
done:
    EVP_PKEY_free(key);
    explicit_bzero(raw, sizeof raw);
    return r;
}
