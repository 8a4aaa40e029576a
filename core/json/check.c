/* json/check.c - an instance against a compiled schema. Allocates nothing unless something is wrong. */
#include <string.h>
#include "check.h"
#include "kanal/sdk/str.h"

#define RECURSION 512u
/* A schema visits a value a handful of times, a few dozen with nested branches; these leave room and still bound the time. */
#define STEPS_BASE 65536u
#define STEPS_PER_VALUE 256u
#define BYTES_PER_STEP 1024u

static const kanal_str no_member = { NULL, 0 };

static int charge(struct check *c, uint64_t steps)
{
    if (c->steps < steps) {
        c->steps = 0;
        c->exhausted = 1;
        return 0;
    }
    c->steps -= steps;
    return 1;
}

/* ---- Telling ---- */

static void append_pointer(struct kanal_buffer *out, const struct check_place *place)
{
    if (!place)
        return;
    append_pointer(out, place->up);
    kanal_buffer_byte(out, '/');
    if (!place->key.ptr) {
        kanal_buffer_uint(out, place->index);
        return;
    }
    for (size_t i = 0; i < place->key.len; i++) {
        char letter = place->key.ptr[i];
        if (letter == '~' || letter == '/')
            kanal_buffer_text(out, letter == '~' ? "~0" : "~1");
        else
            kanal_buffer_byte(out, letter);
    }
}

int check_failed(struct check *c)
{
    c->errors++;
    return c->error != NULL;
}

void check_tell(struct check *c, const struct check_place *place, kanal_str member,
                const struct kanal_buffer *message)
{
    struct kanal_buffer pointer = { 0 };
    kanal_str text = kanal_buffer_view(message);

    append_pointer(&pointer, place);
    if (!text.ptr)
        text = KANAL_LIT("out of memory while telling what is wrong");
    c->error(c->user, kanal_str_of(pointer.data ? pointer.data : "", pointer.failed ? 0 : pointer.len),
             member, text);
    kanal_buffer_release(&pointer);
}

void check_fail(struct check *c, const struct check_place *place, kanal_str member, const char *words)
{
    struct kanal_buffer message = { 0 };

    if (!check_failed(c))
        return;
    kanal_buffer_text(&message, words);
    check_tell(c, place, member, &message);
    kanal_buffer_release(&message);
}

void check_mismatch(struct check *c, const struct schema_node *node, yyjson_val *value,
                    const struct check_place *place)
{
    struct kanal_buffer message = { 0 };

    if (!check_failed(c))
        return;
    kanal_buffer_text(&message, "expected ");
    schema_say_expected(&message, node);
    kanal_buffer_text(&message, ", found ");
    schema_say_found(&message, c->secret > 0, value);
    check_tell(c, place, no_member, &message);
    kanal_buffer_release(&message);
}

/* ---- Scalars ---- */

static int string_matches(struct check *c, const struct schema_node *node, yyjson_val *value)
{
    kanal_str text = schema_text(value);

    if (!charge(c, text.len / BYTES_PER_STEP))
        return 1;
    if (node->min_length > 0 || node->max_length != UINT64_MAX) {
        uint64_t length = schema_text_length(text.ptr, text.len);
        if (length < node->min_length || length > node->max_length)
            return 0;
    }
    if (node->pattern && !json_regex_match(node->pattern, text))
        return 0;
    return !node->format || json_format_check(node->format, text);
}

static int number_matches(const struct schema_node *node, yyjson_val *value)
{
    if (node->minimum && schema_number_compare(value, node->minimum) < 0)
        return 0;
    if (node->maximum && schema_number_compare(value, node->maximum) > 0)
        return 0;
    if (node->exclusive_minimum && schema_number_compare(value, node->exclusive_minimum) <= 0)
        return 0;
    if (node->exclusive_maximum && schema_number_compare(value, node->exclusive_maximum) >= 0)
        return 0;
    return !node->multiple_of || schema_number_multiple(value, node->multiple_of);
}

static int in_enumeration(struct check *c, const struct schema_node *node, yyjson_val *value)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(node->enumeration);
    yyjson_val *item;

    if (node->enum_names)
        return yyjson_is_str(value) &&
               schema_names_find(node->enum_names, yyjson_get_str(value), yyjson_get_len(value)) != NULL;
    while ((item = yyjson_arr_iter_next(&iter)))
        if (schema_equal(item, value, &c->steps))
            return 1;
    return 0;
}

/* ---- Arrays ---- */

static void check_unique(struct check *c, yyjson_val *array, const struct check_place *place)
{
    size_t size = yyjson_arr_size(array), i = 0;
    yyjson_arr_iter outer = yyjson_arr_iter_with(array);
    yyjson_val *item;

    for (; i < size && charge(c, i); i++) {
        yyjson_arr_iter inner = yyjson_arr_iter_with(array);
        item = yyjson_arr_iter_next(&outer);
        for (size_t j = 0; j < i; j++) {
            struct check_place below = { place, no_member, i };
            struct kanal_buffer message = { 0 };
            if (!schema_equal(yyjson_arr_iter_next(&inner), item, &c->steps))
                continue;
            if (check_failed(c)) {
                kanal_buffer_text(&message, "expected items that differ, found ");
                schema_say_found(&message, c->secret > 0, item);
                kanal_buffer_text(&message, " twice");
                check_tell(c, &below, no_member, &message);
                kanal_buffer_release(&message);
            }
            return;
        }
    }
}

static void check_array(struct check *c, const struct schema_node *node, yyjson_val *array,
                        const struct check_place *place)
{
    size_t size = yyjson_arr_size(array);
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    yyjson_val *item;

    if (size < node->min_items || size > node->max_items)
        check_mismatch(c, node, array, place);
    if (node->flags & SCHEMA_UNIQUE)
        check_unique(c, array, place);
    if (!node->items && node->prefix.count == 0)
        return;
    for (size_t i = 0; (item = yyjson_arr_iter_next(&iter)) && !check_stopped(c); i++) {
        struct check_place below = { place, no_member, i };
        const struct schema_node *schema = i < node->prefix.count ? node->prefix.nodes[i] : node->items;
        if (!schema)
            break;
        check_node(c, schema, item, &below);
    }
}

/* ---- Objects ---- */

static void unknown_member(struct check *c, const struct schema_node *node, kanal_str key,
                           const struct check_place *place)
{
    struct kanal_buffer message = { 0 };

    if (!check_failed(c))
        return;
    kanal_buffer_text(&message, "unknown key");
    schema_say_similar(&message, key, &node->names);
    check_tell(c, place, key, &message);
    kanal_buffer_release(&message);
}

static void check_member(struct check *c, const struct schema_node *node, const struct schema_node *known,
                         yyjson_val *key, const struct check_place *place)
{
    yyjson_val *value = yyjson_obj_iter_get_val(key);
    struct check_place below = { place, schema_text(key), 0 };
    int matched = known != NULL;

    if (known)
        check_node(c, known, value, &below);
    for (uint32_t i = 0; i < node->pattern_count; i++)
        if (json_regex_match(node->patterns[i].regex, below.key)) {
            check_node(c, node->patterns[i].node, value, &below);
            matched = 1;
        }
    if (!matched && node->additional) {
        if (node->additional->flags & SCHEMA_NEVER)
            unknown_member(c, node, below.key, place);
        else
            check_node(c, node->additional, value, &below);
    }
    if (node->property_names)
        check_node(c, node->property_names, key, &below);
}

static void check_dependents(struct check *c, const struct schema_node *node, yyjson_val *object,
                             const struct check_place *place)
{
    for (uint32_t i = 0; i < node->dependent_count; i++) {
        const struct schema_dependent *dependent = &node->dependents[i];
        yyjson_arr_iter iter = yyjson_arr_iter_with(dependent->required);
        yyjson_val *name;

        if (!charge(c, yyjson_obj_size(object)) ||
            !yyjson_obj_getn(object, dependent->name.ptr, dependent->name.len))
            continue;
        while ((name = yyjson_arr_iter_next(&iter))) {
            struct kanal_buffer message = { 0 };
            if (yyjson_obj_getn(object, yyjson_get_str(name), yyjson_get_len(name)) || !check_failed(c))
                continue;
            kanal_buffer_text(&message, "required together with ");
            json_quote(&message, dependent->name);
            kanal_buffer_text(&message, ", but missing");
            check_tell(c, place, schema_text(name), &message);
            kanal_buffer_release(&message);
        }
    }
}

static void check_object(struct check *c, const struct schema_node *node, yyjson_val *object,
                         const struct check_place *place)
{
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    size_t size = yyjson_obj_size(object);
    uint64_t missing = node->required_mask;
    yyjson_val *key;

    if (size < node->min_properties || size > node->max_properties)
        check_mismatch(c, node, object, place);
    while ((key = yyjson_obj_iter_next(&iter)) && !check_stopped(c)) {
        const struct schema_name *name =
            schema_names_find(&node->names, yyjson_get_str(key), yyjson_get_len(key));
        if (name && name->required >= 0)
            missing &= ~(UINT64_C(1) << name->required);
        check_member(c, node, name ? name->node : NULL, key, place);
    }
    for (uint32_t i = 0; missing != 0 && !check_stopped(c); i++, missing >>= 1)
        if (missing & 1)
            check_fail(c, place, node->required_names[i], "required, but missing");
    check_dependents(c, node, object, place);
}

/* ---- The same instance again ---- */

size_t check_count(struct check *c, const struct schema_node *node, yyjson_val *value,
                   const struct check_place *place, size_t limit)
{
    json_schema_error_fn *error = c->error;
    size_t errors = c->errors, outer_limit = c->limit, count;

    c->error = NULL;
    c->errors = 0;
    c->limit = limit;
    check_node(c, node, value, place);
    count = c->errors;
    c->error = error;
    c->errors = errors;
    c->limit = outer_limit;
    return count;
}

static void check_selector(struct check *c, const struct schema_switch *selector, yyjson_val *value,
                           const struct check_place *place)
{
    uint64_t holds = UINT64_MAX; /* `properties` and `required` say nothing about what is no object */
    const struct schema_name *name;

    if (yyjson_is_obj(value)) {
        yyjson_val *member = yyjson_obj_getn(value, selector->key.ptr, selector->key.len);
        name = yyjson_is_str(member)
                   ? schema_names_find(&selector->values, yyjson_get_str(member), yyjson_get_len(member))
                   : NULL;
        holds = !member ? selector->absent : name ? name->branches : 0;
    }
    for (uint32_t i = 0; i < selector->members.count && !check_stopped(c); i++)
        if (holds >> i & 1)
            check_node(c, selector->members.nodes[i], value, place);
}

/* What `not` forbids is mostly some values of one member: told there. */
static void check_negated(struct check *c, const struct schema_node *negated, yyjson_val *value,
                          const struct check_place *place)
{
    struct kanal_buffer message = { 0 };
    yyjson_val *member = NULL;
    struct check_place below = { place, no_member, 0 };
    int sure;

    if (check_count(c, negated, value, place, 1) > 0 || check_stopped(c) || !check_failed(c))
        return;
    for (uint32_t i = 0; negated->names.count == 1 && i <= negated->names.mask; i++)
        if (negated->names.slots[i].name.ptr && negated->names.slots[i].node)
            below.key = negated->names.slots[i].name;
    if (below.key.ptr)
        member = yyjson_obj_getn(value, below.key.ptr, below.key.len);
    sure = member != NULL && yyjson_is_str(member);
    schema_say_found(&message, c->secret > 0, sure ? member : value);
    kanal_buffer_text(&message, " is not allowed here");
    check_tell(c, sure ? &below : place, no_member, &message);
    kanal_buffer_release(&message);
}

static void check_in_place(struct check *c, const struct schema_node *node, yyjson_val *value,
                           const struct check_place *place)
{
    if (node->ref)
        check_node(c, node->ref, value, place);
    for (uint32_t i = 0; i < node->all_of.count; i++)
        check_node(c, node->all_of.nodes[i], value, place);
    if (node->selector)
        check_selector(c, node->selector, value, place);
    if (node->any_of && !check_stopped(c))
        check_union(c, node->any_of, value, place);
    if (node->one_of && !check_stopped(c))
        check_union(c, node->one_of, value, place);
    if (node->negated && !check_stopped(c))
        check_negated(c, node->negated, value, place);
    if (node->condition && (node->consequent || node->alternative) && !check_stopped(c)) {
        int holds = check_count(c, node->condition, value, place, 1) == 0;
        const struct schema_node *then = holds ? node->consequent : node->alternative;
        if (then)
            check_node(c, then, value, place);
    }
}

/* 0: wrong, and told; nothing more is said of this node then. */
static int check_value(struct check *c, const struct schema_node *node, yyjson_val *value, uint32_t type,
                       const struct check_place *place)
{
    int fits = !(node->flags & SCHEMA_NEVER) && (!node->types || (node->types & type));

    if (fits && node->constant)
        fits = schema_equal(node->constant, value, &c->steps);
    if (fits && node->enumeration)
        fits = in_enumeration(c, node, value);
    if (fits && type == SCHEMA_STRING && (node->flags & SCHEMA_ON_STRING))
        fits = string_matches(c, node, value);
    if (fits && (type & SCHEMA_NUMBER) && (node->flags & SCHEMA_ON_NUMBER))
        fits = number_matches(node, value);
    if (!fits && (node->flags & SCHEMA_NEVER))
        check_fail(c, place, no_member, "is not allowed here");
    else if (!fits)
        check_mismatch(c, node, value, place);
    return fits;
}

void check_node(struct check *c, const struct schema_node *node, yyjson_val *value,
                const struct check_place *place)
{
    uint32_t type = schema_type_of(value);
    uint32_t secret = (node->flags & SCHEMA_SECRET) != 0;

    if (check_stopped(c) || !charge(c, 1))
        return;
    if (c->recursion >= RECURSION) {
        check_fail(c, place, no_member, "nested too deeply");
        return;
    }
    c->recursion++;
    c->secret += secret;
    if (check_value(c, node, value, type, place)) {
        if (type == SCHEMA_OBJECT && (node->flags & SCHEMA_ON_OBJECT))
            check_object(c, node, value, place);
        else if (type == SCHEMA_ARRAY && (node->flags & SCHEMA_ON_ARRAY))
            check_array(c, node, value, place);
        if (node->flags & SCHEMA_IN_PLACE)
            check_in_place(c, node, value, place);
    }
    c->secret -= secret;
    c->recursion--;
}

/* ---- Calls from outside ---- */

static size_t check_from(const struct schema_node *node, yyjson_val *instance, json_schema_error_fn *error,
                         void *user)
{
    /* Values of a document lie one behind the other. */
    size_t values = instance ? (size_t)(unsafe_yyjson_get_next(instance) - instance) : 0;
    struct check c = { .error = error,
                       .user = user,
                       .limit = error ? SCHEMA_ERRORS : 1,
                       .steps = STEPS_BASE + (uint64_t)STEPS_PER_VALUE * values };

    if (!instance)
        check_fail(&c, NULL, no_member, "expected a value, found nothing");
    else
        check_node(&c, node, instance, NULL);
    /* What ran out of steps proves nothing. */
    if (c.exhausted || c.steps == 0)
        check_fail(&c, NULL, no_member, "too complex to check");
    return c.errors;
}

size_t json_schema_check(const struct json_schema *schema, yyjson_val *instance, json_schema_error_fn *error,
                         void *user)
{
    return check_from(schema->root, instance, error, user);
}

size_t json_schema_check_at(const struct json_schema *schema, const char *ref, yyjson_val *instance,
                            json_schema_error_fn *error, void *user)
{
    static const char prefix[] = "#/$defs/";
    const struct schema_name *name = NULL;

    if (strcmp(ref, "#") == 0)
        return check_from(schema->root, instance, error, user);
    if (strncmp(ref, prefix, sizeof prefix - 1) == 0)
        name =
            schema_names_find(&schema->definitions, ref + sizeof prefix - 1, strlen(ref + sizeof prefix - 1));
    return name ? check_from(name->node, instance, error, user) : SIZE_MAX;
}
