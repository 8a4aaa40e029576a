/* Keyboards and carousels (https://dev.vk.com/ru/api/bots/development/keyboard). */
#include "compose.h"
#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

#define LABEL_CHARS_MAX 40
#define PAYLOAD_BYTES_MAX 255
#define ROW_BUTTONS_MAX 5
#define ROW_CHARS_MAX 32 /* what fits beside each other on a telephone */
#define CARDS_MAX 10
#define CARD_CHARS_MAX 80
#define CARD_BUTTONS_MAX 3

static size_t count_chars(kanal_str text)
{
    size_t chars = 0;
    for (size_t i = 0; i < text.len; i++)
        chars += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return chars;
}

static int is_link(kanal_str url)
{
    struct kanal_url parsed;
    return kanal_url_parse(url, &parsed) == 0 &&
           (kanal_str_is(parsed.scheme, "https") || kanal_str_is(parsed.scheme, "http"));
}

/* VK wants payloads to be JSON; {"k": "…"} comes back as it was (content.c). 0: it is too long. */
static int write_payload(struct kanal_json *json, kanal_str payload)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json object;
    kanal_json_init(&object, &text);
    kanal_json_object(&object);
    kanal_json_member_str(&object, "k", payload);
    kanal_json_object_end(&object);
    int fits = count_chars(kanal_buffer_view(&text)) <= PAYLOAD_BYTES_MAX;
    if (fits)
        kanal_json_member_str(json, "payload", kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    return fits;
}

static void write_color(struct kanal_json *json, yyjson_val *option, const char *type)
{
    kanal_str look = kanal_json_text_at(option, "look");
    if (strcmp(type, "text") != 0 && strcmp(type, "callback") != 0)
        return; /* VK refuses it on others */
    if (kanal_str_is(look, "primary") || kanal_str_is(look, "positive") || kanal_str_is(look, "negative"))
        kanal_json_member_str(json, "color", look);
    else
        kanal_json_member_text(json, "color", "secondary");
}

/* What the button does in VK's own words (open_app, vkpay …): the whole action as given. */
static int write_provider_action(struct kanal_json *json, yyjson_val *option)
{
    yyjson_val *action = kanal_json_at(vk_options(option), "action");
    if (!yyjson_is_obj(action))
        return 0;
    kanal_member_copy(json, "action", action);
    return 1;
}

kanal_status vk_write_button(struct vk_outgoing *out, const struct vk_wish *wish, struct kanal_json *json,
                             yyjson_val *option, int inline_only)
{
    kanal_str text = kanal_json_text_at(option, "text"), url = kanal_json_text_at(option, "url");
    kanal_str payload = kanal_json_text_at(option, "payload"),
              request = kanal_json_text_at(option, "request");
    const char *type = inline_only && !wish->has_text_buttons ? "callback" : "text";
    if (text.len == 0)
        return vk_refuse(out, "invalid_content", "an option has no text");
    kanal_json_object(json);
    if (write_provider_action(json, option)) {
        kanal_json_object_end(json);
        return KANAL_OK;
    }
    if (kanal_json_at(option, "phone"))
        return vk_refuse(out, "unsupported_content", "a button of VK cannot call");
    if (request.len > 0 && !kanal_str_is(request, "location"))
        return vk_refuse(out, "unsupported_content", "VK cannot ask for this");
    if (url.len > 0 && !is_link(url))
        return vk_refuse(out, "invalid_content", "an option's url is not http or https");
    type = request.len > 0 ? "location" : url.len > 0 ? "open_link" : type;
    kanal_json_key(json, "action");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", type);
    if (request.len == 0)
        kanal_member_text(json, "label", text, LABEL_CHARS_MAX);
    if (url.len > 0)
        kanal_json_member_str(json, "link", url);
    else if (!write_payload(json, payload.len > 0 ? payload : text))
        return vk_refuse(out, "invalid_content", "an option's payload is too long for VK");
    kanal_json_object_end(json);
    write_color(json, option, type);
    kanal_json_object_end(json);
    return KANAL_OK;
}

/* Links and places take a row of their own. */
static int is_wide(yyjson_val *option)
{
    return kanal_json_at(option, "url") != NULL || kanal_json_at(option, "request") != NULL;
}

/* The options in rows: as they say, else as many beside each other as fit. */
static kanal_status write_rows(struct vk_outgoing *out, const struct vk_wish *wish, struct kanal_json *json,
                               yyjson_val *options, int is_inline)
{
    size_t index, max, in_row = 0, chars = 0;
    int64_t row = -1;
    int was_wide = 0;
    yyjson_val *option;
    kanal_json_array(json);
    yyjson_arr_foreach (options, index, max, option) {
        int64_t wanted = kanal_json_int_at(option, "row", -1);
        size_t more = count_chars(kanal_json_text_at(option, "text"));
        int is_next = wanted >= 0 ? wanted != row : row >= 0 || chars + more > ROW_CHARS_MAX || in_row == 3;
        if (in_row > 0 && (is_next || was_wide || is_wide(option) || in_row == ROW_BUTTONS_MAX)) {
            kanal_json_array_end(json);
            in_row = chars = 0;
        }
        if (in_row == 0)
            kanal_json_array(json);
        kanal_status status = vk_write_button(out, wish, json, option, is_inline);
        if (status != KANAL_OK)
            return status;
        row = wanted;
        was_wide = is_wide(option);
        chars += more;
        in_row++;
    }
    if (in_row > 0)
        kanal_json_array_end(json);
    kanal_json_array_end(json);
    return KANAL_OK;
}

kanal_status vk_write_keyboard(struct vk_outgoing *out, const struct vk_wish *wish, yyjson_val *options,
                               yyjson_val *choice)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    int is_inline = !kanal_str_is(kanal_json_text_at(choice, "style"), "quick_replies");
    int is_removal = !is_inline && kanal_json_bool_at(choice, "remove");
    if (yyjson_arr_size(options) == 0 && !is_removal)
        return vk_refuse(out, "invalid_content", "the choice has no options");
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_bool(&json, "one_time",
                           !is_inline && !is_removal && !kanal_json_bool_at(choice, "persistent"));
    kanal_json_member_bool(&json, "inline", is_inline);
    kanal_json_key(&json, "buttons");
    kanal_status status = write_rows(out, wish, &json, is_removal ? NULL : options, is_inline);
    kanal_json_object_end(&json);
    if (status == KANAL_OK && !text.failed)
        kanal_form_add(&out->form, "keyboard", kanal_buffer_view(&text));
    else if (status == KANAL_OK)
        status = KANAL_E_INTERNAL;
    kanal_buffer_release(&text);
    return status;
}

/* ---- Carousels ---- */

static kanal_status write_card_buttons(struct vk_outgoing *out, const struct vk_wish *wish,
                                       struct kanal_json *json, yyjson_val *card)
{
    yyjson_val *options = kanal_json_at(card, "options"), *option;
    size_t index, max;
    if (yyjson_arr_size(options) == 0)
        return KANAL_OK;
    if (yyjson_arr_size(options) > CARD_BUTTONS_MAX)
        return vk_refuse(out, "unsupported_content", "a card of VK has at most 3 buttons");
    kanal_json_key(json, "buttons");
    kanal_json_array(json);
    yyjson_arr_foreach (options, index, max, option) {
        kanal_status status = vk_write_button(out, wish, json, option, 1);
        if (status != KANAL_OK)
            return status;
    }
    kanal_json_array_end(json);
    return KANAL_OK;
}

/* A title wants a description beside it, which may be the price. */
static void write_card_words(struct kanal_json *json, yyjson_val *card)
{
    struct kanal_buffer words = { 0 };
    kanal_str title = kanal_json_text_at(card, "title"), text = kanal_json_text_at(card, "text");
    kanal_str price = kanal_json_text_at(card, "price"), currency = kanal_json_text_at(card, "currency");
    kanal_buffer_str(&words, price);
    if (price.len > 0 && currency.len > 0)
        kanal_buffer_byte(&words, ' ');
    if (price.len > 0)
        kanal_buffer_str(&words, currency);
    if (words.len > 0 && text.len > 0)
        kanal_buffer_text(&words, "\n");
    kanal_buffer_str(&words, text);
    kanal_member_text(json, "title", title, CARD_CHARS_MAX);
    kanal_member_text(json, "description", words.len > 0 ? kanal_buffer_view(&words) : title, CARD_CHARS_MAX);
    if (words.failed)
        json->out->failed = 1;
    kanal_buffer_release(&words);
}

/* Of "photo-1_2_key" only "-1_2". */
static void write_photo_id(struct kanal_json *json, const char *name)
{
    size_t start = strcspn(name, "-0123456789"), end = start + strcspn(name + start, "_");
    end += name[end] == '_' ? 1 + strspn(name + end + 1, "0123456789") : 0;
    kanal_json_member_str(json, "photo_id", kanal_str_of(name + start, end - start));
}

static kanal_status write_card(struct vk_outgoing *out, const struct vk_wish *wish, struct kanal_json *json,
                               yyjson_val *card)
{
    const char *photo = vk_uploaded(wish, card);
    kanal_str url = kanal_json_text_at(card, "url");
    if (kanal_json_text_at(card, "title").len == 0)
        return vk_refuse(out, "invalid_content", "a card has no title");
    if (url.len > 0 && !is_link(url))
        return vk_refuse(out, "invalid_content", "a card's url is not http or https");
    kanal_json_object(json);
    write_card_words(json, card);
    if (photo)
        write_photo_id(json, photo);
    kanal_json_key(json, "action");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", url.len > 0 ? "open_link" : "open_photo");
    if (url.len > 0)
        kanal_json_member_str(json, "link", url);
    kanal_json_object_end(json);
    kanal_status status = write_card_buttons(out, wish, json, card);
    kanal_json_object_end(json);
    return status;
}

kanal_status vk_write_carousel(struct vk_outgoing *out, const struct vk_wish *wish, yyjson_val *carousel)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    yyjson_val *cards = kanal_json_at(carousel, "cards"), *card;
    size_t index, max;
    kanal_status status = KANAL_OK;
    if (yyjson_arr_size(cards) == 0)
        return vk_refuse(out, "invalid_content", "the carousel has no cards");
    if (yyjson_arr_size(cards) > CARDS_MAX)
        return vk_refuse(out, "unsupported_content", "a carousel of VK has at most 10 cards");
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "carousel");
    kanal_json_key(&json, "elements");
    kanal_json_array(&json);
    yyjson_arr_foreach (cards, index, max, card)
        if (status == KANAL_OK)
            status = write_card(out, wish, &json, card);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    if (status == KANAL_OK && text.failed)
        status = KANAL_E_INTERNAL;
    if (status == KANAL_OK)
        kanal_form_add(&out->form, "template", kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    return status;
}
