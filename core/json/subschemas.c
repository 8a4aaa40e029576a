/* json/subschemas.c - the keywords whose values are schemas again, and those that name an object's members. */
#include "keywords.h"
#include "kanal/sdk/str.h"

/* ---- In place ---- */

static int read_list(struct compile *c, const struct compile_path *path, struct schema_list *list,
                     yyjson_val *value)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    yyjson_val *item;
    char digits[16];

    if (yyjson_arr_size(value) == 0 || yyjson_arr_size(value) > UINT32_MAX / 2)
        return keyword_wrong(c, path, "expected an array with at least one schema");
    list->nodes = keyword_allocate(c, path, yyjson_arr_size(value) * sizeof *list->nodes);
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
    int keyword_##keyword(struct compile *c, const struct compile_path *path, struct schema_node *node,      \
                          yyjson_val *value)                                                                 \
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

int keyword_ref(struct compile *c, const struct compile_path *path, struct schema_node *node,
                yyjson_val *value)
{
    node->flags |= SCHEMA_IN_PLACE;
    node->ref = compile_reference(c, path, value);
    return node->ref ? 0 : -1;
}

int keyword_all_of(struct compile *c, const struct compile_path *path, struct schema_node *node,
                   yyjson_val *value)
{
    node->flags |= SCHEMA_IN_PLACE;
    return read_list(c, path, &node->all_of, value);
}

static int read_union(struct compile *c, const struct compile_path *path, struct schema_union **ret_union,
                      yyjson_val *value, int exactly_one)
{
    struct schema_union *branches = keyword_allocate(c, path, sizeof *branches);

    if (!branches)
        return -1;
    branches->exactly_one = exactly_one;
    *ret_union = branches;
    return read_list(c, path, &branches->branches, value);
}

int keyword_any_of(struct compile *c, const struct compile_path *path, struct schema_node *node,
                   yyjson_val *value)
{
    node->flags |= SCHEMA_IN_PLACE;
    return read_union(c, path, &node->any_of, value, 0);
}

int keyword_one_of(struct compile *c, const struct compile_path *path, struct schema_node *node,
                   yyjson_val *value)
{
    node->flags |= SCHEMA_IN_PLACE;
    return read_union(c, path, &node->one_of, value, 1);
}

int keyword_definitions(struct compile *c, const struct compile_path *path, struct schema_node *node,
                        yyjson_val *value)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    yyjson_val *key;

    (void)node;
    if (!yyjson_is_obj(value))
        return keyword_wrong(c, path, "expected an object");
    while ((key = yyjson_obj_iter_next(&iter))) {
        struct compile_path below = compile_below(path, schema_text(key));
        if (!compile_node(c, &below, yyjson_obj_iter_get_val(key)))
            return -1;
    }
    return 0;
}

/* ---- Arrays and objects ---- */

int keyword_prefix(struct compile *c, const struct compile_path *path, struct schema_node *node,
                   yyjson_val *value)
{
    node->flags |= SCHEMA_ON_ARRAY;
    return read_list(c, path, &node->prefix, value);
}

/* properties and required share one table, so that checking looks each member up once. */
static int make_names(struct compile *c, const struct compile_path *path, struct schema_node *node)
{
    size_t count = yyjson_obj_size(yyjson_obj_get(node->source, "properties")) +
                   yyjson_arr_size(yyjson_obj_get(node->source, "required"));

    node->flags |= SCHEMA_ON_OBJECT;
    if (node->names.slots || schema_names_init(&node->names, &c->schema->arena, count) == 0)
        return 0;
    return keyword_wrong(c, path, "out of memory");
}

int keyword_properties(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    yyjson_val *key;

    if (!yyjson_is_obj(value))
        return keyword_wrong(c, path, "expected an object");
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

int keyword_required(struct compile *c, const struct compile_path *path, struct schema_node *node,
                     yyjson_val *value)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(value);
    int count = 0;
    kanal_str *names;
    yyjson_val *item;

    if (!yyjson_is_arr(value) || yyjson_arr_size(value) > SCHEMA_REQUIRED)
        return keyword_wrong(c, path, "expected an array of at most 64 names");
    names = keyword_allocate(c, path, yyjson_arr_size(value) * sizeof *names);
    if (!names || make_names(c, path, node) != 0)
        return -1;
    while ((item = yyjson_arr_iter_next(&iter))) {
        struct schema_name *name;
        if (!yyjson_is_str(item))
            return keyword_wrong(c, path, "expected an array of strings");
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

int keyword_patterns(struct compile *c, const struct compile_path *path, struct schema_node *node,
                     yyjson_val *value)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    yyjson_val *key;

    if (!yyjson_is_obj(value))
        return keyword_wrong(c, path, "expected an object");
    node->flags |= SCHEMA_ON_OBJECT;
    node->patterns = keyword_allocate(c, path, yyjson_obj_size(value) * sizeof *node->patterns);
    while (node->patterns && (key = yyjson_obj_iter_next(&iter))) {
        struct compile_path below = compile_below(path, schema_text(key));
        struct schema_pattern *pattern = &node->patterns[node->pattern_count++];
        pattern->regex = keyword_regex(c, &below, schema_text(key));
        pattern->node = compile_node(c, &below, yyjson_obj_iter_get_val(key));
        if (!pattern->regex || !pattern->node)
            return -1;
    }
    return c->failed ? -1 : 0;
}

int keyword_dependents(struct compile *c, const struct compile_path *path, struct schema_node *node,
                       yyjson_val *value)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(value);
    yyjson_val *key, *item;

    if (!yyjson_is_obj(value))
        return keyword_wrong(c, path, "expected an object");
    node->flags |= SCHEMA_ON_OBJECT;
    node->dependents = keyword_allocate(c, path, yyjson_obj_size(value) * sizeof *node->dependents);
    while (node->dependents && (key = yyjson_obj_iter_next(&iter))) {
        struct schema_dependent *dependent = &node->dependents[node->dependent_count++];
        yyjson_arr_iter names;
        dependent->name = schema_text(key);
        dependent->required = yyjson_obj_iter_get_val(key);
        if (!yyjson_is_arr(dependent->required))
            return keyword_wrong(c, path, "expected arrays of names");
        names = yyjson_arr_iter_with(dependent->required);
        while ((item = yyjson_arr_iter_next(&names)))
            if (!yyjson_is_str(item))
                return keyword_wrong(c, path, "expected arrays of names");
    }
    return c->failed ? -1 : 0;
}
