/* config/expand.h - ${env:NAME} and ${file:PATH} in the scalars that the schema marks with x-kanal-expand.
 *
 * Once and not recursively; "$${" is a literal "${". A file's last line end is cut. What is missing, unreadable, empty or larger than
 * 64 KiB is an error that names the variable or file and never a value. In any other scalar ${env: and ${file: are errors, so that
 * nobody relies on an expansion that does not happen. */
#ifndef KANAL_CONFIG_EXPAND_H
#define KANAL_CONFIG_EXPAND_H
#include "errors.h"
#include "json/arena.h"

struct config_expansion {
    yyjson_mut_val *value;
    const char *origin; /* "env:NAME", "file:PATH", "literal" */
};

struct config_expansions {
    struct config_expansion *list; /* sorted by value */
    size_t count, capacity;
};

/* Changes the strings in the tree; expanded ones lie in the arena. 0 or KANAL_E_INTERNAL (no memory); errors are collected. */
int config_expand(struct config_expansions *, const struct json_schema *, yyjson_mut_val *root,
                  struct json_arena *, struct config_errors *);
void config_expansions_release(struct config_expansions *);
/* "literal" for what is not in the list. */
const char *config_origin(const struct config_expansions *, const yyjson_mut_val *);

#endif
