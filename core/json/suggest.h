/* json/suggest.h - "did you mean …?" [any thread] */
#ifndef KANAL_JSON_SUGGEST_H
#define KANAL_JSON_SUGGEST_H
#include "kanal/plugin.h"

/* How many letters must be inserted, deleted, replaced or swapped with their neighbour to make b of a, without regard to case;
 * SIZE_MAX when one is longer than 64 bytes. */
size_t json_edit_distance(kanal_str a, kanal_str b);

/* Collects the best candidate for a word; zeroed but for word. */
struct json_suggestion {
    kanal_str word;
    kanal_str best; /* absent: none is near enough */
    size_t distance;
};
void json_suggest(struct json_suggestion *, kanal_str candidate);

#endif
