/* Calls: what Twilio is told to do, and what they become. */
#include <stdio.h>

#include "test/capture.h"

#define XML "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
#define VOICE_FORM                                                                                           \
    "CallSid=CA00000000000000000000000000000061&From=%2B14155551212&To=%2B14155550100&CallStatus=ringing&"   \
    "Direction=inbound"
#define AGAIN_XML "#rc=5&amp;rp=5xx,ct,rt"
#define PARTIES "f=%2B14155551212&amp;t=%2B14155550100" AGAIN_XML

static void expect_twiml(const char *more, const char *expected)
{
    struct fake_host *host = channel_new(more);
    const struct fake_answer *answer = post_form(host, "/voice", KANAL_LIT(VOICE_FORM));
    cr_expect_eq(answer->response.code, 200);
    EXPECT_TEXT(answer->response.body.ptr, expected);
    cr_expect(kanal_str_starts(
        kanal_field_get(answer->response.headers, answer->response.header_count, "content-type"),
        "text/xml"));
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "call.started");
    channel_free(host);
}

Test(twiml, an_incoming_call_is_answered_as_the_settings_say)
{
    expect_twiml(NULL, XML "<Response><Reject/></Response>");
    expect_twiml(",\"language\":\"ru-RU\",\"voice\":\"Polly.Tatyana\",\"calls\":{\"answer\":\"say\","
                 "\"greeting\":\"«Лавка» "
                 "& <Ко>\"}",
                 XML "<Response><Say language=\"ru-RU\" voice=\"Polly.Tatyana\">«Лавка» &amp; "
                     "&lt;Ко&gt;</Say><Hangup/></Response>");
    expect_twiml(",\"calls\":{\"answer\":\"record\",\"greeting\":\"Hi\",\"message_s\":60}",
                 XML "<Response><Say>Hi</Say><Record playBeep=\"true\" maxLength=\"60\" action=\"" BASE
                     "/hangup" AGAIN_XML "\" recordingStatusCallback=\"" BASE
                     "/recording?k=voicemail&amp;d=in&amp;" PARTIES "\"/><Hangup/></Response>");
    expect_twiml(",\"calls\":{\"answer\":\"dial\",\"dial\":\"+14155550122\",\"ring_s\":30,\"record\":true}",
                 XML "<Response><Dial answerOnBridge=\"true\" timeout=\"30\" record=\"record-from-answer\" "
                     "recordingStatusCallback=\"" BASE "/recording?k=call&amp;d=in&amp;" PARTIES
                     "\"><Number statusCallbackEvent=\"answered completed\" statusCallback=\"" BASE
                     "/leg?d=in&amp;" PARTIES "\">+14155550122</Number></Dial></Response>");
}

Test(twiml, a_voice_message_ends_in_a_hang_up)
{
    struct fixture fixture = fixture_open("hangup");
    struct kanal_buffer body = { 0 };
    struct fake_host *host = channel_new(NULL);
    encode_form(&body, fixture.params);
    const struct fake_answer *answer = post_form(host, "/hangup", kanal_buffer_view(&body));
    EXPECT_TEXT(answer->response.body.ptr, XML "<Response><Hangup/></Response>");
    cr_expect_eq(fake_event_count(host), 0);
    kanal_buffer_release(&body);
    fixture_close(&fixture);
    channel_free(host);
}

struct row {
    const char *name, *type, *direction, *reason, *external_id;
};

static const struct row rows[] = {
    { "voice", "call.started", "inbound", "", "CA00000000000000000000000000000061" },
    { "call-inbound-rejected", "call.missed", "inbound", "rejected", "CA00000000000000000000000000000061" },
    { "call-inbound-said", "call.missed", "inbound", "no_answer", "CA00000000000000000000000000000064" },
    { "call-inbound-recorded", "call.missed", "inbound", "voicemail", "CA00000000000000000000000000000065" },
    { "call-inbound-gave-up", "call.missed", "inbound", "no_answer", "CA00000000000000000000000000000067" },
    { "call-ringing", "call.started", "outbound", "", "CA00000000000000000000000000000071" },
    { "call-answered", "call.answered", "outbound", "", "CA00000000000000000000000000000071" },
    { "call-completed", "call.ended", "outbound", "completed", "CA00000000000000000000000000000071" },
    { "call-machine", "call.ended", "outbound", "voicemail", "CA00000000000000000000000000000072" },
    { "call-busy", "call.missed", "outbound", "busy", "CA00000000000000000000000000000073" },
    { "call-no-answer", "call.missed", "outbound", "no_answer", "CA00000000000000000000000000000074" },
    { "call-canceled", "call.missed", "outbound", "cancelled", "CA00000000000000000000000000000075" },
    { "call-unreachable", "call.missed", "outbound", "unreachable", "CA00000000000000000000000000000076" },
    { "call-failed", "call.missed", "outbound", "failed", "CA00000000000000000000000000000077" },
    { "leg-answered", "call.answered", "inbound", "", "CA00000000000000000000000000000066" },
    { "leg-completed", "call.ended", "inbound", "completed", "CA00000000000000000000000000000066" },
    { "leg-no-answer", "call.missed", "inbound", "no_answer", "CA00000000000000000000000000000066" },
    { "recording-voicemail", "call.ended", "inbound", "", "CA00000000000000000000000000000065" },
    { "recording-outbound", "call.ended", "outbound", "", "CA00000000000000000000000000000071" },
    { "call-inbound-dialed", NULL, NULL, NULL, NULL }, /* its leg tells */
    { "call-initiated", NULL, NULL, NULL, NULL },
    { "leg-ringing", NULL, NULL, NULL, NULL },
    { "recording-absent", NULL, NULL, NULL, NULL },
};

Test(call, each_status_is_what_it_means)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        struct fake_host *host = tell(row->name, 0);
        cr_assert_eq(fake_event_count(host), row->type != NULL, "%s: %zu events", row->name,
                     fake_event_count(host));
        cr_expect_eq(fake_metric(host, "events_ignored"), row->type == NULL);
        if (row->type) {
            EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, row->type);
            EXPECT_TEXT(fake_event_at(host, 0)->event.external_id.ptr, row->external_id);
            EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, ADDRESS);
            EXPECT_TEXT(event_value(host, 0, "call/direction"), row->direction);
            EXPECT_TEXT(event_value(host, 0, "call/reason"), row->reason);
        }
        channel_free(host);
    }
}

Test(call, a_call_that_ended_says_how_long_and_who_took_it)
{
    struct fake_host *host = tell("leg-completed", 0);
    EXPECT_TEXT(event_value(host, 0, "call/ended"), "2026-11-21T20:55:17.000Z");
    EXPECT_TEXT(event_value(host, 0, "call/answered"), "2026-11-21T20:53:14.000Z");
    EXPECT_TEXT(event_value(host, 0, "call/talk_ms"), "123000");
    EXPECT_TEXT(event_value(host, 0, "call/agent/id"), "+14155550122");
    EXPECT_TEXT(event_value(host, 0, "call/to"), "tel:" OURS);
    channel_free(host);
}

Test(call, recordings_are_references_and_never_urls_of_twilio)
{
    struct fake_host *host = tell("recording-voicemail", 0);
    EXPECT_TEXT(event_value(host, 0, "call/voicemail/ref"),
                "Recordings/RE00000000000000000000000000000002.mp3");
    EXPECT_TEXT(event_value(host, 0, "call/voicemail/duration_ms"), "26000");
    EXPECT_TEXT(event_value(host, 0, "call/ended"), "2026-11-21T20:53:28.000Z");
    const kanal_str data = fake_event_at(host, 0)->event.data;
    cr_expect(!memmem(data.ptr, data.len, "api.twilio.com", 14));
    channel_free(host);
    host = tell("call-completed", 0);
    EXPECT_TEXT(event_value(host, 0, "call/recording/ref"),
                "Recordings/RE00000000000000000000000000000001.mp3");
    EXPECT_TEXT(event_value(host, 0, "call/provider/command_id"), "crm-7788");
    channel_free(host);
}

Test(call, a_caller_who_hides_has_no_address)
{
    struct fake_host *host = tell("voice-anonymous", 0);
    cr_assert_eq(fake_event_count(host), 1);
    cr_expect_eq(fake_event_at(host, 0)->event.address.len, 0);
    EXPECT_TEXT(event_value(host, 0, "call/from"), "");
    EXPECT_TEXT(event_value(host, 0, "call/to"), "tel:" OURS);
    channel_free(host);
}

Test(call, the_end_has_one_key_whoever_tells_it)
{
    struct fake_host *leg = tell("leg-no-answer", 0), *call = tell("call-inbound-gave-up", 0);
    EXPECT_TEXT(fake_event_at(leg, 0)->event.dedupe.ptr, "CA00000000000000000000000000000066:end");
    EXPECT_TEXT(fake_event_at(call, 0)->event.dedupe.ptr, "CA00000000000000000000000000000067:end");
    channel_free(leg);
    channel_free(call);
}
