/* config/positions.c - an array sorted by address. */
#include <stdlib.h>
#include <string.h>
#include "json/quote.h"
#include "kanal/sdk/str.h"
#include "positions.h"

int config_positions_add(struct config_positions *positions, const struct config_position *position)
{
    if (positions->count == positions->capacity) {
        size_t capacity = positions->capacity ? positions->capacity * 2 : 256;
        struct config_position *list = reallocarray(positions->list, capacity, sizeof *list);
        if (!list)
            return -1;
        positions->list = list;
        positions->capacity = capacity;
    }
    positions->list[positions->count++] = *position;
    return 0;
}

static int compare(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct config_position *)a)->value;
    uintptr_t y = (uintptr_t)((const struct config_position *)b)->value;

    return x < y ? -1 : x > y;
}

void config_positions_sort(struct config_positions *positions)
{
    if (positions->count > 1)
        qsort(positions->list, positions->count, sizeof *positions->list, compare);
}

void config_positions_release(struct config_positions *positions)
{
    free(positions->list);
    memset(positions, 0, sizeof *positions);
}

const struct config_position *config_position_find(const struct config_positions *positions,
                                                   const yyjson_mut_val *value)
{
    struct config_position wanted = { .value = value };

    if (positions->count == 0 || !value)
        return NULL;
    return bsearch(&wanted, positions->list, positions->count, sizeof *positions->list, compare);
}

static int is_plain(kanal_str key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '-'))
            return 0;
    }
    return key.len > 0 && key.len <= 64;
}

void config_path_append_key(struct kanal_buffer *out, size_t start, kanal_str key)
{
    if (!is_plain(key)) {
        kanal_buffer_byte(out, '[');
        json_quote(out, key);
        kanal_buffer_byte(out, ']');
        return;
    }
    if (out->len > start)
        kanal_buffer_byte(out, '.');
    kanal_buffer_str(out, key);
}

static void append_index(struct kanal_buffer *out, uint64_t index)
{
    kanal_buffer_byte(out, '[');
    kanal_buffer_uint(out, index);
    kanal_buffer_byte(out, ']');
}

static void append_path(struct kanal_buffer *out, const struct config_positions *positions,
                        const yyjson_mut_val *value, size_t start)
{
    const struct config_position *position = config_position_find(positions, value);

    if (!position || !position->parent)
        return;
    append_path(out, positions, position->parent, start);
    if (position->key)
        config_path_append_key(
            out, start, kanal_str_of(yyjson_mut_get_str(position->key), yyjson_mut_get_len(position->key)));
    else if (!position->is_key)
        append_index(out, position->index);
}

void config_path_append(struct kanal_buffer *out, const struct config_positions *positions,
                        const yyjson_mut_val *value)
{
    append_path(out, positions, value, out->len);
}

/* One token of a pointer, unescaped; a number is taken for an index. */
static void append_token(struct kanal_buffer *out, size_t start, kanal_str token)
{
    struct kanal_buffer key = { 0 };
    int64_t index;

    if (token.len > 0 && token.len < 10 && token.ptr[0] >= '0' && token.ptr[0] <= '9' &&
        kanal_str_int(token, &index) == 0) {
        append_index(out, (uint64_t)index);
        return;
    }
    for (size_t i = 0; i < token.len; i++) {
        if (token.ptr[i] == '~' && i + 1 < token.len)
            kanal_buffer_byte(&key, token.ptr[++i] == '1' ? '/' : '~');
        else
            kanal_buffer_byte(&key, token.ptr[i]);
    }
    config_path_append_key(out, start, kanal_str_of(key.data ? key.data : "", key.len));
    kanal_buffer_release(&key);
}

void config_path_append_pointer(struct kanal_buffer *out, size_t start, kanal_str pointer)
{
    size_t at = 1;

    while (at <= pointer.len && pointer.len > 0) {
        size_t end = at;
        while (end < pointer.len && pointer.ptr[end] != '/')
            end++;
        append_token(out, start, kanal_str_of(pointer.ptr + at, end - at));
        at = end + 1;
    }
}
