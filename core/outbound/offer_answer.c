/* Answers in words: which option they mean, and the event that says so. Pure. */
#include "outbound/offers.h"
#include "outbound/words.h"

/* "2", "2." or "2)"; -1: no number. */
static int64_t number_of(kanal_str text)
{
    int64_t number = -1;
    if (text.len > 1 && strchr(".)", text.ptr[text.len - 1]))
        text.len--;
    if (text.len == 0 || text.len > 4 || text.ptr[0] < '0' || text.ptr[0] > '9')
        return -1;
    return kanal_str_int(text, &number) == 0 ? number : -1;
}

static int has_words(yyjson_val *option, kanal_str text)
{
    return words_equal(words_trim(kanal_json_text_at(option, "text")), text) ||
           words_equal(words_trim(kanal_json_text_at(option, "full")), text);
}

yyjson_val *offer_match(yyjson_val *options, kanal_str text)
{
    yyjson_val *option, *found = NULL;
    size_t index, max, count = 0;
    kanal_str typed = words_trim(text);
    int64_t number = number_of(typed);
    if (!yyjson_is_arr(options) || typed.len == 0)
        return NULL;
    yyjson_arr_foreach (options, index, max, option) {
        if (number > 0 && kanal_json_int_at(option, "n", 0) == number)
            return option;
        if (has_words(option, typed)) {
            found = option;
            count++;
        }
    }
    return count == 1 ? found : NULL;
}

kanal_str offer_typed(yyjson_val *data)
{
    yyjson_val *content = kanal_json_at(kanal_json_at(data, "message"), "content");
    yyjson_val *part = yyjson_arr_size(content) == 1 ? yyjson_arr_get_first(content) : NULL;
    kanal_str plain = kanal_json_text_at(part, "plain");
    if (!kanal_str_is(kanal_json_text_at(part, "type"), "text"))
        return (kanal_str){ 0 };
    return plain.len > 0 ? plain : kanal_json_text_at(part, "text");
}

static void write_answer(struct kanal_json *json, yyjson_val *option, kanal_str typed)
{
    kanal_str full = kanal_json_text_at(option, "full");
    kanal_json_key(json, "content");
    kanal_json_array(json);
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "answer");
    kanal_json_member_text(json, "kind", "menu");
    kanal_json_member_str(json, "payload", kanal_json_text_at(option, "payload"));
    kanal_json_member_str(json, "text", full.len > 0 ? full : kanal_json_text_at(option, "text"));
    kanal_json_key(json, "provider");
    kanal_json_object(json);
    kanal_json_member_str(json, "typed", typed);
    kanal_json_object_end(json);
    kanal_json_object_end(json);
    kanal_json_array_end(json);
}

static void write_message(struct kanal_json *json, yyjson_val *message, yyjson_val *option,
                          kanal_str command_id, kanal_str typed)
{
    size_t index, max;
    yyjson_val *key, *value;
    kanal_json_object(json);
    write_answer(json, option, typed);
    /* Whom the customer quotes the provider knows best. */
    if (!kanal_json_at(message, "reply_to")) {
        kanal_json_key(json, "reply_to");
        kanal_json_object(json);
        kanal_json_member_str(json, "id", command_id);
        kanal_json_object_end(json);
    }
    yyjson_obj_foreach (message, index, max, key, value) {
        if (kanal_str_is(kanal_json_text(key), "content"))
            continue;
        kanal_json_key_str(json, kanal_json_text(key));
        kanal_json_value(json, value);
    }
    kanal_json_object_end(json);
}

void offer_write_answer(yyjson_val *data, yyjson_val *option, kanal_str command_id, kanal_str typed,
                        struct kanal_buffer *out)
{
    struct kanal_json json;
    size_t index, max;
    yyjson_val *key, *value;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    yyjson_obj_foreach (data, index, max, key, value) {
        kanal_json_key_str(&json, kanal_json_text(key));
        if (kanal_str_is(kanal_json_text(key), "message"))
            write_message(&json, value, option, command_id, typed);
        else
            kanal_json_value(&json, value);
    }
    kanal_json_object_end(&json);
}
