/* table.c - see table.h. Chained, doubled when full. */
#include <stdlib.h>
#include "table.h"

uint64_t table_hash(const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    uint64_t hash =
        UINT64_C(14695981039346656037); /* FNV-1a; keys are signed or our own: nobody chooses them */

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    return hash ^ (hash >> 29);
}

static int table_grow(struct table *t)
{
    size_t wanted = t->slot_count ? t->slot_count * 2 : 64;
    struct table_node **slots = calloc(wanted, sizeof *slots);

    if (!slots)
        return t->slot_count ? 0 : KANAL_E_BUSY; /* longer chains will do */
    for (size_t i = 0; i < t->slot_count; i++) {
        for (struct table_node *node = t->slots[i], *next; node; node = next) {
            next = node->next;
            node->next = slots[node->hash % wanted];
            slots[node->hash % wanted] = node;
        }
    }
    free(t->slots);
    t->slots = slots;
    t->slot_count = wanted;
    return 0;
}

int table_add(struct table *t, struct table_node *node, uint64_t hash)
{
    if (t->count >= t->slot_count && table_grow(t) != 0)
        return KANAL_E_BUSY;
    node->hash = hash;
    node->next = t->slots[hash % t->slot_count];
    t->slots[hash % t->slot_count] = node;
    t->count++;
    return 0;
}

void table_remove(struct table *t, struct table_node *node)
{
    struct table_node **at = &t->slots[node->hash % t->slot_count];

    while (*at && *at != node)
        at = &(*at)->next;
    if (*at) {
        *at = node->next;
        t->count--;
    }
}

struct table_node *table_find(const struct table *t, uint64_t hash)
{
    struct table_node *node = t->slot_count ? t->slots[hash % t->slot_count] : NULL;

    while (node && node->hash != hash)
        node = node->next;
    return node;
}

struct table_node *table_find_next(const struct table_node *node)
{
    struct table_node *next = node->next;

    while (next && next->hash != node->hash)
        next = next->next;
    return next;
}

struct table_node *table_walk(const struct table *t, size_t *cursor, struct table_node **state)
{
    struct table_node *node = *state;

    while (!node && *cursor < t->slot_count)
        node = t->slots[(*cursor)++];
    *state = node ? node->next : NULL;
    return node;
}

void table_release(struct table *t)
{
    free(t->slots);
    t->slots = NULL;
    t->slot_count = t->count = 0;
}
