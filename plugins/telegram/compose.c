#include "parts.h"

#include "kanal/sdk/member.h"

#define VCARD_BYTES_MAX 2048

void tg_outgoing_release(struct tg_outgoing *out)
{
    kanal_buffer_release(&out->json);
    memset(out, 0, sizeof *out);
}

kanal_status tg_refuse(struct tg_outgoing *out, const char *error_code, const char *reason)
{
    out->error_code = error_code;
    out->reason = reason;
    return KANAL_E_REJECTED;
}

yyjson_val *tg_options(yyjson_val *object)
{
    yyjson_val *provider = kanal_json_at(object, "provider"), *ours = kanal_json_at(provider, "telegram");
    return yyjson_is_obj(ours) ? ours : provider;
}

static void write_chat(struct kanal_json *json, const struct tg_target *target)
{
    if (target->business[0])
        kanal_json_member_text(json, "business_connection_id", target->business);
    if (target->chat_id != 0)
        kanal_json_member_int(json, "chat_id", target->chat_id);
    else
        kanal_json_member_text(json, "chat_id", target->username);
}

/* ---- Places and people ---- */

static int has_place(yyjson_val *location)
{
    return yyjson_is_num(kanal_json_at(location, "lat")) && yyjson_is_num(kanal_json_at(location, "lon"));
}

static void write_position(struct kanal_json *json, yyjson_val *location)
{
    kanal_member_number_of(json, "latitude", location, "lat", -90, 90);
    kanal_member_number_of(json, "longitude", location, "lon", -180, 180);
}

static void write_movement(struct kanal_json *json, yyjson_val *location)
{
    kanal_member_number_of(json, "horizontal_accuracy", location, "accuracy_m", 0, 1500);
    double heading = yyjson_get_num(kanal_json_at(location, "heading"));
    if (heading >= 1 && heading <= 360)
        kanal_json_member_int(json, "heading", (int64_t)heading);
}

static kanal_status write_location(struct tg_outgoing *out, struct kanal_json *json, yyjson_val *location)
{
    kanal_str name = kanal_json_text_at(location, "name"), address = kanal_json_text_at(location, "address");
    if (!has_place(location))
        return tg_refuse(out, "invalid_content", "the location has no lat and lon");
    write_position(json, location);
    if (name.len > 0 || address.len > 0) { /* a venue needs both */
        out->method = "sendVenue";
        kanal_json_member_str(json, "title", name.len > 0 ? name : address);
        kanal_json_member_str(json, "address", address.len > 0 ? address : name);
        return KANAL_OK;
    }
    out->method = "sendLocation";
    write_movement(json, location);
    int64_t live = kanal_json_int_at(location, "live_duration_ms", 0) / 1000;
    if (live >= 60 && live <= 86400)
        kanal_json_member_int(json, "live_period", live);
    return KANAL_OK;
}

static kanal_status write_contact(struct tg_outgoing *out, struct kanal_json *json, yyjson_val *contact)
{
    kanal_str phone = kanal_json_text(yyjson_arr_get_first(kanal_json_at(contact, "phones")));
    kanal_str first = kanal_json_text_at(contact, "first_name"), name = kanal_json_text_at(contact, "name");
    kanal_str vcard = kanal_json_text_at(contact, "vcard");
    if (phone.len == 0)
        return tg_refuse(out, "unsupported_content", "a contact needs a telephone number in Telegram");
    if (first.len == 0 && name.len == 0)
        return tg_refuse(out, "invalid_content", "the contact has no name");
    out->method = "sendContact";
    kanal_json_member_str(json, "phone_number", phone);
    kanal_json_member_str(json, "first_name", first.len > 0 ? first : name);
    if (first.len > 0)
        kanal_member_text_of(json, "last_name", contact, "last_name", 256);
    if (vcard.len > 0 && vcard.len <= VCARD_BYTES_MAX)
        kanal_json_member_str(json, "vcard", vcard);
    return KANAL_OK;
}

/* ---- Verbs ---- */

static void write_reply(struct kanal_json *json, const struct tg_wish *wish)
{
    if (wish->message_id == 0)
        return;
    kanal_json_key(json, "reply_parameters");
    kanal_json_object(json);
    kanal_json_member_int(json, "message_id", wish->message_id);
    if (wish->message_chat != 0)
        kanal_json_member_int(json, "chat_id", wish->message_chat);
    kanal_json_member_bool(json, "allow_sending_without_reply", 1); /* it may have been deleted meanwhile */
    kanal_json_object_end(json);
}

/* What is said of any message, in the command itself or in Telegram's own words. */
static void write_manner(struct kanal_json *json, const struct tg_wish *wish, int has_media)
{
    static const char *const any[] = { "protect_content", "allow_paid_broadcast", "message_effect_id",
                                       "direct_messages_topic_id", "suggested_post_parameters" };
    yyjson_val *options = tg_options(wish->data), *value;
    int64_t thread = 0;
    if (kanal_str_int(kanal_json_text_at(wish->data, "thread"), &thread) == 0 && thread > 0)
        kanal_json_member_int(json, "message_thread_id", thread);
    if (kanal_json_bool_at(wish->data, "silent"))
        kanal_json_member_bool(json, "disable_notification", 1);
    for (size_t i = 0; i < sizeof any / sizeof *any; i++)
        if ((value = kanal_json_at(options, any[i])) != NULL)
            kanal_member_copy(json, any[i], value);
    if (has_media && (value = kanal_json_at(options, "show_caption_above_media")) != NULL)
        kanal_member_copy(json, "show_caption_above_media", value);
}

static kanal_status compose_send(struct tg_outgoing *out, struct kanal_json *json, const struct tg_wish *wish)
{
    struct tg_content content;
    kanal_status status = tg_read_content(out, &content, wish->data);
    if (status != KANAL_OK)
        return status;
    out->for_message = 1;
    if (content.media) {
        status = tg_write_media(out, json, wish, &content);
    } else if (content.location) {
        status = write_location(out, json, content.location);
    } else if (content.contact) {
        status = write_contact(out, json, content.contact);
    } else {
        out->method = "sendMessage";
        if (!tg_write_words(json, "text", &content))
            return tg_refuse(out, "invalid_content", "the message has nothing to show");
        tg_write_preview(json, &content, tg_options(wish->data));
    }
    if (status != KANAL_OK)
        return status;
    write_manner(json, wish, content.media != NULL);
    write_reply(json, wish);
    return content.choice ? tg_write_keyboard(out, json, content.choice, 0) : KANAL_OK;
}

static kanal_status compose_edit(struct tg_outgoing *out, struct kanal_json *json, const struct tg_wish *wish)
{
    struct tg_content content;
    kanal_status status = tg_read_content(out, &content, wish->data);
    if (status != KANAL_OK)
        return status;
    kanal_json_member_int(json, "message_id", wish->message_id);
    out->for_message = 1;
    if (content.media) {
        status = tg_write_input_media(out, json, wish, &content);
    } else if (content.location) {
        out->method = "editMessageLiveLocation";
        if (!has_place(content.location))
            return tg_refuse(out, "invalid_content", "the location has no lat and lon");
        write_position(json, content.location);
        write_movement(json, content.location);
    } else if (content.contact) {
        return tg_refuse(out, "unsupported_content",
                         "Telegram cannot put a contact into a message that exists");
    } else if (wish->as_caption) {
        out->method = "editMessageCaption";
        tg_write_words(json, "caption", &content);
    } else if (tg_write_words(json, "text", &content)) {
        out->method = "editMessageText";
        tg_write_preview(json, &content, tg_options(wish->data));
    } else {
        out->method = "editMessageReplyMarkup";
    }
    if (status != KANAL_OK)
        return status;
    return content.choice ? tg_write_keyboard(out, json, content.choice, 1) : KANAL_OK;
}

static kanal_status compose_delete(struct tg_outgoing *out, struct kanal_json *json,
                                   const struct tg_wish *wish)
{
    if (!wish->target.business[0]) {
        out->method = "deleteMessage";
        kanal_json_member_int(json, "message_id", wish->message_id);
        return KANAL_OK;
    }
    out->method = "deleteBusinessMessages";
    kanal_json_key(json, "message_ids");
    kanal_json_array(json);
    kanal_json_int(json, wish->message_id);
    kanal_json_array_end(json);
    return KANAL_OK;
}

static kanal_status compose_react(struct tg_outgoing *out, struct kanal_json *json,
                                  const struct tg_wish *wish)
{
    yyjson_val *reaction;
    size_t index, max;
    if (wish->target.business[0])
        return tg_refuse(out, "unsupported_verb", "Telegram has no reactions in chats of a business account");
    out->method = "setMessageReaction";
    kanal_json_member_int(json, "message_id", wish->message_id);
    kanal_json_key(json, "reaction");
    kanal_json_array(json);
    yyjson_arr_foreach (kanal_json_at(wish->data, "reactions"), index, max, reaction) {
        kanal_str emoji = kanal_json_text_at(reaction, "emoji"),
                  custom = kanal_json_text_at(reaction, "custom_id");
        if (emoji.len == 0 && custom.len == 0)
            return tg_refuse(out, "invalid_content", "a reaction has neither emoji nor custom_id");
        kanal_json_object(json);
        kanal_json_member_text(json, "type", emoji.len > 0 ? "emoji" : "custom_emoji");
        kanal_json_member_str(json, emoji.len > 0 ? "emoji" : "custom_emoji_id",
                              emoji.len > 0 ? emoji : custom);
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
    kanal_member_true_of(json, "is_big", tg_options(wish->data), "is_big");
    return KANAL_OK;
}

static kanal_status compose_typing(struct tg_outgoing *out, struct kanal_json *json,
                                   const struct tg_wish *wish)
{
    static const char *const actions[][2] = { { "voice", "record_voice" },
                                              { "video", "record_video" },
                                              { "file", "upload_document" } };
    kanal_str kind = kanal_json_text_at(wish->data, "kind");
    const char *action = "typing";
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (kanal_str_is(kind, actions[i][0]))
            action = actions[i][1];
    out->method = "sendChatAction";
    kanal_json_member_text(json, "action", action);
    return KANAL_OK;
}

static const struct verb {
    const char *type;
    int needs_message;
    int names_chat; /* 0: the method knows it by the business connection */
    kanal_status (*compose)(struct tg_outgoing *, struct kanal_json *, const struct tg_wish *);
} verbs[] = {
    { "message.send", 0, 1, compose_send },     { "message.edit", 1, 1, compose_edit },
    { "message.delete", 1, 0, compose_delete }, { "message.react", 1, 1, compose_react },
    { "typing.start", 0, 1, compose_typing },
};

static const struct verb *verb_of(kanal_str type)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (kanal_str_is(type, verbs[i].type))
            return &verbs[i];
    return NULL;
}

kanal_status tg_compose(struct tg_outgoing *out, const struct tg_wish *wish)
{
    const struct verb *verb = verb_of(wish->type);
    struct kanal_json json;
    memset(out, 0, sizeof *out);
    if (!verb)
        return tg_refuse(out, "unsupported_verb", "Telegram has nothing for this verb");
    if (verb->needs_message && wish->message_id == 0)
        return tg_refuse(out, "message_not_found",
                         "no message of Telegram is named (external_id is CHAT/NUMBER)");
    kanal_json_init(&json, &out->json);
    kanal_json_object(&json);
    if (verb->names_chat || !wish->target.business[0])
        write_chat(&json, &wish->target);
    else
        kanal_json_member_text(&json, "business_connection_id", wish->target.business);
    kanal_status status = verb->compose(out, &json, wish);
    if (status != KANAL_OK)
        return status;
    kanal_json_object_end(&json);
    return out->json.failed ? KANAL_E_INTERNAL : KANAL_OK;
}
