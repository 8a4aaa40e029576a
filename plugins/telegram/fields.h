/* fields.h - writing members within the bounds that the contract sets (proto/), whatever the provider sent.
 */
#ifndef TELEGRAM_FIELDS_H
#define TELEGRAM_FIELDS_H
#include "kanal/sdk/json.h"

/* The longest beginning of so many Unicode code points; whole sequences only. */
kanal_str tg_cut(kanal_str text, size_t max_chars);

/* A member with the text, cut; nothing if it is empty or absent. */
void tg_member_text(struct kanal_json *, const char *key, kanal_str text, size_t max_chars);
/* As above, of a provider's member. */
void tg_member_text_of(struct kanal_json *, const char *key, yyjson_val *object, const char *name,
                       size_t max_chars);
/* A whole number of a provider's member, times `factor`; nothing if it is missing or outside of min to max.
 */
void tg_member_count_of(struct kanal_json *, const char *key, yyjson_val *object, const char *name,
                        int64_t min, int64_t max, int64_t factor);
/* A number of a provider's member; nothing if it is missing or outside of min to max. */
void tg_member_number_of(struct kanal_json *, const char *key, yyjson_val *object, const char *name,
                         double min, double max);
/* true, if the provider's member is; else nothing. */
void tg_member_true_of(struct kanal_json *, const char *key, yyjson_val *object, const char *name);
/* A media type of a provider's member if it has the form of one, else `otherwise` if that is not NULL. */
void tg_member_mime_of(struct kanal_json *, yyjson_val *object, const char *otherwise);
/* A provider's value as it is, if it is at most 16 levels deep and 16 KiB long; else nothing. */
void tg_member_copy(struct kanal_json *, const char *key, yyjson_val *value);

/* The member "provider": an object that vanishes again if nothing is written into it. */
struct tg_provider {
    struct kanal_json before;
    size_t before_len, start_len;
};
struct tg_provider tg_provider_begin(struct kanal_json *);
void tg_provider_end(struct kanal_json *, const struct tg_provider *);

/* A number as a JSON string member. */
void tg_member_number_text(struct kanal_json *, const char *key, int64_t number);

#endif
