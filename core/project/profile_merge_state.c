/* What several nodes may say each of, and a person has one of: the first, the latest, the cart, the consent. */
#include "project/profile_inside.h"

static void write_time(struct kanal_json *out, const char *key, int64_t stamp)
{
    if (profile_stamp_ms(stamp) > 0)
        kanal_json_member_time(out, key, profile_stamp_ms(stamp));
}

/* The member of the record whose stamp is the latest, or the earliest; NULL: none has it. */
static yyjson_val *pick(const struct profile_member *members, size_t count, const char *name, int latest,
                        const struct profile_member **ret_of)
{
    yyjson_val *best = NULL;
    for (size_t i = 0; i < count; i++) {
        yyjson_val *one = kanal_json_at(members[i].record, name);
        int64_t at = profile_at(one);
        if (one && (!best || (latest ? at > profile_at(best) : at < profile_at(best)))) {
            best = one;
            *ret_of = &members[i];
        }
    }
    return best;
}

static void write_channel(struct kanal_json *out, yyjson_val *touch)
{
    kanal_str channel = kanal_json_text_at(touch, "channel");
    if (channel.len > 0 && !kanal_str_is(channel, "_"))
        kanal_json_member_str(out, "channel", channel);
}

static void write_touch(struct kanal_json *out, const char *key, yyjson_val *touch)
{
    if (!touch)
        return;
    kanal_json_key(out, key);
    kanal_json_object(out);
    write_time(out, "time", profile_at(touch));
    write_channel(out, touch);
    kanal_json_member_nonempty(out, "plugin", kanal_json_text_at(touch, "plugin"));
    kanal_json_member_str(out, "type", kanal_json_text_at(touch, "type"));
    kanal_json_member_nonempty(out, "event", kanal_json_text_at(touch, "event"));
    kanal_json_object_end(out);
}

static void write_copy(struct kanal_json *out, const char *key, yyjson_val *value)
{
    if (!value)
        return;
    kanal_json_key(out, key);
    kanal_json_value(out, value);
}

static void write_acquisition(struct kanal_json *out, yyjson_val *acquisition)
{
    if (!acquisition)
        return;
    kanal_json_key(out, "acquisition");
    kanal_json_object(out);
    write_time(out, "time", profile_at(acquisition));
    write_channel(out, acquisition);
    kanal_json_member_nonempty(out, "event", kanal_json_text_at(acquisition, "event"));
    write_copy(out, "referral", kanal_json_at(acquisition, "referral"));
    write_copy(out, "attribution", kanal_json_at(acquisition, "attribution"));
    kanal_json_object_end(out);
}

static void write_inbound(struct kanal_json *out, yyjson_val *inbound, const struct profile_member *of)
{
    if (!inbound)
        return;
    kanal_json_key(out, "last_inbound");
    kanal_json_object(out);
    write_time(out, "time", profile_at(inbound));
    write_channel(out, inbound);
    kanal_json_member_str(out, "node", of->node);
    kanal_json_member_nonempty(out, "address", profile_address(of->record));
    kanal_json_object_end(out);
}

/* ---- The cart ---- */

static int is_same_cart(yyjson_val *a, yyjson_val *b)
{
    kanal_str one = kanal_json_text_at(a, "id"), other = kanal_json_text_at(b, "id");
    return one.len == 0 || other.len == 0 || kanal_str_equal(one, other);
}

/* A newer cart of another node that is empty says that this one is, too: an order in the app empties the cart of the site. */
static int is_emptied(const struct profile_member *members, size_t count, yyjson_val *cart)
{
    for (size_t i = 0; i < count; i++) {
        yyjson_val *other = kanal_json_at(members[i].record, "cart");
        if (other && yyjson_arr_size(kanal_json_at(other, "items")) == 0 &&
            profile_at(other) > profile_at(cart) && is_same_cart(cart, other))
            return 1;
    }
    return 0;
}

static void write_cart(struct kanal_json *out, const struct profile_member *members, size_t count)
{
    yyjson_val *best = NULL;
    for (size_t i = 0; i < count; i++) {
        yyjson_val *cart = kanal_json_at(members[i].record, "cart");
        if (yyjson_arr_size(kanal_json_at(cart, "items")) > 0 &&
            (!best || profile_at(cart) > profile_at(best)) && !is_emptied(members, count, cart))
            best = cart;
    }
    if (!best)
        return;
    kanal_json_key(out, "cart");
    kanal_json_object(out);
    kanal_json_member_nonempty(out, "id", kanal_json_text_at(best, "id"));
    write_copy(out, "items", kanal_json_at(best, "items"));
    write_copy(out, "total", kanal_json_at(best, "total"));
    write_copy(out, "currency", kanal_json_at(best, "currency"));
    write_time(out, "updated", profile_at(best));
    kanal_json_object_end(out);
}

/* ---- Consent ---- */

static int is_about(yyjson_val *item, yyjson_val *other)
{
    return kanal_str_equal(kanal_json_text_at(item, "purpose"), kanal_json_text_at(other, "purpose")) &&
           kanal_str_equal(kanal_json_text_at(item, "channel"), kanal_json_text_at(other, "channel"));
}

/* 1: another record says something later about the same, or an earlier one says it at the same time. */
static int is_outdated(const struct profile_member *members, size_t count, size_t member, yyjson_val *entry)
{
    size_t index, entries;
    yyjson_val *other, *item = kanal_json_at(entry, "item");
    for (size_t i = 0; i < count; i++) {
        yyjson_val *consent = i == member ? NULL : kanal_json_at(members[i].record, "consent");
        if (!yyjson_is_arr(consent))
            continue;
        yyjson_arr_foreach (consent, index, entries, other)
            if (is_about(item, kanal_json_at(other, "item")) &&
                (profile_at(other) > profile_at(entry) ||
                 (profile_at(other) == profile_at(entry) && i < member)))
                return 1;
    }
    return 0;
}

static void write_consent(struct kanal_json *out, const struct profile_member *members, size_t count)
{
    size_t index, entries, written = 0;
    yyjson_val *entry;
    for (size_t i = 0; i < count; i++) {
        yyjson_val *consent = kanal_json_at(members[i].record, "consent");
        if (!yyjson_is_arr(consent))
            continue;
        yyjson_arr_foreach (consent, index, entries, entry) {
            if (written >= PROFILE_CONSENT_MAX || is_outdated(members, count, i, entry))
                continue;
            if (written++ == 0) {
                kanal_json_key(out, "consent");
                kanal_json_array(out);
            }
            kanal_json_value(out, kanal_json_at(entry, "item"));
        }
    }
    if (written > 0)
        kanal_json_array_end(out);
}

void profile_merge_state(struct kanal_json *out, const struct profile_member *members, size_t count)
{
    const struct profile_member *of = NULL;
    yyjson_val *conversation = kanal_json_at(pick(members, count, "conversation", 1, &of), "value");
    write_touch(out, "first_touch", pick(members, count, "first", 0, &of));
    write_touch(out, "last_touch", pick(members, count, "latest", 1, &of));
    write_acquisition(out, pick(members, count, "acquisition", 0, &of));
    yyjson_val *inbound = pick(members, count, "inbound", 1, &of);
    write_inbound(out, inbound, of);
    if (!kanal_str_is(kanal_json_text_at(conversation, "state"), "closed"))
        write_copy(out, "conversation", conversation);
    write_cart(out, members, count);
    write_copy(out, "preferred_channel", kanal_json_at(pick(members, count, "preferred", 1, &of), "value"));
    write_copy(out, "quiet_hours", kanal_json_at(pick(members, count, "quiet", 1, &of), "value"));
    write_consent(out, members, count);
}
