#include "page.h"

/* https://developers.facebook.com/docs/messenger-platform/reference/send-api. */
#define TAG_BYTES_MAX 64

void page_outgoing_release(struct page_outgoing *out)
{
    kanal_buffer_release(&out->json);
    memset(out, 0, sizeof *out);
}

/* ---- Whom it is for ---- */

/* Ids are digits; nothing else goes into a request. */
static int is_person(kanal_str id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] < '0' || id.ptr[i] > '9')
            return 0;
    return id.len > 0 && id.len <= 64;
}

int page_person_of(kanal_str *ret_person, const struct page_self *self, kanal_str chat, kanal_str address)
{
    size_t scheme = strlen(self->brand->id) + 1;
    kanal_str rest = kanal_str_from(address, scheme), page = self->page_id;
    if (chat.len > 0) {
        *ret_person = chat;
        return is_person(chat) ? 0 : -1;
    }
    if (!kanal_str_starts(address, self->brand->id) || address.len <= scheme ||
        address.ptr[scheme - 1] != ':')
        return -1;
    /* A person of another page is unknown to this one. */
    if (rest.len <= page.len || !kanal_str_equal(kanal_str_of(rest.ptr, page.len), page) ||
        rest.ptr[page.len] != '/')
        return -1;
    *ret_person = kanal_str_from(rest, page.len + 1);
    return is_person(*ret_person) ? 0 : -1;
}

static void write_recipient(struct kanal_json *json, const struct page_wish *wish)
{
    kanal_json_key(json, "recipient");
    kanal_json_object(json);
    kanal_json_member_str(json, "id", wish->person);
    kanal_json_object_end(json);
}

/* ---- Manner ---- */

/* A message tag lets a message of that purpose out of the 24-hour window. */
static kanal_status write_manner(struct page_outgoing *out, struct kanal_json *json,
                                 const struct page_wish *wish)
{
    yyjson_val *options = meta_options(wish->data, wish->brand->id);
    kanal_str tag = kanal_json_text_at(options, "tag"), type = kanal_json_text_at(options, "messaging_type");
    for (size_t i = 0; i < tag.len; i++)
        if ((tag.ptr[i] < 'A' || tag.ptr[i] > 'Z') && tag.ptr[i] != '_')
            return meta_refuse(&out->refusal, "invalid_content", "the message tag is none");
    if (tag.len > TAG_BYTES_MAX)
        return meta_refuse(&out->refusal, "invalid_content", "the message tag is none");
    if (tag.len > 0) {
        kanal_json_member_text(json, "messaging_type", "MESSAGE_TAG");
        kanal_json_member_str(json, "tag", tag);
    } else {
        kanal_json_member_text(json, "messaging_type", kanal_str_is(type, "UPDATE") ? "UPDATE" : "RESPONSE");
    }
    if (kanal_json_bool_at(wish->data, "silent") && wish->brand->has_phone)
        kanal_json_member_text(json, "notification_type", "NO_PUSH");
    if (wish->brand->has_phone)
        kanal_member_text_of(json, "persona_id", options, "persona_id", 32);
    return KANAL_OK;
}

/* ---- Media ---- */

static const char *attachment_type(const struct page_wish *wish, yyjson_val *media)
{
    static const char *const types[][2] = { { "image", "image" },
                                            { "sticker", "image" },
                                            { "video", "video" },
                                            { "audio", "audio" },
                                            { "voice", "audio" } };
    kanal_str type = kanal_json_text_at(media, "type");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (kanal_str_is(type, types[i][0]))
            return types[i][1];
    return wish->brand->has_files ? "file" : NULL;
}

static kanal_status write_attachment(struct page_outgoing *out, struct kanal_json *json,
                                     const struct page_wish *wish, yyjson_val *media)
{
    const char *type = attachment_type(wish, media);
    kanal_str url = kanal_json_text_at(media, "url");
    kanal_str id = kanal_json_text_at(meta_options(media, wish->brand->id), "attachment_id");
    if (!type)
        return meta_refuse(&out->refusal, "unsupported_content", "Instagram cannot show files");
    if (url.len == 0 && id.len == 0)
        return meta_refuse(&out->refusal, "invalid_content", "the media part has no url");
    kanal_json_key(json, "attachment");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", type);
    kanal_json_key(json, "payload");
    kanal_json_object(json);
    if (id.len > 0) {
        kanal_json_member_str(json, "attachment_id", id);
    } else if (wish->way == META_MEDIA_UPLOAD && wish->brand->has_uploads) {
        out->url = url;
        out->filename = meta_filename(media);
        out->mime = kanal_json_text_at(media, "mime");
    } else {
        kanal_json_member_str(json, "url", url);
    }
    kanal_json_object_end(json);
    kanal_json_object_end(json);
    return KANAL_OK;
}

/* ---- Messages ---- */

static int is_too_long(const struct page_brand *brand, kanal_str words)
{
    return (brand->text_in_bytes ? words.len : meta_chars(words)) > brand->text_max;
}

/* Buttons stay below the words and take three; more than that, and quick replies, stand above the keyboard. */
static int wants_quick_replies(yyjson_val *choice)
{
    yyjson_val *option;
    size_t index, max;
    if (!choice || !kanal_str_is(kanal_json_text_at(choice, "style"), "buttons"))
        return choice != NULL;
    yyjson_arr_foreach (kanal_json_at(choice, "options"), index, max, option)
        if (kanal_json_at(option, "url") || kanal_json_at(option, "phone"))
            return 0;
    return yyjson_arr_size(kanal_json_at(choice, "options")) > 3;
}

static kanal_status write_body(struct page_outgoing *out, struct kanal_json *json,
                               const struct page_wish *wish, const struct meta_content *content,
                               kanal_str words)
{
    int is_quick = wants_quick_replies(content->choice);
    kanal_status status = KANAL_OK;
    if (content->card || content->carousel)
        return page_write_cards(out, json, wish, content);
    if (content->template || content->location || content->contact_count > 0)
        return meta_refuse(&out->refusal, "unsupported_content",
                           "this channel cannot show this kind of part");
    if (content->media && words.len > 0)
        return meta_refuse(&out->refusal, "unsupported_content", "media have no caption here");
    if (content->media && content->choice && !is_quick)
        return meta_refuse(&out->refusal, "unsupported_content", "media have quick replies here, no buttons");
    if (is_too_long(wish->brand, words))
        return meta_refuse(&out->refusal, "payload_too_large", "the text is too long for this channel");
    if (content->media)
        status = write_attachment(out, json, wish, content->media);
    else if (words.len == 0)
        return meta_refuse(&out->refusal, "invalid_content", "the message has no text");
    else if (content->choice && !is_quick)
        status = page_write_buttons(out, json, wish, words, content->choice);
    else
        kanal_json_member_str(json, "text", words);
    if (status == KANAL_OK && is_quick)
        status = page_write_quick_replies(out, json, wish, content->choice);
    return status;
}

static kanal_status compose_send(struct page_outgoing *out, struct kanal_json *json,
                                 const struct page_wish *wish)
{
    struct meta_content content;
    struct kanal_buffer words = { 0 };
    kanal_status status = meta_read_content(&out->refusal, &content, wish->data);
    if (status == KANAL_OK)
        status = write_manner(out, json, wish);
    if (status != KANAL_OK)
        return status;
    out->for_message = 1;
    meta_write_words(&words, &content);
    kanal_json_key(json, "message");
    kanal_json_object(json);
    status =
        words.failed ? KANAL_E_INTERNAL : write_body(out, json, wish, &content, kanal_buffer_view(&words));
    if (status == KANAL_OK)
        kanal_json_object_end(json);
    kanal_buffer_release(&words);
    return status;
}

/* ---- Other verbs ---- */

static kanal_status compose_read(struct page_outgoing *out, struct kanal_json *json,
                                 const struct page_wish *wish)
{
    (void)out;
    (void)wish;
    kanal_json_member_text(json, "sender_action", "mark_seen");
    return KANAL_OK;
}

static kanal_status compose_typing(struct page_outgoing *out, struct kanal_json *json,
                                   const struct page_wish *wish)
{
    (void)out;
    (void)wish;
    kanal_json_member_text(json, "sender_action", "typing_on");
    return KANAL_OK;
}

static kanal_status compose_react(struct page_outgoing *out, struct kanal_json *json,
                                  const struct page_wish *wish)
{
    yyjson_val *reactions = kanal_json_at(wish->data, "reactions");
    kanal_str emoji = kanal_json_text_at(yyjson_arr_get_first(reactions), "emoji");
    size_t count = yyjson_arr_size(reactions);
    if (!wish->brand->has_reactions)
        return meta_refuse(&out->refusal, "unsupported_verb", "a page cannot react to messages");
    if (wish->target.len == 0)
        return meta_refuse(&out->refusal, "message_not_found", "no message is named");
    if (count > 1 || (count == 1 && !kanal_str_starts(emoji, "❤")))
        return meta_refuse(&out->refusal, "unsupported_content",
                           "the only reaction of a business is a heart");
    kanal_json_member_text(json, "sender_action", count == 1 ? "react" : "unreact");
    kanal_json_key(json, "payload");
    kanal_json_object(json);
    kanal_json_member_str(json, "message_id", wish->target);
    if (count == 1)
        kanal_json_member_text(json, "reaction", "love");
    kanal_json_object_end(json);
    return KANAL_OK;
}

static const struct verb {
    const char *type;
    kanal_status (*compose)(struct page_outgoing *, struct kanal_json *, const struct page_wish *);
} verbs[] = {
    { "message.send", compose_send },
    { "message.react", compose_react },
    { "message.read", compose_read },
    { "typing.start", compose_typing },
};

kanal_status page_compose(struct page_outgoing *out, const struct page_wish *wish)
{
    struct kanal_json json;
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!kanal_str_is(wish->type, verbs[i].type))
            continue;
        kanal_json_init(&json, &out->json);
        kanal_json_object(&json);
        write_recipient(&json, wish);
        kanal_status status = verbs[i].compose(out, &json, wish);
        if (status != KANAL_OK)
            return status;
        kanal_json_object_end(&json);
        return out->json.failed ? KANAL_E_INTERNAL : KANAL_OK;
    }
    return meta_refuse(&out->refusal, "unsupported_verb", "this channel has nothing for this verb");
}
