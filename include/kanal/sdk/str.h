/* kanal/sdk/str.h - small functions over kanal_str. Part of the static helpers, not of the ABI. */
#ifndef KANAL_SDK_STR_H
#define KANAL_SDK_STR_H
#include <string.h>
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Of a string literal. */
#define KANAL_LIT(text) kanal_str_of("" text, sizeof(text) - 1)

static inline kanal_str kanal_str_of(const char *ptr, size_t len)
{
    kanal_str s = { ptr, len };
    return s;
}
/* Of a C string; NULL is absent. */
static inline kanal_str kanal_str_c(const char *text)
{
    return kanal_str_of(text, text ? strlen(text) : 0);
}
static inline int kanal_str_equal(kanal_str a, kanal_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}
static inline int kanal_str_is(kanal_str a, const char *text)
{
    return kanal_str_equal(a, kanal_str_c(text));
}
static inline int kanal_str_starts(kanal_str a, const char *prefix)
{
    size_t n = strlen(prefix);
    return n == 0 || (a.len >= n && memcmp(a.ptr, prefix, n) == 0);
}
/* What is left after offset bytes; beyond the end: the empty string at the end. */
static inline kanal_str kanal_str_from(kanal_str a, size_t offset)
{
    size_t skipped = offset < a.len ? offset : a.len;
    return kanal_str_of(skipped > 0 ? a.ptr + skipped : a.ptr, a.len - skipped);
}
/* Copies the text into out, NUL-ended. The copy; empty if it does not fit or is absent. */
kanal_str kanal_str_keep(char *out, size_t size, kanal_str text);
/* A NUL-ended copy, to be freed; NULL when out of memory. */
char *kanal_str_dup(kanal_str);
/* Letters A-Z only. */
int kanal_str_equal_nocase(kanal_str, kanal_str);
/* The value of a field, by lower-case name; absent if it is not there. */
kanal_str kanal_field_get(const kanal_field *, size_t count, const char *name);
/* A whole decimal number, with sign; 0, or -1 (not one, or out of range). */
int kanal_str_int(kanal_str, int64_t *ret_number);
/* True if the bytes are valid UTF-8 (no surrogates, no overlong forms). */
int kanal_str_utf8(kanal_str);

#ifdef __cplusplus
}
#endif
#endif
