#include "callback.h"
#include "rules.h"
#include "webhook.h"

/* What a status says beside the message: prices are told, amounts are not. */
static void write_price(struct kanal_json *json, yyjson_val *pricing)
{
    yyjson_val *billable = kanal_json_at(pricing, "billable");
    kanal_str category = kanal_json_text_at(pricing, "category");
    if (!yyjson_is_bool(billable) && category.len == 0)
        return;
    kanal_json_key(json, "price");
    kanal_json_object(json);
    kanal_member_text(json, "category", category, 64);
    if (yyjson_is_bool(billable))
        kanal_json_member_bool(json, "billable", yyjson_get_bool(billable));
    kanal_json_object_end(json);
}

static void write_provider(struct kanal_json *json, yyjson_val *status)
{
    yyjson_val *pricing = kanal_json_at(status, "pricing"), *talk = kanal_json_at(status, "conversation");
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text_of(json, "pricing_model", pricing, "pricing_model", 64);
    kanal_member_text_of(json, "pricing_type", pricing, "type", 64);
    kanal_member_text_of(json, "conversation_id", talk, "id", 128);
    kanal_member_text_of(json, "conversation_origin", kanal_json_at(talk, "origin"), "type", 64);
    kanal_member_seconds(json, "conversation_until",
                         meta_seconds(kanal_json_at(talk, "expiration_timestamp")));
    kanal_provider_end(json, &provider);
}

static const char *scope_name(int32_t scope)
{
    return scope == KANAL_SCOPE_CHANNEL     ? "channel"
           : scope == KANAL_SCOPE_RECIPIENT ? "recipient"
                                            : "message";
}

static void write_error(struct kanal_json *json, yyjson_val *status)
{
    yyjson_val *error = yyjson_arr_get_first(kanal_json_at(status, "errors"));
    kanal_str title = kanal_json_text_at(error, "title"), message = kanal_json_text_at(error, "message");
    int64_t code = kanal_json_int_at(error, "code", 0);
    const struct meta_rule *rule = meta_rule_of(&wa_rules, code, 0);
    char scratch[META_CODE_MAX];
    kanal_json_key(json, "error");
    kanal_json_object(json);
    kanal_json_member_text(json, "code", rule ? rule->error_code : "provider_error");
    kanal_json_member_text(json, "scope", scope_name(rule ? rule->scope : KANAL_SCOPE_MESSAGE));
    kanal_member_text(json, "provider_code", meta_code_text(code, 0, scratch), 128);
    kanal_member_text(json, "provider_message", message.len > 0 ? message : title, 2048);
    kanal_member_text_of(json, "detail", kanal_json_at(error, "error_data"), "details", 2048);
    kanal_json_object_end(json);
}

static const struct kind {
    const char *status, *type;
} kinds[] = {
    { "sent", "message.sent" },     { "delivered", "message.delivered" },
    { "read", "message.read" },     { "played", "message.read" }, /* a voice message was listened to */
    { "failed", "message.failed" },
};

static const struct kind *kind_of(kanal_str status)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(status, kinds[i].status))
            return &kinds[i];
    return NULL;
}

/* In a group recipient_id is the group, and each participant has receipts of their own. */
static kanal_str read_who(const struct wa_change *change, struct wa_who *who, yyjson_val *status)
{
    int is_group = kanal_str_is(kanal_json_text_at(status, "recipient_type"), "group");
    kanal_str recipient = kanal_json_text_at(status, "recipient_id");
    who->phone = is_group ? kanal_json_text_at(status, "recipient_participant_id") : recipient;
    who->bsuid = kanal_json_text_at(status, is_group ? "recipient_participant_user_id" : "recipient_user_id");
    who->parent = kanal_json_text_at(status, "recipient_parent_user_id");
    wa_find_contact(change, who);
    return is_group ? recipient : kanal_str_of(NULL, 0);
}

static void write_message(struct kanal_json *json, yyjson_val *status, const struct wa_callback *callback)
{
    kanal_json_key(json, "message");
    kanal_json_object(json);
    if (callback->part > 0) {
        kanal_json_member_int(json, "part", callback->part);
        kanal_json_member_int(json, "parts", callback->parts);
    }
    write_price(json, kanal_json_at(status, "pricing"));
    write_provider(json, status);
    kanal_json_object_end(json);
}

void wa_read_status(const struct wa_change *change, yyjson_val *status)
{
    kanal_str id = kanal_json_text_at(status, "id"), name = kanal_json_text_at(status, "status");
    const struct kind *kind = kind_of(name);
    struct wa_who who = { 0 };
    struct wa_callback callback;
    struct kanal_json json;
    char address[META_ADDRESS_MAX], suffix[META_ID_MAX];
    kanal_str group = read_who(change, &who, status);
    wa_callback_read(&callback, kanal_json_text_at(status, "biz_opaque_callback_data"));
    if (!kind || id.len == 0 || id.len > META_ID_MAX) {
        meta_ignore(change->batch, name);
        return;
    }
    if (strcmp(kind->type, "message.sent") == 0 && callback.part > 0) {
        meta_ignore(change->batch, KANAL_LIT("sent, which the answer to our request said already"));
        return;
    }
    wa_address(address, &who);
    wa_status_suffix(suffix, sizeof suffix, name, group.len > 0 ? wa_chat(&who) : group);
    struct meta_start start = { .type = kind->type,
                                .key = id,
                                .suffix = suffix,
                                .whole = status,
                                .external_id = id,
                                .address = kanal_str_c(address[0] ? address : NULL),
                                .chat = group.len > 0 ? group : wa_chat(&who),
                                .time_ms = meta_seconds(kanal_json_at(status, "timestamp")) * 1000 };
    struct meta_item *item = meta_item_begin(change->batch, &json, &start);
    if (!item)
        return;
    if (callback.part > 0)
        item->event.command_id = callback.command_id;
    if (address[0])
        wa_write_customer(&json, &who);
    wa_write_chat(&json, group, 0);
    write_message(&json, status, &callback);
    if (strcmp(kind->type, "message.failed") == 0)
        write_error(&json, status);
    meta_item_end(change->batch, item, &json);
}
