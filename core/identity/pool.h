/* identity/pool.h - an array that grows without moving, so that it is never half empty. Items are named by index + 1; 0: none. Pure memory. */
#ifndef KANAL_IDENTITY_POOL_H
#define KANAL_IDENTITY_POOL_H
#include <stddef.h>
#include <stdint.h>

#define POOL_CHUNK_BITS 10u
#define POOL_CHUNK_ITEMS (1u << POOL_CHUNK_BITS)
#define POOL_ITEMS_MAX 0x7fffffffu /* the top bit of a name is its user's */

/* All zero but item_bytes: empty. */
struct pool {
    char **chunks;
    size_t item_bytes, chunk_count;
    uint32_t used, live; /* names that were ever given; that are in use */
    uint32_t free;       /* the first name to be given again; its user links them */
};

static inline void *pool_at(const struct pool *pool, uint32_t item)
{
    uint32_t index = item - 1;
    return pool->chunks[index >> POOL_CHUNK_BITS] + (index & (POOL_CHUNK_ITEMS - 1)) * pool->item_bytes;
}

/* Room for so many more; 0 or -1: no memory. */
int pool_reserve(struct pool *, uint32_t more);
void pool_release(struct pool *);
size_t pool_bytes(const struct pool *);

#endif
