#include "http/server_target.h"
#include <string.h>
#include "kanal/sdk/str.h"

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

/* The byte that the escape at text[0] stands for; -1: it is broken or cut off. */
static int escaped_byte(const char *text, size_t len)
{
    int high, low;

    if (len < 3)
        return -1;
    high = hex_value(text[1]);
    low = hex_value(text[2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Visible ASCII without '#', which never belongs to a request; whole escapes, none of them a NUL. */
static int check_bytes(kanal_str target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];

        if (c <= 0x20 || c >= 0x7f || c == '#')
            return KANAL_E_INVALID;
        if (c == '%' && escaped_byte(target.ptr + i, target.len - i) <= 0)
            return KANAL_E_INVALID;
    }
    return 0;
}

/* The escapes are known to be whole. */
static int decode_path(kanal_str path, char *scratch, kanal_str *ret_path)
{
    size_t len = 0;

    if (!memchr(path.ptr, '%', path.len)) {
        *ret_path = path;
        return 0;
    }
    for (size_t i = 0; i < path.len; i++) {
        int c = (unsigned char)path.ptr[i];

        if (c == '%') {
            c = escaped_byte(path.ptr + i, path.len - i);
            if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
                return KANAL_E_INVALID;
            i += 2;
        }
        scratch[len++] = (char)c;
    }
    *ret_path = kanal_str_of(scratch, len);
    return kanal_str_utf8(*ret_path) ? 0 : KANAL_E_INVALID;
}

static int check_segments(kanal_str path)
{
    size_t start = 1;

    for (size_t i = 1; i <= path.len; i++) {
        size_t len = i - start;

        if (i < path.len && path.ptr[i] != '/')
            continue;
        if (len == 0 && i < path.len)
            return KANAL_E_INVALID;
        if ((len == 1 || len == 2) && memcmp(path.ptr + start, "..", len) == 0)
            return KANAL_E_INVALID;
        start = i + 1;
    }
    return 0;
}

int http_target_split(kanal_str target, char *scratch, kanal_str *ret_path, kanal_str *ret_query)
{
    const char *mark = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    size_t path_len = mark ? (size_t)(mark - target.ptr) : target.len;
    kanal_str path;

    if (path_len == 0 || target.ptr[0] != '/' || check_bytes(target) != 0)
        return KANAL_E_INVALID;
    if (decode_path(kanal_str_of(target.ptr, path_len), scratch, &path) != 0 || check_segments(path) != 0)
        return KANAL_E_INVALID;
    *ret_path = path;
    *ret_query = mark ? kanal_str_from(target, path_len + 1) : kanal_str_of(NULL, 0);
    return 0;
}
