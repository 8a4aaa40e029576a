#include "http/websocket_handshake.h"
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include "kanal/sdk/str.h"

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

int websocket_has_token(kanal_str list, const char *token)
{
    kanal_str wanted = kanal_str_c(token);

    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', list.len);
        kanal_str one = comma ? kanal_str_of(list.ptr, (size_t)(comma - list.ptr)) : list;

        list = comma ? kanal_str_from(list, one.len + 1) : kanal_str_of(NULL, 0);
        while (one.len > 0 && is_blank(one.ptr[0]))
            one = kanal_str_of(one.ptr + 1, one.len - 1);
        while (one.len > 0 && is_blank(one.ptr[one.len - 1]))
            one.len--;
        if (kanal_str_equal_nocase(one, wanted))
            return 1;
    }
    return 0;
}

/* How often a header appears; *ret_value is the first one's. */
static size_t find_header(const kanal_field *headers, size_t count, const char *name, kanal_str *ret_value)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++)
        if (kanal_str_is(headers[i].name, name) && found++ == 0)
            *ret_value = headers[i].value;
    return found;
}

static int any_has_token(const kanal_field *headers, size_t count, const char *name, const char *token)
{
    for (size_t i = 0; i < count; i++)
        if (kanal_str_is(headers[i].name, name) && websocket_has_token(headers[i].value, token))
            return 1;
    return 0;
}

static int is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
}

/* Sixteen bytes in base64: 22 characters, of which the last carries four zero bits, and "==". */
static int is_key(kanal_str key)
{
    if (key.len != 24 || memcmp(key.ptr + 22, "==", 2) != 0)
        return 0;
    for (size_t i = 0; i < 22; i++)
        if (!is_base64(key.ptr[i]))
            return 0;
    return memchr("AQgw", key.ptr[21], 4) != NULL;
}

enum websocket_handshake websocket_check(kanal_str method, int http_minor, const kanal_field *headers,
                                         size_t count, kanal_str *ret_key)
{
    kanal_str version = { 0 }, key = { 0 };
    size_t versions;

    /* An Upgrade that Connection does not name was meant for a hop before us (RFC 9110, 7.8). */
    if (http_minor < 1 || !any_has_token(headers, count, "upgrade", "websocket") ||
        !any_has_token(headers, count, "connection", "upgrade"))
        return WEBSOCKET_NONE;
    if (!kanal_str_is(method, "GET"))
        return WEBSOCKET_BAD;
    versions = find_header(headers, count, "sec-websocket-version", &version);
    if (versions != 1 || !kanal_str_is(version, "13"))
        return WEBSOCKET_VERSION;
    if (find_header(headers, count, "sec-websocket-key", &key) != 1 || !is_key(key))
        return WEBSOCKET_BAD;
    *ret_key = key;
    return WEBSOCKET_GOOD;
}

void websocket_accept(kanal_str key, char ret_accept[WEBSOCKET_ACCEPT_SIZE])
{
    static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    unsigned char joined[24 + sizeof suffix - 1], digest[SHA_DIGEST_LENGTH];

    memcpy(joined, key.ptr, 24);
    memcpy(joined + 24, suffix, sizeof suffix - 1);
    SHA1(joined, sizeof joined, digest);
    EVP_EncodeBlock((unsigned char *)ret_accept, digest, sizeof digest);
}
