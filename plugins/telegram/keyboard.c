#include "compose.h"
#include "kanal/sdk/member.h"
#include "markup.h"

/* https://core.telegram.org/bots/api#inlinekeyboardbutton and #replykeyboardmarkup. */
#define CALLBACK_BYTES_MAX 64
#define PLACEHOLDER_CHARS_MAX 64
#define BUTTON_CHARS_MAX 256
#define ROW_BUTTONS_MAX 8
#define ROW_CHARS_MAX 32 /* what fits beside each other on a telephone */

static size_t count_chars(kanal_str text)
{
    size_t chars = 0;
    for (size_t i = 0; i < text.len; i++)
        chars += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return chars;
}

static void write_look(struct kanal_json *json, yyjson_val *option)
{
    static const char *const looks[][2] = { { "primary", "primary" },
                                            { "positive", "success" },
                                            { "negative", "danger" } };
    kanal_str look = kanal_json_text_at(option, "look");
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        if (kanal_str_is(look, looks[i][0]))
            kanal_json_member_text(json, "style", looks[i][1]);
}

/* What the button does, in Telegram's own words. 1: something was said. */
static int write_provider_action(struct kanal_json *json, yyjson_val *option, const char *const *names)
{
    yyjson_val *options = tg_options(option);
    int said = 0;
    for (; *names; names++) {
        yyjson_val *value = kanal_json_at(options, *names);
        if (value) {
            kanal_member_copy(json, *names, value);
            said = 1;
        }
    }
    return said;
}

static kanal_status write_inline_button(struct tg_outgoing *out, struct kanal_json *json, yyjson_val *option)
{
    static const char *const actions[] = { "web_app",
                                           "login_url",
                                           "switch_inline_query",
                                           "switch_inline_query_current_chat",
                                           "switch_inline_query_chosen_chat",
                                           "copy_text",
                                           "pay",
                                           NULL };
    kanal_str text = kanal_json_text_at(option, "text"), url = kanal_json_text_at(option, "url");
    kanal_str phone = kanal_json_text_at(option, "phone"), payload = kanal_json_text_at(option, "payload");
    if (text.len == 0)
        return tg_refuse(out, "invalid_content", "an option has no text");
    if (kanal_json_at(option, "request"))
        return tg_refuse(out, "unsupported_content",
                         "Telegram asks for a contact or a location with quick_replies only");
    kanal_json_object(json);
    kanal_member_text(json, "text", text, BUTTON_CHARS_MAX);
    write_look(json, option);
    if (write_provider_action(json, option, actions)) {
        ;
    } else if (url.len > 0) {
        if (!tg_link_is_safe(url))
            return tg_refuse(out, "invalid_content", "an option's url is not http, https or tg");
        kanal_json_member_str(json, "url", url);
    } else if (phone.len > 0) { /* a button cannot call; it copies the number */
        kanal_json_key(json, "copy_text");
        kanal_json_object(json);
        kanal_json_member_str(json, "text", phone);
        kanal_json_object_end(json);
    } else {
        kanal_str data = payload.len > 0 ? payload : text;
        if (data.len > CALLBACK_BYTES_MAX)
            return tg_refuse(out, "invalid_content", "an option's payload is over 64 bytes");
        kanal_json_member_str(json, "callback_data", data);
    }
    kanal_json_object_end(json);
    return KANAL_OK;
}

static kanal_status write_reply_button(struct tg_outgoing *out, struct kanal_json *json, yyjson_val *option)
{
    static const char *const actions[] = { "web_app", "request_users", "request_chat", "request_poll", NULL };
    kanal_str text = kanal_json_text_at(option, "text"), request = kanal_json_text_at(option, "request");
    if (text.len == 0)
        return tg_refuse(out, "invalid_content", "an option has no text");
    if (kanal_json_at(option, "url") || kanal_json_at(option, "phone"))
        return tg_refuse(out, "unsupported_content",
                         "Telegram opens links with buttons only, not with quick_replies");
    kanal_json_object(json);
    kanal_member_text(json, "text", text, BUTTON_CHARS_MAX);
    write_look(json, option);
    write_provider_action(json, option, actions);
    if (kanal_str_is(request, "contact"))
        kanal_json_member_bool(json, "request_contact", 1);
    else if (kanal_str_is(request, "location"))
        kanal_json_member_bool(json, "request_location", 1);
    else if (request.len > 0)
        return tg_refuse(out, "unsupported_content", "Telegram cannot ask for this");
    kanal_json_object_end(json);
    return KANAL_OK;
}

typedef kanal_status button_fn(struct tg_outgoing *, struct kanal_json *, yyjson_val *option);

/* The options in rows: as they say, else as many beside each other as fit. */
static kanal_status write_rows(struct tg_outgoing *out, struct kanal_json *json, yyjson_val *options,
                               button_fn *write, int one_column)
{
    size_t index, max, in_row = 0, chars = 0;
    int64_t row = -1;
    yyjson_val *option;
    kanal_json_array(json);
    yyjson_arr_foreach (options, index, max, option) {
        int64_t wanted = kanal_json_int_at(option, "row", -1);
        size_t more = count_chars(kanal_json_text_at(option, "text"));
        int is_next = wanted >= 0 ? wanted != row
                                  : one_column || row >= 0 || chars + more > ROW_CHARS_MAX || in_row == 3;
        if (in_row > 0 && (is_next || in_row == ROW_BUTTONS_MAX)) {
            kanal_json_array_end(json);
            in_row = chars = 0;
        }
        if (in_row == 0)
            kanal_json_array(json);
        kanal_status status = write(out, json, option);
        if (status != KANAL_OK)
            return status;
        row = wanted;
        chars += more;
        in_row++;
    }
    if (in_row > 0)
        kanal_json_array_end(json);
    kanal_json_array_end(json);
    return KANAL_OK;
}

static kanal_status write_reply_keyboard(struct tg_outgoing *out, struct kanal_json *json, yyjson_val *choice)
{
    int persistent = kanal_json_bool_at(choice, "persistent");
    kanal_json_object(json);
    if (kanal_json_bool_at(choice, "remove")) {
        kanal_json_member_bool(json, "remove_keyboard", 1);
        kanal_json_object_end(json);
        return KANAL_OK;
    }
    kanal_json_key(json, "keyboard");
    kanal_status status = write_rows(out, json, kanal_json_at(choice, "options"), write_reply_button, 0);
    if (status != KANAL_OK)
        return status;
    kanal_json_member_bool(json, "resize_keyboard", 1);
    kanal_json_member_bool(json, persistent ? "is_persistent" : "one_time_keyboard", 1);
    kanal_member_text_of(json, "input_field_placeholder", choice, "placeholder", PLACEHOLDER_CHARS_MAX);
    kanal_json_object_end(json);
    return KANAL_OK;
}

kanal_status tg_write_keyboard(struct tg_outgoing *out, struct kanal_json *json, yyjson_val *choice,
                               int inline_only)
{
    kanal_str style = kanal_json_text_at(choice, "style");
    yyjson_val *options = kanal_json_at(choice, "options");
    int is_reply = kanal_str_is(style, "quick_replies");
    if (yyjson_arr_size(options) == 0 && !kanal_json_bool_at(choice, "remove"))
        return tg_refuse(out, "invalid_content", "the choice has no options");
    if (is_reply && inline_only)
        return tg_refuse(out, "unsupported_content", "Telegram cannot edit quick_replies");
    kanal_json_key(json, "reply_markup");
    if (is_reply)
        return write_reply_keyboard(out, json, choice);
    kanal_json_object(json);
    kanal_json_key(json, "inline_keyboard");
    kanal_status status = write_rows(out, json, options, write_inline_button, kanal_str_is(style, "list"));
    kanal_json_object_end(json);
    return status;
}
