/* Callbacks: every fixture against its golden file, and by hand what matters most. */
#include <stdio.h>

#include "test/capture.h"

static struct fake_host *tell(const char *name)
{
    size_t len;
    char *body = fixture_read(FIXTURES, name, &len);
    struct fake_host *host = channel_new(NULL);
    const struct fake_answer *answer = post(host, kanal_str_of(body, len));
    cr_assert_eq(answer->response.code, 200, "%s is answered with %d", name, answer->response.code);
    cr_expect_eq(answer->response.body.len, 0, "%s: Viber would show an answer", name);
    free(body);
    return host;
}

static void check(const char *name, void *user)
{
    (void)user;
    struct fake_host *host = tell(name);
    fixture_check(host, FIXTURES, name);
    channel_free(host);
}

Test(callback, every_fixture_tells_what_its_golden_file_says)
{
    cr_expect_geq(fixture_each(FIXTURES, check, NULL), 29);
}

Test(callback, a_text_says_who_where_when_and_what)
{
    struct fake_host *host = tell("text");
    cr_assert_eq(fake_event_count(host), 1);
    const kanal_event *event = &fake_event_at(host, 0)->event;
    EXPECT_TEXT(event->type.ptr, "message.received");
    EXPECT_TEXT(event->address.ptr, ADDRESS);
    EXPECT_TEXT(event->chat.ptr, USER);
    EXPECT_TEXT(event->external_id.ptr, "5741311803571721088");
    EXPECT_TEXT(event->dedupe.ptr, "message:5741311803571721088");
    cr_expect_eq(event->time_ms, INT64_C(1795294385123));
    cr_expect(event->raw.len > 100, "the raw payload is there for those who keep it");
    cr_expect_neq(fake_event_at(host, 0)->cause, 0, "the 200 waits for the store");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"), "Здравствуйте! Есть ли самовар на 5 литров?");
    EXPECT_TEXT(event_value(host, 0, "message/provider/tracking_data"), "order-512");
    EXPECT_TEXT(event_value(host, 0, "customer/name"), "Анна Каренина");
    EXPECT_TEXT(event_value(host, 0, "customer/locale"), "ru");
    channel_free(host);
}

Test(callback, receipts_name_the_message_by_its_token)
{
    static const char *const rows[][2] = { { "delivered", "message.delivered" },
                                           { "seen", "message.read" },
                                           { "failed", "message.failed" } };
    for (size_t i = 0; i < 3; i++) {
        struct fake_host *host = tell(rows[i][0]);
        EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, rows[i][1]);
        EXPECT_TEXT(fake_event_at(host, 0)->event.external_id.ptr, "5741311803571721087");
        EXPECT_TEXT(fake_event_at(host, 0)->event.address.ptr, ADDRESS);
        cr_expect(kanal_str_starts(fake_event_at(host, 0)->event.dedupe, rows[i][0]),
                  "each is one of its own");
        channel_free(host);
    }
}

Test(callback, a_silent_button_is_an_answer)
{
    struct fake_host *host = tell("button");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/type"), "answer");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/payload"), "ORDER_YES");
    channel_free(host);
}

Test(callback, coming_and_going_is_consent)
{
    struct fake_host *host = tell("subscribed");
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "consent.given");
    channel_free(host);
    host = tell("unsubscribed");
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "consent.withdrawn");
    EXPECT_TEXT(event_value(host, 0, "consent/0/channel"), "fake");
    channel_free(host);
}

static void expect_welcome(const char *settings, const char *name, const char *answer_text)
{
    size_t len;
    char *body = fixture_read(FIXTURES, name, &len);
    struct fake_host *host = channel_new(settings);
    const struct fake_answer *answer = post(host, kanal_str_of(body, len));
    yyjson_doc *document = kanal_json_parse(answer->response.body);
    EXPECT_TEXT(value_at(yyjson_doc_get_root(document), "text"), answer_text);
    if (*answer_text) {
        EXPECT_TEXT(value_at(yyjson_doc_get_root(document), "type"), "text");
        EXPECT_TEXT(value_at(yyjson_doc_get_root(document), "sender/name"), "Лавка");
        EXPECT_TEXT(value_at(yyjson_doc_get_root(document), "receiver"), "");
    }
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "conversation.started");
    yyjson_doc_free(document);
    free(body);
    channel_free(host);
}

Test(welcome, only_if_configured_and_only_to_who_has_not_subscribed)
{
    expect_welcome(NULL, "started", "");
    expect_welcome("{\"welcome\":\"Здравствуйте!\"}", "started", "Здравствуйте!");
    expect_welcome("{\"welcome\":\"Здравствуйте!\"}", "started-old", "Здравствуйте!");
    expect_welcome("{\"welcome\":\"Здравствуйте!\"}", "started-subscribed", "");
}

Test(callback, a_context_is_a_referral)
{
    struct fake_host *host = tell("started");
    EXPECT_TEXT(event_value(host, 0, "referral/payload"), "promo7");
    channel_free(host);
    host = tell("started-old");
    EXPECT_TEXT(event_value(host, 0, "referral"), "");
    channel_free(host);
}

Test(callback, what_cannot_be_stored_is_asked_for_again)
{
    size_t len;
    char *body = fixture_read(FIXTURES, "started", &len);
    struct fake_host *host = channel_new("{\"welcome\":\"hi\"}");
    fake_fail_publish(host, KANAL_E_NETWORK);
    cr_expect_eq(post(host, kanal_str_of(body, len))->response.code, 503);
    fake_fail_publish(host, KANAL_OK);
    cr_expect_eq(post(host, kanal_str_of(body, len))->response.code, 200);
    free(body);
    channel_free(host);
}

/* ---- The signature ---- */

static int post_signed(struct fake_host *host, kanal_str body, const char *signature)
{
    const kanal_field header = { KANAL_LIT("x-viber-content-signature"), kanal_str_c(signature) };
    return fake_answer(host, fake_http(host, "POST", "/", &header, signature ? 1 : 0, body))->response.code;
}

Test(signature, only_the_right_one_opens)
{
    size_t len;
    char *text = fixture_read(FIXTURES, "text", &len), right[65], wrong[65];
    kanal_str body = kanal_str_of(text, len);
    struct fake_host *host = channel_new(NULL);
    sign(right, body);
    memcpy(wrong, right, sizeof wrong);
    wrong[63] = wrong[63] == '0' ? '1' : '0';
    cr_expect_eq(post_signed(host, body, NULL), 401);
    cr_expect_eq(post_signed(host, body, ""), 401);
    cr_expect_eq(post_signed(host, body, wrong), 401);
    wrong[63] = 0;
    cr_expect_eq(post_signed(host, body, wrong), 401, "cut");
    cr_expect_eq(post_signed(host, kanal_str_of(text, len - 1), right), 401, "another body");
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(post_signed(host, body, right), 200);
    cr_expect_eq(fake_event_count(host), 1);
    free(text);
    channel_free(host);
}

Test(callback, events_that_name_nobody_are_counted)
{
    struct fake_host *host = tell("unknown-event");
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(fake_metric(host, "events_ignored"), 1);
    channel_free(host);
    host = tell("webhook");
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(fake_metric(host, "events_ignored"), 0);
    channel_free(host);
}
