/* What only Messenger has; the rest is in ../../meta/test/page_test.c. */
#include "../../meta/test/page_test.h"

const struct meta_test meta_test = {
    .settings = "{\"page_id\":\"1906385232743451\"}",
    .api = "https://graph.facebook.com/v24.0/",
    .self = "me?fields=id,name",
    .address = "messenger:1906385232743451/7654321098765432",
    .chat = "7654321098765432",
};
const char *const sent_answer = "{\"recipient_id\":\"7654321098765432\",\"message_id\":\"m_SENT\"}";
const char *const sent_id = "m_SENT";
const struct page_test page_test = { .fixtures = 40, .foreign = "other-page" };

Test(messenger, links_ads_and_widgets_start_conversations)
{
    static const char *const rows[][3] = { { "referral-link", "link", "order-512" },
                                           { "referral-ad", "ad", "spring" },
                                           { "referral-widget", "widget", "site" },
                                           { "postback-referral", "link", "order-512" },
                                           { "optin", "link", "checkbox-7" } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = tell(rows[i][0]);
        EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "conversation.started");
        EXPECT_TEXT(event_value(host, 0, "referral/kind"), rows[i][1]);
        EXPECT_TEXT(event_value(host, 0, "referral/payload"), rows[i][2]);
        channel_free(host);
    }
    struct fake_host *host = tell("referral-ad");
    EXPECT_TEXT(event_value(host, 0, "referral/ad/id"), "120226305854810726");
    channel_free(host);
}

Test(messenger, links_name_the_page)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    call_answer(host, meta_test.self, 200, "{\"id\":\"1906385232743451\",\"name\":\"Kanal Coffee\"}");
    EXPECT_TEXT(fake_link_template(host).ptr, "https://m.me/1906385232743451?ref={ref}");
    channel_free(host);
}

Test(messenger, receipts_name_messages_or_a_time)
{
    struct fake_host *host = tell("delivery");
    cr_assert_eq(fake_event_count(host), 2);
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "message.delivered");
    EXPECT_TEXT(fake_event_at(host, 1)->event.external_id.ptr, "m_AG5Hz2Uq7tuwNEhXfYYKj8mJEM_TARGET2");
    channel_free(host);
    host = tell("read");
    EXPECT_TEXT(event_value(host, 0, "message/until"), "2026-11-21T22:28:20.000Z");
    channel_free(host);
}

#define URL "https://cdn.example.com/a.pdf?x=1"

Test(messenger, media_by_upload)
{
    struct fake_host *host = channel_new("{\"page_id\":\"1906385232743451\",\"media\":\"upload\"}");
    kanal_op op =
        send_content(host, SEND("[{\"type\":\"file\",\"url\":\"" URL "\",\"mime\":\"application/pdf\"}]"));
    struct call call = call_only(host);
    EXPECT_TEXT(call.path, "me/messages");
    EXPECT_TEXT(call.upload, URL);
    EXPECT_TEXT(call.upload_name, "a.pdf");
    EXPECT_TEXT(call.upload_type, "application/pdf");
    EXPECT_TEXT(call_text(&call, "recipient"), "{\"id\":\"7654321098765432\"}");
    EXPECT_TEXT(call_text(&call, "message"), "{\"attachment\":{\"type\":\"file\",\"payload\":{}}}");
    EXPECT_TEXT(call_text(&call, "messaging_type"), "RESPONSE");
    call_free(&call);
    fake_request_answer(host, 0, 200, sent_answer);
    expect_sent(host, op, "m_SENT");
    op = send_content(host, SEND("[{\"type\":\"image\",\"url\":\"" URL "\"}]"));
    fake_request_fail(host, 0, KANAL_E_NOT_FOUND);
    expect_failed(host, op, KANAL_SCOPE_MESSAGE, "media_unavailable");
    op = send_content(host, SEND("[{\"type\":\"image\",\"url\":\"" URL "\"}]"));
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_UNKNOWN, "the form is the message");
    channel_free(host);
}

Test(messenger, what_instagram_cannot)
{
    expect_call("message.send", NULL, SEND("[{\"type\":\"file\",\"url\":\"" URL "\"}]"),
                "message/attachment/type", "file");
    expect_call("message.send", NULL, "{\"silent\":true,\"content\":[" TEXT("x") "]}", "notification_type",
                "NO_PUSH");
    expect_call(
        "message.send", NULL,
        SEND("[" TEXT(
            "?") ",{\"type\":\"choice\",\"style\":\"quick_replies\",\"options\":[{\"text\":\"\\u0422\","
                 "\"request\":\"contact\"}]}]"),
        "message/quick_replies", "[{\"content_type\":\"user_phone_number\"}]");
    expect_call(
        "message.send", NULL,
        SEND("[" TEXT(
            "?") ",{\"type\":\"choice\",\"style\":\"buttons\",\"options\":[{\"text\":\"\\u0422\",\"phone\":"
                 "\"+79161234567\"}]}]"),
        "message/attachment/payload/buttons/0",
        "{\"type\":\"phone_number\",\"title\":\"Т\",\"payload\":\"+79161234567\"}");
    expect_refused("message.react", "m_A", "{\"reactions\":[{\"emoji\":\"❤️\"}]}", "unsupported_verb");
}
