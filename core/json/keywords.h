/* json/keywords.h - the readers of a schema's keywords. keywords.c has the table of all and those whose values are plain;
 * subschemas.c those whose values are schemas again, or name members. Private to both. Each returns 0, or -1 and the compile has failed. */
#ifndef KANAL_JSON_KEYWORDS_H
#define KANAL_JSON_KEYWORDS_H
#include "compile.h"

typedef int keyword_fn(struct compile *, const struct compile_path *, struct schema_node *, yyjson_val *);

/* Fails with these words; -1. */
int keyword_wrong(struct compile *, const struct compile_path *, const char *words);
/* From the schema's arena. NULL: failed. */
void *keyword_allocate(struct compile *, const struct compile_path *, size_t bytes);
/* The schema owns it. NULL: failed. */
struct json_regex *keyword_regex(struct compile *, const struct compile_path *, kanal_str pattern);

/* subschemas.c */
keyword_fn keyword_items;
keyword_fn keyword_additional;
keyword_fn keyword_property_names;
keyword_fn keyword_not;
keyword_fn keyword_if;
keyword_fn keyword_then;
keyword_fn keyword_else;
keyword_fn keyword_ref;
keyword_fn keyword_all_of;
keyword_fn keyword_any_of;
keyword_fn keyword_one_of;
keyword_fn keyword_definitions;
keyword_fn keyword_prefix;
keyword_fn keyword_properties;
keyword_fn keyword_required;
keyword_fn keyword_patterns;
keyword_fn keyword_dependents;

#endif
