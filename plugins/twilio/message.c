/* Messages that came in, and the statuses of those that went out. */
#include <stdio.h>

#include "address.h"
#include "events.h"
#include "kanal/sdk/member.h"
#include "media.h"
#include "outcome.h"

#define TEXT_CHARS_MAX 16384
#define MEDIA_MAX 32
#define SID_PARAM(source, name, other)                                                                       \
    (tw_param((source)->params, name).len > 0 ? tw_param((source)->params, name)                             \
                                              : tw_param((source)->params, other))

/* ---- Content ---- */

static const char *part_of(kanal_str mime)
{
    if (kanal_str_starts(mime, "image/"))
        return "image";
    if (kanal_str_starts(mime, "video/"))
        return "video";
    return kanal_str_starts(mime, "audio/") ? "audio" : "file";
}

static kanal_str numbered(const struct tw_source *source, const char *name, int number)
{
    char text[32];
    snprintf(text, sizeof text, "%s%d", name, number);
    return tw_param(source->params, text);
}

/* One file of a message, with its words if it is the only one. */
static void write_media(struct kanal_json *json, const struct tw_source *source, int number, kanal_str words)
{
    kanal_str mime = numbered(source, "MediaContentType", number), url = numbered(source, "MediaUrl", number);
    kanal_str reference = tw_media_reference(url, source->settings->account);
    size_t slash = reference.len;
    while (slash > 0 && reference.ptr[slash - 1] != '/')
        slash--;
    kanal_json_object(json);
    kanal_json_member_text(json, "type", part_of(mime));
    tw_media_write(json, url, source->settings->account, NULL);
    kanal_member_mime(json, mime, NULL);
    kanal_member_text(json, "caption", words, TEXT_CHARS_MAX);
    kanal_member_text(json, "external_id", kanal_str_from(reference, slash), 64);
    kanal_json_object_end(json);
}

static void write_text(struct kanal_json *json, kanal_str words)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "text");
    kanal_member_text(json, "text", words, TEXT_CHARS_MAX);
    kanal_json_object_end(json);
}

static int read_degrees(const struct tw_source *source, const char *name, double limit, double *ret_degrees)
{
    kanal_str told = tw_param(source->params, name);
    char text[40], *end;
    if (told.len == 0 || told.len >= sizeof text)
        return 0;
    memcpy(text, told.ptr, told.len);
    text[told.len] = 0;
    *ret_degrees = strtod(text, &end);
    return *end == 0 && *ret_degrees >= -limit && *ret_degrees <= limit;
}

/* A place, a button (of channels beside SMS that Twilio carries), or what we do not know. */
static void write_other(struct kanal_json *json, const struct tw_source *source)
{
    double lat, lon;
    kanal_json_object(json);
    if (read_degrees(source, "Latitude", 90, &lat) && read_degrees(source, "Longitude", 180, &lon)) {
        kanal_json_member_text(json, "type", "location");
        kanal_json_member_double(json, "lat", lat);
        kanal_json_member_double(json, "lon", lon);
        tw_member(json, "name", source, "Label", 512);
        tw_member(json, "address", source, "Address", 1024);
    } else {
        kanal_str kind = tw_param(source->params, "MessageType");
        kanal_json_member_text(json, "type", "unsupported");
        kanal_json_member_str(json, "kind", kind.len > 0 ? kanal_str_cut(kind, 128) : KANAL_LIT("empty"));
    }
    kanal_json_object_end(json);
}

static void write_answer(struct kanal_json *json, const struct tw_source *source)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "type", "answer");
    kanal_json_member_text(json, "kind", "button");
    tw_member(json, "payload", source, "ButtonPayload", 4096);
    tw_member(json, "text", source, "ButtonText", 4096);
    kanal_json_object_end(json);
}

static void write_content(struct kanal_json *json, const struct tw_source *source)
{
    kanal_str words = tw_param(source->params, "Body");
    int64_t told = tw_param_int(source->params, "NumMedia", 0);
    int count = told < 0 ? 0 : told > MEDIA_MAX ? MEDIA_MAX : (int)told;
    kanal_json_key(json, "content");
    kanal_json_array(json);
    if (tw_param(source->params, "ButtonPayload").len > 0)
        write_answer(json, source);
    else if (words.len > 0 && count != 1)
        write_text(json, words);
    for (int i = 0; i < count; i++)
        write_media(json, source, i, count == 1 ? words : kanal_str_of(NULL, 0));
    if (count == 0 && words.len == 0 && tw_param(source->params, "ButtonPayload").len == 0)
        write_other(json, source);
    kanal_json_array_end(json);
}

/* ---- A message ---- */

/* What a word of the customer does: 1 opts in, -1 out, 0 nothing. OptOutType is told where Advanced Opt-Out is switched on; else Twilio
 * goes by its default words. "YES" opts in too by default, but it answers other questions as well. */
static int consent_of(const struct tw_source *source)
{
    static const char *const out[] = { "STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END",
                                       "QUIT", "REVOKE",  "OPTOUT",      NULL };
    static const char *const in[] = { "START", "UNSTOP", NULL };
    kanal_str type = tw_param(source->params, "OptOutType"), words = tw_param(source->params, "Body");
    if (type.len > 0)
        return kanal_str_is(type, "STOP") ? -1 : kanal_str_is(type, "START");
    while (words.len > 0 && strchr(" \t\r\n", words.ptr[0]))
        words = kanal_str_from(words, 1);
    while (words.len > 0 && strchr(" \t\r\n", words.ptr[words.len - 1]))
        words.len--;
    for (size_t i = 0; out[i]; i++)
        if (kanal_str_equal_nocase(words, kanal_str_c(out[i])))
            return -1;
    for (size_t i = 0; in[i]; i++)
        if (kanal_str_equal_nocase(words, kanal_str_c(in[i])))
            return 1;
    return 0;
}

void tw_read_message(struct tw_told *told, const struct tw_source *source)
{
    kanal_str sid = SID_PARAM(source, "MessageSid", "SmsSid"), from = tw_param(source->params, "From");
    char address[TW_ADDRESS_BYTES];
    if (!tw_is_sid(sid) || !tw_address_write(address, from)) {
        tw_ignore(told, "it names no message, or nobody", sid);
        return;
    }
    struct kanal_batch_item *item = tw_begin(told, source, "message.received", from, sid, NULL);
    if (!item)
        return;
    struct kanal_json *json = &item->json;
    kanal_batch_text(item->external_id, sizeof item->external_id, sid);
    item->event.time_ms = tw_time(source);
    kanal_json_key(json, "message");
    kanal_json_object(json);
    write_content(json, source);
    struct kanal_provider provider = kanal_provider_begin(json);
    tw_member(json, "to", source, "To", 128);
    tw_member(json, "messaging_service_sid", source, "MessagingServiceSid", 64);
    tw_member(json, "segments", source, "NumSegments", 8);
    tw_member(json, "opt_out_type", source, "OptOutType", 16);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
    tw_end(told, item);
    int consent = consent_of(source);
    if (consent != 0)
        tw_say_consent(told, source, from, sid, consent > 0, consent > 0 ? "message" : "stop_word",
                       tw_time(source));
}

/* ---- A status ---- */

static const struct status {
    const char *name, *type; /* type NULL: nothing that the answer to the request did not say */
} statuses[] = {
    { "accepted", NULL },
    { "scheduled", NULL },
    { "queued", NULL },
    { "sending", NULL },
    { "sent", "message.sent" },
    { "delivered", "message.delivered" },
    { "read", "message.read" },
    { "undelivered", "message.failed" },
    { "failed", "message.failed" },
    { "canceled", "message.failed" },
};

static const struct status *status_of(kanal_str name)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (kanal_str_is(name, statuses[i].name))
            return &statuses[i];
    return NULL;
}

/* Which part of which command it is: the URL that we gave Twilio says so. */
static void write_message(struct kanal_json *json, const struct tw_source *source, kanal_str name)
{
    char text[16];
    int64_t part = 0, parts = 0;
    int is_told = kanal_str_int(tw_query(source, "p", text, sizeof text), &part) == 0 &&
                  kanal_str_int(tw_query(source, "n", text, sizeof text), &parts) == 0 && part >= 1 &&
                  part <= parts && parts <= 10000;
    kanal_json_key(json, "message");
    kanal_json_object(json);
    if (is_told) {
        kanal_json_member_int(json, "part", part);
        kanal_json_member_int(json, "parts", parts);
    }
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "status", name, 32);
    tw_member(json, "from", source, "From", 128);
    tw_member(json, "messaging_service_sid", source, "MessagingServiceSid", 64);
    tw_member(json, "segments", source, "NumSegments", 8);
    tw_member(json, "receipt_time", source, "RawDlrDoneDate", 32);
    kanal_provider_end(json, &provider);
    kanal_json_object_end(json);
}

static void write_failure(struct kanal_json *json, const struct tw_source *source, kanal_str name)
{
    if (!kanal_str_is(name, "canceled")) {
        tw_write_error(json, tw_param_int(source->params, "ErrorCode", 0),
                       tw_param(source->params, "ErrorMessage"));
        return;
    }
    kanal_json_key(json, "error");
    kanal_json_object(json);
    kanal_json_member_text(json, "code", "cancelled");
    kanal_json_member_text(json, "scope", "message");
    kanal_json_object_end(json);
}

void tw_read_status(struct tw_told *told, const struct tw_source *source)
{
    kanal_str sid = SID_PARAM(source, "MessageSid", "SmsSid"), to = tw_param(source->params, "To");
    kanal_str name = SID_PARAM(source, "MessageStatus", "SmsStatus");
    const struct status *status = status_of(name);
    char command[sizeof((struct kanal_batch_item *)0)->command_id];
    kanal_str command_id = tw_query(source, "c", command, sizeof command);
    if (!status || !status->type || !tw_is_sid(sid)) {
        tw_ignore(told, status ? "the answer to our request said so" : "an unknown status", name);
        return;
    }
    if (strcmp(status->type, "message.sent") == 0 && command_id.len > 0) {
        tw_ignore(told, "the answer to our request said so", name);
        return;
    }
    struct kanal_batch_item *item = tw_begin(told, source, status->type, to, sid, status->name);
    if (!item)
        return;
    kanal_batch_text(item->external_id, sizeof item->external_id, sid);
    kanal_batch_text(item->command_id, sizeof item->command_id, command_id);
    item->event.time_ms = tw_time(source);
    write_message(&item->json, source, name);
    int is_failure = strcmp(status->type, "message.failed") == 0;
    if (is_failure)
        write_failure(&item->json, source, name);
    int is_opted_out =
        is_failure && item->address[0] && tw_param_int(source->params, "ErrorCode", 0) == TW_OPTED_OUT;
    tw_end(told, item);
    if (is_opted_out)
        tw_say_consent(told, source, to, sid, 0, "provider", tw_time(source));
}
