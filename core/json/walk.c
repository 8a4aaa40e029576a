/* json/walk.c - a mutable instance beside its schema: fills in defaults, finds what the schema marks. */
#include <string.h>
#include "kanal/sdk/str.h"
#include "schema_tree.h"

/* What is meant for people stays far below; a schema whose defaults bring forth each other does not. */
#define VISITS_BASE 10000u
#define VISITS_PER_VALUE 256u
#define ADDITIONS_BASE 1000u
#define ADDITIONS_PER_VALUE 64u

struct walk {
    yyjson_mut_doc *doc; /* NULL: no defaults are wanted */
    const char *mark;    /* NULL: no marks are wanted */
    json_schema_marked_fn *marked;
    void *user;
    uint64_t visits, additions; /* left */
    int failed;
};

static void walk_node(struct walk *w, const struct schema_node *node, yyjson_mut_val *value, uint32_t depth);

/* Of the schema itself, else of what it refers to. */
static yyjson_val *default_of(const struct schema_node *node)
{
    yyjson_val *found = yyjson_obj_get(node->source, "default");

    for (int i = 0; i < 4 && !found && node->ref; i++) {
        node = node->ref;
        found = yyjson_obj_get(node->source, "default");
    }
    return found;
}

static void add_default(struct walk *w, const struct schema_name *name, yyjson_mut_val *object)
{
    yyjson_val *value = default_of(name->node);
    yyjson_mut_val *key, *copy;

    if (!value || yyjson_mut_obj_getn(object, name->name.ptr, name->name.len))
        return;
    key = yyjson_mut_strncpy(w->doc, name->name.ptr, name->name.len);
    copy = yyjson_val_mut_copy(w->doc, value);
    if (!key || !copy || w->additions-- == 0 || !yyjson_mut_obj_add(object, key, copy))
        w->failed = 1;
}

static const struct schema_node *member_schema(const struct schema_node *node, kanal_str key)
{
    const struct schema_name *name = schema_names_find(&node->names, key.ptr, key.len);

    if (name && name->node)
        return name->node;
    for (uint32_t i = 0; i < node->pattern_count; i++)
        if (json_regex_match(node->patterns[i].regex, key))
            return node->patterns[i].node;
    return node->additional;
}

static void walk_object(struct walk *w, const struct schema_node *node, yyjson_mut_val *object,
                        uint32_t depth)
{
    yyjson_obj_iter names = yyjson_obj_iter_with(yyjson_obj_get(node->source, "properties"));
    yyjson_mut_obj_iter iter;
    yyjson_mut_val *key;
    yyjson_val *name;

    while (w->doc && (name = yyjson_obj_iter_next(&names))) /* in the schema's order */
        add_default(w, schema_names_find(&node->names, yyjson_get_str(name), yyjson_get_len(name)), object);
    iter = yyjson_mut_obj_iter_with(object);
    while ((key = yyjson_mut_obj_iter_next(&iter)) && !w->failed) {
        const struct schema_node *schema =
            member_schema(node, kanal_str_of(yyjson_mut_get_str(key), yyjson_mut_get_len(key)));
        if (schema)
            walk_node(w, schema, yyjson_mut_obj_iter_get_val(key), depth + 1);
    }
}

static void walk_array(struct walk *w, const struct schema_node *node, yyjson_mut_val *array, uint32_t depth)
{
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(array);
    yyjson_mut_val *item;

    for (size_t i = 0; (item = yyjson_mut_arr_iter_next(&iter)) && !w->failed; i++) {
        const struct schema_node *schema = i < node->prefix.count ? node->prefix.nodes[i] : node->items;
        if (schema)
            walk_node(w, schema, item, depth + 1);
    }
}

static void walk_node(struct walk *w, const struct schema_node *node, yyjson_mut_val *value, uint32_t depth)
{
    if (w->failed || depth > 2 * SCHEMA_DEPTH || w->visits-- == 0) {
        w->failed = 1;
        return;
    }
    if (w->mark && yyjson_is_true(yyjson_obj_get(node->source, w->mark)))
        w->marked(w->user, value);
    if (yyjson_mut_is_obj(value))
        walk_object(w, node, value, depth);
    else if (yyjson_mut_is_arr(value))
        walk_array(w, node, value, depth);
    if (node->ref)
        walk_node(w, node->ref, value, depth + 1);
    for (uint32_t i = 0; i < node->all_of.count; i++)
        walk_node(w, node->all_of.nodes[i], value, depth + 1);
}

/* How many values there are, as deep as is walked. */
static uint64_t count_values(yyjson_mut_val *value, uint32_t depth)
{
    yyjson_mut_arr_iter items = yyjson_mut_arr_iter_with(value);
    yyjson_mut_obj_iter members = yyjson_mut_obj_iter_with(value);
    uint64_t count = 1;
    yyjson_mut_val *inner;

    while (depth < 2 * SCHEMA_DEPTH && (inner = yyjson_mut_arr_iter_next(&items)))
        count += count_values(inner, depth + 1);
    while (depth < 2 * SCHEMA_DEPTH && (inner = yyjson_mut_obj_iter_next(&members)))
        count += count_values(yyjson_mut_obj_iter_get_val(inner), depth + 1);
    return count;
}

static int walk(struct walk *w, const struct json_schema *schema, yyjson_mut_val *instance)
{
    uint64_t count = count_values(instance, 0);

    w->visits = VISITS_BASE + VISITS_PER_VALUE * count;
    w->additions = ADDITIONS_BASE + ADDITIONS_PER_VALUE * count;
    walk_node(w, schema->root, instance, 0);
    return w->failed ? KANAL_E_INTERNAL : 0;
}

int json_schema_defaults(const struct json_schema *schema, yyjson_mut_doc *doc, yyjson_mut_val *instance)
{
    struct walk w = { .doc = doc };

    return walk(&w, schema, instance);
}

int json_schema_marked(const struct json_schema *schema, const char *keyword, yyjson_mut_val *instance,
                       json_schema_marked_fn *marked, void *user)
{
    struct walk w = { .mark = keyword, .marked = marked, .user = user };

    return walk(&w, schema, instance);
}
