/* json/union.c - oneOf and anyOf: which branch counts, and which one to speak of when none fits. */
#include "check.h"
#include "kanal/sdk/str.h"

static const kanal_str no_member = { NULL, 0 };

static uint64_t all_branches(const struct schema_union *branches)
{
    return branches->branches.count >= 64 ? UINT64_MAX : (UINT64_C(1) << branches->branches.count) - 1;
}

/* The types a branch accepts, looked up through its references; 0: any. */
static uint32_t branch_types(const struct schema_node *node)
{
    for (int i = 0; i < 4 && node->ref && !node->types; i++)
        node = node->ref;
    return node->types;
}

/* ---- When nothing fits ---- */

static const struct schema_name *nth_name(const struct schema_names *names, uint32_t order)
{
    uint32_t i = 0;

    while (!names->slots[i].name.ptr || names->slots[i].order != order)
        i++;
    return &names->slots[i];
}

static void tell_discriminator(struct check *c, const struct schema_union *branches, yyjson_val *value,
                               const struct check_place *place)
{
    struct check_place below = { place, branches->discriminator, 0 };
    struct kanal_buffer message = { 0 };
    const struct schema_names *values = &branches->values;

    if (!check_failed(c))
        return;
    kanal_buffer_text(&message, "expected ");
    for (uint32_t i = 0; i < values->count; i++) {
        kanal_buffer_text(&message, i == 0 ? "" : i + 1 == values->count ? " or " : ", ");
        json_quote(&message, nth_name(values, i)->name);
    }
    kanal_buffer_text(&message, ", found ");
    schema_say_found(&message, c->secret > 0, value);
    if (yyjson_is_str(value) && c->secret == 0)
        schema_say_similar(&message, schema_text(value), values);
    check_tell(c, &below, no_member, &message);
    kanal_buffer_release(&message);
}

static void tell_keys(struct check *c, const struct schema_union *branches, const struct check_place *place,
                      const char *words)
{
    struct kanal_buffer message = { 0 };

    if (!check_failed(c))
        return;
    kanal_buffer_text(&message, words);
    for (uint32_t i = 0; i < branches->branches.count; i++) {
        const struct schema_node *branch = branches->branches.nodes[i];
        if (i > 0)
            kanal_buffer_text(&message, i + 1 == branches->branches.count ? " or " : ", ");
        for (uint32_t bit = 0; bit < SCHEMA_REQUIRED && branch->required_mask >> bit; bit++) {
            if (bit > 0)
                kanal_buffer_text(&message, " and ");
            json_quote(&message, branch->required_names[bit]);
        }
    }
    check_tell(c, place, no_member, &message);
    kanal_buffer_release(&message);
}

static void tell_types(struct check *c, const struct schema_union *branches, yyjson_val *value,
                       const struct check_place *place)
{
    struct kanal_buffer message = { 0 };

    if (!check_failed(c))
        return;
    kanal_buffer_text(&message, "expected ");
    for (uint32_t i = 0; i < branches->branches.count && i < 16; i++) {
        if (i > 0)
            kanal_buffer_text(&message, i + 1 == branches->branches.count ? " or " : ", ");
        schema_say_expected(&message, branches->branches.nodes[i]);
    }
    kanal_buffer_text(&message, ", found ");
    schema_say_found(&message, c->secret > 0, value);
    check_tell(c, place, no_member, &message);
    kanal_buffer_release(&message);
}

/* The branch of a fitting type with the fewest errors, the first of equals; NULL: no type fits. */
static const struct schema_node *nearest_branch(struct check *c, const struct schema_union *branches,
                                                uint64_t mask, yyjson_val *value,
                                                const struct check_place *place)
{
    const struct schema_node *best = NULL;
    size_t fewest = SIZE_MAX;

    for (uint32_t i = 0; i < branches->branches.count; i++) {
        const struct schema_node *branch = branches->branches.nodes[i];
        uint32_t types = branch_types(branch);
        size_t errors;
        if ((i < 64 && !(mask >> i & 1)) || (types && !(types & schema_type_of(value))))
            continue;
        errors = check_count(c, branch, value, place, SCHEMA_ERRORS);
        if (errors < fewest) {
            fewest = errors;
            best = branch;
        }
    }
    return best;
}

static int all_scalar(const struct schema_union *branches)
{
    for (uint32_t i = 0; i < branches->branches.count; i++) {
        uint32_t types = branch_types(branches->branches.nodes[i]);
        if (types == 0 || (types & (SCHEMA_OBJECT | SCHEMA_ARRAY)))
            return 0;
    }
    return 1;
}

static void tell_none(struct check *c, const struct schema_union *branches, uint64_t mask, yyjson_val *value,
                      const struct check_place *place)
{
    const struct schema_node *best;

    if (!c->error) {
        check_failed(c);
        return;
    }
    if (branches->keys_only && yyjson_is_obj(value)) {
        tell_keys(c, branches, place,
                  branches->exactly_one ? "exactly one is required: " : "at least one is required: ");
        return;
    }
    best = all_scalar(branches) ? NULL : nearest_branch(c, branches, mask, value, place);
    if (best)
        check_node(c, best, value, place);
    else
        tell_types(c, branches, value, place);
}

static void tell_several(struct check *c, const struct schema_union *branches, yyjson_val *value,
                         const struct check_place *place)
{
    if (branches->keys_only && yyjson_is_obj(value))
        tell_keys(c, branches, place, "only one may be there: ");
    else
        check_fail(c, place, no_member, "fits more than one of the allowed forms, expected exactly one");
}

/* ---- Checking ---- */

/* Which branches can fit; *ret_found: the discriminator's value. */
static uint64_t possible_branches(const struct schema_union *branches, yyjson_val *value,
                                  yyjson_val **ret_found)
{
    const struct schema_name *name = NULL;

    *ret_found = NULL;
    if (!branches->discriminator.ptr || !yyjson_is_obj(value))
        return all_branches(branches);
    *ret_found = yyjson_obj_getn(value, branches->discriminator.ptr, branches->discriminator.len);
    if (!*ret_found)
        return all_branches(branches);
    if (yyjson_is_str(*ret_found))
        name = schema_names_find(&branches->values, yyjson_get_str(*ret_found), yyjson_get_len(*ret_found));
    return name ? name->branches : 0;
}

void check_union(struct check *c, const struct schema_union *branches, yyjson_val *value,
                 const struct check_place *place)
{
    yyjson_val *found;
    uint64_t mask = possible_branches(branches, value, &found);
    uint32_t fitting = 0;

    if (mask == 0) {
        tell_discriminator(c, branches, found, place);
        return;
    }
    for (uint32_t i = 0; i < branches->branches.count && !check_stopped(c); i++) {
        if (i < 64 && !(mask >> i & 1))
            continue;
        if ((mask & (mask - 1)) == 0 && branches->branches.count <= 64) {
            check_node(c, branches->branches.nodes[i], value,
                       place); /* the only one: it may speak for itself */
            return;
        }
        if (check_count(c, branches->branches.nodes[i], value, place, 1) > 0)
            continue;
        if (!branches->exactly_one)
            return;
        if (++fitting > 1)
            break;
    }
    if (check_stopped(c))
        return;
    if (fitting > 1)
        tell_several(c, branches, value, place);
    else if (fitting == 0)
        tell_none(c, branches, mask, value, place);
}
