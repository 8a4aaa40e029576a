#include "webhook.h"

typedef void thing_fn(const struct wa_change *, yyjson_val *thing);

static void read_all(const struct wa_change *change, const char *name, thing_fn *read)
{
    size_t index, max;
    yyjson_val *thing;
    yyjson_arr_foreach (kanal_json_at(change->value, name), index, max, thing) {
        if (yyjson_is_obj(thing))
            read(change, thing);
        else
            meta_ignore(change->batch, kanal_str_c(name));
    }
}

static int is_same_id(kanal_str a, kanal_str b)
{
    return a.len > 0 && kanal_str_equal(a, b);
}

void wa_find_contact(const struct wa_change *change, struct wa_who *who)
{
    yyjson_val *contacts = kanal_json_at(change->value, "contacts"), *contact;
    size_t index, max;
    yyjson_arr_foreach (contacts, index, max, contact) {
        kanal_str bsuid = kanal_json_text_at(contact, "user_id");
        if (!is_same_id(who->phone, kanal_json_text_at(contact, "wa_id")) && !is_same_id(who->bsuid, bsuid))
            continue;
        who->contact = contact;
        if (who->bsuid.len == 0)
            who->bsuid = bsuid;
        if (who->parent.len == 0)
            who->parent = kanal_json_text_at(contact, "parent_user_id");
        return;
    }
}

/* ---- What a person wants ---- */

/* value.user_preferences: marketing messages stopped or wanted again, in WhatsApp's own settings. */
static void read_preference(const struct wa_change *change, yyjson_val *preference)
{
    kanal_str value = kanal_json_text_at(preference, "value");
    kanal_str category = kanal_json_text_at(preference, "category");
    int is_given = kanal_str_is(value, "resume");
    char address[META_ADDRESS_MAX];
    struct kanal_json json;
    struct wa_who who = { .phone = kanal_json_text_at(preference, "wa_id"),
                          .bsuid = kanal_json_text_at(preference, "user_id") };
    wa_find_contact(change, &who);
    wa_address(address, &who);
    if (!address[0] || (!is_given && !kanal_str_is(value, "stop"))) {
        meta_ignore(change->batch, KANAL_LIT("user_preferences"));
        return;
    }
    struct meta_start start = { .type = is_given ? "consent.given" : "consent.withdrawn",
                                .whole = preference,
                                .address = kanal_str_c(address),
                                .chat = wa_chat(&who),
                                .time_ms = meta_seconds(kanal_json_at(preference, "timestamp")) * 1000 };
    struct meta_item *item = meta_item_begin(change->batch, &json, &start);
    if (!item)
        return;
    wa_write_customer(&json, &who);
    wa_write_chat(&json, kanal_str_of(NULL, 0), 0);
    kanal_json_key(&json, "consent");
    kanal_json_array(&json);
    kanal_json_object(&json);
    kanal_json_member_bool(&json, "given", is_given);
    if (kanal_str_is(category, "marketing_messages"))
        kanal_json_member_text(&json, "purpose", "marketing");
    kanal_json_member_str(&json, "channel", change->channel_id);
    kanal_json_object_end(&json);
    kanal_json_array_end(&json);
    kanal_json_member_text(&json, "reason", "provider");
    struct kanal_provider provider = kanal_provider_begin(&json);
    kanal_member_text(&json, "category", category, 64);
    kanal_member_text_of(&json, "detail", preference, "detail", 512);
    kanal_provider_end(&json, &provider);
    meta_item_end(change->batch, item, &json);
}

/* ---- The payload ---- */

static const struct field {
    const char *name;   /* change.field */
    const char *things; /* the array in change.value */
    thing_fn *read;
} fields[] = {
    { "messages", "messages", wa_read_message },
    { "messages", "statuses", wa_read_status },
    { "smb_message_echoes", "message_echoes", wa_read_echo },
    { "user_preferences", "user_preferences", read_preference },
};

static void read_change(struct meta_batch *batch, kanal_str channel_id, kanal_str number, yyjson_val *change)
{
    kanal_str field = kanal_json_text_at(change, "field");
    struct wa_change here = { batch, channel_id, kanal_json_at(change, "value") };
    kanal_str told = kanal_json_text_at(kanal_json_at(here.value, "metadata"), "phone_number_id");
    size_t before = batch->count + batch->ignored;
    if (told.len > 0 && !kanal_str_equal(told, number)) {
        meta_ignore(batch, KANAL_LIT("of another phone_number_id"));
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (kanal_str_is(field, fields[i].name))
            read_all(&here, fields[i].things, fields[i].read);
    if (kanal_json_at(here.value, "errors"))
        meta_ignore(batch, KANAL_LIT("errors of the account"));
    if (batch->count + batch->ignored == before)
        meta_ignore(batch, field);
}

kanal_status wa_webhook_read(struct meta_batch *batch, kanal_str channel_id, kanal_str phone_number_id,
                             yyjson_val *payload)
{
    size_t index, max, i, n;
    yyjson_val *entry, *change;
    yyjson_val *entries = kanal_json_at(payload, "entry");
    if (!kanal_str_is(kanal_json_text_at(payload, "object"), "whatsapp_business_account") ||
        !yyjson_is_arr(entries))
        return KANAL_E_INVALID;
    yyjson_arr_foreach (entries, index, max, entry)
        yyjson_arr_foreach (kanal_json_at(entry, "changes"), i, n, change)
            read_change(batch, channel_id, phone_number_id, change);
    return batch->failed ? KANAL_E_INTERNAL : KANAL_OK;
}
