/* config/impl.h - what stands behind a struct config, and the steps of loading one. Private to core/config. */
#ifndef KANAL_CONFIG_IMPL_H
#define KANAL_CONFIG_IMPL_H
#include "config.h"
#include "errors.h"
#include "expand.h"
#include "json/arena.h"

struct config_impl {
    struct json_arena arena; /* all strings and lists of the structs; wiped at the end */
    const char *file;        /* shown in messages */
    int placeless;           /* it is no file: messages name no lines */
    yyjson_mut_doc *tree;    /* the file with defaults, expanded; wiped too */
    struct config_positions positions;
    struct config_expansions expansions;
};

/* Fills the structs from the tree, complains of what the schema cannot say. Tolerates what it has complained of already.
 * 0 or KANAL_E_INTERNAL. */
int config_build(struct config *, struct config_errors *);
int config_build_channels(struct config *, yyjson_mut_val *channels, struct config_errors *);
/* When nothing is wrong. 0 or KANAL_E_INTERNAL. */
int config_fingerprint(struct config *, struct config_channel *);

/* A NUL-ended copy in the arena, or NULL if the value is no string. NUL inside is complained of. */
const char *config_text(struct config *, yyjson_mut_val *, struct config_errors *);
/* A NULL-ended list; of an array's strings, or of one string. check: NULL or says what is wrong. */
typedef const char *config_check_fn(kanal_str);
const char *const *config_texts(struct config *config, yyjson_mut_val *value, config_check_fn *check,
                                struct config_errors *errors, size_t *ret_count);
/* Complains if check() does, unless something was said of the value already. */
void config_check_text(yyjson_mut_val *, config_check_fn *, struct config_errors *);
/* 0 if it is none; complains if it is written wrong. "forever" is 0. */
int64_t config_duration(yyjson_mut_val *, struct config_errors *);
/* Which of the words it is, by index; 0 if it is none of them. */
int config_choice(yyjson_mut_val *, const char *const *words);

static inline kanal_str config_str(yyjson_mut_val *value)
{
    kanal_str text = { yyjson_mut_get_str(value),
                       yyjson_mut_get_len(value) * (size_t)yyjson_mut_is_str(value) };
    return text;
}

#endif
