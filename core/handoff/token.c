/* Source: RFC 4648, section 6 (base32; here in lower case and without padding, as all ids). */
#include "handoff/token.h"

#include <stdio.h>

#include "kanal/sdk/base64.h"
#include "kanal/sdk/str.h"

#define HALF_CHARS 26u
#define SIGNATURE_BYTES 16u
#define PURPOSE "handoff"
#define PURPOSE_OF_ID "handoff id"

static int is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* -1: no character of base32. */
static int value_of(char c)
{
    return c >= 'a' && c <= 'z' ? c - 'a' : c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

static size_t base32_run(kanal_str text)
{
    size_t n = 0;
    while (n < text.len && value_of(text.ptr[n]) >= 0)
        n++;
    return n;
}

/* Two characters beyond 128 bits are zero: each signature has one spelling. */
static int decode(const char *chars, unsigned char ret_bytes[SIGNATURE_BYTES])
{
    uint32_t bits = 0, have = 0;
    size_t at = 0;
    for (size_t i = 0; i < HALF_CHARS; i++) {
        bits = bits << 5 | (uint32_t)value_of(chars[i]);
        have += 5;
        if (have >= 8) {
            have -= 8;
            ret_bytes[at++] = (unsigned char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    return bits == 0 ? 0 : -1;
}

static int encode(const unsigned char bytes[SIGNATURE_BYTES], char *out)
{
    struct kanal_buffer text = { 0 };
    kanal_base32_encode(&text, kanal_str_of((const char *)bytes, SIGNATURE_BYTES));
    int ok = text.len == HALF_CHARS && !text.failed;
    if (ok)
        memcpy(out, text.data, HALF_CHARS);
    kanal_buffer_release(&text);
    return ok ? 0 : KANAL_E_INTERNAL;
}

int token_link_of(struct ids *ids, kanal_str command_id, struct id *ret_link)
{
    unsigned char bytes[SIGNATURE_BYTES];
    struct id link = { "k_" };
    if (ids_sign(ids, PURPOSE_OF_ID, command_id, bytes) != 0 || encode(bytes, link.text + 2) != 0)
        return KANAL_E_INTERNAL;
    *ret_link = link;
    return 0;
}

int token_make(struct ids *ids, const struct id *link, struct token *ret_token)
{
    unsigned char signature[SIGNATURE_BYTES];
    struct token token = { "" };
    memcpy(token.text, link->text, ID_LEN);
    if (ids_sign(ids, PURPOSE, kanal_str_of(link->text, ID_LEN), signature) != 0 ||
        encode(signature, token.text + ID_LEN) != 0)
        return KANAL_E_INTERNAL;
    *ret_token = token;
    return 0;
}

/* What begins with "k_" and ends with the text. */
static enum token_kind judge(kanal_str text, struct token_found *ret_found)
{
    ret_found->text = text;
    memset(&ret_found->link, 0, sizeof ret_found->link);
    if (text.len != TOKEN_LEN || base32_run(kanal_str_from(text, 2)) != TOKEN_LEN - 2)
        return TOKEN_DAMAGED;
    memcpy(ret_found->link.text, text.ptr, ID_LEN);
    return TOKEN_WHOLE;
}

enum token_kind token_read(kanal_str text, struct token_found *ret_found)
{
    return kanal_str_starts(text, "k_") ? judge(text, ret_found) : TOKEN_NONE;
}

/* The word that begins here, if it may be one: "k_" and at least the id's characters. */
static kanal_str word_at(kanal_str text, size_t at)
{
    kanal_str rest = kanal_str_from(text, at);
    size_t len = 2;
    if (!kanal_str_starts(rest, "k_") || (at > 0 && is_word(text.ptr[at - 1])) ||
        base32_run(kanal_str_from(rest, 2)) < HALF_CHARS)
        return kanal_str_of(NULL, 0);
    while (len < rest.len && is_word(rest.ptr[len]))
        len++;
    return kanal_str_of(rest.ptr, len);
}

enum token_kind token_find(kanal_str text, struct token_found *ret_found)
{
    enum token_kind best = TOKEN_NONE;
    size_t end = text.len < TOKEN_TEXT_MAX ? text.len : TOKEN_TEXT_MAX;
    for (size_t at = 0; at < end && best != TOKEN_WHOLE; at++) {
        const char *next = memchr(text.ptr + at, 'k', end - at);
        if (!next)
            break;
        at = (size_t)(next - text.ptr);
        struct token_found found;
        kanal_str word = word_at(kanal_str_of(text.ptr, end), at);
        enum token_kind kind = word.len > 0 ? judge(word, &found) : TOKEN_NONE;
        if (kind > best) {
            best = kind;
            *ret_found = found;
        }
        at += word.len > 0 ? word.len - 1 : 0;
    }
    return best;
}

int token_is_ours(struct ids *ids, const struct token_found *found)
{
    unsigned char signature[SIGNATURE_BYTES];
    return found->text.len == TOKEN_LEN && decode(found->text.ptr + ID_LEN, signature) == 0 &&
           ids_verify(ids, PURPOSE, kanal_str_of(found->link.text, ID_LEN), signature);
}
