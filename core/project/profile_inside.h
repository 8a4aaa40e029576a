/* project/profile_inside.h - what the files of a profile share. [any thread] */
#ifndef KANAL_PROJECT_PROFILE_INSIDE_H
#define KANAL_PROJECT_PROFILE_INSIDE_H
#include "project/profile.h"

struct profile {
    yyjson_mut_doc *doc;
    yyjson_mut_val *root;
    size_t bytes; /* about: as it was read, and what was kept since */
};

/* When, for comparing: twice the milliseconds, and one more for the stream of events. Never equal in both streams. */
static inline int64_t profile_stamp(const struct projected *event)
{
    return event->time_ms * 2 + (event->stream == PROJECTED_EVENTS);
}
static inline int64_t profile_stamp_ms(int64_t stamp)
{
    return stamp / 2;
}

/* profile.c. The object's member of that name, made if it is not there or of another type. */
yyjson_mut_val *profile_object(struct profile *, yyjson_mut_val *object, const char *key);
yyjson_mut_val *profile_array(struct profile *, yyjson_mut_val *object, const char *key);
/* Sets a member; key is copied unless it is a literal that stays. */
void profile_set(struct profile *, yyjson_mut_val *object, const char *literal, yyjson_mut_val *value);
/* The value as the record may keep it; NULL: too long, or nested too deep. */
yyjson_mut_val *profile_copy(struct profile *, yyjson_val *value, size_t bytes_max);
yyjson_mut_val *profile_text(struct profile *, kanal_str text);
/* {"at": stamp}, which replaces the member if it is not older (newest) or only if there is none or a later one (!newest). NULL: what is there stays. */
yyjson_mut_val *profile_replace(struct profile *, const char *literal, int64_t stamp, int newest);

/* profile_told.c: names, attributes, updates. */
void profile_fold_told(struct profile *, const struct projected *);
/* profile_cart.c */
void profile_fold_cart(struct profile *, const struct projected *);
/* profile_consent.c */
void profile_fold_consent(struct profile *, const struct projected *);

/* The members of a person that channels and consumers tell, in the contract's order, NULL-ended; attributes apart. */
extern const char *const profile_names[];

/* profile_merge_told.c: {"name": …, "attributes": {…}} of the contract's `profile`. told_only: as the channel tells it, without updates. Nothing is
 * written if nothing is known. key: of the object. */
void profile_merge_told(struct kanal_json *, const char *key, const struct profile_member *, size_t count,
                        int told_only);
/* profile_merge_state.c: acquisition, cart, consent …: what several nodes may say each of. */
void profile_merge_state(struct kanal_json *, const struct profile_member *, size_t count);

/* The member "at" of a stamped member, or INT64_MIN. */
static inline int64_t profile_at(yyjson_val *stamped)
{
    return kanal_json_int_at(stamped, "at", INT64_MIN);
}

#endif
