/* kanal/sdk/buffer.h - a growing byte buffer. Part of the static helpers, not of the ABI.
 *
 * Appending never fails at once: running out of memory sets `failed`, later appends do nothing, and the one check stands
 * where the result is used. The bytes may move at every append. Not thread-safe. */
#ifndef KANAL_SDK_BUFFER_H
#define KANAL_SDK_BUFFER_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

struct kanal_buffer {
    char *data;
    size_t len, capacity;
    int32_t failed; /* 1 after an allocation failed; sticky until clear */
    int32_t reserved;
};

/* A zeroed struct is an empty buffer too. */
static inline void kanal_buffer_init(struct kanal_buffer *b)
{
    memset(b, 0, sizeof *b);
}
static inline void kanal_buffer_release(struct kanal_buffer *b)
{
    free(b->data);
    memset(b, 0, sizeof *b);
}
static inline void kanal_buffer_clear(struct kanal_buffer *b)
{
    b->len = 0;
    b->failed = 0;
}

/* Room for `more` further bytes; 0, or -1 with failed set. */
int kanal_buffer_reserve(struct kanal_buffer *, size_t more);

static inline void kanal_buffer_append(struct kanal_buffer *b, const void *bytes, size_t len)
{
    if (len > b->capacity - b->len && kanal_buffer_reserve(b, len) != 0)
        return;
    if (len > 0 && !b->failed) {
        /* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): where there is room there is data. */
        memcpy(b->data + b->len, bytes, len);
        b->len += len;
    }
}
static inline void kanal_buffer_text(struct kanal_buffer *b, const char *text)
{
    kanal_buffer_append(b, text, strlen(text));
}
static inline void kanal_buffer_str(struct kanal_buffer *b, kanal_str s)
{
    kanal_buffer_append(b, s.ptr, s.len);
}
static inline void kanal_buffer_byte(struct kanal_buffer *b, char c)
{
    kanal_buffer_append(b, &c, 1);
}
void kanal_buffer_int(struct kanal_buffer *, int64_t);
void kanal_buffer_uint(struct kanal_buffer *, uint64_t);

/* The content; {NULL, 0} if an append failed. */
static inline kanal_str kanal_buffer_view(const struct kanal_buffer *b)
{
    kanal_str s = { b->failed ? NULL : b->data, b->failed ? 0 : b->len };
    return s;
}

#ifdef __cplusplus
}
#endif
#endif
