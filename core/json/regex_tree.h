/* json/regex_tree.h - a pattern on its way to a program: what regex_parse.c makes and regex_compile.c reads. Private to both. */
#ifndef KANAL_JSON_REGEX_TREE_H
#define KANAL_JSON_REGEX_TREE_H
#include "regex_program.h"

#define TREE_NODES 4096u
#define NO_NODE UINT32_MAX
#define NO_LIMIT UINT32_MAX

enum tree_kind { TREE_CHAR, TREE_CLASS, TREE_START, TREE_END, TREE_SEQUENCE, TREE_CHOICE, TREE_REPEAT };

struct tree_node {
    enum tree_kind kind;
    uint32_t child, next; /* first child; next one of the same parent */
    uint32_t x, y;        /* code point; first range and count; least and most */
    uint16_t negated;
};

struct regex_compiler {
    kanal_str text;
    size_t at;
    uint32_t depth;
    const char *failed; /* the first thing that is wrong */
    struct tree_node *nodes;
    uint32_t node_count;
    struct json_regex *regex;
};

/* Keeps the first reason, a static text. Returns NO_NODE. */
uint32_t regex_fail(struct regex_compiler *, const char *reason);
/* Reads the whole pattern; the root, or NO_NODE: failed. The classes' ranges are added to the program. */
uint32_t regex_parse(struct regex_compiler *);

#endif
