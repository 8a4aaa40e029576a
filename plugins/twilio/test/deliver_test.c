/* Deliveries: which call is made of them, and what becomes of its answer. */
#include <stdio.h>

#include "test/capture.h"

#define STATUS_URL BASE "/status?c=crm-1&p=1&n=1" AGAIN

/* The delivery is refused without a call. */
static void expect_refused_of(const char *more, const char *type, const char *data, const char *code)
{
    struct fake_host *host = channel_new(more);
    kanal_op op = deliver(host, type, data);
    cr_expect_eq(fake_request_count(host), 0, "a call was made for %s", data);
    expect_failed(host, op,
                  strcmp(code, "recipient_unknown") == 0 ? KANAL_SCOPE_RECIPIENT : KANAL_SCOPE_MESSAGE, code);
    channel_free(host);
}

#define expect_refused(...) expect_refused_of(NULL, __VA_ARGS__)

/* One delivery to an address, one request, and one parameter of it. */
static void expect_call_to(const char *address, const char *more, const char *type, const char *data,
                           const char *name, const char *value)
{
    struct fake_host *host = channel_new(more);
    kanal_delivery delivery = { .type = kanal_str_c(type),
                                .address = kanal_str_c(address),
                                .data = kanal_str_c(data) };
    kanal_op op = fake_deliver(host, &delivery);
    struct call call = call_only(host);
    EXPECT_TEXT(call.path, strcmp(type, "call.start") == 0 ? "Calls.json" : "Messages.json");
    cr_expect_str_eq(call_text(&call, name), value, "%s: %s is %s, not %s", data, name,
                     call_text(&call, name), value);
    call_free(&call);
    fake_request_answer(host, 0, 201, OK_SENT);
    expect_sent(host, op);
    channel_free(host);
}

#define expect_send(data, name, value) expect_call_to(ADDRESS, NULL, "message.send", data, name, value)
#define expect_say(data, name, value) expect_call_to(ADDRESS, NULL, "call.start", data, name, value)

/* ---- Messages ---- */

Test(send, text)
{
    expect_send(SEND("[" TEXT("Да & <b>нет</b> +1=1%") "]"), "Body", "Да & <b>нет</b> +1=1%");
    expect_send(SEND("[" TEXT("a") "," TEXT("b") "]"), "Body", "a\n\nb");
    expect_send(SEND("[" TEXT("x") "]"), "To", CUSTOMER);
    expect_send(SEND("[" TEXT("x") "]"), "From", OURS);
    expect_send(SEND("[" TEXT("x") "]"), "MessagingServiceSid", "");
    expect_send(SEND("[" TEXT("x") "]"), "StatusCallback", STATUS_URL);
    expect_send(SEND("[" TEXT("x") "]"), "ValidityPeriod", "");
    expect_send(SEND("[{\"type\":\"text\",\"text\":\"<b>x</b>\",\"markup\":\"html\",\"plain\":\"x\"}]"),
                "Body", "x");
}

Test(send, the_service_and_the_validity_are_settings)
{
    static const char more[] =
        ",\"messaging_service_sid\":\"MG0a1b2c3d4e5f60718293a4b5c6d7e8f9\",\"validity_s\":600";
    expect_call_to(ADDRESS, more, "message.send", SEND("[" TEXT("x") "]"), "MessagingServiceSid",
                   "MG0a1b2c3d4e5f60718293a4b5c6d7e8f9");
    expect_call_to(ADDRESS, more, "message.send", SEND("[" TEXT("x") "]"), "ValidityPeriod", "600");
    expect_call_to(ADDRESS, more, "message.send",
                   "{\"provider\":{\"validity_period\":30},\"content\":[" TEXT("x") "]}", "ValidityPeriod",
                   "30");
}

#define IMAGE(more) "{\"type\":\"image\",\"url\":\"https://hub.example.com/m/a/b%20c?x=1\"" more "}"

Test(send, media)
{
    expect_send(SEND("[" IMAGE("") "]"), "MediaUrl", "https://hub.example.com/m/a/b%20c?x=1");
    expect_send(SEND("[" IMAGE(",\"caption\":\"This\"") "]"), "Body", "This");
    expect_send(SEND("[" IMAGE("") "]"), "Body", "");
    expect_send(SEND("[" IMAGE("") "," IMAGE("") "]"), "MediaUrl",
                "https://hub.example.com/m/a/b%20c?x=1|https://hub.example.com/m/a/b%20c?x=1");
    expect_refused("message.send", SEND("[{\"type\":\"image\"}]"), "invalid_content");
    expect_refused("message.send", SEND("[{\"type\":\"image\",\"url\":\"ftp://x/y\"}]"), "invalid_content");
}

Test(send, where_there_is_no_mms_media_are_links)
{
    expect_call_to("tel:+79161234567", NULL, "message.send", SEND("[" IMAGE(",\"caption\":\"Это\"") "]"),
                   "Body", "Это\nhttps://hub.example.com/m/a/b%20c?x=1");
    expect_call_to("tel:+79161234567", NULL, "message.send", SEND("[" IMAGE("") "]"), "MediaUrl", "");
    expect_call_to("tel:+79161234567", ",\"media\":\"mms\"", "message.send", SEND("[" IMAGE("") "]"), "Body",
                   "");
    expect_call_to(ADDRESS, ",\"media\":\"link\"", "message.send", SEND("[" IMAGE("") "]"), "MediaUrl", "");
}

Test(send, options_that_are_let_through)
{
    expect_send("{\"provider\":{\"smart_encoded\":true},\"content\":[" TEXT("x") "]}", "SmartEncoded",
                "true");
    expect_send("{\"provider\":{\"twilio\":{\"content_sid\":\"HX0a1b2c3d4e5f60718293a4b5c6d7e8f9\",\"content_"
                "variables\":{"
                "\"1\":\"a&b\"}}},\"content\":[]}",
                "ContentVariables", "{\"1\":\"a&b\"}");
    expect_send("{\"provider\":{\"validity_period\":36001},\"content\":[" TEXT("x") "]}", "ValidityPeriod",
                "");
    expect_send("{\"provider\":{\"To\":\"+1\",\"From\":\"x\",\"StatusCallback\":\"https://"
                "evil.example\"},\"content\":[" TEXT("x") "]}",
                "StatusCallback", STATUS_URL);
}

Test(send, other_channels_of_twilio)
{
    expect_call_to("twilio:whatsapp%3A%2B79161234567", NULL, "message.send", SEND("[" TEXT("x") "]"), "To",
                   "whatsapp:+79161234567");
    expect_call_to("twilio:72345", NULL, "message.send", SEND("[" TEXT("x") "]"), "To", "72345");
}

Test(send, what_cannot_be_sent_is_refused)
{
    struct kanal_buffer data = { 0 };
    kanal_buffer_text(&data, "{\"content\":[{\"type\":\"text\",\"text\":\"");
    for (int i = 0; i < 1601; i++)
        kanal_buffer_text(&data, "x");
    kanal_buffer_append(&data, "\"}]}", 5);
    expect_refused("message.send", data.data, "payload_too_large");
    kanal_buffer_clear(&data);
    kanal_buffer_text(&data, "{\"content\":[{\"type\":\"text\",\"text\":\"");
    for (int i = 0; i < 4000; i++)
        kanal_buffer_text(&data, "x");
    kanal_buffer_append(&data, "\"}]}", 5);
    expect_refused("call.start", data.data, "payload_too_large");
    kanal_buffer_release(&data);
    expect_refused("message.send", SEND("[]"), "invalid_content");
    expect_refused("message.send", "not json", "invalid_content");
    expect_refused("message.send", SEND("[{\"type\":\"location\",\"lat\":1,\"lon\":2}]"),
                   "unsupported_content");
    expect_refused("message.edit", SEND("[" TEXT("x") "]"), "unsupported_verb");
}

Test(send, addresses_that_twilio_does_not_reach_are_nobody)
{
    static const char *const addresses[] = { "viber:a/b",  "tel:79161234567", "tel:+0",       "twilio:",
                                             "twilio:%zz", "twilio:%00",      "mailto:a@b.ru" };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        kanal_delivery delivery = { .address = kanal_str_c(addresses[i]),
                                    .data = KANAL_LIT(SEND("[" TEXT("x") "]")) };
        expect_failed(host, fake_deliver(host, &delivery), KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    }
    channel_free(host);
}

/* ---- Calls ---- */

Test(say, a_call_says_a_text)
{
    expect_say(SEND("[" TEXT("Заказ №5 <готов> & \\\"ждёт\\\"\\u0000\\u0008\\uFFFF") "]"), "Twiml",
               "<Response><Say>Заказ №5 &lt;готов&gt; &amp; &quot;ждёт&quot;</Say></Response>");
    expect_say(SEND("[" TEXT("a") ",{\"type\":\"audio\",\"url\":\"https://x.example/a.mp3?b=1&c=2\"}]"),
               "Twiml", "<Response><Say>a</Say><Play>https://x.example/a.mp3?b=1&amp;c=2</Play></Response>");
    expect_say(
        "{\"provider\":{\"language\":\"ru-RU\",\"voice\":\"Polly.Tatyana\"},\"content\":[" TEXT("a") "]}",
        "Twiml", "<Response><Say language=\"ru-RU\" voice=\"Polly.Tatyana\">a</Say></Response>");
    expect_call_to(ADDRESS, ",\"language\":\"de-DE\"", "call.start", SEND("[" TEXT("a") "]"), "Twiml",
                   "<Response><Say language=\"de-DE\">a</Say></Response>");
    expect_say(SEND("[" TEXT("a") "]"), "From", OURS);
    expect_say(SEND("[" TEXT("a") "]"), "StatusCallback", BASE "/call?c=crm-1&p=1&n=1" AGAIN);
    expect_say(SEND("[" TEXT("a") "]"), "StatusCallbackEvent", "ringing|answered|completed");
    expect_say(SEND("[" TEXT("a") "]"), "Record", "");
    expect_say("{\"record\":true,\"content\":[" TEXT("a") "]}", "RecordingStatusCallback",
               BASE "/recording?c=crm-1&p=1&n=1&k=call&d=out&f=%2B14155550100&t=%2B14155551212" AGAIN);
    expect_say("{\"provider\":{\"timeout\":30,\"machine_detection\":\"Enable\"},\"content\":[" TEXT("a") "]}",
               "Timeout", "30");
}

Test(say, a_text_breaks_out_of_no_element)
{
    struct fake_host *host = channel_new(NULL);
    deliver(host, "call.start", SEND("[" TEXT("</Say><Dial>+1900</Dial>") "]"));
    struct call call = call_only(host);
    cr_expect_null(strstr(call_text(&call, "Twiml"), "<Dial>"));
    call_free(&call);
    channel_free(host);
}

Test(say, what_cannot_be_called_is_refused)
{
    struct fake_host *host = channel_new(NULL);
    kanal_delivery delivery = { .type = KANAL_LIT("call.start"),
                                .address = KANAL_LIT("twilio:72345"),
                                .data = KANAL_LIT(SEND("[" TEXT("x") "]")) };
    expect_failed(host, fake_deliver(host, &delivery), KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    channel_free(host);
    expect_refused("call.start", SEND("[]"), "invalid_content");
    expect_refused("call.start", SEND("[{\"type\":\"image\",\"url\":\"https://x.example/a\"}]"),
                   "unsupported_content");
    host = channel_new_with("{\"account_sid\":\"" ACCOUNT
                            "\",\"messaging_service_sid\":\"MG0a1b2c3d4e5f60718293a4b5c6d7e8f9\"}");
    expect_failed(host, deliver(host, "call.start", SEND("[" TEXT("x") "]")), KANAL_SCOPE_MESSAGE,
                  "unsupported_verb");
    channel_free(host);
}

/* ---- Answers ---- */

struct row {
    int http;
    const char *body;
    int32_t outcome, scope;
    const char *code;
};

static const struct row rows[] = {
    { 400, ERROR(21211, "Invalid 'To' Phone Number"), KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
      "recipient_unknown" },
    { 400, ERROR(21614, "'To' number is not a valid mobile number"), KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
      "recipient_unknown" },
    { 400, ERROR(21408, "Permission to send an SMS has not been enabled"), KANAL_FAILED,
      KANAL_SCOPE_RECIPIENT, "provider_rejected" },
    { 400, ERROR(21617, "The concatenated message body exceeds the limit"), KANAL_FAILED, KANAL_SCOPE_MESSAGE,
      "payload_too_large" },
    { 400, ERROR(21602, "Message body is required"), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
    { 400, ERROR(21620, "Invalid media URL"), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable" },
    { 400, ERROR(63016, "Outside of the window"), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "window_closed" },
    { 400, ERROR(21606, "The From phone number is not valid"), KANAL_FAILED, KANAL_SCOPE_CHANNEL,
      "provider_rejected" },
    { 401, ERROR(20003, "Authenticate"), KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 404, ERROR(20404, "The requested resource was not found"), KANAL_FAILED, KANAL_SCOPE_CHANNEL,
      "auth_failed" },
    { 429, ERROR(20429, "Too Many Requests"), KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
    { 400, ERROR(63018, "Rate limit exceeded for Channel"), KANAL_RETRY, KANAL_SCOPE_CHANNEL,
      "rate_limited" },
    { 429, ERROR(21611, "This 'From' number has exceeded the maximum"), KANAL_RETRY, KANAL_SCOPE_CHANNEL,
      "rate_limited" },
    { 400, ERROR(39999, "Something new"), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error" },
    { 503, ERROR(39999, "Something new"), KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
    { 429, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
    { 500, ERROR(20500, "Internal Server Error"), KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
    { 502, "<html>", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
    { 401, "", KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 413, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 418, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error" },
    { 201, "<html>", KANAL_UNKNOWN, 0, "provider_error" },
    { 201, "{\"sid\":\"\"}", KANAL_UNKNOWN, 0, "provider_error" },
    { 201, "{\"sid\":\"SM1\",\"error_code\":30007,\"error_message\":\"filtered\"}", KANAL_FAILED,
      KANAL_SCOPE_MESSAGE, "provider_rejected" },
};

Test(answer, errors_are_told_apart)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = channel_new(NULL);
        kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
        fake_request_answer(host, 0, rows[i].http, rows[i].body);
        const kanal_result *result = result_of(host, op);
        cr_expect_eq(result->outcome, rows[i].outcome, "%s: outcome %d", rows[i].body, result->outcome);
        cr_expect_eq(result->scope, rows[i].scope, "%s: scope %d", rows[i].body, result->scope);
        cr_expect(kanal_str_is(result->code, rows[i].code), "%s: %.*s", rows[i].body, (int)result->code.len,
                  result->code.ptr);
        int is_ill = rows[i].outcome == KANAL_FAILED && rows[i].scope == KANAL_SCOPE_CHANNEL;
        cr_expect_eq(fake_health(host) != KANAL_OK, is_ill, "%s", rows[i].body);
        channel_free(host);
    }
}

Test(answer, retry_after_is_kept)
{
    const kanal_field after = { KANAL_LIT("retry-after"), KANAL_LIT("7") };
    const kanal_http_response response = {
        .struct_size = sizeof response, .code = 429, .headers = &after, .header_count = 1
    };
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_answer_with(host, 0, &response);
    cr_expect_eq(result_of(host, op)->retry_after_ms, 7000);
    channel_free(host);
}

Test(answer, the_channel_is_well_again_after_a_success)
{
    struct fake_host *host = channel_new(NULL);
    send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_answer(host, 0, 401, ERROR(20003, "Authenticate"));
    cr_expect_eq(fake_health(host), KANAL_E_DENIED);
    send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_answer(host, 0, 201, OK_SENT);
    cr_expect_eq(fake_health(host), KANAL_OK);
    channel_free(host);
}

Test(answer, who_opted_out_is_told_as_consent_too)
{
    for (int stored = 1; stored >= 0; stored--) {
        struct fake_host *host = channel_new(NULL);
        if (!stored)
            fake_fail_publish(host, KANAL_E_NETWORK);
        kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
        fake_request_answer(host, 0, 400, ERROR(21610, "Attempt to send to unsubscribed recipient"));
        expect_failed(host, op, KANAL_SCOPE_RECIPIENT, "opted_out");
        cr_expect(kanal_str_is(result_of(host, op)->provider_code, "21610"));
        cr_expect(kanal_str_is(result_of(host, op)->reason, "Attempt to send to unsubscribed recipient"));
        if (stored) {
            cr_assert_eq(fake_event_count(host), 1);
            EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "consent.withdrawn");
            EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, ADDRESS);
            EXPECT_TEXT(fake_event_at(host, 0)->event.dedupe.ptr, "optout:k-1:consent");
            EXPECT_TEXT(event_value(host, 0, "reason"), "provider");
        }
        channel_free(host);
    }
}

Test(answer, failed_exchanges_are_told_apart)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_fail(host, 0, KANAL_E_NETWORK);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_RETRY);
    op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_UNKNOWN, "Twilio has no idempotency key");
    channel_free(host);
}
