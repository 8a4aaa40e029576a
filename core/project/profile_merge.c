/* A person's profile, made of their nodes' records. */
#include "project/profile_inside.h"

/* One count of several records: by channel and type. */
struct touches {
    struct profile_place *all;
    size_t count, capacity;
};

#define TOUCHES_MAX 4096u /* the contract's bound */

static void write_time(struct kanal_json *out, const char *key, int64_t ms)
{
    if (ms > 0)
        kanal_json_member_time(out, key, ms);
}

/* ---- Addresses ---- */

static void write_channels(struct kanal_json *out, yyjson_val *record)
{
    size_t index, count, written = 0;
    yyjson_val *channel, *channels = kanal_json_at(record, "channels");
    kanal_json_key(out, "channels");
    kanal_json_array(out);
    if (yyjson_is_arr(channels))
        yyjson_arr_foreach (channels, index, count, channel)
            if (!kanal_str_is(kanal_json_text_at(channel, "id"), "_") && written++ < PROFILE_CHANNELS_MAX)
                kanal_json_str(out, kanal_json_text_at(channel, "id"));
    kanal_json_array_end(out);
}

static void write_address(struct kanal_json *out, const struct profile_member *member)
{
    kanal_json_object(out);
    kanal_json_member_nonempty(out, "address", profile_address(member->record));
    kanal_json_member_str(out, "node", member->node);
    if (member->record) {
        write_channels(out, member->record);
        kanal_json_member_bool(out, "verified", kanal_json_bool_at(member->record, "proved"));
        write_time(out, "since", kanal_json_int_at(member->record, "since", 0));
        write_time(out, "last", kanal_json_int_at(member->record, "last", 0));
    }
    kanal_json_member_nonempty(out, "link", member->link);
    if (member->evidence.len > 0) {
        kanal_json_key(out, "evidence");
        kanal_json_raw(out, member->evidence);
    }
    profile_merge_told(out, "profile", member, 1, 1);
    kanal_json_object_end(out);
}

static void write_addresses(struct kanal_json *out, const struct profile_member *members, size_t count)
{
    kanal_json_key(out, "addresses");
    kanal_json_array(out);
    for (size_t i = 0; i < count; i++)
        write_address(out, &members[i]);
    kanal_json_array_end(out);
}

/* ---- Touches ---- */

static void count_touch(void *user, const struct profile_place *place)
{
    struct touches *touches = user;
    for (size_t i = 0; i < touches->count; i++) {
        struct profile_place *one = &touches->all[i];
        if (kanal_str_equal(one->channel, place->channel) && kanal_str_equal(one->type, place->type)) {
            one->count += place->count;
            one->last_ms = one->last_ms > place->last_ms ? one->last_ms : place->last_ms;
            return;
        }
    }
    if (touches->count == touches->capacity) {
        size_t capacity = touches->capacity ? touches->capacity * 2 : 32;
        struct profile_place *all = realloc(touches->all, capacity * sizeof *all);
        if (!all || capacity > TOUCHES_MAX * 2)
            return;
        touches->all = all;
        touches->capacity = capacity;
    }
    touches->all[touches->count++] = *place;
}

static int compare_text(kanal_str a, kanal_str b)
{
    int order = memcmp(a.ptr ? a.ptr : "", b.ptr ? b.ptr : "", a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_places(const void *a, const void *b)
{
    const struct profile_place *one = a, *other = b;
    int order = compare_text(one->channel, other->channel);
    return order != 0 ? order : compare_text(one->type, other->type);
}

static void write_touches(struct kanal_json *out, const struct profile_member *members, size_t count)
{
    struct touches touches = { 0 };
    for (size_t i = 0; i < count; i++)
        profile_places(members[i].record, count_touch, &touches);
    if (touches.count > 0)
        qsort(touches.all, touches.count, sizeof *touches.all, compare_places);
    kanal_json_key(out, "touches");
    kanal_json_array(out);
    for (size_t i = 0; i < touches.count && i < TOUCHES_MAX; i++) {
        const struct profile_place *one = &touches.all[i];
        kanal_json_object(out);
        if (!kanal_str_is(one->channel, "_"))
            kanal_json_member_str(out, "channel", one->channel);
        kanal_json_member_str(out, "type", one->type);
        kanal_json_member_int(out, "count", (int64_t)one->count);
        write_time(out, "last", one->last_ms);
        kanal_json_object_end(out);
    }
    kanal_json_array_end(out);
    free(touches.all);
}

/* ---- The whole ---- */

static int compare_members(const void *a, const void *b)
{
    return compare_text(((const struct profile_member *)a)->node, ((const struct profile_member *)b)->node);
}

static uint64_t sequence_of(yyjson_val *record)
{
    return yyjson_get_uint(yyjson_arr_get(kanal_json_at(record, "seen"), PROJECTED_EVENTS));
}

void profile_merge(struct kanal_json *out, kanal_str customer, const struct profile_member *members,
                   size_t count)
{
    uint64_t sequence = 0;
    struct profile_member *sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted) {
        out->out->failed = 1;
        return;
    }
    if (count > 0)
        memcpy(sorted, members, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_members);
    for (size_t i = 0; i < count; i++)
        sequence = sequence_of(sorted[i].record) > sequence ? sequence_of(sorted[i].record) : sequence;
    kanal_json_object(out);
    kanal_json_member_str(out, "id", customer);
    profile_merge_told(out, "profile", sorted, count, 0);
    write_addresses(out, sorted, count);
    write_touches(out, sorted, count);
    profile_merge_state(out, sorted, count);
    kanal_json_member_int(out, "sequence", (int64_t)sequence);
    kanal_json_object_end(out);
    free(sorted);
}
