/* json/schema.h - a JSON Schema validator over yyjson for what Kanal itself checks: settings, kanal.yaml, commands, events.
 *
 * The subset of 2020-12 that its schemas use, compiled once: type (also a list), enum, const, properties, required (at most 64),
 * additionalProperties, patternProperties, propertyNames, items, prefixItems, minItems, maxItems, uniqueItems, minLength,
 * maxLength, minimum, maximum, exclusive*, multipleOf, pattern (regex.h says which), format (asserted: uri, uri-reference,
 * date-time, date, time, duration, email, ipv4, ipv6, hostname, uuid), oneOf, anyOf, allOf, not, if/then/else, dependentRequired,
 * $ref to "#" and "#/$defs/…", minProperties, maxProperties. Annotations: default, title, description, examples, deprecated,
 * readOnly, $comment; $schema and $id of the whole; and of our own: writeOnly (values are secrets and never appear in messages),
 * x-expected ("a duration such as 90s": the words for what is expected), any other x-…. Any other keyword is refused when
 * compiling: nothing is passed over in silence. A compiled schema never changes. [any thread] */
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
 * most 64 characters, found the number 5". Of oneOf and anyOf the branch that fits best is told: by discriminator (a member that
 * every branch limits to strings), by type, by the number of errors. */
typedef void json_schema_error_fn(void *user, kanal_str pointer, kanal_str member, kanal_str message);
/* How many errors; 0: valid. Without a function it stops at the first. Allocates nothing while nothing is wrong. Bounded in depth
 * and in time by the instance's size: what branches too much is refused as too complex. The instance is part of a document that
 * was read (yyjson_doc), at most 64 levels deep (kanal_json_parse()). */
size_t json_schema_check(const struct json_schema *, yyjson_val *instance, json_schema_error_fn *,
                         void *user);
/* The same from another start: "#/$defs/command". SIZE_MAX: no such definition. */
size_t json_schema_check_at(const struct json_schema *, const char *ref, yyjson_val *instance,
                            json_schema_error_fn *, void *user);
/* Fills in the defaults of properties: recursively through objects and arrays that are there (and defaults that were added),
 * $ref and allOf; not through branches. 0; KANAL_E_INTERNAL: out of memory, or defaults that never end. */
int json_schema_defaults(const struct json_schema *, yyjson_mut_doc *, yyjson_mut_val *instance);

/* Calls for each value of the instance whose schema has `"keyword": true` (found as above; perhaps more than once for a value).
 * The function may change the value. 0 or KANAL_E_INTERNAL: nested too deeply. */
typedef void json_schema_marked_fn(void *user, yyjson_mut_val *value);
int json_schema_marked(const struct json_schema *, const char *keyword, yyjson_mut_val *instance,
                       json_schema_marked_fn *, void *user);

#endif
