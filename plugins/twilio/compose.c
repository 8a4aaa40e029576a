#include "compose.h"

#include "kanal/sdk/member.h"
#include "kanal/sdk/url.h"
#include "signature.h"

#define TEXT_CHARS_MAX 1600
#define MEDIA_MAX 10
#define VALIDITY_MAX_S 36000

void tw_outgoing_release(struct tw_outgoing *out)
{
    kanal_buffer_release(&out->form);
    memset(out, 0, sizeof *out);
}

kanal_status tw_refuse(struct tw_outgoing *out, const char *error_code, const char *reason)
{
    out->error_code = error_code;
    out->reason = reason;
    return KANAL_E_REJECTED;
}

yyjson_val *tw_options(yyjson_val *object)
{
    yyjson_val *provider = kanal_json_at(object, "provider"), *ours = kanal_json_at(provider, "twilio");
    return yyjson_is_obj(ours) ? ours : provider;
}

static void add_int(struct kanal_buffer *form, const char *name, int64_t number)
{
    struct kanal_buffer text = { 0 };
    kanal_buffer_int(&text, number);
    kanal_form_add(form, name, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

void tw_add_callback(struct kanal_buffer *form, const char *name, const struct tw_wish *wish,
                     const char *path, kanal_str rest)
{
    struct kanal_buffer url = { 0 };
    if (wish->base.len == 0)
        return;
    kanal_buffer_str(&url, wish->base);
    kanal_buffer_text(&url, path);
    kanal_buffer_byte(&url, '?');
    kanal_form_add(&url, "c", wish->command_id);
    add_int(&url, "p", wish->part);
    add_int(&url, "n", wish->parts);
    if (rest.len > 0) {
        kanal_buffer_byte(&url, '&');
        kanal_buffer_str(&url, rest);
    }
    kanal_buffer_text(&url, TW_URL_AGAIN);
    kanal_form_add(form, name, kanal_buffer_view(&url));
    if (url.failed)
        form->failed = 1;
    kanal_buffer_release(&url);
}

/* ---- Content ---- */

/* MMS exist where the carriers of a country have them: North America and Australia, as Twilio says. */
static int goes_as_mms(const struct tw_wish *wish)
{
    if (wish->settings->media != TW_MEDIA_AUTO)
        return wish->settings->media == TW_MEDIA_MMS;
    return kanal_str_starts(wish->to, "+1") || kanal_str_starts(wish->to, "+61") ||
           !kanal_str_starts(wish->to, "+"); /* another channel of Twilio's: it has media */
}

static void append(struct kanal_buffer *words, kanal_str text, const char *between)
{
    if (text.len > 0 && words->len > 0)
        kanal_buffer_text(words, between);
    kanal_buffer_str(words, text);
}

static int is_media(kanal_str type)
{
    return kanal_str_is(type, "image") || kanal_str_is(type, "video") || kanal_str_is(type, "audio") ||
           kanal_str_is(type, "file");
}

static kanal_status add_media(struct tw_outgoing *out, const struct tw_wish *wish, yyjson_val *part,
                              struct kanal_buffer *words, int *count)
{
    kanal_str url = kanal_json_text_at(part, "url");
    append(words, kanal_json_text_at(part, "caption"), "\n\n");
    if (!kanal_url_is_fetchable(url, 4096))
        return tw_refuse(out, "invalid_content", "the media part has no http or https url");
    if (!goes_as_mms(wish)) {
        append(words, url, "\n");
        return KANAL_OK;
    }
    if (++*count > MEDIA_MAX)
        return tw_refuse(out, "unsupported_content", "a message of Twilio has at most 10 media");
    kanal_form_add(&out->form, "MediaUrl", url);
    return KANAL_OK;
}

static kanal_status add_content(struct tw_outgoing *out, const struct tw_wish *wish)
{
    struct kanal_buffer words = { 0 };
    yyjson_val *part;
    size_t index, max;
    int media = 0;
    kanal_status status = KANAL_OK;
    yyjson_arr_foreach (kanal_json_at(wish->data, "content"), index, max, part) {
        kanal_str type = kanal_json_text_at(part, "type"), plain = kanal_json_text_at(part, "plain");
        if (status != KANAL_OK)
            break;
        if (kanal_str_is(type, "text"))
            append(&words, plain.len > 0 ? plain : kanal_json_text_at(part, "text"), "\n\n");
        else if (is_media(type))
            status = add_media(out, wish, part, &words, &media);
        else
            status = tw_refuse(out, "unsupported_content", "Twilio's messages cannot show this kind of part");
    }
    kanal_str body = kanal_buffer_view(&words);
    int is_template = kanal_json_text_at(tw_options(wish->data), "content_sid").len > 0;
    if (status == KANAL_OK && words.failed)
        status = KANAL_E_INTERNAL;
    else if (status == KANAL_OK && kanal_str_cut(body, TEXT_CHARS_MAX).len < body.len)
        status = tw_refuse(out, "payload_too_large", "a message of Twilio has at most 1600 characters");
    else if (status == KANAL_OK && body.len == 0 && media == 0 && !is_template)
        status = tw_refuse(out, "invalid_content", "the message has nothing to show");
    else if (status == KANAL_OK && body.len > 0)
        kanal_form_add(&out->form, "Body", body);
    kanal_buffer_release(&words);
    return status;
}

/* ---- Options ---- */

static void add_truth(struct kanal_buffer *form, const char *name, yyjson_val *options, const char *key)
{
    yyjson_val *value = kanal_json_at(options, key);
    if (yyjson_is_bool(value))
        kanal_form_add(form, name, kanal_str_c(yyjson_get_bool(value) ? "true" : "false"));
}

static void add_options(struct kanal_buffer *form, const struct tw_wish *wish, yyjson_val *options)
{
    kanal_str content = kanal_json_text_at(options, "content_sid");
    yyjson_val *variables = kanal_json_at(options, "content_variables");
    int64_t validity_s = kanal_json_int_at(options, "validity_period", wish->settings->validity_s);
    if (validity_s >= 1 && validity_s <= VALIDITY_MAX_S)
        add_int(form, "ValidityPeriod", validity_s);
    add_truth(form, "SmartEncoded", options, "smart_encoded");
    add_truth(form, "ShortenUrls", options, "shorten_urls");
    add_truth(form, "SendAsMms", options, "send_as_mms");
    if (content.len > 0)
        kanal_form_add(form, "ContentSid", content);
    if (content.len > 0 && yyjson_is_obj(variables)) {
        struct kanal_buffer text = { 0 };
        struct kanal_json json;
        kanal_json_init(&json, &text);
        kanal_json_value(&json, variables);
        kanal_form_add(form, "ContentVariables", kanal_buffer_view(&text));
        kanal_buffer_release(&text);
    }
}

static kanal_status compose_message(struct tw_outgoing *out, const struct tw_wish *wish)
{
    out->path = "Messages.json";
    kanal_form_add(&out->form, "To", wish->to);
    if (wish->settings->service[0])
        kanal_form_add(&out->form, "MessagingServiceSid", kanal_str_c(wish->settings->service));
    if (wish->settings->from)
        kanal_form_add(&out->form, "From", kanal_str_c(wish->settings->from));
    kanal_status status = add_content(out, wish);
    if (status != KANAL_OK)
        return status;
    add_options(&out->form, wish, tw_options(wish->data));
    tw_add_callback(&out->form, "StatusCallback", wish, "/status", kanal_str_of(NULL, 0));
    return out->form.failed ? KANAL_E_INTERNAL : KANAL_OK;
}

kanal_status tw_compose(struct tw_outgoing *out, const struct tw_wish *wish)
{
    memset(out, 0, sizeof *out);
    if (kanal_str_is(wish->type, "message.send"))
        return compose_message(out, wish);
    if (kanal_str_is(wish->type, "call.start"))
        return tw_compose_call(out, wish);
    return tw_refuse(out, "unsupported_verb", "Twilio has nothing for this verb");
}
