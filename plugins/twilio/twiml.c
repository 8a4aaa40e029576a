#include "twiml.h"

#include "kanal/sdk/url.h"
#include "signature.h"

void tw_xml(struct kanal_buffer *out, kanal_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        const char *escaped = c == '&'    ? "&amp;"
                              : c == '<'  ? "&lt;"
                              : c == '>'  ? "&gt;"
                              : c == '"'  ? "&quot;"
                              : c == '\'' ? "&apos;"
                                          : NULL;
        int is_none = (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
        if (c == 0xef && i + 2 < text.len && (unsigned char)text.ptr[i + 1] == 0xbf &&
            (unsigned char)text.ptr[i + 2] >= 0xbe)
            i += 2; /* U+FFFE, U+FFFF */
        else if (escaped)
            kanal_buffer_text(out, escaped);
        else if (!is_none)
            kanal_buffer_byte(out, (char)c);
    }
}

static void attribute(struct kanal_buffer *out, const char *name, kanal_str value)
{
    if (value.len == 0)
        return;
    kanal_buffer_byte(out, ' ');
    kanal_buffer_text(out, name);
    kanal_buffer_text(out, "=\"");
    tw_xml(out, value);
    kanal_buffer_byte(out, '"');
}

static void attribute_int(struct kanal_buffer *out, const char *name, int64_t value)
{
    struct kanal_buffer text = { 0 };
    kanal_buffer_int(&text, value);
    attribute(out, name, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

/* A URL of ours, with the parties of the call. rest: of the query, or NULL. */
static void attribute_url(struct kanal_buffer *out, const char *name, kanal_str base, const char *path,
                          kanal_str from, kanal_str to, const char *rest)
{
    struct kanal_buffer url = { 0 };
    if (base.len == 0)
        return;
    kanal_buffer_str(&url, base);
    kanal_buffer_text(&url, path);
    if (rest) {
        kanal_buffer_text(&url, "?");
        kanal_buffer_text(&url, rest);
        kanal_form_add(&url, "f", from);
        kanal_form_add(&url, "t", to);
    }
    kanal_buffer_text(&url, TW_URL_AGAIN);
    attribute(out, name, kanal_buffer_view(&url));
    if (url.failed)
        out->failed = 1;
    kanal_buffer_release(&url);
}

void tw_twiml_say(struct kanal_buffer *out, kanal_str text, kanal_str language, kanal_str voice)
{
    kanal_buffer_text(out, "<Say");
    attribute(out, "language", language);
    attribute(out, "voice", voice);
    kanal_buffer_text(out, ">");
    tw_xml(out, text);
    kanal_buffer_text(out, "</Say>");
}

static void write_record(struct kanal_buffer *out, const struct tw_settings *settings, kanal_str base,
                         kanal_str from, kanal_str to)
{
    kanal_buffer_text(out, "<Record playBeep=\"true\"");
    attribute_int(out, "maxLength", settings->message_s);
    if (base.len == 0) /* without an action Twilio asks for the same again, for ever */
        attribute(out, "action", KANAL_LIT("hangup"));
    attribute_url(out, "action", base, "/hangup", from, to, NULL);
    attribute_url(out, "recordingStatusCallback", base, "/recording", from, to, "k=voicemail&d=in");
    kanal_buffer_text(out, "/><Hangup/>");
}

/* The caller hears it ring until somebody takes it; what becomes of the other telephone is told at /leg. */
static void write_dial(struct kanal_buffer *out, const struct tw_settings *settings, kanal_str base,
                       kanal_str from, kanal_str to)
{
    kanal_buffer_text(out, "<Dial answerOnBridge=\"true\"");
    attribute_int(out, "timeout", settings->ring_s);
    if (settings->records) {
        attribute(out, "record", KANAL_LIT("record-from-answer"));
        attribute_url(out, "recordingStatusCallback", base, "/recording", from, to, "k=call&d=in");
    }
    kanal_buffer_text(out, "><Number");
    if (base.len > 0)
        attribute(out, "statusCallbackEvent", KANAL_LIT("answered completed"));
    attribute_url(out, "statusCallback", base, "/leg", from, to, "d=in");
    kanal_buffer_byte(out, '>');
    tw_xml(out, kanal_str_c(settings->dial));
    kanal_buffer_text(out, "</Number></Dial>");
}

void tw_twiml_incoming(struct kanal_buffer *out, const struct tw_settings *settings, kanal_str base,
                       kanal_str from, kanal_str to)
{
    kanal_buffer_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>");
    if (settings->greeting && settings->answer != TW_ANSWER_REJECT)
        tw_twiml_say(out, kanal_str_c(settings->greeting), kanal_str_c(settings->language),
                     kanal_str_c(settings->voice));
    if (settings->answer == TW_ANSWER_REJECT)
        kanal_buffer_text(out, "<Reject/>");
    else if (settings->answer == TW_ANSWER_RECORD)
        write_record(out, settings, base, from, to);
    else if (settings->answer == TW_ANSWER_DIAL)
        write_dial(out, settings, base, from, to);
    else
        kanal_buffer_text(out, "<Hangup/>");
    kanal_buffer_text(out, "</Response>");
}
