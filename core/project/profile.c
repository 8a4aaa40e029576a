#include "project/profile.h"

#include "event/types.h"
#include "kanal/sdk/member.h"
#include "project/profile_inside.h"

#define DEPTH_MAX 16
/* A record over this keeps no more free-form values; the rest of a record is far below what is left. */
#define BYTES_FULL (PROFILE_BYTES_MAX * 3 / 4)

/* ---- Life ---- */

int profile_open(struct profile **ret_profile, kanal_str record)
{
    struct profile *p = calloc(1, sizeof *p);
    yyjson_doc *old = record.len > 0 ? kanal_json_parse(record) : NULL;
    yyjson_val *root = yyjson_doc_get_root(old);
    int status = record.len > 0 && (!yyjson_is_obj(root) || kanal_json_int_at(root, "v", 0) != 1)
                     ? KANAL_E_INVALID
                     : KANAL_E_INTERNAL;
    if (p && status != KANAL_E_INVALID) {
        p->doc = yyjson_mut_doc_new(NULL);
        p->root = p->doc ? (root ? yyjson_val_mut_copy(p->doc, root) : yyjson_mut_obj(p->doc)) : NULL;
        if (p->root && !root)
            yyjson_mut_obj_add_int(p->doc, p->root, "v", 1);
        yyjson_mut_doc_set_root(p->doc, p->root);
    }
    yyjson_doc_free(old);
    if (!p || !p->root) {
        profile_free(p);
        return status;
    }
    p->bytes = record.len;
    *ret_profile = p;
    return 0;
}

void profile_free(struct profile *p)
{
    if (p)
        yyjson_mut_doc_free(p->doc);
    free(p);
}

int profile_write(const struct profile *p, struct kanal_buffer *out)
{
    size_t len;
    char *text = yyjson_mut_write(p->doc, YYJSON_WRITE_NOFLAG, &len);
    if (!text)
        return KANAL_E_INTERNAL;
    kanal_buffer_append(out, text, len);
    free(text);
    return out->failed ? KANAL_E_INTERNAL : 0;
}

/* ---- Members ---- */

void profile_set(struct profile *p, yyjson_mut_val *object, const char *literal, yyjson_mut_val *value)
{
    if (object && value)
        yyjson_mut_obj_put(object, yyjson_mut_str(p->doc, literal), value);
}

yyjson_mut_val *profile_object(struct profile *p, yyjson_mut_val *object, const char *key)
{
    yyjson_mut_val *member = yyjson_mut_obj_get(object, key);
    if (!yyjson_mut_is_obj(member)) {
        member = yyjson_mut_obj(p->doc);
        profile_set(p, object, key, member);
    }
    return member;
}

yyjson_mut_val *profile_array(struct profile *p, yyjson_mut_val *object, const char *key)
{
    yyjson_mut_val *member = yyjson_mut_obj_get(object, key);
    if (!yyjson_mut_is_arr(member)) {
        member = yyjson_mut_arr(p->doc);
        profile_set(p, object, key, member);
    }
    return member;
}

yyjson_mut_val *profile_text(struct profile *p, kanal_str text)
{
    return text.ptr ? yyjson_mut_strncpy(p->doc, text.ptr, text.len) : NULL;
}

yyjson_mut_val *profile_copy(struct profile *p, yyjson_val *value, size_t bytes_max)
{
    size_t len;
    if (!value || p->bytes > BYTES_FULL || !kanal_value_is_shallow(value, DEPTH_MAX))
        return NULL;
    if (yyjson_is_ctn(value) || yyjson_is_str(value)) {
        char *text = yyjson_val_write(value, YYJSON_WRITE_NOFLAG, &len);
        free(text);
        if (!text || len > bytes_max)
            return NULL;
        p->bytes += len;
    }
    return yyjson_val_mut_copy(p->doc, value);
}

yyjson_mut_val *profile_replace(struct profile *p, const char *literal, int64_t stamp, int newest)
{
    yyjson_mut_val *there = yyjson_mut_obj_get(p->root, literal);
    yyjson_mut_val *at = yyjson_mut_obj_get(there, "at");
    if (at && (newest ? stamp < yyjson_mut_get_sint(at) : stamp >= yyjson_mut_get_sint(at)))
        return NULL;
    yyjson_mut_val *made = yyjson_mut_obj(p->doc);
    if (made && yyjson_mut_obj_add_int(p->doc, made, "at", stamp))
        profile_set(p, p->root, literal, made);
    return made;
}

/* ---- Folding ---- */

int profile_is_touch(const struct projected *event)
{
    static const char *const types[] = { "message.received",     "message.edited",
                                         "message.deleted",      "message.reacted",
                                         "conversation.started", "form.submitted",
                                         "activity.tracked",     "consent.given",
                                         "consent.withdrawn",    NULL };
    kanal_str reason = kanal_json_text_at(event->data, "reason");
    if (kanal_str_starts(event->type, "consent."))
        return !kanal_str_is(reason, "request") && !kanal_str_is(reason, "bounce") &&
               !kanal_str_is(reason, "provider");
    for (const char *const *type = types; *type; type++)
        if (kanal_str_is(event->type, *type))
            return 1;
    return kanal_str_starts(event->type, "call.") &&
           kanal_str_is(kanal_json_text_at(kanal_json_at(event->data, "call"), "direction"), "inbound");
}

/* Tells what was seen before; notes what is seen now. */
static int is_new(struct profile *p, const struct projected *event)
{
    yyjson_mut_val *seen = profile_array(p, p->root, "seen");
    while (yyjson_mut_arr_size(seen) < PROJECTED_STREAMS)
        if (!yyjson_mut_arr_add_uint(p->doc, seen, 0))
            return 0;
    yyjson_mut_val *sequence = yyjson_mut_arr_get(seen, (size_t)event->stream);
    if (event->sequence <= yyjson_mut_get_uint(sequence))
        return 0;
    yyjson_mut_set_uint(sequence, event->sequence);
    return 1;
}

/* A provider's own ids are proved by the provider; a number, a mail address or a browser's visitor only where the event says so. */
static int is_proved(const struct projected *event)
{
    size_t index, count;
    yyjson_val *one, *identifiers = kanal_json_at(kanal_json_at(event->data, "customer"), "identifiers");
    if (yyjson_is_arr(identifiers))
        yyjson_arr_foreach (identifiers, index, count, one)
            if (kanal_json_bool_at(one, "verified") &&
                kanal_str_equal(kanal_json_text_at(one, "address"), event->address))
                return 1;
    return !kanal_str_starts(event->address, "tel:") && !kanal_str_starts(event->address, "mailto:") &&
           !kanal_str_starts(event->address, "visitor:") && profile_is_touch(event);
}

static void fold_address(struct profile *p, const struct projected *event)
{
    yyjson_mut_val *since = yyjson_mut_obj_get(p->root, "since"), *last = yyjson_mut_obj_get(p->root, "last");
    if (event->address.len > 0 && !yyjson_mut_obj_get(p->root, "address"))
        profile_set(p, p->root, "address", profile_text(p, event->address));
    if (event->address.len > 0 && !yyjson_mut_obj_get(p->root, "proved") && is_proved(event))
        profile_set(p, p->root, "proved", yyjson_mut_true(p->doc));
    if (!since)
        yyjson_mut_obj_add_int(p->doc, p->root, "since", event->time_ms);
    else if (event->time_ms < yyjson_mut_get_sint(since))
        yyjson_mut_set_sint(since, event->time_ms);
    if (!last)
        yyjson_mut_obj_add_int(p->doc, p->root, "last", event->time_ms);
    else if (event->time_ms > yyjson_mut_get_sint(last))
        yyjson_mut_set_sint(last, event->time_ms);
}

static yyjson_mut_val *channel_of(struct profile *p, const struct projected *event)
{
    size_t index, count;
    yyjson_mut_val *one, *channels = profile_array(p, p->root, "channels");
    yyjson_mut_arr_foreach(channels, index, count, one)
    {
        if (yyjson_mut_equals_strn(yyjson_mut_obj_get(one, "id"), event->channel.ptr, event->channel.len) &&
            yyjson_mut_equals_strn(yyjson_mut_obj_get(one, "plugin"), event->plugin.ptr, event->plugin.len))
            return one;
    }
    if (count >= PROFILE_CHANNELS_MAX)
        return NULL;
    one = yyjson_mut_arr_add_obj(p->doc, channels);
    profile_set(p, one, "id", profile_text(p, event->channel));
    profile_set(p, one, "plugin", profile_text(p, event->plugin));
    return one;
}

/* How often by channel and type, which is also where the node's events lie. */
static void fold_count(struct profile *p, const struct projected *event)
{
    const struct event_type *type = event_type_find(event->type);
    yyjson_mut_val *channel = type ? channel_of(p, event) : NULL;
    yyjson_mut_val *entry =
        channel ? profile_array(p, profile_object(p, channel, "kinds"), type->name) : NULL;
    if (!entry)
        return;
    if (yyjson_mut_arr_size(entry) != 2) {
        yyjson_mut_arr_clear(entry);
        yyjson_mut_arr_add_uint(p->doc, entry, 0);
        yyjson_mut_arr_add_int(p->doc, entry, event->time_ms);
    }
    yyjson_mut_val *n = yyjson_mut_arr_get_first(entry), *last = yyjson_mut_arr_get_last(entry);
    yyjson_mut_set_uint(n, yyjson_mut_get_uint(n) + 1);
    if (event->time_ms > yyjson_mut_get_sint(last))
        yyjson_mut_set_sint(last, event->time_ms);
}

static void touch(struct profile *p, const char *literal, const struct projected *event, int newest)
{
    yyjson_mut_val *made = profile_replace(p, literal, profile_stamp(event), newest);
    profile_set(p, made, "channel", profile_text(p, event->channel));
    profile_set(p, made, "plugin", profile_text(p, event->plugin));
    profile_set(p, made, "type", profile_text(p, event->type));
    profile_set(p, made, "event", profile_text(p, event->id));
}

static int has_members(yyjson_val *value)
{
    return yyjson_is_obj(value) && yyjson_obj_size(value) > 0;
}

/* What brought them first: a link, an ad, a campaign. */
static void fold_acquisition(struct profile *p, const struct projected *event)
{
    yyjson_val *referral = kanal_json_at(event->data, "referral");
    yyjson_val *attribution = kanal_json_at(event->data, "attribution");
    if (!has_members(referral) && !has_members(attribution))
        return;
    yyjson_mut_val *made = profile_replace(p, "acquisition", profile_stamp(event), 0);
    if (!made)
        return;
    profile_set(p, made, "channel", profile_text(p, event->channel));
    profile_set(p, made, "event", profile_text(p, event->id));
    profile_set(p, made, "referral",
                profile_copy(p, has_members(referral) ? referral : NULL, PROFILE_VALUE_MAX));
    profile_set(p, made, "attribution",
                profile_copy(p, has_members(attribution) ? attribution : NULL, PROFILE_VALUE_MAX * 4));
}

static int is_inbound(const struct projected *event)
{
    return kanal_str_is(event->type, "message.received") ||
           (kanal_str_starts(event->type, "call.") && profile_is_touch(event));
}

static void fold_conversation(struct profile *p, const struct projected *event)
{
    yyjson_val *conversation = kanal_json_at(event->data, "conversation");
    if (!has_members(conversation) || kanal_json_text_at(conversation, "id").len == 0)
        return;
    yyjson_mut_val *made = profile_replace(p, "conversation", profile_stamp(event), 1);
    if (made)
        profile_set(p, made, "value", profile_copy(p, conversation, PROFILE_VALUE_MAX));
}

int profile_fold(struct profile *p, const struct projected *event)
{
    if (!is_new(p, event))
        return 0;
    fold_address(p, event);
    fold_count(p, event);
    if (profile_is_touch(event)) {
        touch(p, "first", event, 0);
        touch(p, "latest", event, 1);
        fold_acquisition(p, event);
    }
    if (is_inbound(event))
        touch(p, "inbound", event, 1);
    fold_conversation(p, event);
    profile_fold_told(p, event);
    profile_fold_consent(p, event);
    profile_fold_cart(p, event);
    return 1;
}

/* ---- Where the events lie ---- */

void profile_places(yyjson_val *record, void (*place)(void *user, const struct profile_place *), void *user)
{
    size_t c, channels, k, kinds;
    yyjson_val *channel, *key, *entry, *all = kanal_json_at(record, "channels");
    if (!yyjson_is_arr(all))
        return;
    yyjson_arr_foreach (all, c, channels, channel) {
        yyjson_val *of_channel = kanal_json_at(channel, "kinds");
        if (!yyjson_is_obj(of_channel))
            continue;
        yyjson_obj_foreach (of_channel, k, kinds, key, entry) {
            struct profile_place one = { .channel = kanal_json_text_at(channel, "id"),
                                         .plugin = kanal_json_text_at(channel, "plugin"),
                                         .type = kanal_json_text(key),
                                         .count = yyjson_get_uint(yyjson_arr_get(entry, 0)),
                                         .last_ms = yyjson_get_sint(yyjson_arr_get(entry, 1)) };
            place(user, &one);
        }
    }
}

void profile_subject(kanal_str prefix, const struct profile_place *place, kanal_str node,
                     struct kanal_buffer *out)
{
    const struct event_type *type = event_type_find(place->type);
    struct id id;
    projected_subject(prefix, type && type->class == EVENT_ACTIVITY ? "activity" : "events", place->plugin,
                      place->channel, place->type, out);
    if (type && type->class == EVENT_ACTIVITY && node.len == ID_LEN) {
        char bucket[4];
        kanal_str_keep(id.text, sizeof id.text, node);
        ids_bucket(&id, bucket);
        kanal_buffer_text(out, bucket);
    } else {
        kanal_buffer_str(out, node);
    }
}

kanal_str profile_address(yyjson_val *record)
{
    return kanal_json_text_at(record, "address");
}
