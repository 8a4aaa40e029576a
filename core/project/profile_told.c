/* What a person is called and what else is told of them: by channels with each event, by sites (identify), and by consumers, whose word
 * stands until they take it back. A member is [value, stamp]; an absent value with a stamp hides what was told before. */
#include "kanal/sdk/str.h"
#include "project/profile_inside.h"

#define NAME_MAX_BYTES 256u /* of an attribute's name */

const char *const profile_names[] = { "name",     "first_name", "last_name", "username", "locale",
                                      "timezone", "avatar",     "birthday",  "gender",   "phone",
                                      "email",    "company",    NULL };

static int64_t stamp_of(yyjson_mut_val *told)
{
    yyjson_mut_val *stamp = yyjson_mut_arr_get(told, 1);
    return stamp ? yyjson_mut_get_sint(stamp) : INT64_MIN;
}

/* group[key] = [value, stamp], if what is there is not later. value NULL: taken back. */
static void tell(struct profile *p, yyjson_mut_val *group, yyjson_mut_val *key, yyjson_mut_val *value,
                 int64_t stamp)
{
    yyjson_mut_val *made = yyjson_mut_arr(p->doc);
    if (key && made && yyjson_mut_arr_add_val(made, value ? value : yyjson_mut_null(p->doc)) &&
        yyjson_mut_arr_add_int(p->doc, made, stamp))
        yyjson_mut_obj_put(group, key, made);
}

static int is_later(yyjson_mut_val *there, int64_t stamp)
{
    return !there || stamp >= stamp_of(there);
}

static int is_same(yyjson_mut_val *there, yyjson_val *value)
{
    yyjson_mut_val *old = yyjson_mut_arr_get(there, 0);
    return yyjson_is_str(value) && yyjson_mut_is_str(old) &&
           yyjson_mut_equals_strn(old, yyjson_get_str(value), yyjson_get_len(value));
}

static void fold_member(struct profile *p, yyjson_mut_val *group, const char *name, yyjson_val *value,
                        int64_t stamp)
{
    yyjson_mut_val *there = yyjson_mut_obj_get(group, name), *copy;
    if (!value || yyjson_is_null(value) || (yyjson_is_str(value) && yyjson_get_len(value) == 0) ||
        !is_later(there, stamp))
        return;
    if (is_same(there, value)) {
        yyjson_mut_set_sint(yyjson_mut_arr_get(there, 1), stamp);
        return;
    }
    copy = profile_copy(p, value, PROFILE_VALUE_MAX);
    if (copy)
        tell(p, group, yyjson_mut_str(p->doc, name), copy, stamp);
}

static void fold_attribute(struct profile *p, yyjson_mut_val *group, yyjson_val *key, yyjson_val *value,
                           int64_t stamp)
{
    yyjson_mut_val *there = yyjson_mut_obj_getn(group, yyjson_get_str(key), yyjson_get_len(key));
    if (yyjson_get_len(key) == 0 || yyjson_get_len(key) > NAME_MAX_BYTES || !is_later(there, stamp) ||
        (!there && yyjson_mut_obj_size(group) >= PROFILE_ATTRIBUTES_MAX))
        return;
    yyjson_mut_val *copy = profile_copy(p, value, PROFILE_VALUE_MAX);
    if (copy)
        tell(p, group, profile_text(p, kanal_json_text(key)), copy, stamp);
}

static void fold_profile(struct profile *p, const char *group_name, const char *attributes_name,
                         yyjson_val *profile, int64_t stamp)
{
    size_t index, count;
    yyjson_val *key, *value, *attributes = kanal_json_at(profile, "attributes");
    if (!yyjson_is_obj(profile))
        return;
    yyjson_mut_val *group = profile_object(p, p->root, group_name);
    for (const char *const *name = profile_names; *name; name++)
        fold_member(p, group, *name, kanal_json_at(profile, *name), stamp);
    if (!yyjson_is_obj(attributes))
        return;
    group = profile_object(p, p->root, attributes_name);
    yyjson_obj_foreach (attributes, index, count, key, value)
        fold_attribute(p, group, key, value, stamp);
}

/* "name", "attributes.plan", "preferred_channel", "quiet_hours". */
static void take_back(struct profile *p, kanal_str name, int64_t stamp)
{
    if (kanal_str_is(name, "preferred_channel")) {
        profile_replace(p, "preferred", stamp, 1);
        return;
    }
    if (kanal_str_is(name, "quiet_hours")) {
        profile_replace(p, "quiet", stamp, 1);
        return;
    }
    int is_attribute = kanal_str_starts(name, "attributes.");
    kanal_str key = is_attribute ? kanal_str_from(name, strlen("attributes.")) : name;
    yyjson_mut_val *group = profile_object(p, p->root, is_attribute ? "set_attributes" : "set");
    yyjson_mut_val *there = yyjson_mut_obj_getn(group, key.ptr, key.len);
    const char *const *known = profile_names;
    while (!is_attribute && *known && !kanal_str_is(key, *known))
        known++;
    if (key.len == 0 || key.len > NAME_MAX_BYTES || !*known || !is_later(there, stamp) ||
        (!there && yyjson_mut_obj_size(group) >= PROFILE_ATTRIBUTES_MAX))
        return;
    tell(p, group, profile_text(p, key), NULL, stamp);
}

static void fold_update(struct profile *p, const struct projected *event)
{
    size_t index, count;
    yyjson_val *name, *removed = kanal_json_at(event->data, "removed");
    yyjson_val *preferred = kanal_json_at(event->data, "preferred_channel");
    yyjson_val *quiet = kanal_json_at(event->data, "quiet_hours");
    int64_t stamp = profile_stamp(event);
    yyjson_mut_val *made;
    if (yyjson_is_arr(removed))
        yyjson_arr_foreach (removed, index, count, name)
            take_back(p, kanal_json_text(name), stamp);
    fold_profile(p, "set", "set_attributes", kanal_json_at(event->data, "profile"), stamp);
    if (yyjson_is_str(preferred) && (made = profile_replace(p, "preferred", stamp, 1)))
        profile_set(p, made, "value", profile_copy(p, preferred, PROFILE_VALUE_MAX));
    if (yyjson_is_obj(quiet) && (made = profile_replace(p, "quiet", stamp, 1)))
        profile_set(p, made, "value", profile_copy(p, quiet, PROFILE_VALUE_MAX));
}

void profile_fold_told(struct profile *p, const struct projected *event)
{
    if (kanal_str_is(event->type, "profile.updated")) {
        fold_update(p, event);
        return;
    }
    fold_profile(p, "told", "told_attributes", kanal_json_at(event->data, "customer"), profile_stamp(event));
    if (kanal_str_is(event->type, "profile.observed"))
        fold_profile(p, "told", "told_attributes", kanal_json_at(event->data, "profile"),
                     profile_stamp(event));
}
