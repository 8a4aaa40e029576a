#include "identity/graph.h"

#include <stdlib.h>
#include <string.h>

#include "identity/pool.h"
#include "kanal/plugin.h"

#define SLOTS_LEAST_BITS 6u
#define MARK 0x80000000u

/* Items are named by index + 1; 0: none. */
struct node {
    unsigned char bytes[GRAPH_NODE_BYTES];
    uint32_t first;  /* of its links; MARK: seen by a walk */
    uint32_t parent; /* towards the root, which is its own. Of a free one: the next free one */
    uint32_t note;
};

struct link {
    uint32_t nodes[2];
    uint32_t next[2]; /* link of that node; next[0] of a free one: the next free one */
    uint32_t tag;
    uint8_t kind, state;
};

/* Open addressing. A slot holds an item's number in its lower `bits` bits and as much of the hash as fits above them: a look-up of what
 * is not there hardly ever touches an item. */
struct table {
    uint32_t *slots;
    uint32_t bits, count;
};

struct graph {
    struct pool nodes, links;
    struct table by_node, by_tag;
    size_t linked;
    uint32_t *walk; /* the nodes of the last walk */
    size_t walk_count, walk_room;
};

/* ---- Items ---- */

static struct node *node_at(const struct graph *graph, uint32_t node)
{
    return pool_at(&graph->nodes, node);
}

static struct link *link_at(const struct graph *graph, uint32_t link)
{
    return pool_at(&graph->links, link);
}

/* ---- Tables ---- */

static uint32_t hash_of_node(const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return (uint32_t)((word * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static uint32_t hash_of_tag(uint32_t tag)
{
    return tag * 0x9e3779b1u;
}

static uint32_t table_mask(const struct table *table)
{
    return (1u << table->bits) - 1;
}

/* The upper bits choose the slot, the lower ones lie in it. */
static uint32_t table_home(const struct table *table, uint32_t hash)
{
    return hash >> (32 - table->bits);
}

static uint32_t slot_of(const struct table *table, uint32_t hash, uint32_t item)
{
    return hash << table->bits | item;
}

static int slot_fits(const struct table *table, uint32_t slot, uint32_t hash)
{
    return ((slot ^ hash << table->bits) & ~table_mask(table)) == 0;
}

static void table_put(struct table *table, uint32_t hash, uint32_t item)
{
    uint32_t at = table_home(table, hash);
    while (table->slots[at] != 0)
        at = (at + 1) & table_mask(table);
    table->slots[at] = slot_of(table, hash, item);
    table->count++;
}

static uint32_t hash_of_item(const struct graph *graph, const struct table *table, uint32_t item)
{
    return table == &graph->by_node ? hash_of_node(node_at(graph, item)->bytes)
                                    : hash_of_tag(link_at(graph, item)->tag);
}

/* Room for so many more, at most four fifths full; 0 or -1. */
static int table_reserve(const struct graph *graph, struct table *table, uint32_t more)
{
    uint32_t bits = table->bits;
    while ((uint64_t)(table->count + more) * 5 > ((uint64_t)4 << bits))
        bits++;
    if (bits == table->bits)
        return 0;
    uint32_t *slots = bits < 31 ? calloc((size_t)1 << bits, sizeof *slots) : NULL;
    if (!slots)
        return -1;
    struct table next = { .slots = slots, .bits = bits };
    for (uint32_t i = 0; i <= table_mask(table); i++) {
        uint32_t item = table->slots[i] & table_mask(table);
        if (table->slots[i] != 0)
            table_put(&next, hash_of_item(graph, table, item), item);
    }
    free(table->slots);
    *table = next;
    return 0;
}

/* The gap is closed by what was pushed beyond it, so that no look-up ends too early. */
static void table_remove(const struct graph *graph, struct table *table, uint32_t hash, uint32_t item)
{
    uint32_t mask = table_mask(table), at = table_home(table, hash);
    while ((table->slots[at] & mask) != item)
        at = (at + 1) & mask;
    for (uint32_t next = (at + 1) & mask; table->slots[next] != 0; next = (next + 1) & mask) {
        uint32_t home = table_home(table, hash_of_item(graph, table, table->slots[next] & mask));
        if (((next - home) & mask) >= ((next - at) & mask)) {
            table->slots[at] = table->slots[next];
            at = next;
        }
    }
    table->slots[at] = 0;
    table->count--;
}

/* ---- Nodes ---- */

static uint32_t node_find(const struct graph *graph, const struct graph_node *wanted)
{
    const struct table *table = &graph->by_node;
    uint32_t hash = hash_of_node(wanted->bytes), mask = table_mask(table);
    for (uint32_t at = table_home(table, hash); table->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t item = table->slots[at] & mask;
        if (slot_fits(table, table->slots[at], hash) &&
            memcmp(node_at(graph, item)->bytes, wanted->bytes, GRAPH_NODE_BYTES) == 0)
            return item;
    }
    return 0;
}

/* Room was reserved. */
static uint32_t node_get(struct graph *graph, const struct graph_node *wanted)
{
    uint32_t item = node_find(graph, wanted);
    if (item != 0)
        return item;
    item = graph->nodes.free != 0 ? graph->nodes.free : ++graph->nodes.used;
    struct node *node = node_at(graph, item);
    if (item == graph->nodes.free)
        graph->nodes.free = node->parent;
    graph->nodes.live++;
    *node = (struct node){ .parent = item };
    memcpy(node->bytes, wanted->bytes, GRAPH_NODE_BYTES);
    table_put(&graph->by_node, hash_of_node(node->bytes), item);
    return item;
}

static void node_drop_if_bare(struct graph *graph, uint32_t item)
{
    struct node *node = node_at(graph, item);
    if (node->first != 0)
        return;
    table_remove(graph, &graph->by_node, hash_of_node(node->bytes), item);
    node->parent = graph->nodes.free;
    graph->nodes.free = item;
    graph->nodes.live--;
}

static uint32_t find_root(const struct graph *graph, uint32_t item)
{
    struct node *node = node_at(graph, item);
    while (node->parent != item) {
        struct node *parent = node_at(graph, node->parent);
        item = node->parent = parent->parent; /* halves the path */
        node = node_at(graph, item);
    }
    return item;
}

/* The smaller root is the root: so it depends on the members alone. */
static void unite(struct graph *graph, uint32_t a, uint32_t b)
{
    a = find_root(graph, a);
    b = find_root(graph, b);
    if (a == b)
        return;
    int a_first = memcmp(node_at(graph, a)->bytes, node_at(graph, b)->bytes, GRAPH_NODE_BYTES) < 0;
    node_at(graph, a_first ? b : a)->parent = a_first ? a : b;
}

/* ---- Links ---- */

/* Which end of the link the node is. */
static int end_of(const struct link *link, uint32_t node)
{
    return link->nodes[1] == node;
}

static uint32_t first_link(const struct node *node)
{
    return node->first & ~MARK;
}

static uint32_t link_find(const struct graph *graph, const struct graph_link *wanted)
{
    uint32_t a = node_find(graph, &wanted->a), b = a ? node_find(graph, &wanted->b) : 0;
    uint32_t item = b ? first_link(node_at(graph, a)) : 0;
    while (item != 0) {
        const struct link *link = link_at(graph, item);
        int end = end_of(link, a);
        if (link->nodes[!end] == b && link->kind == wanted->kind)
            break;
        item = link->next[end];
    }
    return item;
}

static uint32_t link_add(struct graph *graph, const struct graph_link *wanted)
{
    uint32_t item = graph->links.free != 0 ? graph->links.free : ++graph->links.used;
    struct link *link = link_at(graph, item);
    if (item == graph->links.free)
        graph->links.free = link->next[0];
    graph->links.live++;
    *link = (struct link){ .tag = wanted->tag, .kind = wanted->kind, .state = GRAPH_ABSENT };
    const struct graph_node *ends[2] = { &wanted->a, &wanted->b };
    for (int end = 0; end < 2; end++) {
        link->nodes[end] = node_get(graph, ends[end]);
        struct node *node = node_at(graph, link->nodes[end]);
        link->next[end] = node->first;
        node->first = item;
    }
    table_put(&graph->by_tag, hash_of_tag(link->tag), item);
    return item;
}

static void link_drop(struct graph *graph, uint32_t item)
{
    struct link *link = link_at(graph, item);
    table_remove(graph, &graph->by_tag, hash_of_tag(link->tag), item);
    for (int end = 0; end < 2; end++) {
        uint32_t *place = &node_at(graph, link->nodes[end])->first;
        while (*place != item) {
            struct link *other = link_at(graph, *place);
            place = &other->next[end_of(other, link->nodes[end])];
        }
        *place = link->next[end];
        node_drop_if_bare(graph, link->nodes[end]);
    }
    link->next[0] = graph->links.free;
    graph->links.free = item;
    graph->links.live--;
}

/* ---- Walking over a set ---- */

static int walk_add(struct graph *graph, uint32_t item)
{
    struct node *node = node_at(graph, item);
    if (node->first & MARK)
        return 0;
    if (graph->walk_count == graph->walk_room) {
        size_t room = graph->walk_room ? 2 * graph->walk_room : 64;
        uint32_t *walk = realloc(graph->walk, room * sizeof *walk);
        if (!walk)
            return -1;
        graph->walk = walk;
        graph->walk_room = room;
    }
    node->first |= MARK;
    graph->walk[graph->walk_count++] = item;
    return 0;
}

/* The set is in graph->walk. -1: not all of it, no memory. */
static int walk_set(struct graph *graph, uint32_t start)
{
    graph->walk_count = 0;
    int status = walk_add(graph, start);
    for (size_t i = 0; status == 0 && i < graph->walk_count; i++) {
        uint32_t item = graph->walk[i], at = first_link(node_at(graph, item));
        while (at != 0 && status == 0) {
            const struct link *link = link_at(graph, at);
            int end = end_of(link, item);
            if (link->state == GRAPH_LINKED)
                status = walk_add(graph, link->nodes[!end]);
            at = link->next[end];
        }
    }
    for (size_t i = 0; i < graph->walk_count; i++)
        node_at(graph, graph->walk[i])->first &= ~MARK;
    return status;
}

/* What was walked over, made anew from its links. */
static void rebuild(struct graph *graph)
{
    for (size_t i = 0; i < graph->walk_count; i++)
        node_at(graph, graph->walk[i])->parent = graph->walk[i];
    for (size_t i = 0; i < graph->walk_count; i++) {
        uint32_t item = graph->walk[i], at = first_link(node_at(graph, item));
        while (at != 0) {
            const struct link *link = link_at(graph, at);
            int end = end_of(link, item);
            if (link->state == GRAPH_LINKED && end == 0)
                unite(graph, link->nodes[0], link->nodes[1]);
            at = link->next[end];
        }
    }
}

/* ---- The interface ---- */

struct graph *graph_new(void)
{
    struct graph *graph = calloc(1, sizeof *graph);
    if (!graph)
        return NULL;
    graph->nodes.item_bytes = sizeof(struct node);
    graph->links.item_bytes = sizeof(struct link);
    graph->by_node.bits = graph->by_tag.bits = SLOTS_LEAST_BITS;
    graph->by_node.slots = calloc((size_t)1 << SLOTS_LEAST_BITS, sizeof(uint32_t));
    graph->by_tag.slots = calloc((size_t)1 << SLOTS_LEAST_BITS, sizeof(uint32_t));
    if (!graph->by_node.slots || !graph->by_tag.slots) {
        graph_free(graph);
        return NULL;
    }
    return graph;
}

void graph_free(struct graph *graph)
{
    if (!graph)
        return;
    pool_release(&graph->nodes);
    pool_release(&graph->links);
    free(graph->by_node.slots);
    free(graph->by_tag.slots);
    free(graph->walk);
    free(graph);
}

static int reserve(struct graph *graph)
{
    return pool_reserve(&graph->nodes, 2) == 0 && pool_reserve(&graph->links, 1) == 0 &&
                   table_reserve(graph, &graph->by_node, 2) == 0 &&
                   table_reserve(graph, &graph->by_tag, 1) == 0
               ? 0
               : KANAL_E_INTERNAL;
}

/* Into a state other than GRAPH_LINKED. */
static int loosen(struct graph *graph, uint32_t item, enum graph_state state)
{
    struct link *link = link_at(graph, item);
    int was_linked = link->state == GRAPH_LINKED;
    if (was_linked && walk_set(graph, link->nodes[0]) != 0)
        return KANAL_E_INTERNAL;
    link->state = (uint8_t)state;
    if (was_linked) {
        graph->linked--;
        rebuild(graph);
    }
    if (state == GRAPH_ABSENT)
        link_drop(graph, item);
    return 0;
}

int graph_set(struct graph *graph, const struct graph_link *wanted, enum graph_state state)
{
    if (memcmp(wanted->a.bytes, wanted->b.bytes, GRAPH_NODE_BYTES) == 0)
        return KANAL_E_INVALID;
    uint32_t item = link_find(graph, wanted);
    if (item == 0) {
        if (state == GRAPH_ABSENT)
            return 0;
        if (reserve(graph) != 0)
            return KANAL_E_INTERNAL;
        item = link_add(graph, wanted);
    }
    struct link *link = link_at(graph, item);
    if (link->state == (uint8_t)state)
        return 0;
    if (state != GRAPH_LINKED)
        return loosen(graph, item, state);
    link->state = GRAPH_LINKED;
    graph->linked++;
    unite(graph, link->nodes[0], link->nodes[1]);
    return 0;
}

enum graph_state graph_get(const struct graph *graph, const struct graph_link *wanted)
{
    uint32_t item = link_find(graph, wanted);
    return item != 0 ? (enum graph_state)link_at(graph, item)->state : GRAPH_ABSENT;
}

static void copy_node(const struct graph *graph, uint32_t item, struct graph_node *ret_node)
{
    memcpy(ret_node->bytes, node_at(graph, item)->bytes, GRAPH_NODE_BYTES);
}

void graph_root(struct graph *graph, const struct graph_node *node, struct graph_node *ret_root)
{
    uint32_t item = graph->linked > 0 ? node_find(graph, node) : 0;
    if (item == 0)
        *ret_root = *node;
    else
        copy_node(graph, find_root(graph, item), ret_root);
}

size_t graph_members(struct graph *graph, const struct graph_node *node, struct graph_node *ret_nodes,
                     size_t capacity)
{
    uint32_t item = node_find(graph, node);
    if (item == 0) {
        if (capacity > 0)
            ret_nodes[0] = *node;
        return 1;
    }
    (void)walk_set(graph, item);
    for (size_t i = 0; i < graph->walk_count && i < capacity; i++)
        copy_node(graph, graph->walk[i], &ret_nodes[i]);
    return graph->walk_count;
}

size_t graph_links_of(const struct graph *graph, const struct graph_node *node, struct graph_link *ret_links,
                      size_t capacity)
{
    size_t count = 0;
    uint32_t item = node_find(graph, node), at = item ? first_link(node_at(graph, item)) : 0;
    while (at != 0) {
        const struct link *link = link_at(graph, at);
        int end = end_of(link, item);
        if (link->state == GRAPH_LINKED && count++ < capacity) {
            struct graph_link *out = &ret_links[count - 1];
            *out = (struct graph_link){ .a = *node, .kind = link->kind, .tag = link->tag };
            copy_node(graph, link->nodes[!end], &out->b);
        }
        at = link->next[end];
    }
    return count;
}

void graph_note(struct graph *graph, const struct graph_node *node, uint32_t note)
{
    uint32_t item = node_find(graph, node);
    if (item != 0)
        node_at(graph, item)->note = note;
}

uint32_t graph_noted(const struct graph *graph, const struct graph_node *node)
{
    uint32_t item = node_find(graph, node);
    return item != 0 ? node_at(graph, item)->note : 0;
}

int graph_tagged(const struct graph *graph, uint32_t tag, size_t *cursor, struct graph_link *ret_link)
{
    const struct table *table = &graph->by_tag;
    uint32_t hash = hash_of_tag(tag), mask = table_mask(table);
    while (*cursor <= mask) {
        uint32_t slot = table->slots[(table_home(table, hash) + (uint32_t)*cursor) & mask];
        if (slot == 0)
            return 0;
        ++*cursor;
        const struct link *link = slot_fits(table, slot, hash) ? link_at(graph, slot & mask) : NULL;
        if (!link || link->tag != tag)
            continue;
        *ret_link = (struct graph_link){ .kind = link->kind, .tag = tag };
        copy_node(graph, link->nodes[0], &ret_link->a);
        copy_node(graph, link->nodes[1], &ret_link->b);
        return 1;
    }
    return 0;
}

size_t graph_link_count(const struct graph *graph)
{
    return graph->linked;
}

size_t graph_node_count(const struct graph *graph)
{
    return graph->nodes.live;
}

size_t graph_bytes(const struct graph *graph)
{
    return sizeof *graph + pool_bytes(&graph->nodes) + pool_bytes(&graph->links) +
           (sizeof(uint32_t) << graph->by_node.bits) + (sizeof(uint32_t) << graph->by_tag.bits) +
           graph->walk_room * sizeof *graph->walk;
}
