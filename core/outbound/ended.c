#include "outbound/ended.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS (1u << 16)
#define LIFE_MS 3600000 /* far below the ledger's days, after which an id may be another command */

struct ended {
    uint64_t hash; /* of the key: 0 in an empty slot */
    int64_t at_ms; /* loop time */
};

static uint64_t hash_of(const struct id *key)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a; of a key that is a hash itself */
    for (const char *c = key->text; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    return hash ? hash : 1;
}

/* The place is the newer one's: the table is a memory of the last ones, not of all. */
void ended_note(struct outbound *o, const struct id *key)
{
    if (!key->text[0])
        return;
    if (!o->ended)
        o->ended = calloc(SLOTS, sizeof *o->ended);
    uint64_t hash = hash_of(key);
    if (o->ended)
        o->ended[hash % SLOTS] = (struct ended){ hash, outbound_loop_ms(o) };
}

int ended_has(const struct outbound *o, const struct id *key)
{
    uint64_t hash = hash_of(key);
    const struct ended *ended = o->ended ? &o->ended[hash % SLOTS] : NULL;
    return ended && ended->hash == hash && outbound_loop_ms(o) - ended->at_ms < LIFE_MS;
}

void ended_free(struct outbound *o)
{
    free(o->ended);
    o->ended = NULL;
}
