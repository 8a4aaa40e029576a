#include "compose.h"

#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

#define CARDS_MAX 6
#define CAPTION_CHARS_MAX 768
#define CONTACT_NAME_MAX 28
#define CONTACT_PHONE_MAX 18

struct content { /* the parts of one message */
    yyjson_val *media, *location, *contact, *choice, *card, *carousel;
    yyjson_val *texts[8];
    size_t text_count;
};

void viber_outgoing_release(struct viber_outgoing *out)
{
    kanal_buffer_release(&out->json);
    memset(out, 0, sizeof *out);
}

kanal_status viber_refuse(struct viber_outgoing *out, const char *error_code, const char *reason)
{
    out->error_code = error_code;
    out->reason = reason;
    return KANAL_E_REJECTED;
}

yyjson_val *viber_options(yyjson_val *object)
{
    yyjson_val *provider = kanal_json_at(object, "provider"), *ours = kanal_json_at(provider, "viber");
    return yyjson_is_obj(ours) ? ours : provider;
}

/* ---- Which parts there are ---- */

static yyjson_val **place_of(struct content *content, kanal_str type)
{
    if (kanal_str_is(type, "image") || kanal_str_is(type, "video") || kanal_str_is(type, "file") ||
        kanal_str_is(type, "sticker"))
        return &content->media;
    if (kanal_str_is(type, "location"))
        return &content->location;
    if (kanal_str_is(type, "contact"))
        return &content->contact;
    if (kanal_str_is(type, "choice"))
        return &content->choice;
    if (kanal_str_is(type, "card"))
        return &content->card;
    return kanal_str_is(type, "carousel") ? &content->carousel : NULL;
}

static kanal_status read_content(struct viber_outgoing *out, struct content *content, yyjson_val *data)
{
    yyjson_val *part;
    size_t index, max;
    memset(content, 0, sizeof *content);
    yyjson_arr_foreach (kanal_json_at(data, "content"), index, max, part) {
        kanal_str type = kanal_json_text_at(part, "type");
        yyjson_val **place = place_of(content, type);
        if (kanal_str_is(type, "text") &&
            content->text_count < sizeof content->texts / sizeof *content->texts)
            content->texts[content->text_count++] = part;
        else if (!place)
            return viber_refuse(out, "unsupported_content", "Viber cannot show this kind of part");
        else if (*place)
            return viber_refuse(out, "unsupported_content", "this is more than one Viber message can show");
        else
            *place = part;
    }
    int bodies = (content->media != NULL) + (content->location != NULL) + (content->contact != NULL) +
                 (content->card != NULL) + (content->carousel != NULL);
    if (bodies > 1 || (bodies == 1 && !content->media && content->text_count > 0))
        return viber_refuse(out, "unsupported_content", "this is more than one Viber message can show");
    return KANAL_OK;
}

/* ---- Words ---- */

static void append(struct kanal_buffer *words, kanal_str text)
{
    if (text.len == 0)
        return;
    if (words->len > 0)
        kanal_buffer_text(words, "\n\n");
    kanal_buffer_str(words, text);
}

static void gather_words(struct kanal_buffer *words, const struct content *content)
{
    if (content->media)
        append(words, kanal_json_text_at(content->media, "caption"));
    for (size_t i = 0; i < content->text_count; i++)
        append(words, kanal_json_text_at(content->texts[i], "text"));
    if (content->choice)
        append(words, kanal_json_text_at(content->choice, "text"));
}

/* A text that is nothing but an address: shown with a preview. */
static int is_bare_link(const struct content *content, kanal_str words)
{
    struct kanal_url parsed;
    return content->text_count == 1 && !yyjson_is_false(kanal_json_at(content->texts[0], "preview")) &&
           words.len <= 2000 && kanal_str_ascii(words) && kanal_url_parse(words, &parsed) == 0 &&
           (kanal_str_is(parsed.scheme, "https") || kanal_str_is(parsed.scheme, "http"));
}

static kanal_status write_text(struct viber_outgoing *out, struct kanal_json *json,
                               const struct content *content)
{
    struct kanal_buffer words = { 0 };
    kanal_status status = KANAL_OK;
    gather_words(&words, content);
    kanal_str text = kanal_buffer_view(&words);
    int is_link = is_bare_link(content, text);
    if (text.len > 0) {
        kanal_json_member_text(json, "type", is_link ? "url" : "text");
        kanal_json_member_str(json, is_link ? "media" : "text", text);
    } else {
        status = viber_refuse(out, "invalid_content", "the message has nothing to show");
    }
    if (words.failed)
        json->out->failed = 1;
    kanal_buffer_release(&words);
    return status;
}

/* ---- Media: Viber fetches them by their URL ---- */

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

/* What Viber cannot show as what it is goes as words and the address. */
static void write_as_link(struct kanal_json *json, const struct content *content, kanal_str url)
{
    struct kanal_buffer words = { 0 };
    gather_words(&words, content);
    append(&words, url);
    kanal_json_member_text(json, "type", content->text_count > 0 || words.len > url.len ? "text" : "url");
    kanal_json_member_str(json, words.len > url.len ? "text" : "media", kanal_buffer_view(&words));
    if (words.failed)
        json->out->failed = 1;
    kanal_buffer_release(&words);
}

static void write_picture(struct kanal_json *json, const struct content *content, kanal_str url)
{
    struct kanal_buffer words = { 0 };
    gather_words(&words, content);
    kanal_json_member_text(json, "type", "picture");
    kanal_json_member_str(json, "text", /* it must be there */
                          words.len > 0 ? kanal_str_cut(kanal_buffer_view(&words), CAPTION_CHARS_MAX)
                                        : KANAL_LIT(""));
    kanal_json_member_str(json, "media", url);
    kanal_member_uri(json, "thumbnail",
                     kanal_json_text_at(kanal_json_at(content->media, "thumbnail"), "url"));
    if (words.failed)
        json->out->failed = 1;
    kanal_buffer_release(&words);
}

static kanal_status write_media(struct viber_outgoing *out, struct kanal_json *json,
                                const struct content *content)
{
    yyjson_val *media = content->media;
    kanal_str type = kanal_json_text_at(media, "type"), url = kanal_json_text_at(media, "url");
    int64_t size = kanal_json_int_at(media, "size", 0), duration = kanal_json_int_at(media, "duration_ms", 0);
    int has_words = content->text_count > 0 || kanal_json_text_at(media, "caption").len > 0 ||
                    kanal_json_text_at(content->choice, "text").len > 0;
    char scratch[24];
    int64_t sticker = 0;
    int is_sticker = kanal_str_is(type, "sticker");
    if (is_sticker &&
        kanal_str_int(kanal_json_id_at(viber_options(media), "sticker_id", scratch), &sticker) == 0 &&
        sticker > 0) {
        kanal_json_member_text(json, "type", "sticker");
        kanal_json_member_int(json, "sticker_id", sticker);
        return KANAL_OK;
    }
    if (url.len == 0)
        return viber_refuse(out, "invalid_content", "the media part has no url");
    if (kanal_str_is(type, "image") || is_sticker) {
        write_picture(json, content, url);
        return KANAL_OK;
    }
    if (size <= 0 || has_words) { /* Viber wants the size, and shows no words with these */
        write_as_link(json, content, url);
        return KANAL_OK;
    }
    kanal_json_member_str(json, "type", type);
    kanal_json_member_str(json, "media", url);
    kanal_json_member_int(json, "size", size);
    if (kanal_str_is(type, "file"))
        kanal_member_text(json, "file_name", filename_of(media, url), 256);
    else if (duration >= 1000 && duration / 1000 <= 600)
        kanal_json_member_int(json, "duration", duration / 1000);
    kanal_member_uri(json, "thumbnail", kanal_json_text_at(kanal_json_at(media, "thumbnail"), "url"));
    return KANAL_OK;
}

/* ---- Places, people, cards ---- */

static kanal_status write_location(struct viber_outgoing *out, struct kanal_json *json, yyjson_val *location)
{
    if (!yyjson_is_num(kanal_json_at(location, "lat")) || !yyjson_is_num(kanal_json_at(location, "lon")))
        return viber_refuse(out, "invalid_content", "the location has no lat and lon");
    kanal_json_member_text(json, "type", "location");
    kanal_json_key(json, "location");
    kanal_json_object(json);
    kanal_member_number_of(json, "lat", location, "lat", -90, 90);
    kanal_member_number_of(json, "lon", location, "lon", -180, 180);
    kanal_json_object_end(json);
    return KANAL_OK;
}

static kanal_status write_contact(struct viber_outgoing *out, struct kanal_json *json, yyjson_val *contact)
{
    kanal_str phone = kanal_json_text(yyjson_arr_get_first(kanal_json_at(contact, "phones")));
    kanal_str name = kanal_json_text_at(contact, "name");
    if (phone.len == 0 || phone.len > CONTACT_PHONE_MAX)
        return viber_refuse(out, "unsupported_content", "a contact needs a telephone number in Viber");
    if (name.len == 0)
        return viber_refuse(out, "invalid_content", "the contact has no name");
    kanal_json_member_text(json, "type", "contact");
    kanal_json_key(json, "contact");
    kanal_json_object(json);
    kanal_member_text(json, "name", name, CONTACT_NAME_MAX);
    kanal_json_member_str(json, "phone_number", phone);
    kanal_json_object_end(json);
    return KANAL_OK;
}

static kanal_status write_carousel(struct viber_outgoing *out, struct kanal_json *json, yyjson_val *carousel)
{
    yyjson_val *cards[CARDS_MAX], *card;
    size_t index, max, count = 0;
    yyjson_arr_foreach (kanal_json_at(carousel, "cards"), index, max, card) {
        if (count == CARDS_MAX)
            return viber_refuse(out, "unsupported_content", "a carousel of Viber has at most 6 cards");
        cards[count++] = card;
    }
    return count > 0 ? viber_write_cards(out, json, cards, count)
                     : viber_refuse(out, "invalid_content", "the carousel has no cards");
}

/* ---- The message ---- */

static void write_sender(struct kanal_json *json, const struct viber_wish *wish)
{
    kanal_json_key(json, "sender");
    kanal_json_object(json);
    kanal_json_member_str(json, "name", wish->sender_name.len > 0 ? wish->sender_name : KANAL_LIT("Bot"));
    if (wish->sender_avatar.len > 0)
        kanal_json_member_str(json, "avatar", wish->sender_avatar);
    kanal_json_object_end(json);
}

static kanal_status write_body(struct viber_outgoing *out, struct kanal_json *json,
                               const struct content *content)
{
    if (content->media)
        return write_media(out, json, content);
    if (content->location)
        return write_location(out, json, content->location);
    if (content->contact)
        return write_contact(out, json, content->contact);
    if (content->card)
        return viber_write_cards(out, json, &content->card, 1);
    if (content->carousel)
        return write_carousel(out, json, content->carousel);
    return write_text(out, json, content);
}

static void write_options(struct kanal_json *json, const struct viber_outgoing *out, yyjson_val *options)
{
    int64_t version = kanal_json_int_at(options, "min_api_version", 0);
    kanal_member_text_of(json, "tracking_data", options, "tracking_data", 4096);
    if (version < 1 || version > 100)
        version = out->api_version;
    if (version > 1)
        kanal_json_member_int(json, "min_api_version", version);
}

kanal_status viber_compose(struct viber_outgoing *out, const struct viber_wish *wish)
{
    struct content content;
    struct kanal_json json;
    memset(out, 0, sizeof *out);
    out->api_version = 1;
    if (!kanal_str_is(wish->type, "message.send"))
        return viber_refuse(out, "unsupported_verb", "Viber has nothing for this verb");
    kanal_status status = read_content(out, &content, wish->data);
    if (status != KANAL_OK)
        return status;
    kanal_json_init(&json, &out->json);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "receiver", wish->receiver);
    if (wish->chat.len > 0)
        kanal_json_member_str(&json, "chat_id", wish->chat);
    write_sender(&json, wish);
    status = write_body(out, &json, &content);
    if (status == KANAL_OK && content.choice)
        status = viber_write_keyboard(out, &json, content.choice);
    if (status != KANAL_OK)
        return status;
    write_options(&json, out, viber_options(wish->data));
    kanal_json_object_end(&json);
    return out->json.failed ? KANAL_E_INTERNAL : KANAL_OK;
}

void viber_compose_welcome(struct kanal_buffer *out, const struct viber_wish *wish, kanal_str text)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    write_sender(&json, wish);
    kanal_json_member_text(&json, "type", "text");
    kanal_json_member_str(&json, "text", text);
    kanal_json_object_end(&json);
}
