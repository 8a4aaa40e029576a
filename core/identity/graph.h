/* identity/graph.h - who belongs together: nodes, the links between them, and the sets that follow. [loop]
 *
 * Pure memory: no broker, no JSON, no clock. A node is the 16 bytes behind an id (event/ids.h); only nodes that have a link are
 * kept, so an address that was never linked costs nothing. Two nodes can have several links, one a kind of evidence. A link that was
 * undone stays as a mark (GRAPH_UNDONE): it holds nothing together, and says that this evidence was judged.
 *
 * The root of a set is its smallest node (memcmp): it follows from the links alone, whatever order they came in, so all replicas agree.
 * Union-find keeps it: looking up a root is one probe of a hash table and a few steps (paths are halved). Undoing is exact: the set
 * is made anew from the links that are left, at the cost of that set's size.
 *
 * 24 bytes a link, 28 a node, and 4 a slot of the two tables (at most four fifths full): below 100 bytes a link together with two nodes of its own. */
#ifndef KANAL_IDENTITY_GRAPH_H
#define KANAL_IDENTITY_GRAPH_H
#include <stddef.h>
#include <stdint.h>

#define GRAPH_NODE_BYTES 16u

struct graph;

enum graph_state { GRAPH_ABSENT, GRAPH_LINKED, GRAPH_UNDONE };

struct graph_node {
    unsigned char bytes[GRAPH_NODE_BYTES];
};

/* What is said of two nodes. kind: of evidence, 0 to 255. tag: whatever the caller finds it by later (graph_tagged()). */
struct graph_link {
    struct graph_node a, b; /* different; in either order */
    uint8_t kind;
    uint32_t tag;
};

/* NULL: no memory. */
struct graph *graph_new(void);
void graph_free(struct graph *); /* NULL is fine */

/* The link is in that state from now on; GRAPH_ABSENT takes it out, with nodes that have none left. 0, or KANAL_E_INTERNAL: no memory, nothing has
 * changed. Saying it twice is fine. a and b equal: KANAL_E_INVALID. */
int graph_set(struct graph *, const struct graph_link *, enum graph_state);
enum graph_state graph_get(const struct graph *, const struct graph_link *); /* tag does not matter */

/* The root of its set; a node without a link is its own. */
void graph_root(struct graph *, const struct graph_node *, struct graph_node *ret_root);
/* All of its set, itself among them (also if it has no link), in no order; at most capacity. Returns how many there are; fewer when there
 * is no memory to walk over them. */
size_t graph_members(struct graph *, const struct graph_node *, struct graph_node *ret_nodes,
                     size_t capacity);
/* The links of a node, GRAPH_LINKED ones only, a = the node; at most capacity. Returns how many there are. */
size_t graph_links_of(const struct graph *, const struct graph_node *, struct graph_link *ret_links,
                      size_t capacity);

/* A note of 32 bits on a node, kept for as long as it has a link; 0: none. Setting one on a node without a link does nothing. */
void graph_note(struct graph *, const struct graph_node *, uint32_t note);
uint32_t graph_noted(const struct graph *, const struct graph_node *);

/* The links with that tag, in either state, one a call; *cursor is 0 at first. 0: no more. Not across graph_set(). */
int graph_tagged(const struct graph *, uint32_t tag, size_t *cursor, struct graph_link *ret_link);

size_t graph_link_count(const struct graph *); /* GRAPH_LINKED ones */
size_t graph_node_count(const struct graph *);
/* Bytes that are allocated. */
size_t graph_bytes(const struct graph *);

#endif
