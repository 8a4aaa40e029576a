/* table.h - a hash table of nodes that live inside other structs. It owns the slots, never the nodes. */
#ifndef WEBCHAT_TABLE_H
#define WEBCHAT_TABLE_H
#include <stddef.h>
#include <stdint.h>
#include "kanal/plugin.h"

struct table_node {
    struct table_node *next;
    uint64_t hash;
};

struct table {
    struct table_node **slots;
    size_t slot_count, count;
};

uint64_t table_hash(const void *bytes, size_t len);
/* 0, or KANAL_E_BUSY: out of memory. The key must not be in the table. */
int table_add(struct table *, struct table_node *, uint64_t hash);
void table_remove(struct table *, struct table_node *);
/* The first node of that hash, or NULL; the next one of the same hash after a node. The caller compares the keys. */
struct table_node *table_find(const struct table *, uint64_t hash);
struct table_node *table_find_next(const struct table_node *);
/* Any node at or after slot *cursor, which starts at 0; NULL: the end. The node returned may be removed before the next
 * call. */
struct table_node *table_walk(const struct table *, size_t *cursor, struct table_node **state);
void table_release(struct table *);

#endif
