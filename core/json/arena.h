/* json/arena.h - memory that lives as long as its owner: many allocations, one release, which also wipes it.
 *
 * Not thread-safe. Running out of memory gives NULL and sets `failed`, so that a long construction is checked once. */
#ifndef KANAL_JSON_ARENA_H
#define KANAL_JSON_ARENA_H
#include "kanal/plugin.h"

struct json_arena_chunk;

/* A zeroed struct is an empty arena. */
struct json_arena {
    struct json_arena_chunk *chunks;
    int failed;
};

/* Zeroed, aligned for any type. */
void *json_arena_alloc(struct json_arena *, size_t bytes);
/* A NUL-ended copy. */
char *json_arena_dup(struct json_arena *, kanal_str);
/* Overwrites everything and frees it; the arena is empty afterwards. */
void json_arena_release(struct json_arena *);

#endif
