#include "page.h"

/* https://developers.facebook.com/docs/messenger-platform/send-messages/template/generic, …/button, …/quick-replies. */
#define BUTTONS_MAX 3
#define BUTTON_CHARS_MAX 20
#define BUTTON_WORDS_MAX 640
#define PAYLOAD_BYTES_MAX 1000
#define QUICK_REPLIES_MAX 13
#define CARDS_MAX 10
#define CARD_CHARS_MAX 80

static kanal_status refuse(struct page_outgoing *out, const char *code, const char *reason)
{
    return meta_refuse(&out->refusal, code, reason);
}

static int is_web(kanal_str url)
{
    return kanal_str_starts(url, "https://") || kanal_str_starts(url, "http://");
}

/* What comes back when it is chosen. */
static kanal_status write_payload(struct page_outgoing *out, struct kanal_json *json, yyjson_val *option)
{
    kanal_str payload = kanal_json_text_at(option, "payload"), text = kanal_json_text_at(option, "text");
    kanal_str told = payload.len > 0 ? payload : text;
    if (told.len > PAYLOAD_BYTES_MAX)
        return refuse(out, "invalid_content", "an option's payload is over 1000 bytes");
    kanal_json_member_str(json, "payload", told);
    return KANAL_OK;
}

/* ---- Buttons ---- */

static kanal_status write_button(struct page_outgoing *out, struct kanal_json *json,
                                 const struct page_wish *wish, yyjson_val *option)
{
    kanal_str url = kanal_json_text_at(option, "url"), phone = kanal_json_text_at(option, "phone");
    kanal_status status = KANAL_OK;
    if (kanal_json_text_at(option, "text").len == 0)
        return refuse(out, "invalid_content", "an option has no text");
    if (kanal_json_at(option, "request") || (phone.len > 0 && !wish->brand->has_phone))
        return refuse(out, "unsupported_content", "a button here opens a page or answers");
    if (url.len > 0 && !is_web(url))
        return refuse(out, "invalid_content", "an option's url is not http or https");
    kanal_json_object(json);
    kanal_json_member_text(json, "type",
                           url.len > 0     ? "web_url"
                           : phone.len > 0 ? "phone_number"
                                           : "postback");
    kanal_member_text_of(json, "title", option, "text", BUTTON_CHARS_MAX);
    if (url.len > 0)
        kanal_json_member_str(json, "url", url);
    else if (phone.len > 0)
        kanal_json_member_str(json, "payload", phone);
    else
        status = write_payload(out, json, option);
    kanal_json_object_end(json);
    return status;
}

static kanal_status write_buttons(struct page_outgoing *out, struct kanal_json *json,
                                  const struct page_wish *wish, yyjson_val *options)
{
    yyjson_val *option;
    size_t index, max;
    kanal_status status = KANAL_OK;
    if (yyjson_arr_size(options) > BUTTONS_MAX)
        return refuse(out, "unsupported_content", "at most three buttons stand together here");
    kanal_json_key(json, "buttons");
    kanal_json_array(json);
    yyjson_arr_foreach (options, index, max, option)
        if (status == KANAL_OK)
            status = write_button(out, json, wish, option);
    kanal_json_array_end(json);
    return status;
}

static void template_start(struct kanal_json *json, const char *type)
{
    kanal_json_key(json, "attachment");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "template");
    kanal_json_key(json, "payload");
    kanal_json_object(json);
    kanal_json_member_text(json, "template_type", type);
}

static void template_end(struct kanal_json *json)
{
    kanal_json_object_end(json);
    kanal_json_object_end(json);
}

kanal_status page_write_buttons(struct page_outgoing *out, struct kanal_json *json,
                                const struct page_wish *wish, kanal_str words, yyjson_val *choice)
{
    yyjson_val *options = kanal_json_at(choice, "options");
    if (yyjson_arr_size(options) == 0)
        return refuse(out, "invalid_content", "the choice has no options");
    if (meta_chars(words) > BUTTON_WORDS_MAX)
        return refuse(out, "payload_too_large", "a text with buttons has at most 640 characters here");
    template_start(json, "button");
    kanal_json_member_str(json, "text", words);
    kanal_status status = write_buttons(out, json, wish, options);
    if (status == KANAL_OK)
        template_end(json);
    return status;
}

/* ---- Quick replies ---- */

static kanal_status write_quick_reply(struct page_outgoing *out, struct kanal_json *json,
                                      const struct page_wish *wish, yyjson_val *option)
{
    kanal_str request = kanal_json_text_at(option, "request");
    kanal_status status = KANAL_OK;
    int is_asking = kanal_str_is(request, "contact") || kanal_str_is(request, "email");
    if (kanal_json_at(option, "url") || kanal_json_at(option, "phone"))
        return refuse(out, "unsupported_content", "a quick reply only answers");
    if (request.len > 0 && !(is_asking && wish->brand->has_phone))
        return refuse(out, "unsupported_content", "this cannot be asked for here");
    if (!is_asking && kanal_json_text_at(option, "text").len == 0)
        return refuse(out, "invalid_content", "an option has no text");
    kanal_json_object(json);
    if (is_asking) {
        kanal_json_member_text(json, "content_type",
                               kanal_str_is(request, "email") ? "user_email" : "user_phone_number");
    } else {
        kanal_json_member_text(json, "content_type", "text");
        kanal_member_text_of(json, "title", option, "text", BUTTON_CHARS_MAX);
        kanal_member_text_of(json, "image_url", kanal_json_at(option, "image"), "url", 2048);
        status = write_payload(out, json, option);
    }
    kanal_json_object_end(json);
    return status;
}

kanal_status page_write_quick_replies(struct page_outgoing *out, struct kanal_json *json,
                                      const struct page_wish *wish, yyjson_val *choice)
{
    yyjson_val *options = kanal_json_at(choice, "options"), *option;
    size_t index, max, count = yyjson_arr_size(options);
    kanal_status status = KANAL_OK;
    if (kanal_json_bool_at(choice, "remove")) /* they vanish by themselves */
        return KANAL_OK;
    if (count == 0 || count > QUICK_REPLIES_MAX)
        return refuse(out, count == 0 ? "invalid_content" : "unsupported_content",
                      "1 to 13 quick replies can be shown");
    kanal_json_key(json, "quick_replies");
    kanal_json_array(json);
    yyjson_arr_foreach (options, index, max, option)
        if (status == KANAL_OK)
            status = write_quick_reply(out, json, wish, option);
    kanal_json_array_end(json);
    return status;
}

/* ---- Cards ---- */

static kanal_status write_card(struct page_outgoing *out, struct kanal_json *json,
                               const struct page_wish *wish, yyjson_val *card)
{
    kanal_str url = kanal_json_text_at(card, "url");
    yyjson_val *options = kanal_json_at(card, "options");
    kanal_status status = KANAL_OK;
    if (kanal_json_text_at(card, "title").len == 0)
        return refuse(out, "invalid_content", "a card has no title");
    if (url.len > 0 && !is_web(url))
        return refuse(out, "invalid_content", "a card's url is not http or https");
    kanal_json_object(json);
    kanal_member_text_of(json, "title", card, "title", CARD_CHARS_MAX);
    kanal_member_text_of(json, "subtitle", card, "text", CARD_CHARS_MAX);
    kanal_member_text_of(json, "image_url", kanal_json_at(card, "image"), "url", 2048);
    if (url.len > 0) {
        kanal_json_key(json, "default_action");
        kanal_json_object(json);
        kanal_json_member_text(json, "type", "web_url");
        kanal_json_member_str(json, "url", url);
        kanal_json_object_end(json);
    }
    if (yyjson_arr_size(options) > 0)
        status = write_buttons(out, json, wish, options);
    kanal_json_object_end(json);
    return status;
}

kanal_status page_write_cards(struct page_outgoing *out, struct kanal_json *json,
                              const struct page_wish *wish, const struct meta_content *content)
{
    yyjson_val *cards = kanal_json_at(content->carousel, "cards"), *card;
    size_t index, max;
    kanal_status status = KANAL_OK;
    if (content->carousel && (yyjson_arr_size(cards) == 0 || yyjson_arr_size(cards) > CARDS_MAX))
        return refuse(out, "unsupported_content", "1 to 10 cards stand side by side here");
    template_start(json, "generic");
    kanal_json_key(json, "elements");
    kanal_json_array(json);
    if (content->card)
        status = write_card(out, json, wish, content->card);
    yyjson_arr_foreach (cards, index, max, card)
        if (status == KANAL_OK)
            status = write_card(out, json, wish, card);
    kanal_json_array_end(json);
    if (status == KANAL_OK)
        template_end(json);
    return status;
}
