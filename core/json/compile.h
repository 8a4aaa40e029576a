/* json/compile.h - between compile.c (nodes, references, loops) and keywords.c (one function a keyword). Private. */
#ifndef KANAL_JSON_COMPILE_H
#define KANAL_JSON_COMPILE_H
#include "schema_tree.h"

/* Where we are in the schema's text, for messages. */
struct compile_path {
    const struct compile_path *up;
    kanal_str name;
};

/* A node that a reference made and that is not read yet. */
struct compile_pending {
    struct compile_pending *next;
    struct schema_node *node;
    kanal_str name;
};

struct compile {
    struct json_schema *schema;
    yyjson_val *text;           /* the root */
    struct schema_node **nodes; /* by the index of their value in the document */
    struct kanal_buffer *error;
    struct compile_pending *pending;
    int failed;
    uint32_t depth;
};

/* Appends "at #/a/b: " and the words; the first error stays. Always -1. */
int compile_fail(struct compile *, const struct compile_path *, const char *words, kanal_str detail);
/* The node of a schema's value; made if it is not there yet. NULL: failed. */
struct schema_node *compile_node(struct compile *, const struct compile_path *, yyjson_val *source);
/* "#", "#/$defs/x"; the node may be read later. NULL: failed. */
struct schema_node *compile_reference(struct compile *, const struct compile_path *, yyjson_val *ref);
/* Reads all keywords of an object into the node. 0 or -1. */
int compile_keywords(struct compile *, const struct compile_path *, struct schema_node *, yyjson_val *source);
/* Discriminators and selectors, when every node is there. 0 or -1. */
int compile_shortcuts(struct compile *, struct schema_node *);

static inline struct compile_path compile_below(const struct compile_path *up, kanal_str name)
{
    struct compile_path path = { up, name };
    return path;
}

#endif
