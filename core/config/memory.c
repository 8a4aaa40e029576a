/* config/memory.c - the size of a block stands before it. */
#include <stdlib.h>
#include <string.h>
#include "memory.h"

#define HEAD _Alignof(max_align_t)

void config_wipe_free(void *block, size_t bytes)
{
    if (!block)
        return;
    explicit_bzero(block, bytes);
    free(block);
}

static void *wiping_malloc(void *ctx, size_t size)
{
    unsigned char *block = size < SIZE_MAX - HEAD ? malloc(HEAD + size) : NULL;

    (void)ctx;
    if (!block)
        return NULL;
    memcpy(block, &size, sizeof size);
    return block + HEAD;
}

static void wiping_free(void *ctx, void *ptr)
{
    unsigned char *block;
    size_t size;

    (void)ctx;
    if (!ptr)
        return;
    block = (unsigned char *)ptr - HEAD;
    memcpy(&size, block, sizeof size);
    config_wipe_free(block, HEAD + size);
}

static void *wiping_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    void *block = wiping_malloc(ctx, size);

    if (!block)
        return NULL;
    if (ptr)
        memcpy(block, ptr, old_size < size ? old_size : size);
    wiping_free(ctx, ptr);
    return block;
}

const yyjson_alc config_wiping_allocator = { wiping_malloc, wiping_realloc, wiping_free, NULL };
