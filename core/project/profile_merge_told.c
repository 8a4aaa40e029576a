/* The members of a merged profile: a consumer's word before a channel's, then the later one. */
#include "project/profile_inside.h"

/* What is told of one member: its value (NULL: taken back) and when. */
struct told {
    yyjson_val *value;
    int64_t stamp; /* INT64_MIN: nothing is told */
};

static void consider(struct told *best, yyjson_val *told)
{
    int64_t stamp = yyjson_get_sint(yyjson_arr_get(told, 1));
    if (told && stamp >= best->stamp) {
        best->value = yyjson_arr_get(told, 0);
        best->stamp = stamp;
    }
}

/* The value by its name in "set" and in "told". One that was taken back hides what had been told until then. */
static yyjson_val *choose(const struct profile_member *members, size_t count, const char *set,
                          const char *told, kanal_str name)
{
    struct told by_consumer = { NULL, INT64_MIN }, by_channel = { NULL, INT64_MIN };
    for (size_t i = 0; i < count; i++) {
        if (set)
            consider(&by_consumer,
                     yyjson_obj_getn(kanal_json_at(members[i].record, set), name.ptr, name.len));
        consider(&by_channel, yyjson_obj_getn(kanal_json_at(members[i].record, told), name.ptr, name.len));
    }
    if (by_consumer.value && !yyjson_is_null(by_consumer.value))
        return by_consumer.value;
    return by_channel.stamp > by_consumer.stamp ? by_channel.value : NULL;
}

/* A key is written by the first record that has it. */
static int is_first(const struct profile_member *members, size_t member, const char *group,
                    const char *const *groups, kanal_str name)
{
    for (size_t i = 0; i <= member; i++)
        for (size_t g = 0; groups[g]; g++) {
            if (i == member && groups[g] == group)
                return 1;
            if (yyjson_obj_getn(kanal_json_at(members[i].record, groups[g]), name.ptr, name.len))
                return 0;
        }
    return 1;
}

struct attributes {
    struct kanal_json *out;
    const struct profile_member *members;
    size_t count, written;
    const char *const *groups; /* which are looked at, NULL-ended */
    const char *set;
};

static void write_attributes_of(struct attributes *a, size_t member, const char *group)
{
    size_t index, count;
    yyjson_val *key, *told, *object = kanal_json_at(a->members[member].record, group);
    if (!yyjson_is_obj(object))
        return;
    yyjson_obj_foreach (object, index, count, key, told) {
        kanal_str name = kanal_json_text(key);
        yyjson_val *value = is_first(a->members, member, group, a->groups, name)
                                ? choose(a->members, a->count, a->set, "told_attributes", name)
                                : NULL;
        if (!value || yyjson_is_null(value) || a->written >= PROFILE_ATTRIBUTES_MAX)
            continue;
        if (a->written++ == 0) {
            kanal_json_key(a->out, "attributes");
            kanal_json_object(a->out);
        }
        kanal_json_key_str(a->out, name);
        kanal_json_value(a->out, value);
    }
}

static void write_attributes(struct kanal_json *out, const struct profile_member *members, size_t count,
                             int told_only)
{
    static const char *const both[] = { "set_attributes", "told_attributes", NULL };
    struct attributes a = { .out = out,
                            .members = members,
                            .count = count,
                            .groups = told_only ? both + 1 : both,
                            .set = told_only ? NULL : both[0] };
    for (size_t i = 0; i < count; i++)
        for (size_t g = 0; a.groups[g]; g++)
            write_attributes_of(&a, i, a.groups[g]);
    if (a.written > 0)
        kanal_json_object_end(out);
}

void profile_merge_told(struct kanal_json *out, const char *key, const struct profile_member *members,
                        size_t count, int told_only)
{
    kanal_json_key(out, key);
    kanal_json_object(out);
    for (const char *const *name = profile_names; *name; name++) {
        yyjson_val *value = choose(members, count, told_only ? NULL : "set", "told", kanal_str_c(*name));
        if (value && !yyjson_is_null(value)) {
            kanal_json_key(out, *name);
            kanal_json_value(out, value);
        }
    }
    write_attributes(out, members, count, told_only);
    kanal_json_object_end(out);
}
