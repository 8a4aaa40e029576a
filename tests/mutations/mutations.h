/* mutations.h - what a hostile or careless sender makes of a payload: every value in turn replaced by values of every other JSON type,
 * removed, and the text cut off at every byte. For unit tests; includes nothing of a plugin. */
#ifndef TESTS_MUTATIONS_H
#define TESTS_MUTATIONS_H
#include "kanal/sdk/json.h"

static const char *const mutation_values[] = {
    "null",
    "true",
    "[]",
    "{}",
    "[[[]]]",
    "\"\"",
    "\"x\"",
    "0",
    "-1",
    "1.5",
    "1e308",
    "4503599627370496",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551615",
    "{\"id\":\"x\"}",
    "[{\"type\":\"x\"}]",
    "\"\\u0000\\uD83D\\uDE00\\u202e</b>\"",
    NULL, /* removed */
};
#define MUTATION_VALUES (sizeof mutation_values / sizeof mutation_values[0])

/* The document with its nth value (in order of reading) replaced, or removed from its object or array; 0: there are fewer. */
static inline int mutate(struct kanal_json *json, yyjson_val *value, size_t *n, const char *with)
{
    size_t index, max;
    yyjson_val *key, *member;
    if ((*n)-- == 0) {
        kanal_json_raw(json, kanal_str_c(with ? with : "null"));
        return 1;
    }
    int done = 0;
    if (yyjson_is_obj(value)) {
        kanal_json_object(json);
        yyjson_obj_foreach (value, index, max, key, member) {
            if (!done && with == NULL && *n == 0) {
                done = 1;
                continue;
            }
            kanal_json_key_str(json, kanal_json_text(key));
            if (done)
                kanal_json_value(json, member);
            else
                done = mutate(json, member, n, with);
        }
        kanal_json_object_end(json);
    } else if (yyjson_is_arr(value)) {
        kanal_json_array(json);
        yyjson_arr_foreach (value, index, max, member) {
            if (done)
                kanal_json_value(json, member);
            else
                done = mutate(json, member, n, with);
        }
        kanal_json_array_end(json);
    } else {
        kanal_json_value(json, value);
    }
    return done;
}

/* Calls back with each mutation of a payload; the number of them. */
static inline size_t mutate_all(kanal_str payload, void (*take)(void *user, kanal_str mutated), void *user)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    yyjson_doc *doc = kanal_json_parse(payload);
    size_t count = 0, more = 1;
    for (size_t place = 0; more && doc != NULL; place++) {
        for (size_t i = 0; more && i < MUTATION_VALUES; i++, count += more) {
            size_t n = place;
            kanal_buffer_clear(&text);
            kanal_json_init(&json, &text);
            more = (size_t)mutate(&json, yyjson_doc_get_root(doc), &n, mutation_values[i]);
            if (more)
                take(user, kanal_buffer_view(&text));
        }
    }
    for (size_t len = 0; len < payload.len; len++, count++) {
        char *copy =
            kanal_str_dup(kanal_str_of(payload.ptr, len)); /* so that a sanitizer sees a byte too far */
        take(user, kanal_str_of(copy, len));
        free(copy);
    }
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    return count;
}

#endif
