/* json/shortcuts.c - finds what lets checking choose a branch by one look-up: discriminators of oneOf and anyOf, and allOf
 * lists of if/then over the values of one member. */
#include <string.h>
#include "compile.h"
#include "kanal/sdk/str.h"

/* ---- Discriminators ---- */

#define SEARCH_DEPTH 4u /* through ref and allOf; deeper ones are checked the slow way */
#define SEARCH_WIDTH 64u

/* The schema that limits the member to some strings, found in the node itself or in what holds together with it; or NULL. */
static const struct schema_node *fixed_member_at(const struct schema_node *node, kanal_str key,
                                                 uint32_t depth)
{
    const struct schema_name *name = schema_names_find(&node->names, key.ptr, key.len);
    const struct schema_node *found = name ? name->node : NULL;

    if (found && (yyjson_is_str(found->constant) || found->enum_names))
        return found;
    if (depth == SEARCH_DEPTH)
        return NULL;
    found = node->ref ? fixed_member_at(node->ref, key, depth + 1) : NULL;
    for (uint32_t i = 0; i < node->all_of.count && i < SEARCH_WIDTH && !found; i++)
        found = fixed_member_at(node->all_of.nodes[i], key, depth + 1);
    return found;
}

static const struct schema_node *fixed_member(const struct schema_node *node, kanal_str key)
{
    return fixed_member_at(node, key, 0);
}

static int is_discriminator(const struct schema_union *branches, kanal_str key)
{
    for (uint32_t i = 0; i < branches->branches.count; i++)
        if (!fixed_member(branches->branches.nodes[i], key))
            return 0;
    return 1;
}

static kanal_str find_discriminator(const struct schema_union *branches, const struct schema_node *first,
                                    uint32_t depth)
{
    kanal_str key = { NULL, 0 };

    for (uint32_t i = 0; first->names.count > 0 && i <= first->names.mask && !key.ptr; i++) {
        const struct schema_name *name = &first->names.slots[i];
        if (name->name.ptr && name->node && is_discriminator(branches, name->name))
            key = name->name;
    }
    if (depth == SEARCH_DEPTH)
        return key;
    if (!key.ptr && first->ref)
        key = find_discriminator(branches, first->ref, depth + 1);
    for (uint32_t i = 0; i < first->all_of.count && i < SEARCH_WIDTH && !key.ptr; i++)
        key = find_discriminator(branches, first->all_of.nodes[i], depth + 1);
    return key;
}

static size_t value_count(const struct schema_node *member)
{
    return member->enum_names ? yyjson_arr_size(member->enumeration) : 1;
}

static void add_values(struct schema_names *values, const struct schema_node *member, uint64_t bit)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(member->enumeration);
    yyjson_val *item;

    if (!member->enum_names) {
        schema_names_add(values, schema_text(member->constant))->branches |= bit;
        return;
    }
    while ((item = yyjson_arr_iter_next(&iter)))
        schema_names_add(values, schema_text(item))->branches |= bit;
}

/* {"required": […]} and perhaps a `not`. */
static int says_only_keys(const struct schema_node *node)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(node->source);
    yyjson_val *key;

    if (node->required_mask == 0)
        return 0;
    while ((key = yyjson_obj_iter_next(&iter)))
        if (!yyjson_equals_str(key, "required") && !yyjson_equals_str(key, "not"))
            return 0;
    return 1;
}

static int prepare_union(struct compile *c, struct schema_union *branches)
{
    size_t count = 0;

    branches->keys_only = 1;
    for (uint32_t i = 0; i < branches->branches.count; i++)
        branches->keys_only = branches->keys_only && says_only_keys(branches->branches.nodes[i]);
    if (branches->branches.count < 2 || branches->branches.count > SCHEMA_BRANCHES)
        return 0;
    branches->discriminator = find_discriminator(branches, branches->branches.nodes[0], 0);
    if (!branches->discriminator.ptr)
        return 0;
    for (uint32_t i = 0; i < branches->branches.count; i++)
        count += value_count(fixed_member(branches->branches.nodes[i], branches->discriminator));
    if (schema_names_init(&branches->values, &c->schema->arena, count) != 0)
        return -1;
    for (uint32_t i = 0; i < branches->branches.count; i++)
        add_values(&branches->values, fixed_member(branches->branches.nodes[i], branches->discriminator),
                   UINT64_C(1) << i);
    return 0;
}

/* ---- Selectors ---- */

/* The one member that the `if` looks at, when it looks at nothing else; or an absent string. */
static kanal_str selecting_key(const struct schema_node *member)
{
    const kanal_str none = { NULL, 0 };
    const struct schema_node *condition = member->condition;
    yyjson_val *properties, *required;
    yyjson_obj_iter iter;
    kanal_str key;

    if (!condition || !member->consequent || yyjson_obj_size(member->source) != 2)
        return none;
    properties = yyjson_obj_get(condition->source, "properties");
    required = yyjson_obj_get(condition->source, "required");
    if (yyjson_obj_size(properties) != 1 || yyjson_obj_size(condition->source) != 1u + (required != NULL))
        return none;
    iter = yyjson_obj_iter_with(properties);
    key = schema_text(yyjson_obj_iter_next(&iter));
    if (required &&
        (yyjson_arr_size(required) != 1 || !kanal_str_equal(schema_text(yyjson_arr_get(required, 0)), key)))
        return none;
    return fixed_member(condition, key) && yyjson_obj_size(yyjson_obj_getn(properties, key.ptr, key.len)) == 1
               ? key
               : none;
}

static kanal_str choose_key(const struct schema_list *list, size_t *ret_members, size_t *ret_values)
{
    kanal_str chosen = { NULL, 0 };

    *ret_members = *ret_values = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        kanal_str key = selecting_key(list->nodes[i]);
        if (!key.ptr || (chosen.ptr && !kanal_str_equal(key, chosen)))
            continue;
        chosen = key;
        ++*ret_members;
        *ret_values += value_count(fixed_member(list->nodes[i]->condition, key));
    }
    return chosen;
}

static int prepare_selector(struct compile *c, struct schema_node *node)
{
    struct schema_list *list = &node->all_of;
    size_t members, values;
    kanal_str key = choose_key(list, &members, &values);
    struct schema_switch *selector;
    uint32_t kept = 0;

    if (members < 2 || members > SCHEMA_BRANCHES)
        return 0;
    selector = json_arena_alloc(&c->schema->arena, sizeof *selector);
    if (!selector || schema_names_init(&selector->values, &c->schema->arena, values) != 0)
        return -1;
    selector->key = key;
    selector->members.nodes = json_arena_alloc(&c->schema->arena, members * sizeof *selector->members.nodes);
    if (!selector->members.nodes)
        return -1;
    for (uint32_t i = 0; i < list->count; i++) {
        struct schema_node *member = list->nodes[i];
        uint64_t bit = UINT64_C(1) << (selector->members.count & 63);
        if (!kanal_str_equal(selecting_key(member), key) || !selecting_key(member).ptr) {
            list->nodes[kept++] = member;
            continue;
        }
        add_values(&selector->values, fixed_member(member->condition, key), bit);
        if (member->condition->required_mask == 0)
            selector->absent |= bit;
        selector->members.nodes[selector->members.count++] = member->consequent;
    }
    list->count = kept;
    node->selector = selector;
    return 0;
}

int compile_shortcuts(struct compile *c, struct schema_node *node)
{
    if (prepare_selector(c, node) != 0)
        return -1;
    if (node->any_of && prepare_union(c, node->any_of) != 0)
        return -1;
    return node->one_of ? prepare_union(c, node->one_of) : 0;
}
