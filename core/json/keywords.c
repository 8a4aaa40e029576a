/* json/keywords.c - the keywords of a schema: the table at the end names them and the functions that read them. */
#include <string.h>
#include "keywords.h"
#include "kanal/sdk/str.h"

int keyword_wrong(struct compile *c, const struct compile_path *path, const char *words)
{
    return compile_fail(c, path, words, kanal_str_of(NULL, 0));
}

void *keyword_allocate(struct compile *c, const struct compile_path *path, size_t bytes)
{
    void *block = json_arena_alloc(&c->schema->arena, bytes);

    if (!block)
        keyword_wrong(c, path, "out of memory");
    return block;
}

struct json_regex *keyword_regex(struct compile *c, const struct compile_path *path, kanal_str pattern)
{
    struct schema_regex *owner = keyword_allocate(c, path, sizeof *owner);
    const char *reason = NULL;

    if (!owner)
        return NULL;
    if (json_regex_new(&owner->regex, pattern, &reason) != 0) {
        compile_fail(c, path, reason, pattern);
        return NULL;
    }
    owner->next = c->schema->regexes;
    c->schema->regexes = owner;
    return owner->regex;
}

/* ---- Any instance ---- */

static const struct {
    const char *name;
    uint32_t type;
} type_names[] = {
    { "null", SCHEMA_NULL },     { "boolean", SCHEMA_BOOLEAN }, { "integer", SCHEMA_INTEGER },
    { "number", SCHEMA_NUMBER }, { "string", SCHEMA_STRING },   { "array", SCHEMA_ARRAY },
    { "object", SCHEMA_OBJECT },
};

static int read_type_name(struct compile *c, const struct compile_path *path, struct schema_node *node,
                          yyjson_val *name)
{
    for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
        if (yyjson_equals_str(name, type_names[i].name)) {
            node->types |= type_names[i].type;
            return 0;
        }
    return keyword_wrong(c, path, "unknown type");
}

static int read_type(struct compile *c, const struct compile_path *path, struct schema_node *node,
                     yyjson_val *value)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    yyjson_val *name;

    if (!yyjson_is_arr(value))
        return read_type_name(c, path, node, value);
    while ((name = yyjson_arr_iter_next(&iter)))
        if (read_type_name(c, path, node, name) != 0)
            return -1;
    return node->types ? 0 : keyword_wrong(c, path, "expected at least one type");
}

static int read_const(struct compile *c, const struct compile_path *path, struct schema_node *node,
                      yyjson_val *value)
{
    (void)c;
    (void)path;
    node->constant = value;
    return 0;
}

static int read_enum(struct compile *c, const struct compile_path *path, struct schema_node *node,
                     yyjson_val *value)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    struct schema_names *names;
    yyjson_val *item;

    if (yyjson_arr_size(value) == 0)
        return keyword_wrong(c, path, "expected an array with at least one value");
    node->enumeration = value;
    while ((item = yyjson_arr_iter_next(&iter)))
        if (!yyjson_is_str(item))
            return 0;
    names = keyword_allocate(c, path, sizeof *names);
    if (!names || schema_names_init(names, &c->schema->arena, yyjson_arr_size(value)) != 0)
        return keyword_wrong(c, path, "out of memory");
    iter = yyjson_arr_iter_with(value);
    while ((item = yyjson_arr_iter_next(&iter)))
        schema_names_add(names, schema_text(item));
    node->enum_names = names;
    return 0;
}

/* ---- Numbers of things ---- */

static int read_count(struct compile *c, const struct compile_path *path, yyjson_val *value,
                      uint64_t *ret_count)
{
    double real = yyjson_get_num(value);

    if (yyjson_is_uint(value))
        *ret_count = yyjson_get_uint(value);
    else if (yyjson_is_real(value) && schema_type_of(value) == SCHEMA_INTEGER && real >= 0 && real < 9e15)
        *ret_count = (uint64_t)real; /* 2.0 is a whole number in JSON Schema */
    else
        return keyword_wrong(c, path, "expected a whole number, 0 or more");
    return 0;
}

#define READ_COUNT(keyword, member, flag)                                                                    \
    static int read_##keyword(struct compile *c, const struct compile_path *path, struct schema_node *node,  \
                              yyjson_val *value)                                                             \
    {                                                                                                        \
        node->flags |= flag;                                                                                 \
        return read_count(c, path, value, &node->member);                                                    \
    }
READ_COUNT(min_length, min_length, SCHEMA_ON_STRING)
READ_COUNT(max_length, max_length, SCHEMA_ON_STRING)
READ_COUNT(min_items, min_items, SCHEMA_ON_ARRAY)
READ_COUNT(max_items, max_items, SCHEMA_ON_ARRAY)
READ_COUNT(min_properties, min_properties, SCHEMA_ON_OBJECT)
READ_COUNT(max_properties, max_properties, SCHEMA_ON_OBJECT)

#define READ_NUMBER(keyword, member)                                                                         \
    static int read_##keyword(struct compile *c, const struct compile_path *path, struct schema_node *node,  \
                              yyjson_val *value)                                                             \
    {                                                                                                        \
        node->flags |= SCHEMA_ON_NUMBER;                                                                     \
        node->member = value;                                                                                \
        return yyjson_is_num(value) ? 0 : keyword_wrong(c, path, "expected a number");                       \
    }
READ_NUMBER(minimum, minimum)
READ_NUMBER(maximum, maximum)
READ_NUMBER(exclusive_minimum, exclusive_minimum)
READ_NUMBER(exclusive_maximum, exclusive_maximum)

static int read_multiple_of(struct compile *c, const struct compile_path *path, struct schema_node *node,
                            yyjson_val *value)
{
    node->flags |= SCHEMA_ON_NUMBER;
    node->multiple_of = value;
    return yyjson_get_num(value) > 0 ? 0 : keyword_wrong(c, path, "expected a number above 0");
}

/* ---- Strings ---- */

static int read_pattern(struct compile *c, const struct compile_path *path, struct schema_node *node,
                        yyjson_val *value)
{
    if (!yyjson_is_str(value))
        return keyword_wrong(c, path, "expected a string");
    node->flags |= SCHEMA_ON_STRING;
    node->pattern_text = schema_text(value);
    node->pattern = keyword_regex(c, path, node->pattern_text);
    return node->pattern ? 0 : -1;
}

static int read_format(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    node->flags |= SCHEMA_ON_STRING;
    node->format = yyjson_is_str(value) ? json_format_find(schema_text(value)) : 0;
    return node->format ? 0 : compile_fail(c, path, "unknown format", schema_text(value));
}

/* ---- Arrays ---- */

static int read_unique(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    if (!yyjson_is_bool(value))
        return keyword_wrong(c, path, "expected true or false");
    if (yyjson_is_true(value))
        node->flags |= SCHEMA_UNIQUE | SCHEMA_ON_ARRAY;
    return 0;
}

/* ---- Annotations ---- */

static int read_write_only(struct compile *c, const struct compile_path *path, struct schema_node *node,
                           yyjson_val *value)
{
    if (!yyjson_is_bool(value))
        return keyword_wrong(c, path, "expected true or false");
    if (yyjson_is_true(value))
        node->flags |= SCHEMA_SECRET;
    return 0;
}

static int read_expected(struct compile *c, const struct compile_path *path, struct schema_node *node,
                         yyjson_val *value)
{
    if (!yyjson_is_str(value) || yyjson_get_len(value) == 0)
        return keyword_wrong(c, path, "expected a string");
    node->expected = schema_text(value);
    return 0;
}

static int pass_over(struct compile *c, const struct compile_path *path, struct schema_node *node,
                     yyjson_val *value)
{
    (void)c;
    (void)path;
    (void)node;
    (void)value;
    return 0;
}

static const struct {
    const char *name;
    keyword_fn *read;
} keywords[] = {
    { "type", read_type },
    { "enum", read_enum },
    { "const", read_const },
    { "properties", keyword_properties },
    { "required", keyword_required },
    { "additionalProperties", keyword_additional },
    { "patternProperties", keyword_patterns },
    { "propertyNames", keyword_property_names },
    { "dependentRequired", keyword_dependents },
    { "minProperties", read_min_properties },
    { "maxProperties", read_max_properties },
    { "items", keyword_items },
    { "prefixItems", keyword_prefix },
    { "minItems", read_min_items },
    { "maxItems", read_max_items },
    { "uniqueItems", read_unique },
    { "minLength", read_min_length },
    { "maxLength", read_max_length },
    { "pattern", read_pattern },
    { "format", read_format },
    { "minimum", read_minimum },
    { "maximum", read_maximum },
    { "exclusiveMinimum", read_exclusive_minimum },
    { "exclusiveMaximum", read_exclusive_maximum },
    { "multipleOf", read_multiple_of },
    { "oneOf", keyword_one_of },
    { "anyOf", keyword_any_of },
    { "allOf", keyword_all_of },
    { "not", keyword_not },
    { "if", keyword_if },
    { "then", keyword_then },
    { "else", keyword_else },
    { "$ref", keyword_ref },
    { "$defs", keyword_definitions },
    { "writeOnly", read_write_only },
    { "x-expected", read_expected },
    /* By definition these assert nothing; `default` is read by walk.c. */
    { "default", pass_over },
    { "title", pass_over },
    { "description", pass_over },
    { "examples", pass_over },
    { "deprecated", pass_over },
    { "readOnly", pass_over },
    { "$comment", pass_over },
};

static int read_keyword(struct compile *c, const struct compile_path *path, struct schema_node *node,
                        yyjson_val *key, yyjson_val *value)
{
    kanal_str name = schema_text(key);
    struct compile_path below = compile_below(path, name);

    if (yyjson_obj_getn(node->source, name.ptr, name.len) != value)
        return compile_fail(c, path, "twice the keyword", name);
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (kanal_str_is(name, keywords[i].name))
            return keywords[i].read(c, &below, node, value);
    if (kanal_str_starts(name, "x-"))
        return 0;
    /* They name the whole document; in a subschema $id would change what references mean. */
    if (!path && (kanal_str_is(name, "$schema") || kanal_str_is(name, "$id")))
        return 0;
    return compile_fail(c, path, "unknown keyword", name);
}

int compile_keywords(struct compile *c, const struct compile_path *path, struct schema_node *node,
                     yyjson_val *source)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(source);
    yyjson_val *key;

    while ((key = yyjson_obj_iter_next(&iter)))
        if (read_keyword(c, path, node, key, yyjson_obj_iter_get_val(key)) != 0)
            return -1;
    return 0;
}
