/* json/schema.h - a JSON Schema validator over yyjson for what Kanal itself checks: settings, kanal.yaml, commands.
 *
 * The subset of 2020-12 that its schemas use, compiled once: type (also a list), enum, const, properties, required,
 * additionalProperties, patternProperties, propertyNames, items, prefixItems, minItems, maxItems, uniqueItems, minLength,
 * maxLength, minimum, maximum, exclusive*, multipleOf, pattern (POSIX extended, as far as it says the same), format (uri,
 * date-time, duration, email, ipv4, ipv6, hostname), oneOf, anyOf, allOf, not, if/then/else, dependentRequired, $ref to "#/$defs/…",
 * minProperties, maxProperties, default, title, description. Any other keyword is refused when compiling: nothing is passed
 * over in silence. */
#ifndef KANAL_JSON_SCHEMA_H
#define KANAL_JSON_SCHEMA_H
#include <yyjson.h>
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

struct json_schema;

/* The text is copied. KANAL_E_INVALID: error has "at #/properties/x: unknown keyword 'foo'". */
int json_schema_new(struct json_schema **ret_schema, kanal_str text, struct kanal_buffer *error);
void json_schema_free(struct json_schema *);

/* One call for each thing that is wrong, at most 64. pointer: JSON Pointer (RFC 6901) of the instance ("/channels/0/id"); of an unknown
 * or missing member that of the object, with the member's name in `member` (else absent). message: "expected a string of at
 * most 64 characters, found the number 5". */
typedef void json_schema_error_fn(void *user, kanal_str pointer, kanal_str member, kanal_str message);
/* How many errors; 0: valid. Bounded in depth (64) and in time by the instance's size. */
size_t json_schema_check(const struct json_schema *, yyjson_val *instance, json_schema_error_fn *, void *user);
/* The same from another start: "#/$defs/command". SIZE_MAX: no such definition. */
size_t json_schema_check_at(const struct json_schema *, const char *ref, yyjson_val *instance, json_schema_error_fn *,
                            void *user);
/* Fills in the defaults of properties (recursively through properties of objects that are there). 0 or KANAL_E_INTERNAL. */
int json_schema_defaults(const struct json_schema *, yyjson_mut_doc *, yyjson_mut_val *instance);

#endif
