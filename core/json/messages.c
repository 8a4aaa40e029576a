/* json/messages.c - schemas and values in words, for operators. */
#include <stdlib.h>
#include <string.h>
#include "kanal/sdk/str.h"
#include "schema_tree.h"
#include "suggest.h"

#define SHOWN_BYTES 64u
#define SHOWN_VALUES 16u

/* ---- Values ---- */

static void say_character(struct kanal_buffer *out, kanal_str text, size_t at, size_t end)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char c = (unsigned char)text.ptr[at];

    /* Control characters, also the C1 ones (C2 80 to C2 9F), could move a terminal's cursor. */
    if (c < 0x20 || c == 0x7F || (c == 0xC2 && end - at == 2 && (unsigned char)text.ptr[at + 1] < 0xA0)) {
        unsigned char code = c == 0xC2 ? (unsigned char)text.ptr[at + 1] : c;
        kanal_buffer_text(out, c == '\n' ? "\\n" : c == '\t' ? "\\t" : c == '\r' ? "\\r" : "\\u00");
        if (c != '\n' && c != '\t' && c != '\r') {
            kanal_buffer_byte(out, hex[code >> 4]);
            kanal_buffer_byte(out, hex[code & 15]);
        }
        return;
    }
    if (c == '"' || c == '\\')
        kanal_buffer_byte(out, '\\');
    if (end - at == 1 && c >= 0x80)
        kanal_buffer_text(out, "\xEF\xBF\xBD"); /* one wrong byte */
    else
        kanal_buffer_append(out, text.ptr + at, end - at);
}

void json_quote(struct kanal_buffer *out, kanal_str text)
{
    size_t at = 0;

    kanal_buffer_byte(out, '"');
    while (at < text.len && at < SHOWN_BYTES) {
        size_t end = at;
        json_utf8_next(text, &end);
        say_character(out, text, at, end);
        at = end;
    }
    if (at < text.len)
        kanal_buffer_text(out, "\xE2\x80\xA6");
    kanal_buffer_byte(out, '"');
}

static void say_json(struct kanal_buffer *out, yyjson_val *value)
{
    size_t len = 0;
    char *text = yyjson_is_str(value) ? NULL : yyjson_val_write(value, 0, &len);

    if (yyjson_is_str(value))
        json_quote(out, schema_text(value));
    else if (text && len <= SHOWN_BYTES)
        kanal_buffer_append(out, text, len);
    else
        kanal_buffer_text(out, yyjson_is_arr(value) ? "a certain array" : "a certain object");
    free(text);
}

static void say_size(struct kanal_buffer *out, const char *thing, size_t size, const char *one)
{
    kanal_buffer_text(out, size == 0 ? "an empty " : "an ");
    kanal_buffer_text(out, thing);
    if (size == 0)
        return;
    kanal_buffer_text(out, " of ");
    kanal_buffer_uint(out, size);
    kanal_buffer_byte(out, ' ');
    kanal_buffer_text(out, one);
    if (size > 1)
        kanal_buffer_byte(out, 's');
}

void schema_say_found(struct kanal_buffer *out, int secret, yyjson_val *found)
{
    switch (yyjson_get_type(found)) {
    case YYJSON_TYPE_STR:
        if (secret)
            kanal_buffer_text(out, "a string");
        else
            json_quote(out, schema_text(found));
        if (yyjson_get_len(found) > SHOWN_BYTES || secret) {
            kanal_buffer_text(out, secret ? " of " : " (");
            kanal_buffer_uint(out, schema_text_length(yyjson_get_str(found), yyjson_get_len(found)));
            kanal_buffer_text(out, secret ? " characters" : " characters)");
        }
        break;
    case YYJSON_TYPE_NUM:
        kanal_buffer_text(out, secret ? "a number" : "the number ");
        if (!secret)
            say_json(out, found);
        break;
    case YYJSON_TYPE_ARR:
        say_size(out, "array", yyjson_arr_size(found), "item");
        break;
    case YYJSON_TYPE_OBJ:
        say_size(out, "object", yyjson_obj_size(found), "member");
        break;
    case YYJSON_TYPE_BOOL:
        kanal_buffer_text(out, secret ? "true or false" : yyjson_is_true(found) ? "true" : "false");
        break;
    default:
        kanal_buffer_text(out, "null");
    }
}

/* ---- Schemas ---- */

static void say_count(struct kanal_buffer *out, uint64_t least, uint64_t most, const char *one)
{
    if (least == 0 && most == UINT64_MAX)
        return;
    if (least == most)
        kanal_buffer_text(out, " of exactly ");
    else if (least == 0)
        kanal_buffer_text(out, " of at most ");
    else if (most == UINT64_MAX)
        kanal_buffer_text(out, " of at least ");
    else
        kanal_buffer_text(out, " of ");
    if (least > 0 && least != most) {
        kanal_buffer_uint(out, least);
        if (most != UINT64_MAX)
            kanal_buffer_text(out, " to ");
    }
    if (most != UINT64_MAX)
        kanal_buffer_uint(out, most);
    kanal_buffer_byte(out, ' ');
    kanal_buffer_text(out, one);
    if ((most == UINT64_MAX ? least : most) != 1)
        kanal_buffer_byte(out, 's');
}

static void say_string(struct kanal_buffer *out, const struct schema_node *node)
{
    kanal_buffer_text(out, node->format ? json_format_words(node->format) : "a string");
    if (node->min_length == 1 && node->max_length == UINT64_MAX)
        kanal_buffer_text(out, " that is not empty");
    else
        say_count(out, node->min_length, node->max_length, "character");
    if (node->pattern) {
        kanal_buffer_text(out, " that matches ");
        kanal_buffer_str(out, node->pattern_text);
    }
}

static void say_bound(struct kanal_buffer *out, const char *words, yyjson_val *bound)
{
    if (!bound)
        return;
    kanal_buffer_text(out, words);
    say_json(out, bound);
}

static void say_number(struct kanal_buffer *out, const struct schema_node *node, const char *thing)
{
    kanal_buffer_text(out, thing);
    if (node->minimum && node->maximum) {
        say_bound(out, " from ", node->minimum);
        say_bound(out, " to ", node->maximum);
    } else {
        int has_lower = node->minimum || node->exclusive_minimum;
        say_bound(out, " of at least ", node->minimum);
        say_bound(out, " above ", node->exclusive_minimum);
        say_bound(out, has_lower ? " and at most " : " of at most ", node->maximum);
        say_bound(out, has_lower ? " and below " : " below ", node->exclusive_maximum);
    }
    say_bound(out, ", a multiple of ", node->multiple_of);
}

static void say_type(struct kanal_buffer *out, const struct schema_node *node, uint32_t type)
{
    switch (type) {
    case SCHEMA_STRING:
        say_string(out, node);
        break;
    case SCHEMA_INTEGER:
        say_number(out, node, "a whole number");
        break;
    case SCHEMA_NUMBER:
        say_number(out, node, "a number");
        break;
    case SCHEMA_BOOLEAN:
        kanal_buffer_text(out, "true or false");
        break;
    case SCHEMA_NULL:
        kanal_buffer_text(out, "null");
        break;
    case SCHEMA_ARRAY:
        kanal_buffer_text(out, "an array");
        say_count(out, node->min_items, node->max_items, "item");
        break;
    default:
        kanal_buffer_text(out, "an object");
        say_count(out, node->min_properties, node->max_properties, "member");
    }
}

static void say_enumeration(struct kanal_buffer *out, yyjson_val *values)
{
    size_t count = yyjson_arr_size(values), shown = count > SHOWN_VALUES ? SHOWN_VALUES : count;
    yyjson_arr_iter iter = yyjson_arr_iter_with(values);

    for (size_t i = 0; i < shown; i++) {
        if (i > 0)
            kanal_buffer_text(out, i + 1 == count ? " or " : ", ");
        say_json(out, yyjson_arr_iter_next(&iter));
    }
    if (shown < count)
        kanal_buffer_text(out, ", \xE2\x80\xA6");
}

/* Types that are not said but follow from what is asserted. */
static uint32_t implied_types(const struct schema_node *node)
{
    uint32_t types = node->types;

    if (types)
        return types;
    types |= node->flags & SCHEMA_ON_STRING ? SCHEMA_STRING : 0;
    types |= node->flags & SCHEMA_ON_NUMBER ? SCHEMA_NUMBER : 0;
    types |= node->flags & SCHEMA_ON_ARRAY ? SCHEMA_ARRAY : 0;
    types |= node->flags & SCHEMA_ON_OBJECT ? SCHEMA_OBJECT : 0;
    return types;
}

static void say_types(struct kanal_buffer *out, const struct schema_node *node)
{
    static const uint32_t order[] = { SCHEMA_STRING, SCHEMA_NUMBER, SCHEMA_INTEGER, SCHEMA_BOOLEAN,
                                      SCHEMA_ARRAY,  SCHEMA_OBJECT, SCHEMA_NULL };
    uint32_t left = implied_types(node), said = 0;

    for (size_t i = 0; i < sizeof order / sizeof *order && left; i++) {
        if ((left & order[i]) != order[i])
            continue;
        left &= ~order[i];
        if (said++ > 0)
            kanal_buffer_text(out, left ? ", " : " or ");
        say_type(out, node, order[i]);
    }
    if (said == 0)
        kanal_buffer_text(out, "something else");
}

void schema_say_expected(struct kanal_buffer *out, const struct schema_node *node)
{
    for (int i = 0; i < 4 && node->ref && !node->expected.ptr && !node->types && !node->enumeration; i++)
        node = node->ref;
    if (node->expected.ptr)
        kanal_buffer_str(out, node->expected);
    else if (node->constant)
        say_json(out, node->constant);
    else if (node->enumeration)
        say_enumeration(out, node->enumeration);
    else
        say_types(out, node);
}

void schema_say_similar(struct kanal_buffer *out, kanal_str word, const struct schema_names *names)
{
    struct json_suggestion suggestion = { .word = word };

    for (uint32_t i = 0; names->count > 0 && i <= names->mask; i++)
        if (names->slots[i].name.ptr)
            json_suggest(&suggestion, names->slots[i].name);
    if (!suggestion.best.ptr)
        return;
    kanal_buffer_text(out, "; did you mean ");
    json_quote(out, suggestion.best);
    kanal_buffer_byte(out, '?');
}
