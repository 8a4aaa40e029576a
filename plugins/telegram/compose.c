#include "compose.h"

#include "fields.h"
#include "markup.h"

/* Telegram fetches a URL only up to these sizes (https://core.telegram.org/bots/api#sending-files). */
#define URL_PHOTO_BYTES_MAX (INT64_C(5) * 1000 * 1000)
#define URL_FILE_BYTES_MAX (INT64_C(20) * 1000 * 1000)
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

/* ---- Targets ---- */

int tg_target_of_chat(struct tg_target *target, kanal_str chat)
{
    size_t colon = 0;
    memset(target, 0, sizeof *target);
    if (chat.len > 1 && chat.ptr[0] == '@' && chat.len < sizeof target->username) {
        memcpy(target->username, chat.ptr, chat.len);
        return 0;
    }
    while (colon < chat.len && chat.ptr[colon] != ':')
        colon++;
    if (colon < chat.len) {
        if (colon == 0 || colon > TG_BUSINESS_MAX)
            return -1;
        memcpy(target->business, chat.ptr, colon);
        chat = kanal_str_from(chat, colon + 1);
    }
    return kanal_str_int(chat, &target->chat_id) == 0 && target->chat_id != 0 ? 0 : -1;
}

int tg_target_of_address(struct tg_target *target, kanal_str address)
{
    memset(target, 0, sizeof *target);
    if (!kanal_str_starts(address, "telegram:"))
        return -1;
    return kanal_str_int(kanal_str_from(address, 9), &target->chat_id) == 0 && target->chat_id != 0 ? 0 : -1;
}

int tg_target_of_message(struct tg_target *target, int64_t *ret_message_id, kanal_str external_id)
{
    size_t slash = external_id.len;
    int64_t id;
    while (slash > 0 && external_id.ptr[slash - 1] != '/')
        slash--;
    if (slash == 0 || kanal_str_int(kanal_str_from(external_id, slash), &id) != 0 || id <= 0 ||
        tg_target_of_chat(target, kanal_str_of(external_id.ptr, slash - 1)) != 0)
        return -1;
    *ret_message_id = id;
    return 0;
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

/* ---- Content ---- */

struct content { /* the parts of one message */
    yyjson_val *media, *location, *contact, *choice;
    yyjson_val *texts[8];
    size_t text_count;
};

static int is_media(kanal_str type)
{
    static const char *const types[] = { "image", "video", "audio", "voice", "file", "sticker" };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kanal_str_is(type, types[i]))
            return 1;
    return 0;
}

static kanal_status take(struct tg_outgoing *out, yyjson_val **place, yyjson_val *part)
{
    if (*place)
        return tg_refuse(out, "unsupported_content", "this is more than one Telegram message can show");
    *place = part;
    return KANAL_OK;
}

static kanal_status take_part(struct tg_outgoing *out, struct content *content, yyjson_val *part)
{
    kanal_str type = kanal_json_text_at(part, "type");
    if (kanal_str_is(type, "text")) {
        if (content->text_count == sizeof content->texts / sizeof *content->texts)
            return tg_refuse(out, "unsupported_content", "too many text parts in one message");
        content->texts[content->text_count++] = part;
        return KANAL_OK;
    }
    if (is_media(type))
        return take(out, &content->media, part);
    if (kanal_str_is(type, "location"))
        return take(out, &content->location, part);
    if (kanal_str_is(type, "contact"))
        return take(out, &content->contact, part);
    if (kanal_str_is(type, "choice"))
        return take(out, &content->choice, part);
    return tg_refuse(out, "unsupported_content", "Telegram cannot show this kind of part");
}

static kanal_status read_content(struct tg_outgoing *out, struct content *content, yyjson_val *data)
{
    yyjson_val *part;
    size_t index, max;
    memset(content, 0, sizeof *content);
    yyjson_arr_foreach (kanal_json_at(data, "content"), index, max, part) {
        kanal_status status = take_part(out, content, part);
        if (status != KANAL_OK)
            return status;
    }
    int bodies = (content->media != NULL) + (content->location != NULL) + (content->contact != NULL);
    if (bodies > 1 || (bodies == 1 && !content->media && content->text_count > 0))
        return tg_refuse(out, "unsupported_content", "this is more than one Telegram message can show");
    return KANAL_OK;
}

/* ---- Text ---- */

static int is_plain(yyjson_val *part, const char *markup)
{
    kanal_str how = kanal_json_text_at(part, markup);
    return how.len == 0 || kanal_str_is(how, "plain");
}

static void append_text(struct kanal_buffer *text, yyjson_val *part, const char *member, const char *markup,
                        int as_html)
{
    kanal_str words = kanal_json_text_at(part, member), how = kanal_json_text_at(part, markup);
    if (words.len == 0)
        return;
    if (text->len > 0)
        kanal_buffer_text(text, "\n\n");
    if (!as_html)
        kanal_buffer_str(text, words);
    else if (kanal_str_is(how, "html"))
        tg_html_from_html(text, words);
    else if (kanal_str_is(how, "markdown"))
        tg_html_from_markdown(text, words);
    else
        tg_escape(text, words);
}

/* All words of the message as one member, and its parse_mode: the media's caption, the texts, the question of a choice. 1: there are
 * some. */
static int write_words(struct kanal_json *json, const char *key, const struct content *content)
{
    struct kanal_buffer text = { 0 };
    int as_html = content->media && !is_plain(content->media, "caption_markup");
    for (size_t i = 0; i < content->text_count; i++)
        as_html |= !is_plain(content->texts[i], "markup");
    append_text(&text, content->media, "caption", "caption_markup", as_html);
    for (size_t i = 0; i < content->text_count; i++)
        append_text(&text, content->texts[i], "text", "markup", as_html);
    append_text(&text, content->choice, "text", "", as_html);
    int is_there = text.len > 0;
    if (is_there) {
        kanal_json_member_str(json, key, kanal_buffer_view(&text));
        if (as_html)
            kanal_json_member_text(json, "parse_mode", "HTML");
    }
    if (text.failed)
        json->out->failed = 1;
    kanal_buffer_release(&text);
    return is_there;
}

static void write_preview(struct kanal_json *json, const struct content *content, yyjson_val *options)
{
    yyjson_val *given = kanal_json_at(options, "link_preview_options");
    if (given) {
        tg_member_copy(json, "link_preview_options", given);
        return;
    }
    for (size_t i = 0; i < content->text_count; i++) {
        yyjson_val *preview = kanal_json_at(content->texts[i], "preview");
        if (yyjson_is_false(preview)) {
            kanal_json_key(json, "link_preview_options");
            kanal_json_object(json);
            kanal_json_member_bool(json, "is_disabled", 1);
            kanal_json_object_end(json);
            return;
        }
    }
}

/* ---- Media ---- */

struct sort { /* how a kind of media is sent */
    const char *method, *field,
        *input; /* input: InputMedia's type; NULL: it cannot be edited into a message */
    int has_caption;
};

static const struct sort sort_photo = { "sendPhoto", "photo", "photo", 1 };
static const struct sort sort_video = { "sendVideo", "video", "video", 1 };
static const struct sort sort_animation = { "sendAnimation", "animation", "animation", 1 };
static const struct sort sort_note = { "sendVideoNote", "video_note", NULL, 0 };
static const struct sort sort_audio = { "sendAudio", "audio", "audio", 1 };
static const struct sort sort_voice = { "sendVoice", "voice", NULL, 1 };
static const struct sort sort_document = { "sendDocument", "document", "document", 1 };
static const struct sort sort_sticker = { "sendSticker", "sticker", NULL, 0 };

static const struct sort *sort_of(const struct content *content)
{
    kanal_str type = kanal_json_text_at(content->media, "type");
    int has_words = content->text_count > 0 || kanal_json_text_at(content->media, "caption").len > 0;
    if (kanal_str_is(type, "image"))
        return &sort_photo;
    if (kanal_str_is(type, "audio"))
        return &sort_audio;
    if (kanal_str_is(type, "voice"))
        return &sort_voice;
    if (kanal_str_is(type, "sticker"))
        return &sort_sticker;
    if (!kanal_str_is(type, "video"))
        return &sort_document;
    if (kanal_json_bool_at(content->media, "animation"))
        return &sort_animation;
    /* A round one has no place for words: then it goes as an ordinary film. */
    return kanal_json_bool_at(content->media, "round") && !has_words ? &sort_note : &sort_video;
}

/* The name for an uploaded file: as given, else the last segment of the URL's path. */
static kanal_str filename_of(yyjson_val *media, kanal_str url)
{
    kanal_str name = kanal_json_text_at(media, "name");
    if (name.len > 0)
        return name;
    size_t end = 0, start;
    while (end < url.len && url.ptr[end] != '?' && url.ptr[end] != '#')
        end++;
    for (start = end; start > 0 && url.ptr[start - 1] != '/'; start--)
        ;
    return end > start ? kanal_str_of(url.ptr + start, end - start) : KANAL_LIT("file");
}

static int is_over_url_limit(const struct sort *sort, yyjson_val *media)
{
    int64_t size = kanal_json_int_at(media, "size", 0);
    return size > (sort == &sort_photo ? URL_PHOTO_BYTES_MAX : URL_FILE_BYTES_MAX);
}

/* The file as a member `key`, or as an upload beside the parameters: then the member is written only if it has to name it. */
static kanal_status write_file(struct tg_outgoing *out, struct kanal_json *json, const struct tg_wish *wish,
                               const struct sort *sort, yyjson_val *media, const char *key)
{
    kanal_str file_id = kanal_json_text_at(tg_options(media), "file_id"),
              url = kanal_json_text_at(media, "url");
    if (file_id.len > 0) {
        kanal_json_member_str(json, key, file_id);
        return KANAL_OK;
    }
    if (url.len == 0)
        return tg_refuse(out, "invalid_content", "the media part has no url");
    if (wish->way == TG_WAY_URL && sort != &sort_note && !is_over_url_limit(sort, media)) {
        kanal_json_member_str(json, key, url);
        out->has_media = 1;
        return KANAL_OK;
    }
    out->field = sort->field;
    out->url = url;
    out->filename = filename_of(media, url);
    out->mime = kanal_json_text_at(media, "mime");
    if (strcmp(key, "media") == 0)
        kanal_json_member_text(json, key, "attach://upload");
    return KANAL_OK;
}

static void write_media_facts(struct kanal_json *json, const struct sort *sort, yyjson_val *media)
{
    int64_t duration = kanal_json_int_at(media, "duration_ms", 0) / 1000;
    int is_film = sort == &sort_video || sort == &sort_animation;
    if (duration > 0 && duration <= INT32_MAX &&
        (is_film || sort == &sort_note || sort == &sort_audio || sort == &sort_voice))
        kanal_json_member_int(json, "duration", duration);
    if (is_film) {
        tg_member_count_of(json, "width", media, "width", 1, 100000, 1);
        tg_member_count_of(json, "height", media, "height", 1, 100000, 1);
    }
    if (sort == &sort_video)
        kanal_json_member_bool(json, "supports_streaming", 1);
    if (sort == &sort_audio) {
        tg_member_text_of(json, "performer", media, "performer", 512);
        tg_member_text_of(json, "title", media, "title", 512);
    }
    if (is_film || sort == &sort_photo)
        tg_member_true_of(json, "has_spoiler", media, "spoiler");
}

static kanal_status write_media(struct tg_outgoing *out, struct kanal_json *json, const struct tg_wish *wish,
                                const struct content *content)
{
    const struct sort *sort = sort_of(content);
    kanal_status status = write_file(out, json, wish, sort, content->media, sort->field);
    if (status != KANAL_OK)
        return status;
    out->method = sort->method;
    write_media_facts(json, sort, content->media);
    if (write_words(json, "caption", content) && !sort->has_caption)
        return tg_refuse(out, "unsupported_content", "a sticker has no caption in Telegram");
    return KANAL_OK;
}

/* ---- Places and people ---- */

static int has_place(yyjson_val *location)
{
    return yyjson_is_num(kanal_json_at(location, "lat")) && yyjson_is_num(kanal_json_at(location, "lon"));
}

static void write_position(struct kanal_json *json, yyjson_val *location)
{
    tg_member_number_of(json, "latitude", location, "lat", -90, 90);
    tg_member_number_of(json, "longitude", location, "lon", -180, 180);
}

static void write_movement(struct kanal_json *json, yyjson_val *location)
{
    tg_member_number_of(json, "horizontal_accuracy", location, "accuracy_m", 0, 1500);
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
        tg_member_text_of(json, "last_name", contact, "last_name", 256);
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
            tg_member_copy(json, any[i], value);
    if (has_media && (value = kanal_json_at(options, "show_caption_above_media")) != NULL)
        tg_member_copy(json, "show_caption_above_media", value);
}

static kanal_status compose_send(struct tg_outgoing *out, struct kanal_json *json, const struct tg_wish *wish)
{
    struct content content;
    kanal_status status = read_content(out, &content, wish->data);
    if (status != KANAL_OK)
        return status;
    out->for_message = 1;
    if (content.media) {
        status = write_media(out, json, wish, &content);
    } else if (content.location) {
        status = write_location(out, json, content.location);
    } else if (content.contact) {
        status = write_contact(out, json, content.contact);
    } else {
        out->method = "sendMessage";
        if (!write_words(json, "text", &content))
            return tg_refuse(out, "invalid_content", "the message has nothing to show");
        write_preview(json, &content, tg_options(wish->data));
    }
    if (status != KANAL_OK)
        return status;
    write_manner(json, wish, content.media != NULL);
    write_reply(json, wish);
    return content.choice ? tg_write_keyboard(out, json, content.choice, 0) : KANAL_OK;
}

static kanal_status write_input_media(struct tg_outgoing *out, struct kanal_json *json,
                                      const struct tg_wish *wish, const struct content *content)
{
    const struct sort *sort = sort_of(content);
    if (!sort->input)
        return tg_refuse(out, "unsupported_content", "Telegram cannot put this into a message that exists");
    out->method = "editMessageMedia";
    kanal_json_key(json, "media");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", sort->input);
    kanal_status status = write_file(out, json, wish, sort, content->media, "media");
    write_media_facts(json, sort, content->media);
    write_words(json, "caption", content);
    kanal_json_object_end(json);
    if (out->field)
        out->field = "upload";
    return status;
}

static kanal_status compose_edit(struct tg_outgoing *out, struct kanal_json *json, const struct tg_wish *wish)
{
    struct content content;
    kanal_status status = read_content(out, &content, wish->data);
    if (status != KANAL_OK)
        return status;
    kanal_json_member_int(json, "message_id", wish->message_id);
    out->for_message = 1;
    if (content.media) {
        status = write_input_media(out, json, wish, &content);
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
        write_words(json, "caption", &content);
    } else if (write_words(json, "text", &content)) {
        out->method = "editMessageText";
        write_preview(json, &content, tg_options(wish->data));
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
    tg_member_true_of(json, "is_big", tg_options(wish->data), "is_big");
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
