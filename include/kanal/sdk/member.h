/* kanal/sdk/member.h - writing members of canonical JSON within the bounds that the contract sets (proto/), whatever the
 * provider sent. Part of the static helpers, not of the ABI.
 *
 * A member whose value is missing, of another type or out of bounds is not written; text that is too long is cut. */
#ifndef KANAL_SDK_MEMBER_H
#define KANAL_SDK_MEMBER_H
#include "json.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The longest beginning of so many Unicode code points; whole sequences only. */
kanal_str kanal_str_cut(kanal_str text, size_t max_chars);
/* True if every byte is printable ASCII, without spaces. */
int kanal_str_ascii(kanal_str text);

/* A member with the text, cut; nothing if it is empty or absent. */
void kanal_member_text(struct kanal_json *, const char *key, kanal_str text, size_t max_chars);
/* As above, of a provider's member. */
void kanal_member_text_of(struct kanal_json *, const char *key, yyjson_val *object, const char *name,
                          size_t max_chars);
/* A whole number of a provider's member, times `factor`; nothing if it is outside of min to max. */
void kanal_member_count_of(struct kanal_json *, const char *key, yyjson_val *object, const char *name,
                           int64_t min, int64_t max, int64_t factor);
/* A number of a provider's member; nothing if it is outside of min to max. */
void kanal_member_number_of(struct kanal_json *, const char *key, yyjson_val *object, const char *name,
                            double min, double max);
/* true, if the provider's member is; else nothing. */
void kanal_member_true_of(struct kanal_json *, const char *key, yyjson_val *object, const char *name);
/* "mime": a media type if it has the form of one, else `otherwise` if that is not NULL. */
void kanal_member_mime(struct kanal_json *, kanal_str mime, const char *otherwise);
/* A provider's value as it is, if it is at most 16 levels deep and 16 KiB long; else nothing. */
void kanal_member_copy(struct kanal_json *, const char *key, yyjson_val *value);
/* True if nothing in it is nested deeper than so many levels. */
int kanal_value_is_shallow(yyjson_val *value, int depth);
/* A value in the writer's place as it is; nested deeper than 32 levels (with the envelope around it no reader would take it): its JSON
 * text, as a string. null if NULL. */
void kanal_value_copy(struct kanal_json *, yyjson_val *value);
/* A whole number as a string. */
void kanal_member_digits(struct kanal_json *, const char *key, int64_t number);
/* An absolute http or https URL of at most 4 KiB of ASCII; nothing if it is none. */
void kanal_member_uri(struct kanal_json *, const char *key, kanal_str uri);
/* A time of so many seconds since 1970; nothing if it is not after that or not before the year 10000. */
void kanal_member_seconds(struct kanal_json *, const char *key, int64_t seconds);

/* The member "provider": an object that vanishes again if nothing is written into it. */
struct kanal_provider {
    struct kanal_json before;
    size_t before_len, start_len;
};
struct kanal_provider kanal_provider_begin(struct kanal_json *);
void kanal_provider_end(struct kanal_json *, const struct kanal_provider *);

#ifdef __cplusplus
}
#endif
#endif
