#include "identity/pool.h"

#include <stdlib.h>

int pool_reserve(struct pool *pool, uint32_t more)
{
    while (pool->chunk_count * POOL_CHUNK_ITEMS - pool->live < more) {
        if (pool->chunk_count * POOL_CHUNK_ITEMS >= POOL_ITEMS_MAX - POOL_CHUNK_ITEMS)
            return -1;
        char **chunks = realloc(pool->chunks, (pool->chunk_count + 1) * sizeof *chunks);
        if (!chunks)
            return -1;
        pool->chunks = chunks;
        if (!(chunks[pool->chunk_count] = malloc(POOL_CHUNK_ITEMS * pool->item_bytes)))
            return -1;
        pool->chunk_count++;
    }
    return 0;
}

void pool_release(struct pool *pool)
{
    for (size_t i = 0; i < pool->chunk_count; i++)
        free(pool->chunks[i]);
    free(pool->chunks);
}

size_t pool_bytes(const struct pool *pool)
{
    return pool->chunk_count * (POOL_CHUNK_ITEMS * pool->item_bytes + sizeof *pool->chunks);
}
