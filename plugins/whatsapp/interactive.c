#include "compose.h"

/* https://developers.facebook.com/docs/whatsapp/cloud-api/messages/interactive-reply-buttons-messages, …-list-messages,
 * …-cta-url-messages, …/guides/send-messages/location-request-messages. */
#define BODY_CHARS_MAX 1024
#define LIST_BODY_CHARS_MAX 4096
#define SMALL_CHARS_MAX 60 /* of a header's and a footer's text */
#define BUTTONS_MAX 3
#define BUTTON_CHARS_MAX 20
#define BUTTON_ID_BYTES_MAX 256
#define ROWS_MAX 10
#define ROW_CHARS_MAX 24
#define ROW_ID_BYTES_MAX 200
#define ROW_DESCRIPTION_CHARS_MAX 72

struct choice {
    struct wa_outgoing *out;
    struct kanal_json *json;
    const struct wa_wish *wish;
    const struct meta_content *content;
    yyjson_val *options, *provider;
    kanal_str words;
};

static kanal_status refuse(const struct choice *choice, const char *code, const char *reason)
{
    return meta_refuse(&choice->out->refusal, code, reason);
}

/* ---- Around the options ---- */

static kanal_status write_header(const struct choice *choice)
{
    yyjson_val *media = choice->content->media;
    kanal_str text = kanal_json_text_at(choice->provider, "header");
    struct kanal_json *json = choice->json;
    kanal_status status = KANAL_OK;
    if (!media && text.len == 0)
        return KANAL_OK;
    kanal_json_key(json, "header");
    kanal_json_object(json);
    if (media) {
        const char *kind = wa_media_kind(media);
        if (strcmp(kind, "audio") == 0 || strcmp(kind, "sticker") == 0)
            return refuse(choice, "unsupported_content", "WhatsApp has no buttons on audio and stickers");
        kanal_json_member_text(json, "type", kind);
        status = wa_write_media(choice->out, json, choice->wish, kind, media, kanal_str_of(NULL, 0));
    } else {
        kanal_json_member_text(json, "type", "text");
        kanal_member_text(json, "text", text, SMALL_CHARS_MAX);
    }
    kanal_json_object_end(json);
    return status;
}

static kanal_status write_body(const struct choice *choice, size_t max_chars)
{
    struct kanal_json *json = choice->json;
    kanal_str footer = kanal_json_text_at(choice->provider, "footer");
    if (choice->words.len == 0)
        return refuse(choice, "invalid_content", "a choice needs a text in WhatsApp");
    if (meta_chars(choice->words) > max_chars)
        return refuse(choice, "payload_too_large", "the text beside these options is too long for WhatsApp");
    kanal_json_key(json, "body");
    kanal_json_object(json);
    kanal_json_member_str(json, "text", choice->words);
    kanal_json_object_end(json);
    if (footer.len > 0) {
        kanal_json_key(json, "footer");
        kanal_json_object(json);
        kanal_member_text(json, "text", footer, SMALL_CHARS_MAX);
        kanal_json_object_end(json);
    }
    return KANAL_OK;
}

/* What comes back when it is chosen. */
static kanal_status write_id(const struct choice *choice, yyjson_val *option, size_t max_bytes)
{
    kanal_str payload = kanal_json_text_at(option, "payload"), text = kanal_json_text_at(option, "text");
    kanal_str id = payload.len > 0 ? payload : text;
    if (text.len == 0)
        return refuse(choice, "invalid_content", "an option has no text");
    if (id.len > max_bytes)
        return refuse(choice, "invalid_content", "an option's payload is too long for WhatsApp");
    kanal_json_member_str(choice->json, "id", id);
    return KANAL_OK;
}

/* ---- Reply buttons ---- */

static kanal_status write_buttons(const struct choice *choice)
{
    struct kanal_json *json = choice->json;
    yyjson_val *option;
    size_t index, max;
    kanal_status status = write_body(choice, BODY_CHARS_MAX);
    kanal_json_key(json, "action");
    kanal_json_object(json);
    kanal_json_key(json, "buttons");
    kanal_json_array(json);
    yyjson_arr_foreach (choice->options, index, max, option) {
        kanal_json_object(json);
        kanal_json_member_text(json, "type", "reply");
        kanal_json_key(json, "reply");
        kanal_json_object(json);
        if (status == KANAL_OK)
            status = write_id(choice, option, BUTTON_ID_BYTES_MAX);
        kanal_member_text_of(json, "title", option, "text", BUTTON_CHARS_MAX);
        kanal_json_object_end(json);
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
    kanal_json_object_end(json);
    return status;
}

/* ---- Lists ---- */

static kanal_status write_row(const struct choice *choice, yyjson_val *option)
{
    struct kanal_json *json = choice->json;
    kanal_json_object(json);
    kanal_status status = write_id(choice, option, ROW_ID_BYTES_MAX);
    kanal_member_text_of(json, "title", option, "text", ROW_CHARS_MAX);
    kanal_member_text_of(json, "description", option, "description", ROW_DESCRIPTION_CHARS_MAX);
    kanal_json_object_end(json);
    return status;
}

static int has_sections(yyjson_val *options)
{
    yyjson_val *option;
    size_t index, max;
    yyjson_arr_foreach (options, index, max, option)
        if (kanal_json_text_at(option, "section").len > 0)
            return 1;
    return 0;
}

/* Options that follow each other under one heading make a section. */
static kanal_status write_sections(const struct choice *choice, kanal_str label)
{
    struct kanal_json *json = choice->json;
    yyjson_val *option;
    size_t index, max;
    int is_open = 0, is_titled = has_sections(choice->options);
    kanal_str heading = { NULL, 0 };
    kanal_status status = KANAL_OK;
    kanal_json_array(json);
    yyjson_arr_foreach (choice->options, index, max, option) {
        kanal_str section = kanal_json_text_at(option, "section");
        if (is_open && !kanal_str_equal(section, heading)) {
            kanal_json_array_end(json);
            kanal_json_object_end(json);
            is_open = 0;
        }
        if (!is_open) {
            kanal_json_object(json);
            if (is_titled)
                kanal_member_text(json, "title", section.len > 0 ? section : label, ROW_CHARS_MAX);
            kanal_json_key(json, "rows");
            kanal_json_array(json);
        }
        is_open = 1;
        heading = section;
        if (status == KANAL_OK)
            status = write_row(choice, option);
    }
    if (is_open) {
        kanal_json_array_end(json);
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
    return status;
}

static kanal_status write_list(const struct choice *choice)
{
    struct kanal_json *json = choice->json;
    kanal_str label = kanal_json_text_at(choice->content->choice, "label");
    if (label.len == 0)
        label = choice->wish->list_label;
    if (choice->content->media)
        return refuse(choice, "unsupported_content",
                      "WhatsApp shows media with at most three buttons, not with a list");
    kanal_status status = write_body(choice, LIST_BODY_CHARS_MAX);
    kanal_json_key(json, "action");
    kanal_json_object(json);
    kanal_member_text(json, "button", label, BUTTON_CHARS_MAX);
    kanal_json_key(json, "sections");
    kanal_status sections = write_sections(choice, label);
    kanal_json_object_end(json);
    return status != KANAL_OK ? status : sections;
}

/* ---- A link, a request ---- */

static kanal_status write_link(const struct choice *choice)
{
    struct kanal_json *json = choice->json;
    yyjson_val *option = yyjson_arr_get_first(choice->options);
    kanal_str url = kanal_json_text_at(option, "url");
    if (!kanal_str_starts(url, "https://") && !kanal_str_starts(url, "http://"))
        return refuse(choice, "invalid_content", "an option's url is not http or https");
    if (kanal_json_text_at(option, "text").len == 0)
        return refuse(choice, "invalid_content", "an option has no text");
    kanal_status status = write_body(choice, BODY_CHARS_MAX);
    kanal_json_key(json, "action");
    kanal_json_object(json);
    kanal_json_member_text(json, "name", "cta_url");
    kanal_json_key(json, "parameters");
    kanal_json_object(json);
    kanal_member_text_of(json, "display_text", option, "text", BUTTON_CHARS_MAX);
    kanal_json_member_str(json, "url", url);
    kanal_json_object_end(json);
    kanal_json_object_end(json);
    return status;
}

static kanal_status write_location_request(const struct choice *choice)
{
    kanal_status status = write_body(choice, BODY_CHARS_MAX);
    kanal_json_key(choice->json, "action");
    kanal_json_object(choice->json);
    kanal_json_member_text(choice->json, "name", "send_location");
    kanal_json_object_end(choice->json);
    return status;
}

/* ---- Which of them ---- */

struct kind {
    const char *type;
    kanal_status (*write)(const struct choice *);
    int has_header;
};
static const struct kind kind_buttons = { "button", write_buttons, 1 };
static const struct kind kind_list = { "list", write_list, 1 };
static const struct kind kind_link = { "cta_url", write_link, 1 };
static const struct kind kind_location = { "location_request_message", write_location_request, 0 };

static size_t count_with(yyjson_val *options, const char *member)
{
    yyjson_val *option;
    size_t index, max, count = 0;
    yyjson_arr_foreach (options, index, max, option)
        count += kanal_json_at(option, member) != NULL;
    return count;
}

static const struct kind *choose(const struct choice *choice)
{
    yyjson_val *options = choice->options;
    size_t count = yyjson_arr_size(options);
    kanal_str style = kanal_json_text_at(choice->content->choice, "style");
    kanal_str request = kanal_json_text_at(yyjson_arr_get_first(options), "request");
    if (count == 1 && count_with(options, "url") == 1)
        return &kind_link;
    if (count == 1 && kanal_str_is(request, "location"))
        return &kind_location;
    if (count_with(options, "url") + count_with(options, "request") + count_with(options, "phone") > 0) {
        refuse(choice, "unsupported_content",
               "in WhatsApp a link or a request for a location stands alone; a button cannot call");
        return NULL;
    }
    if (count == 0 || count > ROWS_MAX) {
        refuse(choice, count == 0 ? "invalid_content" : "unsupported_content",
               "WhatsApp shows 1 to 10 options");
        return NULL;
    }
    if (kanal_str_is(style, "list") || count > BUTTONS_MAX || has_sections(options) ||
        count_with(options, "description") > 0)
        return &kind_list;
    return &kind_buttons;
}

static kanal_status write_kind(const struct choice *choice, const struct kind *kind)
{
    struct kanal_json *json = choice->json;
    kanal_status status = KANAL_OK;
    if (choice->content->media && !kind->has_header)
        return refuse(choice, "unsupported_content", "WhatsApp cannot show media with this");
    kanal_json_key(json, "interactive");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", kind->type);
    if (kind->has_header)
        status = write_header(choice);
    if (status == KANAL_OK)
        status = kind->write(choice);
    if (status == KANAL_OK)
        kanal_json_object_end(json);
    return status;
}

kanal_status wa_write_interactive(struct wa_outgoing *out, struct kanal_json *json,
                                  const struct wa_wish *wish, const struct meta_content *content)
{
    struct kanal_buffer words = { 0 };
    yyjson_val *provider = meta_options(content->choice, "whatsapp");
    yyjson_val *whole = kanal_json_at(provider, "interactive");
    kanal_json_member_text(json, "type", "interactive");
    if (yyjson_is_obj(whole)) { /* flows, products, catalogues: in WhatsApp's own words */
        kanal_member_copy(json, "interactive", whole);
        return KANAL_OK;
    }
    meta_write_words(&words, content);
    struct choice choice = {
        .out = out, .json = json, .wish = wish, .content = content, .provider = provider
    };
    choice.options = kanal_json_at(content->choice, "options");
    choice.words = kanal_buffer_view(&words);
    const struct kind *kind = choose(&choice);
    kanal_status status = words.failed ? KANAL_E_INTERNAL
                          : kind       ? write_kind(&choice, kind)
                                       : KANAL_E_REJECTED;
    kanal_buffer_release(&words);
    return status;
}
