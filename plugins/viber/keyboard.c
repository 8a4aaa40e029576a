/* Keyboards and rich media (https://developers.viber.com/docs/tools/keyboards/): both are buttons on a grid of six
 * columns. */
#include "compose.h"
#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"

#define COLUMNS 6
#define ROW_BUTTONS_MAX 3
#define ROW_CHARS_MAX 32 /* what fits beside each other on a telephone */
#define BUTTON_CHARS_MAX 250
#define IMAGE_ROWS 3
#define WORDS_ROWS 2
#define CARD_BUTTONS_MAX 2

/* What clients of older versions do not know. */
#define SILENT_VERSION 6
#define SHARE_VERSION 3
#define RICH_MEDIA_VERSION 7

static void needs_version(struct viber_outgoing *out, int64_t version)
{
    if (out->api_version < version)
        out->api_version = version;
}

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

/* Viber reads the text of a button as HTML. */
static void append_escaped(struct kanal_buffer *out, kanal_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '<')
            kanal_buffer_text(out, "&lt;");
        else if (c == '>')
            kanal_buffer_text(out, "&gt;");
        else if (c == '&')
            kanal_buffer_text(out, "&amp;");
        else if (c == '\n')
            kanal_buffer_text(out, "<br>");
        else
            kanal_buffer_byte(out, c);
    }
}

static void write_escaped(struct kanal_json *json, const char *key, kanal_str text)
{
    struct kanal_buffer html = { 0 };
    append_escaped(&html, kanal_str_cut(text, BUTTON_CHARS_MAX));
    kanal_json_member_str(json, key, kanal_buffer_view(&html));
    if (html.failed)
        json->out->failed = 1;
    kanal_buffer_release(&html);
}

static void write_look(struct kanal_json *json, yyjson_val *option)
{
    static const char *const looks[][2] = { { "primary", "#C9BEFF" },
                                            { "positive", "#C3F2C9" },
                                            { "negative", "#FFC9C9" } };
    kanal_str look = kanal_json_text_at(option, "look");
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (kanal_str_is(look, looks[i][0]))
            kanal_json_member_text(json, "BgColor", looks[i][1]);
}

static void write_size(struct kanal_json *json, int64_t columns, int64_t rows)
{
    kanal_json_member_int(json, "Columns", columns);
    kanal_json_member_int(json, "Rows", rows);
}

/* What a button does. A payload that is not what the customer reads is sent without being shown: the callback says
 * `silent` then. */
static kanal_status write_action(struct viber_outgoing *out, struct kanal_json *json, yyjson_val *option)
{
    kanal_str text = kanal_json_text_at(option, "text"), url = kanal_json_text_at(option, "url");
    kanal_str payload = kanal_json_text_at(option, "payload"),
              request = kanal_json_text_at(option, "request");
    kanal_str phone = kanal_json_text_at(option, "phone");
    const char *action = "reply";
    kanal_str body = payload.len > 0 ? payload : text;
    struct kanal_buffer call = { 0 };
    if (url.len > 0 && !is_link(url))
        return viber_refuse(out, "invalid_content", "an option's url is not http or https");
    if (url.len > 0) {
        action = "open-url";
        body = url;
    } else if (phone.len > 0) {
        action = "open-url";
        kanal_buffer_text(&call, "tel:");
        kanal_buffer_str(&call, phone);
        body = kanal_buffer_view(&call);
    } else if (kanal_str_is(request, "contact") || kanal_str_is(request, "location")) {
        action = kanal_str_is(request, "contact") ? "share-phone" : "location-picker";
        needs_version(out, SHARE_VERSION);
    } else if (request.len > 0) {
        return viber_refuse(out, "unsupported_content", "Viber cannot ask for this");
    } else if (!kanal_str_equal(body, text)) {
        kanal_json_member_bool(json, "Silent", 1);
        needs_version(out, SILENT_VERSION);
    }
    kanal_json_member_text(json, "ActionType", action);
    kanal_json_member_str(json, "ActionBody", body);
    kanal_buffer_release(&call);
    return KANAL_OK;
}

static kanal_status write_button(struct viber_outgoing *out, struct kanal_json *json, yyjson_val *option,
                                 int64_t columns)
{
    kanal_str text = kanal_json_text_at(option, "text"),
              image = kanal_json_text_at(kanal_json_at(option, "image"), "url");
    if (text.len == 0)
        return viber_refuse(out, "invalid_content", "an option has no text");
    kanal_json_object(json);
    write_size(json, columns, 1);
    kanal_status status = write_action(out, json, option);
    write_escaped(json, "Text", text);
    if (is_link(image))
        kanal_json_member_str(json, "Image", image);
    write_look(json, option);
    kanal_json_object_end(json);
    return status;
}

/* ---- Keyboards ---- */

/* How many options from `first` on stand in one row: as they say, else as many as fit. */
static size_t row_length(yyjson_val *options, size_t first)
{
    size_t count = yyjson_arr_size(options), n = 0, chars = 0;
    int64_t row = kanal_json_int_at(yyjson_arr_get(options, first), "row", -1);
    for (; first + n < count && n < ROW_BUTTONS_MAX; n++) {
        yyjson_val *option = yyjson_arr_get(options, first + n);
        if (kanal_json_int_at(option, "row", -1) != row)
            break;
        chars += count_chars(kanal_json_text_at(option, "text"));
        if (row < 0 && n > 0 && chars > ROW_CHARS_MAX)
            break;
    }
    return n > 0 ? n : 1;
}

kanal_status viber_write_keyboard(struct viber_outgoing *out, struct kanal_json *json, yyjson_val *choice)
{
    yyjson_val *options = kanal_json_at(choice, "options");
    size_t count = yyjson_arr_size(options), in_row = 0;
    if (kanal_json_bool_at(choice, "remove"))
        return KANAL_OK; /* a message without a keyboard takes the last one away */
    if (count == 0)
        return viber_refuse(out, "invalid_content", "the choice has no options");
    kanal_json_key(json, "keyboard");
    kanal_json_object(json);
    kanal_json_member_text(json, "Type", "keyboard");
    kanal_json_member_bool(json, "DefaultHeight", 0);
    kanal_json_key(json, "Buttons");
    kanal_json_array(json);
    for (size_t i = 0; i < count; i += in_row) {
        in_row = row_length(options, i);
        for (size_t k = 0; k < in_row; k++) {
            kanal_status status =
                write_button(out, json, yyjson_arr_get(options, i + k), (int64_t)(COLUMNS / in_row));
            if (status != KANAL_OK)
                return status;
        }
    }
    kanal_json_array_end(json);
    kanal_json_object_end(json);
    return KANAL_OK;
}

/* ---- Cards ---- */

struct grid { /* every card has as many rows as every other */
    int has_images;
    size_t buttons;
};

static struct grid measure(yyjson_val *const *cards, size_t count)
{
    struct grid grid = { 0 };
    for (size_t i = 0; i < count; i++) {
        size_t buttons = yyjson_arr_size(kanal_json_at(cards[i], "options"));
        grid.has_images |= is_link(kanal_json_text_at(kanal_json_at(cards[i], "image"), "url"));
        grid.buttons = buttons > grid.buttons ? buttons : grid.buttons;
    }
    return grid;
}

static void write_tap(struct kanal_json *json, kanal_str url)
{
    kanal_json_member_text(json, "ActionType", url.len > 0 ? "open-url" : "none");
    kanal_json_member_str(json, "ActionBody", url.len > 0 ? url : KANAL_LIT("none"));
}

static void write_words(struct kanal_json *json, yyjson_val *card)
{
    kanal_str text = kanal_json_text_at(card, "text"), price = kanal_json_text_at(card, "price");
    struct kanal_buffer html = { 0 };
    kanal_buffer_text(&html, "<b>");
    append_escaped(&html, kanal_str_cut(kanal_json_text_at(card, "title"), 80));
    kanal_buffer_text(&html, "</b>");
    if (price.len > 0) {
        kanal_buffer_text(&html, "<br>");
        append_escaped(&html, price);
        kanal_buffer_byte(&html, ' ');
        append_escaped(&html, kanal_json_text_at(card, "currency"));
    }
    if (text.len > 0)
        kanal_buffer_text(&html, "<br>");
    append_escaped(&html, kanal_str_cut(text, 120));
    kanal_json_member_str(json, "Text", kanal_buffer_view(&html));
    kanal_json_member_text(json, "TextVAlign", "middle");
    kanal_json_member_text(json, "TextHAlign", "left");
    if (html.failed)
        json->out->failed = 1;
    kanal_buffer_release(&html);
}

static kanal_status write_card(struct viber_outgoing *out, struct kanal_json *json, yyjson_val *card,
                               const struct grid *grid)
{
    kanal_str url = kanal_json_text_at(card, "url"),
              image = kanal_json_text_at(kanal_json_at(card, "image"), "url");
    yyjson_val *options = kanal_json_at(card, "options");
    if (kanal_json_text_at(card, "title").len == 0)
        return viber_refuse(out, "invalid_content", "a card has no title");
    if (url.len > 0 && !is_link(url))
        return viber_refuse(out, "invalid_content", "a card's url is not http or https");
    int has_image = is_link(image);
    if (has_image) {
        kanal_json_object(json);
        write_size(json, COLUMNS, IMAGE_ROWS);
        write_tap(json, url);
        kanal_json_member_str(json, "Image", image);
        kanal_json_object_end(json);
    }
    kanal_json_object(json);
    write_size(json, COLUMNS, WORDS_ROWS + (grid->has_images && !has_image ? IMAGE_ROWS : 0));
    write_tap(json, url);
    write_words(json, card);
    kanal_json_object_end(json);
    for (size_t i = 0; i < grid->buttons; i++) {
        yyjson_val *option = yyjson_arr_get(options, i);
        kanal_status status = KANAL_OK;
        if (option) {
            status = write_button(out, json, option, COLUMNS);
        } else { /* an empty place */
            kanal_json_object(json);
            write_size(json, COLUMNS, 1);
            write_tap(json, kanal_str_of(NULL, 0));
            kanal_json_object_end(json);
        }
        if (status != KANAL_OK)
            return status;
    }
    return KANAL_OK;
}

kanal_status viber_write_cards(struct viber_outgoing *out, struct kanal_json *json, yyjson_val *const *cards,
                               size_t count)
{
    struct grid grid = measure(cards, count);
    kanal_status status = KANAL_OK;
    if (grid.buttons > CARD_BUTTONS_MAX)
        return viber_refuse(out, "unsupported_content", "a card of Viber has at most 2 buttons");
    needs_version(out, RICH_MEDIA_VERSION);
    kanal_json_member_text(json, "type", "rich_media");
    kanal_member_text(json, "alt_text", kanal_json_text_at(cards[0], "title"), 512);
    kanal_json_key(json, "rich_media");
    kanal_json_object(json);
    kanal_json_member_text(json, "Type", "rich_media");
    kanal_json_member_int(json, "ButtonsGroupColumns", COLUMNS);
    kanal_json_member_int(json, "ButtonsGroupRows",
                          WORDS_ROWS + (grid.has_images ? IMAGE_ROWS : 0) + (int64_t)grid.buttons);
    kanal_json_member_text(json, "BgColor", "#FFFFFF");
    kanal_json_key(json, "Buttons");
    kanal_json_array(json);
    for (size_t i = 0; i < count && status == KANAL_OK; i++)
        status = write_card(out, json, cards[i], &grid);
    kanal_json_array_end(json);
    kanal_json_object_end(json);
    return status;
}
