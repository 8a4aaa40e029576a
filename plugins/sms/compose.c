#include "compose.h"

#include <stdio.h>

#include "kanal/sdk/time.h"

#define MINUTE_MS INT64_C(60000)
#define VALIDITY_MAX_MS (INT64_C(63) * 7 * 24 * 60 * MINUTE_MS) /* as long as a telephone network can say */

static kanal_status refuse(struct sms_wish *wish, const char *code, const char *reason)
{
    wish->error_code = code;
    wish->reason = reason;
    return KANAL_E_REJECTED;
}

void sms_wish_release(struct sms_wish *wish)
{
    kanal_buffer_release(&wish->text);
}

void sms_validity_write(char out[17], int64_t ms)
{
    int64_t clamped = ms < MINUTE_MS ? MINUTE_MS : ms > VALIDITY_MAX_MS ? VALIDITY_MAX_MS : ms;
    unsigned seconds = (unsigned)(clamped / 1000), days = seconds / 86400;
    snprintf(out, 17, "%02u%02u%02u%02u%02u%02u000R", days / 360 % 100, days % 360 / 30, days % 30,
             seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
}

/* The core has made text of everything; several texts are lines. */
static kanal_status join_texts(struct sms_wish *wish, yyjson_val *content)
{
    yyjson_val *part;
    size_t index, max;
    if (!yyjson_is_arr(content))
        return refuse(wish, "invalid_content", "there is no content");
    yyjson_arr_foreach (content, index, max, part) {
        kanal_str text = kanal_json_text_at(part, "text");
        if (!kanal_str_is(kanal_json_text_at(part, "type"), "text"))
            return refuse(wish, "unsupported_content", "an SMS is text and nothing else");
        if (wish->text.len > 0)
            kanal_buffer_byte(&wish->text, '\n');
        kanal_buffer_str(&wish->text, text);
    }
    if (wish->text.failed)
        return KANAL_E_INTERNAL;
    return wish->text.len > 0 ? KANAL_OK : refuse(wish, "invalid_content", "the text is empty");
}

static kanal_status read_options(struct sms_wish *wish, yyjson_val *data)
{
    yyjson_val *provider = kanal_json_at(data, "provider"), *ours = kanal_json_at(provider, "sms");
    yyjson_val *options = yyjson_is_obj(ours) ? ours : provider;
    kanal_str sender = kanal_json_text_at(options, "sender");
    int64_t priority = kanal_json_int_at(options, "priority", 0);
    wish->flash = kanal_json_bool_at(options, "flash");
    wish->priority = (uint8_t)(priority >= 0 && priority <= 3 ? priority : 0);
    if (sender.len > 0 && sms_sender(&wish->sender, sender) != KANAL_OK)
        return refuse(wish, "invalid_content",
                      "provider.sender is no number and no name of 11 ASCII characters");
    return KANAL_OK;
}

kanal_status sms_compose(struct sms_wish *wish, yyjson_val *data, int64_t now_ms, int64_t validity_ms)
{
    kanal_str expires = kanal_json_text_at(data, "expires");
    int64_t until_ms;
    memset(wish, 0, sizeof *wish);
    if (expires.len > 0 && kanal_time_parse_rfc3339(expires, &until_ms) == KANAL_OK) {
        int64_t left_ms = until_ms - now_ms;
        if (left_ms <= 0)
            return refuse(wish, "expired", "the command has expired");
        if (validity_ms == 0 || left_ms < validity_ms)
            validity_ms = left_ms;
    }
    if (validity_ms > 0)
        sms_validity_write(wish->validity, validity_ms);
    kanal_status status = read_options(wish, data);
    return status == KANAL_OK ? join_texts(wish, kanal_json_at(data, "content")) : status;
}
