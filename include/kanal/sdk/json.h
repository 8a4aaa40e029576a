/* kanal/sdk/json.h - reading and writing JSON. Part of the static helpers, not of the ABI.
 *
 * Reading is yyjson with getters that accept what is missing or of another type (they answer "absent"), so that hostile
 * input needs no checks in between; only yyjson's own foreach macros want a value that is not NULL.
 *
 * Writing appends to a buffer: commas are set by the writer, strings are escaped and invalid UTF-8 becomes U+FFFD, so that
 * the result is always well-formed. Misuse (an end without its begin, a key where none may stand, a second text, too
 * deep) makes the buffer `failed`: the result is absent rather than wrong. */
#ifndef KANAL_SDK_JSON_H
#define KANAL_SDK_JSON_H
#include <yyjson.h>
#include "buffer.h"
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- Reading ---- */

/* Parses one JSON text, at most 64 levels deep; NULL: not JSON (or too deep). yyjson_doc_free() it. */
yyjson_doc *kanal_json_parse(kanal_str text);
/* The same in memory of the caller's, which must outlive the document: for what is read and done with in one function. As a rule
 * four bytes a byte of text are enough; what does not fit is taken from the heap. yyjson_doc_free() it all the same. */
yyjson_doc *kanal_json_parse_in(kanal_str text, void *memory, size_t size);
#define KANAL_JSON_MEMORY 16384u

/* A member of an object, or NULL; the object may be NULL. */
static inline yyjson_val *kanal_json_at(yyjson_val *object, const char *key)
{
    return yyjson_obj_get(object, key);
}
/* A string; absent if it is none. */
static inline kanal_str kanal_json_text(yyjson_val *value)
{
    return kanal_str_of(yyjson_get_str(value), yyjson_get_len(value) * (size_t)yyjson_is_str(value));
}
static inline kanal_str kanal_json_text_at(yyjson_val *object, const char *key)
{
    return kanal_json_text(kanal_json_at(object, key));
}
static inline int kanal_json_bool_at(yyjson_val *object, const char *key)
{
    return yyjson_get_bool(kanal_json_at(object, key));
}
/* A whole number that fits, else `otherwise`. */
int64_t kanal_json_int_at(yyjson_val *object, const char *key, int64_t otherwise);
/* A provider's id, given as a string or as a whole number of up to 64 bits: its text. scratch: 24 bytes, used for numbers. */
kanal_str kanal_json_id(yyjson_val *value, char scratch[24]);
kanal_str kanal_json_id_at(yyjson_val *object, const char *key, char scratch[24]);

/* ---- Writing ---- */

struct kanal_json {
    struct kanal_buffer *out;
    uint64_t has_member; /* bit n: the container at depth n has a member already */
    uint32_t depth;      /* at most 63 */
    uint32_t after_key;
};

void kanal_json_init(struct kanal_json *, struct kanal_buffer *out);
void kanal_json_object(struct kanal_json *);
void kanal_json_object_end(struct kanal_json *);
void kanal_json_array(struct kanal_json *);
void kanal_json_array_end(struct kanal_json *);
/* key: a literal of plain letters, not escaped. */
void kanal_json_key(struct kanal_json *, const char *key);
void kanal_json_key_str(struct kanal_json *, kanal_str key); /* escaped */
void kanal_json_str(struct kanal_json *, kanal_str);         /* null if absent (ptr NULL) */
void kanal_json_int(struct kanal_json *, int64_t);
void kanal_json_uint(struct kanal_json *, uint64_t);
void kanal_json_double(struct kanal_json *, double); /* null if not finite */
void kanal_json_bool(struct kanal_json *, int);
void kanal_json_null(struct kanal_json *);
/* A parsed value, as it is; null if NULL. */
void kanal_json_value(struct kanal_json *, yyjson_val *);
/* Text that is known to be one JSON value; null if empty. */
void kanal_json_raw(struct kanal_json *, kanal_str json);

/* Members: nothing is written when the value is absent (text.ptr NULL). */
void kanal_json_member_str(struct kanal_json *, const char *key, kanal_str);
void kanal_json_member_nonempty(struct kanal_json *, const char *key, kanal_str); /* left out if empty */
void kanal_json_member_text(struct kanal_json *, const char *key, const char *text);
void kanal_json_member_int(struct kanal_json *, const char *key, int64_t);
void kanal_json_member_double(struct kanal_json *, const char *key, double);
void kanal_json_member_bool(struct kanal_json *, const char *key, int);
void kanal_json_member_time(struct kanal_json *, const char *key,
                            int64_t ms); /* RFC 3339, UTC, milliseconds */

#ifdef __cplusplus
}
#endif
#endif
