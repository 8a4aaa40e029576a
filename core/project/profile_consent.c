/* What the customer agreed to, by purpose and channel, as it stands. */
#include "kanal/sdk/time.h"
#include "project/profile_inside.h"

static int is_same_text(yyjson_mut_val *member, kanal_str text)
{
    return text.ptr ? yyjson_mut_equals_strn(member, text.ptr, text.len) : member == NULL;
}

/* What stands of that purpose and channel; NULL: nothing. */
static yyjson_mut_val *standing(yyjson_mut_val *all, kanal_str purpose, kanal_str channel)
{
    size_t index, count;
    yyjson_mut_val *one;
    yyjson_mut_arr_foreach(all, index, count, one)
    {
        yyjson_mut_val *item = yyjson_mut_obj_get(one, "item");
        if (is_same_text(yyjson_mut_obj_get(item, "purpose"), purpose) &&
            is_same_text(yyjson_mut_obj_get(item, "channel"), channel))
            return one;
    }
    return NULL;
}

/* The time that the item says, if it is one that has been; else the event's. */
static int64_t stamp_of(const struct projected *event, yyjson_val *item, struct kanal_buffer *ret_time)
{
    int64_t ms = 0, stamp = profile_stamp(event);
    if (kanal_time_parse_rfc3339(kanal_json_text_at(item, "time"), &ms) == 0 && ms > 0 && ms < event->time_ms)
        stamp = ms * 2 + (stamp & 1);
    kanal_time_rfc3339(ret_time, profile_stamp_ms(stamp));
    return stamp;
}

static void fold_item(struct profile *p, const struct projected *event, yyjson_val *item)
{
    static const char *const kept[] = { "purpose", "given", "channel", "text", "version", NULL };
    yyjson_mut_val *all = profile_array(p, p->root, "consent");
    yyjson_mut_val *there =
        standing(all, kanal_json_text_at(item, "purpose"), kanal_json_text_at(item, "channel"));
    struct kanal_buffer time = { 0 };
    int64_t stamp = stamp_of(event, item, &time);
    if (yyjson_is_bool(kanal_json_at(item, "given")) &&
        (there ? stamp >= yyjson_mut_get_sint(yyjson_mut_obj_get(there, "at"))
               : yyjson_mut_arr_size(all) < PROFILE_CONSENT_MAX)) {
        yyjson_mut_val *made = yyjson_mut_obj(p->doc);
        if (!there)
            there = yyjson_mut_arr_add_obj(p->doc, all);
        for (const char *const *name = kept; *name; name++)
            profile_set(p, made, *name, profile_copy(p, kanal_json_at(item, *name), PROFILE_VALUE_MAX * 4));
        profile_set(p, made, "time", profile_text(p, kanal_buffer_view(&time)));
        profile_set(p, there, "at", yyjson_mut_sint(p->doc, stamp));
        profile_set(p, there, "item", made);
    }
    kanal_buffer_release(&time);
}

void profile_fold_consent(struct profile *p, const struct projected *event)
{
    size_t index, count;
    yyjson_val *item, *consent = kanal_json_at(event->data, "consent");
    if (yyjson_is_arr(consent))
        yyjson_arr_foreach (consent, index, count, item)
            fold_item(p, event, item);
}
