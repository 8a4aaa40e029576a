/* json/arena.c - a list of chunks. */
#include <stdlib.h>
#include <string.h>
#include "arena.h"

#define CHUNK_BYTES 8192u

struct json_arena_chunk {
    struct json_arena_chunk *next;
    size_t used, capacity;
    _Alignas(max_align_t) unsigned char bytes[];
};

void *json_arena_alloc(struct json_arena *arena, size_t bytes)
{
    struct json_arena_chunk *chunk = arena->chunks;
    const size_t align = _Alignof(max_align_t);
    void *result;

    if (bytes > SIZE_MAX / 2) {
        arena->failed = 1;
        return NULL;
    }
    bytes = (bytes + align - 1) / align * align;
    if (!chunk || chunk->capacity - chunk->used < bytes) {
        size_t capacity = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk = calloc(1, sizeof *chunk + capacity);
        if (!chunk) {
            arena->failed = 1;
            return NULL;
        }
        chunk->capacity = capacity;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    result = chunk->bytes + chunk->used;
    chunk->used += bytes;
    return result;
}

char *json_arena_dup(struct json_arena *arena, kanal_str text)
{
    char *copy = json_arena_alloc(arena, text.len + 1);

    if (copy && text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return copy;
}

void json_arena_release(struct json_arena *arena)
{
    while (arena->chunks) {
        struct json_arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        explicit_bzero(chunk->bytes, chunk->used);
        free(chunk);
    }
    arena->failed = 0;
}
