/* config/positions.h - where each value of the tree stands in the file, and how it is called: channels[0].rate.per_second. */
#ifndef KANAL_CONFIG_POSITIONS_H
#define KANAL_CONFIG_POSITIONS_H
#include <yyjson.h>
#include "kanal/sdk/buffer.h"

struct config_position {
    const yyjson_mut_val *value;
    yyjson_mut_val *key;          /* in its object; NULL in an array, for the root and for keys themselves */
    const yyjson_mut_val *parent; /* NULL: the root */
    uint32_t index;               /* in its array */
    uint32_t line, column;        /* from 1 */
    int is_key;
};

/* A zeroed struct is empty. Sorted by value when all is read. */
struct config_positions {
    struct config_position *list;
    size_t count, capacity;
};

/* 0, or -1: no memory. */
int config_positions_add(struct config_positions *, const struct config_position *);
void config_positions_sort(struct config_positions *);
void config_positions_release(struct config_positions *);
/* NULL: not of the file (a default). After sorting. */
const struct config_position *config_position_find(const struct config_positions *, const yyjson_mut_val *);

/* "channels[0].rate"; the root is empty. */
void config_path_append(struct kanal_buffer *out, const struct config_positions *, const yyjson_mut_val *);
/* ".rate", or "rate" if out has the length `start`, or ["odd key"]. */
void config_path_append_key(struct kanal_buffer *out, size_t start, kanal_str key);
/* A JSON Pointer in the same form. */
void config_path_append_pointer(struct kanal_buffer *out, size_t start, kanal_str pointer);

#endif
