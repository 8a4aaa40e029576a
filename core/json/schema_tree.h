/* json/schema_tree.h - a compiled schema, as compile.c and keywords.c make it and check*.c and walk.c read it. Private to
 * core/json.
 *
 * Invariants: every schema object of the text has one node, also when it is referred to from many places; following only
 * edges that stay at the same instance (ref, all_of, any_of, one_of, negated, condition and its branches) never comes back
 * to a node; at most 64 names are required in one node. Nothing changes after compiling, so that any thread may check. */
#ifndef KANAL_JSON_SCHEMA_TREE_H
#define KANAL_JSON_SCHEMA_TREE_H
#include "arena.h"
#include "formats.h"
#include "quote.h"
#include "regex.h"
#include "schema.h"

#define SCHEMA_DEPTH 64u    /* levels of an instance, and of a schema's text */
#define SCHEMA_ERRORS 64u   /* told at most */
#define SCHEMA_BRANCHES 64u /* of one oneOf or anyOf with a discriminator */
#define SCHEMA_REQUIRED 64u

#define SCHEMA_NULL 1u
#define SCHEMA_BOOLEAN 2u
#define SCHEMA_INTEGER 4u
#define SCHEMA_FRACTION 8u /* a number that is no whole number */
#define SCHEMA_NUMBER (SCHEMA_INTEGER | SCHEMA_FRACTION)
#define SCHEMA_STRING 16u
#define SCHEMA_ARRAY 32u
#define SCHEMA_OBJECT 64u

/* Flags of a node. */
#define SCHEMA_NEVER 1u     /* the schema `false` */
#define SCHEMA_SECRET 2u    /* writeOnly: values are not shown in messages */
#define SCHEMA_UNIQUE 4u    /* uniqueItems */
#define SCHEMA_ON_STRING 8u /* has assertions about strings … */
#define SCHEMA_ON_NUMBER 16u
#define SCHEMA_ON_ARRAY 32u
#define SCHEMA_ON_OBJECT 64u
#define SCHEMA_IN_PLACE 128u /* has subschemas of the same instance */

struct schema_node;

struct schema_name {
    kanal_str name;
    struct schema_node *node; /* of `properties`; NULL: only required */
    uint64_t branches;        /* of a discriminator: which can match */
    int required;             /* its bit in required_mask, or -1 */
    uint32_t order;           /* 0 for the first that was added */
};

/* Names by hash, open addressing, at most half full. */
struct schema_names {
    uint32_t count, mask;
    struct schema_name *slots;
};

struct schema_pattern {
    struct json_regex *regex;
    struct schema_node *node;
};

struct schema_dependent {
    kanal_str name;
    yyjson_val *required; /* array of strings */
};

struct schema_list {
    uint32_t count;
    struct schema_node **nodes;
};

/* oneOf or anyOf. With a discriminator every branch says by const or enum which strings it takes there. */
struct schema_union {
    struct schema_list branches;
    int exactly_one;
    int keys_only;              /* every branch only says which keys must be there */
    kanal_str discriminator;    /* absent: none */
    struct schema_names values; /* its values → branches */
};

/* Members of an allOf that all read {"if": {"properties": {KEY: {"const" or "enum": …}}}, "then": …}: instead of trying every
 * `if`, the value of KEY is looked up once. */
struct schema_switch {
    kanal_str key;
    struct schema_names values; /* of KEY → members that hold then */
    uint64_t absent;            /* members that hold when KEY is missing: their `if` does not require it */
    struct schema_list members; /* their `then` */
};

struct schema_node {
    uint32_t types; /* SCHEMA_…; 0: any */
    uint32_t flags;
    uint32_t colour; /* while compiling: search for loops */
    uint32_t format; /* of formats.h; 0: none */
    yyjson_val *source;
    kanal_str expected; /* x-expected: what is expected, in words */

    yyjson_val *constant, *enumeration;
    const struct schema_names *enum_names; /* when all values of the enumeration are strings */

    uint64_t min_length, max_length;
    struct json_regex *pattern;
    kanal_str pattern_text;

    yyjson_val *minimum, *maximum, *exclusive_minimum, *exclusive_maximum, *multiple_of;

    uint64_t min_items, max_items;
    struct schema_list prefix;
    struct schema_node *items;

    uint64_t min_properties, max_properties;
    uint64_t required_mask;
    const kanal_str *required_names; /* by bit */
    struct schema_names names;       /* of properties and required */
    uint32_t pattern_count, dependent_count;
    struct schema_pattern *patterns;
    struct schema_dependent *dependents;
    struct schema_node *additional, *property_names;

    struct schema_node *ref, *negated, *condition, *consequent, *alternative;
    struct schema_list all_of;
    struct schema_switch *selector; /* taken out of all_of */
    struct schema_union *any_of, *one_of;
};

struct schema_regex {
    struct schema_regex *next;
    struct json_regex *regex;
};

struct json_schema {
    struct json_arena arena;
    yyjson_doc *doc;
    struct schema_node *root;
    struct schema_names definitions;
    struct schema_regex *regexes; /* owned */
};

/* SCHEMA_… of an instance: exactly one bit. */
uint32_t schema_type_of(yyjson_val *);

/* 0, or -1: out of memory. The names are not copied. */
int schema_names_init(struct schema_names *, struct json_arena *, size_t count);
/* Finds or adds. */
struct schema_name *schema_names_add(struct schema_names *, kanal_str name);
/* NULL: not there. */
const struct schema_name *schema_names_find(const struct schema_names *, const char *name, size_t len);

/* Equality as JSON Schema means it: 1 and 1.0 are equal, the order of members does not matter. *steps is what it may cost
 * and goes down; 0 when it is used up. */
int schema_equal(yyjson_val *a, yyjson_val *b, uint64_t *steps);
/* -1, 0, 1; exact for whole numbers. */
int schema_number_compare(yyjson_val *a, yyjson_val *b);
int schema_number_multiple(yyjson_val *number, yyjson_val *of);
/* Code points of UTF-8. */
uint64_t schema_text_length(const char *text, size_t bytes);
static inline kanal_str schema_text(yyjson_val *string)
{
    kanal_str text = { yyjson_get_str(string), yyjson_get_len(string) };
    return text;
}

/* Words for a message: "a string of at most 64 characters"; "the number 5" (of a secret only "a number"). */
void schema_say_expected(struct kanal_buffer *out, const struct schema_node *);
void schema_say_found(struct kanal_buffer *out, int secret, yyjson_val *found);
/* Appends '; did you mean "x"?' if one of the names is near. */
void schema_say_similar(struct kanal_buffer *out, kanal_str word, const struct schema_names *);

#endif
