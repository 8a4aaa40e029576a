/* json/values.c - types, equality and numbers as JSON Schema sees them, and tables of names. */
#include <string.h>
#include "schema_tree.h"

#define EXACT 9007199254740992.0 /* 2^53: from here on every double is a whole number */

/* The nearest whole number; exact, and without libm. */
static double nearest(double x)
{
    if (x >= EXACT || x <= -EXACT)
        return x;
    return (double)(int64_t)(x < 0 ? x - 0.5 : x + 0.5);
}

uint32_t schema_type_of(yyjson_val *value)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        return SCHEMA_NULL;
    case YYJSON_TYPE_BOOL:
        return SCHEMA_BOOLEAN;
    case YYJSON_TYPE_STR:
        return SCHEMA_STRING;
    case YYJSON_TYPE_ARR:
        return SCHEMA_ARRAY;
    case YYJSON_TYPE_OBJ:
        return SCHEMA_OBJECT;
    case YYJSON_TYPE_NUM: {
        double real = yyjson_get_real(value);
        return yyjson_is_int(value) || real == nearest(real) ? SCHEMA_INTEGER : SCHEMA_FRACTION;
    }
    default:
        return 0; /* raw: yyjson makes none unless it is asked to */
    }
}

/* ---- Names ---- */

/* FNV-1a: keys are short, and the names of a table come from a schema, not from outside. */
static uint32_t hash(const char *name, size_t len)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)name[i]) * 16777619u;
    return h ^ h >> 15;
}

int schema_names_init(struct schema_names *names, struct json_arena *arena, size_t count)
{
    uint32_t size = 4;

    while (size < count * 2)
        size *= 2;
    names->slots = json_arena_alloc(arena, size * sizeof *names->slots);
    names->mask = size - 1;
    names->count = 0;
    return names->slots ? 0 : -1;
}

static struct schema_name *slot_of(const struct schema_names *names, const char *name, size_t len)
{
    uint32_t i = hash(name, len) & names->mask;

    while (names->slots[i].name.ptr) {
        if (names->slots[i].name.len == len && memcmp(names->slots[i].name.ptr, name, len) == 0)
            break;
        i = (i + 1) & names->mask;
    }
    return &names->slots[i];
}

struct schema_name *schema_names_add(struct schema_names *names, kanal_str name)
{
    struct schema_name *slot = slot_of(names, name.ptr, name.len);

    if (!slot->name.ptr) {
        slot->name = name;
        slot->required = -1;
        slot->order = names->count++;
    }
    return slot;
}

const struct schema_name *schema_names_find(const struct schema_names *names, const char *name, size_t len)
{
    const struct schema_name *slot;

    if (names->count == 0)
        return NULL;
    slot = slot_of(names, name, len);
    return slot->name.ptr ? slot : NULL;
}

/* ---- Numbers ---- */

int schema_number_compare(yyjson_val *a, yyjson_val *b)
{
    if (yyjson_is_int(a) && yyjson_is_int(b)) {
        int a_negative = yyjson_is_sint(a) && yyjson_get_sint(a) < 0;
        int b_negative = yyjson_is_sint(b) && yyjson_get_sint(b) < 0;
        uint64_t x = yyjson_get_uint(a), y = yyjson_get_uint(b);
        if (a_negative != b_negative)
            return a_negative ? -1 : 1;
        return x < y ? -1 : x > y; /* two's complement keeps the order among negative ones */
    } else {
        double x = yyjson_get_num(a), y = yyjson_get_num(b);
        return x < y ? -1 : x > y;
    }
}

int schema_number_multiple(yyjson_val *number, yyjson_val *of)
{
    double quotient, difference, allowed;

    if (yyjson_is_uint(number) && yyjson_is_uint(of))
        return yyjson_get_uint(number) % yyjson_get_uint(of) == 0;
    /* 0.3 is a multiple of 0.1 for people, though not in binary. */
    quotient = yyjson_get_num(number) / yyjson_get_num(of);
    difference = quotient - nearest(quotient);
    allowed = 1e-9 * (quotient > 1 ? quotient : quotient < -1 ? -quotient : 1);
    return difference <= allowed && difference >= -allowed;
}

uint64_t schema_text_length(const char *text, size_t bytes)
{
    uint64_t length = 0;

    for (size_t i = 0; i < bytes; i++)
        length += ((unsigned char)text[i] & 0xC0) != 0x80;
    return length;
}

/* ---- Equality ---- */

static int equal_at(yyjson_val *a, yyjson_val *b, uint64_t *steps, uint32_t depth);

static int equal_arrays(yyjson_val *a, yyjson_val *b, uint64_t *steps, uint32_t depth)
{
    yyjson_arr_iter x = yyjson_arr_iter_with(a), y = yyjson_arr_iter_with(b);
    yyjson_val *item;

    while ((item = yyjson_arr_iter_next(&x)))
        if (!equal_at(item, yyjson_arr_iter_next(&y), steps, depth))
            return 0;
    return 1;
}

static int equal_objects(yyjson_val *a, yyjson_val *b, uint64_t *steps, uint32_t depth)
{
    yyjson_obj_iter x = yyjson_obj_iter_with(a);
    size_t size = yyjson_obj_size(b);
    yyjson_val *key;

    while ((key = yyjson_obj_iter_next(&x))) {
        *steps -= size < *steps ? size : *steps; /* the look-up goes through all members */
        if (!equal_at(yyjson_obj_iter_get_val(key),
                      yyjson_obj_getn(b, yyjson_get_str(key), yyjson_get_len(key)), steps, depth))
            return 0;
    }
    return 1;
}

static int equal_at(yyjson_val *a, yyjson_val *b, uint64_t *steps, uint32_t depth)
{
    if (*steps == 0 || depth > SCHEMA_DEPTH || !a || !b)
        return 0;
    --*steps;
    if (yyjson_is_num(a) && yyjson_is_num(b))
        return schema_number_compare(a, b) == 0;
    if (yyjson_get_type(a) != yyjson_get_type(b) || yyjson_get_len(a) != yyjson_get_len(b))
        return 0;
    switch (yyjson_get_type(a)) {
    case YYJSON_TYPE_NULL:
        return 1;
    case YYJSON_TYPE_BOOL:
        return yyjson_get_bool(a) == yyjson_get_bool(b);
    case YYJSON_TYPE_STR:
        return memcmp(yyjson_get_str(a), yyjson_get_str(b), yyjson_get_len(a)) == 0;
    case YYJSON_TYPE_ARR:
        return equal_arrays(a, b, steps, depth + 1);
    case YYJSON_TYPE_OBJ:
        return equal_objects(a, b, steps, depth + 1);
    default:
        return 0;
    }
}

int schema_equal(yyjson_val *a, yyjson_val *b, uint64_t *steps)
{
    return equal_at(a, b, steps, 0);
}
