/* Calls: their beginning, their statuses, and their recordings. The URLs that we gave Twilio bring back what its request does not
 * say: f and t, the parties of the call; d, its direction; c, the command; k, what a recording is of. */
#include <stdio.h>

#include "address.h"
#include "events.h"
#include "kanal/sdk/member.h"
#include "kanal/sdk/time.h"
#include "media.h"

#define SECONDS_MAX 31536000

struct call { /* what all events of a call say */
    kanal_str sid, from, to;
    int is_outbound;
    int64_t time_ms; /* of this event */
};

static kanal_str customer_of(const struct call *call)
{
    return call->is_outbound ? call->to : call->from;
}

static void write_party(struct kanal_json *json, const char *key, kanal_str party)
{
    char address[TW_ADDRESS_BYTES];
    if (tw_address_write(address, party))
        kanal_json_member_text(json, key, address);
}

/* An event with the call begun; time: the member that says when. NULL: out of memory. */
static struct kanal_batch_item *begin(struct tw_told *told, const struct tw_source *source, const char *type,
                                      const struct call *call, const char *suffix, const char *time)
{
    struct kanal_batch_item *item = tw_begin(told, source, type, customer_of(call), call->sid, suffix);
    if (!item)
        return NULL;
    struct kanal_json *json = &item->json;
    kanal_batch_text(item->external_id, sizeof item->external_id, call->sid);
    item->event.time_ms = call->time_ms;
    kanal_json_key(json, "call");
    kanal_json_object(json);
    kanal_json_member_text(json, "direction", call->is_outbound ? "outbound" : "inbound");
    write_party(json, "from", call->from);
    write_party(json, "to", call->to);
    kanal_json_member_time(json, time, call->time_ms);
    return item;
}

static void end(struct tw_told *told, struct kanal_batch_item *item)
{
    kanal_json_object_end(&item->json);
    tw_end(told, item);
}

static void write_provider(struct kanal_json *json, const struct tw_source *source)
{
    char command[136];
    struct kanal_provider provider = kanal_provider_begin(json);
    kanal_member_text(json, "command_id", tw_query(source, "c", command, sizeof command), 128);
    tw_member(json, "status", source, "CallStatus", 32);
    tw_member(json, "forwarded_from", source, "ForwardedFrom", 128);
    tw_member(json, "stir", source, "StirVerstat", 64);
    tw_member(json, "answered_by", source, "AnsweredBy", 32);
    tw_member(json, "sip_code", source, "SipResponseCode", 8);
    kanal_provider_end(json, &provider);
}

static int64_t moment(const struct tw_source *source)
{
    int64_t told = tw_time(source);
    return told > 0 ? told : source->now_ms;
}

/* ---- The end ---- */

static int64_t seconds_of(const struct tw_source *source, const char *name)
{
    int64_t seconds = tw_param_int(source->params, name, -1);
    return seconds > SECONDS_MAX ? -1 : seconds;
}

/* A recording or a voice message, as the member of that name. */
static void write_recording(struct kanal_json *json, const struct tw_source *source, int is_voicemail)
{
    int64_t seconds = seconds_of(source, "RecordingDuration");
    kanal_str sid = tw_param(source->params, "RecordingSid");
    kanal_json_key(json, is_voicemail ? "voicemail" : "recording");
    kanal_json_object(json);
    kanal_json_member_text(json, "type", is_voicemail ? "voice" : "audio");
    tw_media_write(json, tw_param(source->params, "RecordingUrl"), source->settings->account, ".mp3");
    kanal_json_member_text(json, "mime", "audio/mpeg");
    if (seconds >= 0)
        kanal_json_member_int(json, "duration_ms", seconds * 1000);
    if (tw_is_sid(sid))
        kanal_json_member_str(json, "external_id", sid);
    kanal_json_object_end(json);
}

static int is_machine(const struct tw_source *source)
{
    kanal_str by = tw_param(source->params, "AnsweredBy");
    return kanal_str_starts(by, "machine") || kanal_str_is(by, "fax");
}

/* It was taken, and is over. agent: the number that took it, or absent. */
static void say_ended(struct tw_told *told, const struct tw_source *source, const struct call *call,
                      kanal_str agent)
{
    struct kanal_batch_item *item = begin(told, source, "call.ended", call, "end", "ended");
    int64_t seconds = seconds_of(source, "CallDuration");
    if (!item)
        return;
    struct kanal_json *json = &item->json;
    if (seconds >= 0) {
        kanal_json_member_time(json, "answered", call->time_ms - seconds * 1000);
        kanal_json_member_int(json, "talk_ms", seconds * 1000);
    }
    kanal_json_member_text(json, "reason", is_machine(source) ? "voicemail" : "completed");
    if (tw_param(source->params, "RecordingUrl").len > 0)
        write_recording(json, source, 0);
    if (agent.len > 0) {
        kanal_json_key(json, "agent");
        kanal_json_object(json);
        kanal_json_member_text(json, "kind", "person");
        kanal_member_text(json, "id", agent, 128);
        kanal_json_object_end(json);
    }
    write_provider(json, source);
    end(told, item);
}

/* Codes of SIP (RFC 3261) that say that nobody is there. */
static int is_unreachable(const struct tw_source *source)
{
    int64_t code = tw_param_int(source->params, "SipResponseCode", 0);
    return code == 404 || code == 410 || code == 480 || code == 484 || code == 604;
}

static const char *reason_of(const struct tw_source *source, kanal_str status)
{
    if (kanal_str_is(status, "busy"))
        return "busy";
    if (kanal_str_is(status, "no-answer"))
        return "no_answer";
    if (kanal_str_is(status, "canceled"))
        return "cancelled";
    return is_unreachable(source) ? "unreachable" : "failed";
}

static void say_missed(struct tw_told *told, const struct tw_source *source, const struct call *call,
                       const char *reason)
{
    struct kanal_batch_item *item = begin(told, source, "call.missed", call, "end", "ended");
    int64_t code = tw_param_int(source->params, "ErrorCode", 0);
    if (!item)
        return;
    kanal_json_member_text(&item->json, "reason", reason);
    if (code > 0)
        tw_write_error(&item->json, code, tw_param(source->params, "ErrorMessage"));
    write_provider(&item->json, source);
    end(told, item);
}

static void say(struct tw_told *told, const struct tw_source *source, const struct call *call, int is_answer)
{
    struct kanal_batch_item *item =
        begin(told, source, is_answer ? "call.answered" : "call.started", call,
              is_answer ? "answered" : "started", is_answer ? "answered" : "started");
    if (!item)
        return;
    write_provider(&item->json, source);
    end(told, item);
}

/* ---- What Twilio asks and tells ---- */

static int is_final(kanal_str status)
{
    return kanal_str_is(status, "busy") || kanal_str_is(status, "no-answer") ||
           kanal_str_is(status, "canceled") || kanal_str_is(status, "failed");
}

/* 0: it names no call. */
static int read_call(struct call *call, const struct tw_source *source, const char *sid)
{
    *call = (struct call){
        .sid = tw_param(source->params, sid),
        .from = tw_param(source->params, "From"),
        .to = tw_param(source->params, "To"),
        .is_outbound = kanal_str_starts(tw_param(source->params, "Direction"), "outbound"),
        .time_ms = moment(source),
    };
    return tw_is_sid(call->sid);
}

void tw_read_ringing(struct tw_told *told, const struct tw_source *source)
{
    struct call call;
    if (read_call(&call, source, "CallSid"))
        say(told, source, &call, 0);
    else
        tw_ignore(told, "it names no call", call.sid);
}

/* A call of ours, whose beginning nobody asked about. */
static void read_outbound(struct tw_told *told, const struct tw_source *source, const struct call *call,
                          kanal_str status)
{
    if (kanal_str_is(status, "ringing"))
        say(told, source, call, 0);
    else if (kanal_str_is(status, "in-progress"))
        say(told, source, call, 1);
    else if (kanal_str_is(status, "completed"))
        say_ended(told, source, call, kanal_str_of(NULL, 0));
    else if (is_final(status))
        say_missed(told, source, call, reason_of(source, status));
    else
        tw_ignore(told, "a step of a call without an event", status);
}

/* A call that came in. Twilio itself took it; whether a person did is told by the leg that it was put through to. */
static void read_inbound(struct tw_told *told, const struct tw_source *source, const struct call *call,
                         kanal_str status)
{
    static const char *const reasons[] = {
        [TW_ANSWER_REJECT] = "rejected",
        [TW_ANSWER_SAY] = "no_answer",
        [TW_ANSWER_RECORD] = "voicemail",
        [TW_ANSWER_DIAL] = NULL,
    };
    enum tw_answer answer = source->settings->answer;
    int is_over = kanal_str_is(status, "completed");
    if ((is_over && reasons[answer]) || (is_final(status) && answer == TW_ANSWER_REJECT))
        say_missed(told, source, call, reasons[answer]);
    else if (is_final(status))
        say_missed(told, source, call, reason_of(source, status));
    else
        tw_ignore(told, is_over ? "the call was put through: its leg tells" : "told when it came in", status);
}

void tw_read_call(struct tw_told *told, const struct tw_source *source)
{
    struct call call;
    kanal_str status = tw_param(source->params, "CallStatus");
    if (!read_call(&call, source, "CallSid"))
        tw_ignore(told, "it names no call", status);
    else if (call.is_outbound)
        read_outbound(told, source, &call, status);
    else
        read_inbound(told, source, &call, status);
}

/* The telephone that an incoming call was put through to: what becomes of it becomes of the call. */
void tw_read_leg(struct tw_told *told, const struct tw_source *source)
{
    struct call call;
    char from[TW_PARTY_BYTES_MAX + 1], to[TW_PARTY_BYTES_MAX + 1];
    kanal_str status = tw_param(source->params, "CallStatus"), agent = tw_param(source->params, "To");
    if (!read_call(&call, source, "ParentCallSid")) {
        tw_ignore(told, "it names no call", status);
        return;
    }
    call.from = tw_query(source, "f", from, sizeof from);
    call.to = tw_query(source, "t", to, sizeof to);
    call.is_outbound = 0;
    if (kanal_str_is(status, "in-progress"))
        say(told, source, &call, 1);
    else if (kanal_str_is(status, "completed"))
        say_ended(told, source, &call, agent);
    else if (is_final(status))
        say_missed(told, source, &call, reason_of(source, status));
    else
        tw_ignore(told, "a step of a call without an event", status);
}

/* It comes by itself, after the call. */
void tw_read_recording(struct tw_told *told, const struct tw_source *source)
{
    struct call call;
    char from[TW_PARTY_BYTES_MAX + 1], to[TW_PARTY_BYTES_MAX + 1], word[16];
    kanal_str sid = tw_param(source->params, "RecordingSid"),
              status = tw_param(source->params, "RecordingStatus");
    int64_t seconds = seconds_of(source, "RecordingDuration"), started = 0;
    if (!read_call(&call, source, "CallSid") || !tw_is_sid(sid) || !kanal_str_is(status, "completed")) {
        tw_ignore(told, "no recording to be had", status);
        return;
    }
    call.from = tw_query(source, "f", from, sizeof from);
    call.to = tw_query(source, "t", to, sizeof to);
    call.is_outbound = kanal_str_is(tw_query(source, "d", word, sizeof word), "out");
    if (kanal_time_parse_mail(tw_param(source->params, "RecordingStartTime"), &started) == 0 && started > 0)
        call.time_ms = started + (seconds > 0 ? seconds * 1000 : 0);
    char suffix[TW_SID_BYTES + 1];
    kanal_batch_text(suffix, sizeof suffix, sid);
    struct kanal_batch_item *item = begin(told, source, "call.ended", &call, suffix, "ended");
    if (!item)
        return;
    write_recording(&item->json, source, kanal_str_is(tw_query(source, "k", word, sizeof word), "voicemail"));
    write_provider(&item->json, source);
    end(told, item);
}
