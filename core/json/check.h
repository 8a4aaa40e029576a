/* json/check.h - between check.c (what each keyword asserts), union.c (oneOf, anyOf) and the messages. Private. */
#ifndef KANAL_JSON_CHECK_H
#define KANAL_JSON_CHECK_H
#include "schema_tree.h"

/* Where the instance is: a list on the stack, made into a pointer only when something is wrong. */
struct check_place {
    const struct check_place *up;
    kanal_str key; /* absent: the index counts */
    size_t index;
};

struct check {
    json_schema_error_fn *error; /* NULL: quiet, only the verdict counts */
    void *user;
    size_t errors, limit; /* checking stops at the limit */
    uint64_t steps;       /* left; bounds the time, which nested branches could make exponential */
    int exhausted;
    uint32_t recursion, secret;
};

void check_node(struct check *, const struct schema_node *, yyjson_val *, const struct check_place *);
void check_union(struct check *, const struct schema_union *, yyjson_val *, const struct check_place *);
/* Counts, quietly, at most `limit` errors. */
size_t check_count(struct check *, const struct schema_node *, yyjson_val *, const struct check_place *,
                   size_t limit);

/* Counts an error; 1: a message is wanted. */
int check_failed(struct check *);
/* Tells it. */
void check_tell(struct check *, const struct check_place *, kanal_str member,
                const struct kanal_buffer *message);
/* "expected …, found …" */
void check_mismatch(struct check *, const struct schema_node *, yyjson_val *, const struct check_place *);
/* Fixed words. */
void check_fail(struct check *, const struct check_place *, kanal_str member, const char *words);

static inline int check_stopped(const struct check *c)
{
    return c->errors >= c->limit || c->exhausted;
}

#endif
