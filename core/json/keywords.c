/* json/keywords.c - the keywords of a schema: the table at the end names them and the functions that read them. */
#include <string.h>
#include "compile.h"
#include "kanal/sdk/str.h"

typedef int keyword_fn(struct compile *, const struct compile_path *, struct schema_node *, yyjson_val *);

static int wrong(struct compile *c, const struct compile_path *path, const char *words)
{
    return compile_fail(c, path, words, kanal_str_of(NULL, 0));
}

static void *allocate(struct compile *c, const struct compile_path *path, size_t bytes)
{
    void *block = json_arena_alloc(&c->schema->arena, bytes);

    if (!block)
        wrong(c, path, "out of memory");
    return block;
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
    return wrong(c, path, "unknown type");
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
    return node->types ? 0 : wrong(c, path, "expected at least one type");
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
        return wrong(c, path, "expected an array with at least one value");
    node->enumeration = value;
    while ((item = yyjson_arr_iter_next(&iter)))
        if (!yyjson_is_str(item))
            return 0;
    names = allocate(c, path, sizeof *names);
    if (!names || schema_names_init(names, &c->schema->arena, yyjson_arr_size(value)) != 0)
        return wrong(c, path, "out of memory");
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
        return wrong(c, path, "expected a whole number, 0 or more");
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
        return yyjson_is_num(value) ? 0 : wrong(c, path, "expected a number");                               \
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
    return yyjson_get_num(value) > 0 ? 0 : wrong(c, path, "expected a number above 0");
}

/* ---- Strings ---- */

static struct json_regex *new_regex(struct compile *c, const struct compile_path *path, kanal_str pattern)
{
    struct schema_regex *owner = allocate(c, path, sizeof *owner);
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

static int read_pattern(struct compile *c, const struct compile_path *path, struct schema_node *node,
                        yyjson_val *value)
{
    if (!yyjson_is_str(value))
        return wrong(c, path, "expected a string");
    node->flags |= SCHEMA_ON_STRING;
    node->pattern_text = schema_text(value);
    node->pattern = new_regex(c, path, node->pattern_text);
    return node->pattern ? 0 : -1;
}

static int read_format(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    node->flags |= SCHEMA_ON_STRING;
    node->format = yyjson_is_str(value) ? json_format_find(schema_text(value)) : 0;
    return node->format ? 0 : compile_fail(c, path, "unknown format", schema_text(value));
}

/* ---- Subschemas ---- */

static int read_list(struct compile *c, const struct compile_path *path, struct schema_list *list,
                     yyjson_val *value)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    yyjson_val *item;
    char digits[16];

    if (yyjson_arr_size(value) == 0 || yyjson_arr_size(value) > UINT32_MAX / 2)
        return wrong(c, path, "expected an array with at least one schema");
    list->nodes = allocate(c, path, yyjson_arr_size(value) * sizeof *list->nodes);
    while (list->nodes && (item = yyjson_arr_iter_next(&iter))) {
        struct compile_path below;
        size_t at = sizeof digits;
        for (uint32_t number = list->count; at == sizeof digits || number > 0; number /= 10)
            digits[--at] = (char)('0' + number % 10);
        below = compile_below(path, kanal_str_of(digits + at, sizeof digits - at));
        list->nodes[list->count] = compile_node(c, &below, item);
        if (!list->nodes[list->count++])
            return -1;
    }
    return c->failed ? -1 : 0;
}

#define READ_NODE(keyword, member, flag)                                                                     \
    static int read_##keyword(struct compile *c, const struct compile_path *path, struct schema_node *node,  \
                              yyjson_val *value)                                                             \
    {                                                                                                        \
        node->flags |= flag;                                                                                 \
        node->member = compile_node(c, path, value);                                                         \
        return node->member ? 0 : -1;                                                                        \
    }
READ_NODE(items, items, SCHEMA_ON_ARRAY)
READ_NODE(additional, additional, SCHEMA_ON_OBJECT)
READ_NODE(property_names, property_names, SCHEMA_ON_OBJECT)
READ_NODE(not, negated, SCHEMA_IN_PLACE)
READ_NODE(if, condition, SCHEMA_IN_PLACE)
READ_NODE(then, consequent, SCHEMA_IN_PLACE)
READ_NODE(else, alternative, SCHEMA_IN_PLACE)

static int read_ref(struct compile *c, const struct compile_path *path, struct schema_node *node,
                    yyjson_val *value)
{
    node->flags |= SCHEMA_IN_PLACE;
    node->ref = compile_reference(c, path, value);
    return node->ref ? 0 : -1;
}

static int read_all_of(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    node->flags |= SCHEMA_IN_PLACE;
    return read_list(c, path, &node->all_of, value);
}

static int read_union(struct compile *c, const struct compile_path *path, struct schema_union **ret_union,
                      yyjson_val *value, int exactly_one)
{
    struct schema_union *branches = allocate(c, path, sizeof *branches);

    if (!branches)
        return -1;
    branches->exactly_one = exactly_one;
    *ret_union = branches;
    return read_list(c, path, &branches->branches, value);
}

static int read_any_of(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    node->flags |= SCHEMA_IN_PLACE;
    return read_union(c, path, &node->any_of, value, 0);
}

static int read_one_of(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    node->flags |= SCHEMA_IN_PLACE;
    return read_union(c, path, &node->one_of, value, 1);
}

static int read_definitions(struct compile *c, const struct compile_path *path, struct schema_node *node,
                            yyjson_val *value)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    yyjson_val *key;

    (void)node;
    if (!yyjson_is_obj(value))
        return wrong(c, path, "expected an object");
    while ((key = yyjson_obj_iter_next(&iter))) {
        struct compile_path below = compile_below(path, schema_text(key));
        if (!compile_node(c, &below, yyjson_obj_iter_get_val(key)))
            return -1;
    }
    return 0;
}

/* ---- Arrays ---- */

static int read_prefix(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    node->flags |= SCHEMA_ON_ARRAY;
    return read_list(c, path, &node->prefix, value);
}

static int read_unique(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    if (!yyjson_is_bool(value))
        return wrong(c, path, "expected true or false");
    if (yyjson_is_true(value))
        node->flags |= SCHEMA_UNIQUE | SCHEMA_ON_ARRAY;
    return 0;
}

/* ---- Objects ---- */

/* properties and required share one table, so that checking looks each member up once. */
static int make_names(struct compile *c, const struct compile_path *path, struct schema_node *node)
{
    size_t count = yyjson_obj_size(yyjson_obj_get(node->source, "properties")) +
                   yyjson_arr_size(yyjson_obj_get(node->source, "required"));

    node->flags |= SCHEMA_ON_OBJECT;
    if (node->names.slots || schema_names_init(&node->names, &c->schema->arena, count) == 0)
        return 0;
    return wrong(c, path, "out of memory");
}

static int read_properties(struct compile *c, const struct compile_path *path, struct schema_node *node,
                           yyjson_val *value)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    yyjson_val *key;

    if (!yyjson_is_obj(value))
        return wrong(c, path, "expected an object");
    if (make_names(c, path, node) != 0)
        return -1;
    while ((key = yyjson_obj_iter_next(&iter))) {
        struct compile_path below = compile_below(path, schema_text(key));
        struct schema_node *property = compile_node(c, &below, yyjson_obj_iter_get_val(key));
        if (!property)
            return -1;
        schema_names_add(&node->names, schema_text(key))->node = property;
    }
    return 0;
}

static int read_required(struct compile *c, const struct compile_path *path, struct schema_node *node,
                         yyjson_val *value)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    int count = 0;
    kanal_str *names;
    yyjson_val *item;

    if (!yyjson_is_arr(value) || yyjson_arr_size(value) > SCHEMA_REQUIRED)
        return wrong(c, path, "expected an array of at most 64 names");
    names = allocate(c, path, yyjson_arr_size(value) * sizeof *names);
    if (!names || make_names(c, path, node) != 0)
        return -1;
    while ((item = yyjson_arr_iter_next(&iter))) {
        struct schema_name *name;
        if (!yyjson_is_str(item))
            return wrong(c, path, "expected an array of strings");
        name = schema_names_add(&node->names, schema_text(item));
        if (name->required >= 0)
            continue;
        name->required = count;
        node->required_mask |= UINT64_C(1) << count;
        names[count++] = name->name;
    }
    node->required_names = names;
    return 0;
}

static int read_patterns(struct compile *c, const struct compile_path *path, struct schema_node *node,
                         yyjson_val *value)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    yyjson_val *key;

    if (!yyjson_is_obj(value))
        return wrong(c, path, "expected an object");
    node->flags |= SCHEMA_ON_OBJECT;
    node->patterns = allocate(c, path, yyjson_obj_size(value) * sizeof *node->patterns);
    while (node->patterns && (key = yyjson_obj_iter_next(&iter))) {
        struct compile_path below = compile_below(path, schema_text(key));
        struct schema_pattern *pattern = &node->patterns[node->pattern_count++];
        pattern->regex = new_regex(c, &below, schema_text(key));
        pattern->node = compile_node(c, &below, yyjson_obj_iter_get_val(key));
        if (!pattern->regex || !pattern->node)
            return -1;
    }
    return c->failed ? -1 : 0;
}

static int read_dependents(struct compile *c, const struct compile_path *path, struct schema_node *node,
                           yyjson_val *value)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    yyjson_val *key, *item;

    if (!yyjson_is_obj(value))
        return wrong(c, path, "expected an object");
    node->flags |= SCHEMA_ON_OBJECT;
    node->dependents = allocate(c, path, yyjson_obj_size(value) * sizeof *node->dependents);
    while (node->dependents && (key = yyjson_obj_iter_next(&iter))) {
        struct schema_dependent *dependent = &node->dependents[node->dependent_count++];
        yyjson_arr_iter names;
        dependent->name = schema_text(key);
        dependent->required = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_arr(dependent->required))
            return wrong(c, path, "expected arrays of names");
        names = yyjson_arr_iter_with(dependent->required);
        while ((item = yyjson_arr_iter_next(&names)))
            if (!yyjson_is_str(item))
                return wrong(c, path, "expected arrays of names");
    }
    return c->failed ? -1 : 0;
}

/* ---- Annotations ---- */

static int read_write_only(struct compile *c, const struct compile_path *path, struct schema_node *node,
                           yyjson_val *value)
{
    if (!yyjson_is_bool(value))
        return wrong(c, path, "expected true or false");
    if (yyjson_is_true(value))
        node->flags |= SCHEMA_SECRET;
    return 0;
}

static int read_expected(struct compile *c, const struct compile_path *path, struct schema_node *node,
                         yyjson_val *value)
{
    if (!yyjson_is_str(value) || yyjson_get_len(value) == 0)
        return wrong(c, path, "expected a string");
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
    { "properties", read_properties },
    { "required", read_required },
    { "additionalProperties", read_additional },
    { "patternProperties", read_patterns },
    { "propertyNames", read_property_names },
    { "dependentRequired", read_dependents },
    { "minProperties", read_min_properties },
    { "maxProperties", read_max_properties },
    { "items", read_items },
    { "prefixItems", read_prefix },
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
    { "oneOf", read_one_of },
    { "anyOf", read_any_of },
    { "allOf", read_all_of },
    { "not", read_not },
    { "if", read_if },
    { "then", read_then },
    { "else", read_else },
    { "$ref", read_ref },
    { "$defs", read_definitions },
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
