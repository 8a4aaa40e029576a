/* A call that says texts and plays sounds, and hangs up. */
#include "compose.h"
#include "kanal/sdk/url.h"
#include "twiml.h"

#define RING_MAX_S 600

static kanal_str option(yyjson_val *options, const char *name, const char *otherwise)
{
    kanal_str text = kanal_json_text_at(options, name);
    return text.len > 0 ? text : kanal_str_c(otherwise);
}

static kanal_status write_part(struct tw_outgoing *out, struct kanal_buffer *twiml,
                               const struct tw_wish *wish, yyjson_val *part)
{
    yyjson_val *options = tw_options(wish->data);
    kanal_str type = kanal_json_text_at(part, "type"), url = kanal_json_text_at(part, "url");
    kanal_str plain = kanal_json_text_at(part, "plain");
    if (kanal_str_is(type, "text")) {
        tw_twiml_say(twiml, plain.len > 0 ? plain : kanal_json_text_at(part, "text"),
                     option(options, "language", wish->settings->language),
                     option(options, "voice", wish->settings->voice));
        return KANAL_OK;
    }
    if (!kanal_str_is(type, "audio") && !kanal_str_is(type, "voice"))
        return tw_refuse(out, "unsupported_content", "a call can say texts and play sounds");
    if (!kanal_url_is_fetchable(url, 2048))
        return tw_refuse(out, "invalid_content", "the audio part has no http or https url");
    kanal_buffer_text(twiml, "<Play>");
    tw_xml(twiml, url);
    kanal_buffer_text(twiml, "</Play>");
    return KANAL_OK;
}

static kanal_status add_twiml(struct tw_outgoing *out, const struct tw_wish *wish)
{
    struct kanal_buffer twiml = { 0 };
    yyjson_val *part, *content = kanal_json_at(wish->data, "content");
    size_t index, max;
    kanal_status status = KANAL_OK;
    kanal_buffer_text(&twiml, "<Response>");
    yyjson_arr_foreach (content, index, max, part)
        if (status == KANAL_OK)
            status = write_part(out, &twiml, wish, part);
    kanal_buffer_text(&twiml, "</Response>");
    if (status == KANAL_OK && twiml.failed)
        status = KANAL_E_INTERNAL;
    else if (status == KANAL_OK && yyjson_arr_size(content) == 0)
        status = tw_refuse(out, "invalid_content", "the call has nothing to say");
    else if (status == KANAL_OK && twiml.len > TW_TWIML_BYTES_MAX)
        status = tw_refuse(out, "payload_too_large", "a call of Twilio has at most 4000 bytes of TwiML");
    else if (status == KANAL_OK)
        kanal_form_add(&out->form, "Twiml", kanal_buffer_view(&twiml));
    kanal_buffer_release(&twiml);
    return status;
}

static void add_recording(struct tw_outgoing *out, const struct tw_wish *wish)
{
    struct kanal_buffer rest = { 0 };
    kanal_buffer_text(&rest, "k=call&d=out");
    kanal_form_add(&rest, "f", kanal_str_c(wish->settings->from));
    kanal_form_add(&rest, "t", wish->to);
    kanal_form_add(&out->form, "Record", KANAL_LIT("true"));
    tw_add_callback(&out->form, "RecordingStatusCallback", wish, "/recording", kanal_buffer_view(&rest));
    kanal_buffer_release(&rest);
}

static void add_options(struct kanal_buffer *form, yyjson_val *options)
{
    kanal_str detection = kanal_json_text_at(options, "machine_detection");
    int64_t ring_s = kanal_json_int_at(options, "timeout", 0);
    if (ring_s >= 1 && ring_s <= RING_MAX_S) {
        struct kanal_buffer text = { 0 };
        kanal_buffer_int(&text, ring_s);
        kanal_form_add(form, "Timeout", kanal_buffer_view(&text));
        kanal_buffer_release(&text);
    }
    if (kanal_str_is(detection, "Enable") || kanal_str_is(detection, "DetectMessageEnd"))
        kanal_form_add(form, "MachineDetection", detection);
}

kanal_status tw_compose_call(struct tw_outgoing *out, const struct tw_wish *wish)
{
    static const char *const steps[] = { "ringing", "answered", "completed" };
    const char *from = wish->settings->from;
    out->path = "Calls.json";
    if (!from || from[0] != '+')
        return tw_refuse(out, "unsupported_verb",
                         "the channel has no number to call from: set `from` to one");
    if (!kanal_str_starts(wish->to, "+"))
        return tw_refuse(out, "recipient_unknown", "only a telephone number can be called");
    kanal_form_add(&out->form, "To", wish->to);
    kanal_form_add(&out->form, "From", kanal_str_c(from));
    kanal_status status = add_twiml(out, wish);
    if (status != KANAL_OK)
        return status;
    add_options(&out->form, tw_options(wish->data));
    tw_add_callback(&out->form, "StatusCallback", wish, "/call", kanal_str_of(NULL, 0));
    for (size_t i = 0; wish->base.len > 0 && i < sizeof steps / sizeof *steps; i++)
        kanal_form_add(&out->form, "StatusCallbackEvent", kanal_str_c(steps[i]));
    if (kanal_json_bool_at(wish->data, "record"))
        add_recording(out, wish);
    return out->form.failed ? KANAL_E_INTERNAL : KANAL_OK;
}
