/* json/compile.c - a schema's text to nodes: references, loops, and the life of a json_schema. */
#include <stdlib.h>
#include <string.h>
#include "compile.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

static void append_path(struct kanal_buffer *out, const struct compile_path *path)
{
    if (!path)
        return;
    append_path(out, path->up);
    kanal_buffer_byte(out, '/');
    kanal_buffer_str(out, path->name);
}

int compile_fail(struct compile *c, const struct compile_path *path, const char *words, kanal_str detail)
{
    if (c->failed)
        return -1;
    c->failed = 1;
    kanal_buffer_text(c->error, "at #");
    append_path(c->error, path);
    kanal_buffer_text(c->error, ": ");
    kanal_buffer_text(c->error, words);
    if (detail.ptr) {
        kanal_buffer_byte(c->error, ' ');
        json_quote(c->error, detail);
    }
    return -1;
}

static struct schema_node *new_node(struct compile *c, yyjson_val *source)
{
    struct schema_node *node = json_arena_alloc(&c->schema->arena, sizeof *node);

    if (!node)
        return NULL;
    node->source = source;
    node->max_length = node->max_items = node->max_properties = UINT64_MAX;
    c->nodes[source - c->text] = node;
    return node;
}

static int compile_value(struct compile *c, const struct compile_path *path, struct schema_node *node)
{
    yyjson_val *source = node->source;
    int status;

    if (!yyjson_is_obj(source) && !yyjson_is_bool(source))
        return compile_fail(c, path, "a schema is an object, true or false", kanal_str_of(NULL, 0));
    if (yyjson_is_false(source))
        node->flags |= SCHEMA_NEVER;
    if (!yyjson_is_obj(source))
        return 0;
    if (c->depth >= SCHEMA_DEPTH)
        return compile_fail(c, path, "the schema is nested too deeply", kanal_str_of(NULL, 0));
    c->depth++;
    status = compile_keywords(c, path, node, source);
    c->depth--;
    return status;
}

struct schema_node *compile_node(struct compile *c, const struct compile_path *path, yyjson_val *source)
{
    struct schema_node *node = c->nodes[source - c->text];

    if (c->failed || node)
        return c->failed ? NULL : node;
    node = new_node(c, source);
    if (!node)
        compile_fail(c, path, "out of memory", kanal_str_of(NULL, 0));
    return node && compile_value(c, path, node) == 0 ? node : NULL;
}

struct schema_node *compile_reference(struct compile *c, const struct compile_path *path, yyjson_val *ref)
{
    kanal_str pointer = kanal_json_text(ref);
    struct compile_pending *pending;
    yyjson_val *target;

    if (pointer.len == 0 || pointer.ptr[0] != '#') {
        compile_fail(c, path, "only references into the same schema are supported, found", pointer);
        return NULL;
    }
    target = pointer.len == 1 ? c->text : yyjson_ptr_getn(c->text, pointer.ptr + 1, pointer.len - 1);
    if (!target) {
        compile_fail(c, path, "there is no", pointer);
        return NULL;
    }
    if (c->nodes[target - c->text])
        return c->nodes[target - c->text];
    pending = json_arena_alloc(&c->schema->arena, sizeof *pending);
    if (!pending || !new_node(c, target)) {
        compile_fail(c, path, "out of memory", kanal_str_of(NULL, 0));
        return NULL;
    }
    pending->node = c->nodes[target - c->text];
    pending->name = kanal_str_from(pointer, 2);
    pending->next = c->pending;
    c->pending = pending;
    return pending->node;
}

/* Targets of references are compiled here and not where they are met, so that a long chain of them needs no stack. */
static void compile_pending_nodes(struct compile *c)
{
    while (c->pending && !c->failed) {
        struct compile_pending *pending = c->pending;
        struct compile_path path = compile_below(NULL, pending->name);

        c->pending = pending->next;
        compile_value(c, &path, pending->node);
    }
}

/* ---- Loops that stay at one instance ---- */

#define COLOUR_OPEN 1u
#define COLOUR_DONE 2u

static int find_loop(struct schema_node *node, uint32_t depth);

static int find_loop_in(const struct schema_list *list, uint32_t depth)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (find_loop(list->nodes[i], depth))
            return 1;
    return 0;
}

static int find_loop(struct schema_node *node, uint32_t depth)
{
    int found;

    if (!node || node->colour == COLOUR_DONE)
        return 0;
    if (node->colour == COLOUR_OPEN || depth > SCHEMA_DEPTH)
        return 1;
    node->colour = COLOUR_OPEN;
    found = find_loop(node->ref, depth + 1) || find_loop(node->negated, depth + 1) ||
            find_loop(node->condition, depth + 1) || find_loop(node->consequent, depth + 1) ||
            find_loop(node->alternative, depth + 1) || find_loop_in(&node->all_of, depth + 1) ||
            (node->any_of && find_loop_in(&node->any_of->branches, depth + 1)) ||
            (node->one_of && find_loop_in(&node->one_of->branches, depth + 1));
    node->colour = COLOUR_DONE;
    return found;
}

static int finish_nodes(struct compile *c, size_t count)
{
    for (size_t i = 0; i < count && !c->failed; i++)
        if (c->nodes[i] && find_loop(c->nodes[i], 0))
            compile_fail(c, NULL,
                         "$ref, allOf, anyOf, oneOf or not go round in a circle, or are chained too long",
                         kanal_str_of(NULL, 0));
    for (size_t i = 0; i < count && !c->failed; i++)
        if (c->nodes[i] && compile_shortcuts(c, c->nodes[i]) != 0)
            compile_fail(c, NULL, "out of memory", kanal_str_of(NULL, 0));
    return c->failed ? -1 : 0;
}

/* ---- Life ---- */

static int index_definitions(struct compile *c)
{
    yyjson_val *definitions = yyjson_obj_get(c->text, "$defs"), *key;
    yyjson_obj_iter iter = yyjson_obj_iter_with(definitions);

    if (schema_names_init(&c->schema->definitions, &c->schema->arena, yyjson_obj_size(definitions)) != 0)
        return -1;
    while (definitions && (key = yyjson_obj_iter_next(&iter)))
        schema_names_add(&c->schema->definitions, schema_text(key))->node =
            c->nodes[yyjson_obj_iter_get_val(key) - c->text];
    return 0;
}

int json_schema_new(struct json_schema **ret_schema, kanal_str text, struct kanal_buffer *error)
{
    struct json_schema *schema = calloc(1, sizeof *schema);
    struct compile c = { .schema = schema, .error = error };
    size_t count = 0;

    if (schema)
        schema->doc = kanal_json_parse(text);
    if (schema && schema->doc) {
        c.text = yyjson_doc_get_root(schema->doc);
        count = yyjson_doc_get_val_count(schema->doc);
        c.nodes = calloc(count, sizeof *c.nodes);
    } else {
        compile_fail(&c, NULL, schema ? "the schema is no JSON, or is nested too deeply" : "out of memory",
                     kanal_str_of(NULL, 0));
    }
    if (!c.failed && !c.nodes)
        compile_fail(&c, NULL, "out of memory", kanal_str_of(NULL, 0));
    if (!c.failed)
        schema->root = compile_node(&c, NULL, c.text);
    compile_pending_nodes(&c);
    if (!c.failed && (finish_nodes(&c, count) != 0 || index_definitions(&c) != 0 || schema->arena.failed))
        compile_fail(&c, NULL, "out of memory", kanal_str_of(NULL, 0));
    free(c.nodes);
    if (c.failed) {
        json_schema_free(schema);
        return KANAL_E_INVALID;
    }
    *ret_schema = schema;
    return 0;
}

void json_schema_free(struct json_schema *schema)
{
    if (!schema)
        return;
    while (schema->regexes) {
        json_regex_free(schema->regexes->regex);
        schema->regexes = schema->regexes->next;
    }
    yyjson_doc_free(schema->doc);
    json_arena_release(&schema->arena);
    free(schema);
}
