#include "compose.h"

#include <stdio.h>

#include "who.h"

#define CAPTION_CHARS_MAX 1024
#define TEXT_CHARS_MAX 4096

void wa_outgoing_release(struct wa_outgoing *out)
{
    kanal_buffer_release(&out->json);
    memset(out, 0, sizeof *out);
}

/* ---- Whom it is for ---- */

int wa_to_of_chat(struct wa_to *to, kanal_str chat)
{
    char scratch[WA_PHONE_MAX];
    to->id = chat;
    to->kind = wa_phone(chat, scratch).len > 0 ? WA_TO_PHONE : wa_is_bsuid(chat) ? WA_TO_BSUID : WA_TO_GROUP;
    for (size_t i = 0; i < chat.len; i++)
        if (chat.ptr[i] <= ' ' || chat.ptr[i] > '~')
            return -1;
    return chat.len > 0 && chat.len <= 256 ? 0 : -1;
}

int wa_to_of_address(struct wa_to *to, kanal_str address)
{
    if (kanal_str_starts(address, "tel:"))
        return wa_to_of_chat(to, kanal_str_from(address, 4)) == 0 && to->kind == WA_TO_PHONE ? 0 : -1;
    if (kanal_str_starts(address, "whatsapp:"))
        return wa_to_of_chat(to, kanal_str_from(address, 9)) == 0 && to->kind == WA_TO_BSUID ? 0 : -1;
    return -1;
}

static void write_to(struct kanal_json *json, const struct wa_to *to)
{
    char scratch[WA_PHONE_MAX];
    kanal_json_member_text(json, "recipient_type", to->kind == WA_TO_GROUP ? "group" : "individual");
    if (to->kind == WA_TO_BSUID)
        kanal_json_member_str(json, "recipient", to->id);
    else
        kanal_json_member_str(json, "to", to->kind == WA_TO_PHONE ? wa_phone(to->id, scratch) : to->id);
}

/* ---- Text ---- */

static kanal_status write_text(struct wa_outgoing *out, struct kanal_json *json,
                               const struct meta_content *content, kanal_str words)
{
    int is_wanted = 1;
    for (size_t i = 0; i < content->text_count; i++)
        if (yyjson_is_false(kanal_json_at(content->texts[i], "preview")))
            is_wanted = 0;
    if (words.len == 0)
        return meta_refuse(&out->refusal, "invalid_content", "the message has nothing to show");
    if (meta_chars(words) > TEXT_CHARS_MAX)
        return meta_refuse(&out->refusal, "payload_too_large",
                           "a text has at most 4096 characters in WhatsApp");
    kanal_json_member_text(json, "type", "text");
    kanal_json_key(json, "text");
    kanal_json_object(json);
    kanal_json_member_str(json, "body", words);
    if (memmem(words.ptr, words.len, "://", 3))
        kanal_json_member_bool(json, "preview_url", is_wanted);
    kanal_json_object_end(json);
    return KANAL_OK;
}

/* ---- Media ---- */

const char *wa_media_kind(yyjson_val *media)
{
    static const char *const kinds[][2] = { { "image", "image" },
                                            { "video", "video" },
                                            { "audio", "audio" },
                                            { "voice", "audio" },
                                            { "sticker", "sticker" } };
    kanal_str type = kanal_json_text_at(media, "type");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kanal_str_is(type, kinds[i][0]))
            return kinds[i][1];
    return "document";
}

/* The file as an id that WhatsApp has, or as a link that it fetches. */
static kanal_status write_file(struct wa_outgoing *out, struct kanal_json *json, const struct wa_wish *wish,
                               yyjson_val *media)
{
    kanal_str id = kanal_json_text_at(meta_options(media, "whatsapp"), "id");
    kanal_str url = kanal_json_text_at(media, "url");
    if (wish->media_id.len > 0 || id.len > 0) {
        kanal_json_member_str(json, "id", wish->media_id.len > 0 ? wish->media_id : id);
        return KANAL_OK;
    }
    if (url.len == 0)
        return meta_refuse(&out->refusal, "invalid_content", "the media part has no url");
    if (wish->way == META_MEDIA_UPLOAD) {
        out->needs_upload = 1;
        out->url = url;
        out->filename = meta_filename(media);
        out->mime = kanal_json_text_at(media, "mime");
    }
    kanal_json_member_str(json, "link", url);
    return KANAL_OK;
}

kanal_status wa_write_media(struct wa_outgoing *out, struct kanal_json *json, const struct wa_wish *wish,
                            const char *key, yyjson_val *media, kanal_str caption)
{
    int is_voice = kanal_str_is(kanal_json_text_at(media, "type"), "voice");
    kanal_json_key(json, key);
    kanal_json_object(json);
    kanal_status status = write_file(out, json, wish, media);
    if (caption.len > 0)
        kanal_json_member_str(json, "caption", caption);
    if (strcmp(key, "document") == 0)
        kanal_member_text(json, "filename", meta_filename(media), 240);
    /* Only what was recorded as OGG/Opus may be shown as a voice message. */
    if (is_voice && kanal_str_starts(kanal_json_text_at(media, "mime"), "audio/ogg"))
        kanal_json_member_bool(json, "voice", 1);
    kanal_json_object_end(json);
    return status;
}

static kanal_status write_media(struct wa_outgoing *out, struct kanal_json *json, const struct wa_wish *wish,
                                const struct meta_content *content, kanal_str words)
{
    const char *kind = wa_media_kind(content->media);
    int has_caption = strcmp(kind, "audio") != 0 && strcmp(kind, "sticker") != 0;
    if (words.len > 0 && !has_caption)
        return meta_refuse(&out->refusal, "unsupported_content",
                           "audio and stickers have no caption in WhatsApp");
    if (meta_chars(words) > CAPTION_CHARS_MAX)
        return meta_refuse(&out->refusal, "payload_too_large",
                           "a caption has at most 1024 characters in WhatsApp");
    kanal_json_member_text(json, "type", kind);
    return wa_write_media(out, json, wish, kind, content->media, words);
}

/* ---- Places and people ---- */

static void write_degrees(struct kanal_json *json, const char *key, double degrees)
{
    char text[32];
    snprintf(text, sizeof text, "%.7f", degrees);
    kanal_json_member_text(json, key, text);
}

int wa_write_place(struct kanal_json *json, double lat, double lon, kanal_str name, kanal_str address)
{
    if (!(lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180))
        return -1;
    write_degrees(json, "latitude", lat);
    write_degrees(json, "longitude", lon);
    kanal_member_text(json, "name", name, 1000);
    kanal_member_text(json, "address", address, 1000);
    return 0;
}

static kanal_status write_location(struct wa_outgoing *out, struct kanal_json *json, yyjson_val *location)
{
    yyjson_val *lat = kanal_json_at(location, "lat"), *lon = kanal_json_at(location, "lon");
    kanal_json_member_text(json, "type", "location");
    kanal_json_key(json, "location");
    kanal_json_object(json);
    if (!yyjson_is_num(lat) || !yyjson_is_num(lon) ||
        wa_write_place(json, yyjson_get_num(lat), yyjson_get_num(lon), kanal_json_text_at(location, "name"),
                       kanal_json_text_at(location, "address")) != 0)
        return meta_refuse(&out->refusal, "invalid_content", "the location has no lat and lon");
    kanal_json_object_end(json);
    return KANAL_OK;
}

/* formatted_name and one more part of the name are required. */
static void write_name(struct kanal_json *json, yyjson_val *contact)
{
    kanal_str name = kanal_json_text_at(contact, "name"), first = kanal_json_text_at(contact, "first_name");
    kanal_json_key(json, "name");
    kanal_json_object(json);
    kanal_member_text(json, "formatted_name", name.len > 0 ? name : first, 512);
    kanal_member_text(json, "first_name", first.len > 0 ? first : name, 256);
    kanal_member_text_of(json, "last_name", contact, "last_name", 256);
    kanal_json_object_end(json);
}

static void write_list(struct kanal_json *json, const char *key, const char *member, yyjson_val *values)
{
    size_t index, max;
    yyjson_val *value;
    if (yyjson_arr_size(values) == 0)
        return;
    kanal_json_key(json, key);
    kanal_json_array(json);
    yyjson_arr_foreach (values, index, max, value) {
        kanal_json_object(json);
        kanal_member_text(json, member, kanal_json_text(value), 320);
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
}

static kanal_status write_contacts(struct wa_outgoing *out, struct kanal_json *json,
                                   const struct meta_content *content)
{
    kanal_json_member_text(json, "type", "contacts");
    kanal_json_key(json, "contacts");
    kanal_json_array(json);
    for (size_t i = 0; i < content->contact_count; i++) {
        yyjson_val *contact = content->contacts[i];
        kanal_str company = kanal_json_text_at(contact, "organization");
        if (kanal_json_text_at(contact, "name").len == 0 &&
            kanal_json_text_at(contact, "first_name").len == 0)
            return meta_refuse(&out->refusal, "invalid_content", "the contact has no name");
        kanal_json_object(json);
        write_name(json, contact);
        write_list(json, "phones", "phone", kanal_json_at(contact, "phones"));
        write_list(json, "emails", "email", kanal_json_at(contact, "emails"));
        if (company.len > 0) {
            kanal_json_key(json, "org");
            kanal_json_object(json);
            kanal_member_text(json, "company", company, 512);
            kanal_json_object_end(json);
        }
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
    return KANAL_OK;
}

/* ---- Verbs ---- */

static kanal_status write_content(struct wa_outgoing *out, struct kanal_json *json,
                                  const struct wa_wish *wish, const struct meta_content *content)
{
    struct kanal_buffer words = { 0 };
    kanal_status status;
    meta_write_words(&words, content);
    kanal_str text = kanal_buffer_view(&words);
    if (words.failed)
        status = KANAL_E_INTERNAL;
    else if (content->card || content->carousel)
        status = meta_refuse(&out->refusal, "unsupported_content",
                             "WhatsApp has cards and carousels in templates only");
    else if (content->template)
        status = wa_write_template(out, json, content->template);
    else if (content->choice)
        status = wa_write_interactive(out, json, wish, content);
    else if (content->media)
        status = write_media(out, json, wish, content, text);
    else if (content->location)
        status = write_location(out, json, content->location);
    else if (content->contact_count > 0)
        status = write_contacts(out, json, content);
    else
        status = write_text(out, json, content, text);
    kanal_buffer_release(&words);
    return status;
}

static kanal_status compose_send(struct wa_outgoing *out, struct kanal_json *json, const struct wa_wish *wish)
{
    struct meta_content content;
    kanal_status status = meta_read_content(&out->refusal, &content, wish->data);
    if (status != KANAL_OK)
        return status;
    out->for_message = 1;
    out->is_free = content.template == NULL;
    write_to(json, &wish->to);
    if (wish->target.len > 0) {
        kanal_json_key(json, "context");
        kanal_json_object(json);
        kanal_json_member_str(json, "message_id", wish->target);
        kanal_json_object_end(json);
    }
    if (wish->callback.len > 0)
        kanal_json_member_str(json, "biz_opaque_callback_data", wish->callback);
    return write_content(out, json, wish, &content);
}

static kanal_status compose_react(struct wa_outgoing *out, struct kanal_json *json,
                                  const struct wa_wish *wish)
{
    yyjson_val *reactions = kanal_json_at(wish->data, "reactions");
    kanal_str emoji = kanal_json_text_at(yyjson_arr_get_first(reactions), "emoji");
    if (yyjson_arr_size(reactions) > 1)
        return meta_refuse(&out->refusal, "unsupported_content", "WhatsApp has one reaction to a message");
    if (yyjson_arr_size(reactions) == 1 && emoji.len == 0)
        return meta_refuse(&out->refusal, "unsupported_content", "a reaction in WhatsApp is an emoji");
    out->for_message = 1;
    out->is_free = 1;
    write_to(json, &wish->to);
    kanal_json_member_text(json, "type", "reaction");
    kanal_json_key(json, "reaction");
    kanal_json_object(json);
    kanal_json_member_str(json, "message_id", wish->target);
    kanal_json_member_str(json, "emoji", emoji.len > 0 ? emoji : KANAL_LIT("")); /* empty: taken back */
    kanal_json_object_end(json);
    return KANAL_OK;
}

static kanal_status compose_read(struct wa_outgoing *out, struct kanal_json *json, const struct wa_wish *wish)
{
    (void)out;
    kanal_json_member_text(json, "status", "read");
    kanal_json_member_str(json, "message_id", wish->target);
    return KANAL_OK;
}

/* Typing is shown as an answer to a message, which is thereby read. It ends with our message, or after 25 s. */
static kanal_status compose_typing(struct wa_outgoing *out, struct kanal_json *json,
                                   const struct wa_wish *wish)
{
    kanal_status status = compose_read(out, json, wish);
    kanal_json_key(json, "typing_indicator");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "text");
    kanal_json_object_end(json);
    return status;
}

static const struct verb {
    const char *type;
    int needs_message;
    kanal_status (*compose)(struct wa_outgoing *, struct kanal_json *, const struct wa_wish *);
} verbs[] = {
    { "message.send", 0, compose_send },
    { "message.react", 1, compose_react },
    { "message.read", 1, compose_read },
    { "typing.start", 1, compose_typing },
};

static const struct verb *verb_of(kanal_str type)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (kanal_str_is(type, verbs[i].type))
            return &verbs[i];
    return NULL;
}

kanal_status wa_compose(struct wa_outgoing *out, const struct wa_wish *wish)
{
    const struct verb *verb = verb_of(wish->type);
    struct kanal_json json;
    memset(out, 0, sizeof *out);
    if (!verb)
        return meta_refuse(&out->refusal, "unsupported_verb", "WhatsApp has nothing for this verb");
    if (verb->needs_message && wish->target.len == 0)
        return meta_refuse(&out->refusal, "message_not_found",
                           "no message of WhatsApp is named, or none of the customer is known");
    kanal_json_init(&json, &out->json);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "messaging_product", "whatsapp");
    kanal_status status = verb->compose(out, &json, wish);
    if (status != KANAL_OK)
        return status;
    kanal_json_object_end(&json);
    return out->json.failed ? KANAL_E_INTERNAL : KANAL_OK;
}
