/* What Messenger and Instagram have in common: compiled into the tests of both. */
#include <stdio.h>

#include "page_test.h"

Test(webhook, every_fixture_tells_what_its_golden_file_says)
{
    check_fixtures(page_test.fixtures);
}

Test(webhook, a_text_says_who_where_when_and_what)
{
    struct fake_host *host = tell("text");
    cr_assert_eq(fake_event_count(host), 1);
    const kanal_event *event = &fake_event_at(host, 0)->event;
    EXPECT_TEXT(event->type.ptr, "message.received");
    EXPECT_TEXT(event->address.ptr, meta_test.address);
    EXPECT_TEXT(event->chat.ptr, meta_test.chat);
    cr_expect(kanal_str_equal(event->dedupe, event->external_id));
    cr_expect_eq(event->time_ms, INT64_C(1795300002000));
    cr_expect_neq(fake_event_at(host, 0)->cause, 0, "the 200 waits for the store");
    EXPECT_TEXT(event_value(host, 0, "message/content/0/text"),
                "Здравствуйте! Самовар ещё в наличии? 🫖");
    EXPECT_TEXT(event_value(host, 0, "chat/provider/window_until"), "2026-11-22T22:26:42.000Z");
    channel_free(host);
}

Test(webhook, an_unsent_message_is_deleted)
{
    struct fake_host *host = tell("deleted");
    EXPECT_TEXT(fake_event_at(host, 0)->event.type.ptr, "message.deleted");
    cr_expect(fake_event_at(host, 0)->event.external_id.len > 0);
    cr_expect_not(
        kanal_str_equal(fake_event_at(host, 0)->event.dedupe, fake_event_at(host, 0)->event.external_id),
        "the message itself has that key");
    channel_free(host);
}

Test(webhook, echoes_and_other_pages_are_counted)
{
    struct fake_host *host = tell("echo");
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(fake_metric(host, "webhook_ignored"), 1);
    channel_free(host);
    host = tell(page_test.foreign);
    cr_expect_eq(fake_event_count(host), 0);
    cr_expect_eq(fake_metric(host, "webhook_ignored"), 1);
    channel_free(host);
}

Test(webhook, only_what_meta_signed_is_read)
{
    size_t len;
    char *text = read_fixture("text", &len), signature[80];
    struct fake_host *host = channel_new(NULL);
    kanal_str body = kanal_str_of(text, len);
    sign_body(signature, body);
    cr_expect_eq(post_signed(host, body, NULL), 401);
    cr_expect_eq(post_signed(host, kanal_str_of(text, len - 1), signature), 401);
    signature[20] = signature[20] == '0' ? '1' : '0';
    cr_expect_eq(post_signed(host, body, signature), 401);
    cr_expect_eq(fake_event_count(host), 0);
    free(text);
    channel_free(host);
}

Test(webhook, the_handshake_repeats_the_challenge)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op =
        fake_http(host, "GET", "/?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=chosen-by-us",
                  NULL, 0, kanal_str_of(NULL, 0));
    cr_expect_eq(fake_answer(host, op)->response.code, 200);
    cr_expect(kanal_str_is(fake_answer(host, op)->response.body, "1158201444"));
    op = fake_http(host, "GET", "/?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x", NULL, 0,
                   kanal_str_of(NULL, 0));
    cr_expect_eq(fake_answer(host, op)->response.code, 401);
    channel_free(host);
}

/* ---- Hostile ---- */

Test(hostile, any_value_may_be_any_other, .timeout = 120)
{
    cr_expect_gt(mutate_fixtures(), 1500);
}

Test(hostile, a_body_may_end_anywhere)
{
    size_t len;
    char *text = read_fixture("text", &len);
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i + 2 < len; i += 3)
        cr_expect_eq(post_hook(host, text, i), 400, "cut after %zu bytes", i);
    cr_expect_eq(fake_event_count(host), 0);
    free(text);
    channel_free(host);
}

Test(hostile, what_is_no_webhook_is_refused)
{
    static const char *const bodies[] = { "",
                                          "null",
                                          "[]",
                                          "{}",
                                          "{\"object\":\"whatsapp_business_account\",\"entry\":[]}",
                                          "{\"object\":\"page\"}",
                                          "{\"object\":\"instagram\",\"entry\":5}",
                                          "\xff" };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
        cr_expect_eq(post_hook(host, bodies[i], strlen(bodies[i])), 400, "%s", bodies[i]);
    channel_free(host);
}

/* ---- Life ---- */

Test(life, a_refused_token_makes_the_channel_unhealthy)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    fake_request_answer(host, 0, 401, "{\"error\":{\"message\":\"Invalid token\",\"code\":190}}");
    cr_expect_eq(fake_health(host), KANAL_E_DENIED);
    fake_advance(host, 2000);
    call_answer(host, meta_test.self, 200, "{\"id\":\"1\"}");
    cr_expect_eq(fake_health(host), KANAL_OK);
    channel_free(host);
}

Test(life, stop_with_everything_open)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    kanal_op sent = send_content(host, SEND("[" TEXT("x") "]"));
    cr_expect_not(fake_answer(host, sent)->answered);
    channel_free(host);
}

Test(life, the_app_hears_of_the_page)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = fake_provision(host, "https://hub.example.com/c/fake", 1);
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "POST");
    cr_expect(strncmp(call.path, "me/subscribed_apps?subscribed_fields=messages,", 46) == 0, "%s", call.path);
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"success\":true}");
    cr_expect_eq(fake_answer(host, op)->status, KANAL_OK);
    op = fake_provision(host, "https://hub.example.com/c/fake", 0);
    call = call_only(host);
    EXPECT_TEXT(call.method, "DELETE");
    call_free(&call);
    fake_request_answer(host, 0, 403, "{\"error\":{\"code\":200}}");
    cr_expect_eq(fake_answer(host, op)->status, KANAL_E_DENIED);
    channel_free(host);
}

Test(life, media_are_fetched_without_the_token)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = fake_media(host, "https://scontent.xx.fbcdn.net/v/1.jpg?oe=1");
    cr_expect_eq(fake_answer(host, op)->status, KANAL_OK);
    cr_expect(
        kanal_str_is(fake_answer(host, op)->location.url, "https://scontent.xx.fbcdn.net/v/1.jpg?oe=1"));
    cr_expect_eq(fake_answer(host, op)->location.secret_count, 0);
    op = fake_media(host, "file:///etc/passwd");
    cr_expect_eq(fake_answer(host, op)->status, KANAL_E_NOT_FOUND);
    channel_free(host);
}

/* ---- Out ---- */

static void expect_send(const char *content, const char *path, const char *value)
{
    char data[4096];
    snprintf(data, sizeof data, SEND("[%s]"), content);
    expect_call("message.send", NULL, data, path, value);
}

static void expect_no_send(const char *content, const char *code)
{
    char data[4096];
    snprintf(data, sizeof data, SEND("[%s]"), content);
    expect_refused("message.send", NULL, data, code);
}

#define URL "https://cdn.example.com/a.jpg"
#define CHOICE(style, options) "{\"type\":\"choice\",\"style\":\"" style "\",\"options\":[" options "]}"
#define YES "{\"text\":\"Да\",\"payload\":\"Y\"}"
#define NO "{\"text\":\"Нет\"}"

Test(send, text)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, SEND("[" TEXT("Да") "," TEXT("ещё") "]"));
    struct call call = call_only(host);
    EXPECT_TEXT(call.path, "me/messages");
    EXPECT_TEXT(call_text(&call, "recipient/id"), meta_test.chat);
    EXPECT_TEXT(call_text(&call, "messaging_type"), "RESPONSE");
    EXPECT_TEXT(call_text(&call, "message"), "{\"text\":\"Да\\n\\nещё\"}");
    call_free(&call);
    fake_request_answer(host, 0, 200, sent_answer);
    expect_sent(host, op, sent_id);
    op = send_to(host, NULL, meta_test.address, SEND("[" TEXT("x") "]"));
    call = call_only(host);
    EXPECT_TEXT(call_text(&call, "recipient/id"), meta_test.chat);
    call_free(&call);
    fake_request_answer(host, 0, 200, sent_answer);
    expect_sent(host, op, sent_id);
    expect_failed(host, send_to(host, NULL, "messenger:999/5", SEND("[" TEXT("x") "]")),
                  KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    char other[64]; /* of a page whose id is as long as ours */
    snprintf(other, sizeof other, "%s", meta_test.address);
    char *digit = strchr(other, ':') + 1;
    *digit = *digit == '9' ? '8' : '9';
    expect_failed(host, send_to(host, NULL, other, SEND("[" TEXT("x") "]")), KANAL_SCOPE_RECIPIENT,
                  "recipient_unknown");
    expect_failed(host, send_to(host, NULL, "tel:+79161234567", SEND("[" TEXT("x") "]")),
                  KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    expect_failed(host, send_to(host, "5,6", NULL, SEND("[" TEXT("x") "]")), KANAL_SCOPE_RECIPIENT,
                  "recipient_unknown");
    channel_free(host);
}

Test(send, a_message_tag_leaves_the_window)
{
    expect_call("message.send", NULL, "{\"provider\":{\"tag\":\"HUMAN_AGENT\"},\"content\":[" TEXT("x") "]}",
                "tag", "HUMAN_AGENT");
    expect_call("message.send", NULL, "{\"provider\":{\"tag\":\"HUMAN_AGENT\"},\"content\":[" TEXT("x") "]}",
                "messaging_type", "MESSAGE_TAG");
    expect_call("message.send", NULL,
                "{\"provider\":{\"messaging_type\":\"UPDATE\"},\"content\":[" TEXT("x") "]}",
                "messaging_type", "UPDATE");
    expect_refused("message.send", NULL, "{\"provider\":{\"tag\":\"x\\\"y\"},\"content\":[" TEXT("x") "]}",
                   "invalid_content");
}

Test(send, media)
{
    expect_send("{\"type\":\"image\",\"url\":\"" URL "\"}", "message/attachment",
                "{\"type\":\"image\",\"payload\":{\"url\":\"" URL "\"}}");
    expect_send("{\"type\":\"video\",\"url\":\"" URL "\"}", "message/attachment/type", "video");
    expect_send("{\"type\":\"voice\",\"url\":\"" URL "\"}", "message/attachment/type", "audio");
    expect_send("{\"type\":\"sticker\",\"url\":\"" URL "\"}", "message/attachment/type", "image");
    expect_send("{\"type\":\"image\",\"url\":\"" URL "\",\"provider\":{\"attachment_id\":\"15\"}}",
                "message/attachment/payload", "{\"attachment_id\":\"15\"}");
    expect_send("{\"type\":\"image\",\"url\":\"" URL "\"}," CHOICE("quick_replies", YES),
                "message/quick_replies/0/payload", "Y");
    expect_no_send("{\"type\":\"image\"}", "invalid_content");
    expect_no_send("{\"type\":\"image\",\"url\":\"" URL "\",\"caption\":\"x\"}", "unsupported_content");
    expect_no_send("{\"type\":\"location\",\"lat\":1,\"lon\":2}", "unsupported_content");
}

Test(send, choices)
{
    expect_send(TEXT("?") "," CHOICE("quick_replies", YES "," NO), "message",
                "{\"text\":\"?\",\"quick_replies\":[{\"content_type\":\"text\",\"title\":\"Да\",\"payload\":"
                "\"Y\"},{\"content_"
                "type\":\"text\",\"title\":\"Нет\",\"payload\":\"Нет\"}]}");
    expect_send(TEXT("?") "," CHOICE("buttons", YES ",{\"text\":\"Сайт\",\"url\":\"https://example.ru/\"}"),
                "message/attachment/payload",
                "{\"template_type\":\"button\",\"text\":\"?\",\"buttons\":[{\"type\":\"postback\",\"title\":"
                "\"Да\",\"payload\":"
                "\"Y\"},{\"type\":\"web_url\",\"title\":\"Сайт\",\"url\":\"https://example.ru/\"}]}");
    expect_send(TEXT("?") "," CHOICE("buttons", YES "," YES "," YES "," YES),
                "message/quick_replies/3/payload", "Y");
    expect_no_send(CHOICE("buttons", YES), "invalid_content");
    expect_no_send(TEXT("?") "," CHOICE("buttons", "{\"text\":\"x\",\"url\":\"javascript:1\"}"),
                   "invalid_content");
    expect_no_send(TEXT("?") "," CHOICE("quick_replies", "{\"text\":\"x\",\"url\":\"https://x.ru/\"}"),
                   "unsupported_content");
    expect_no_send(TEXT("?") "," CHOICE("quick_replies", ""), "invalid_content");
}

#define CARD(title)                                                                                          \
    "\"title\":\"" title "\",\"text\":\"t\",\"url\":\"https://example.ru/\",\"image\":{\"url\":\"" URL "\"}"

Test(send, cards)
{
    expect_send(
        "{\"type\":\"card\"," CARD("A") ",\"options\":[" YES "]}", "message/attachment/payload",
        "{\"template_type\":\"generic\",\"elements\":[{\"title\":\"A\",\"subtitle\":\"t\",\"image_url\":"
        "\"" URL
        "\",\"default_action\":{\"type\":\"web_url\",\"url\":\"https://example.ru/\"},\"buttons\":[{\"type\":"
        "\"postback\",\"title\":\"Да\",\"payload\":\"Y\"}]}]}");
    expect_send("{\"type\":\"carousel\",\"cards\":[{" CARD("A") "},{" CARD("B") "}]}",
                "message/attachment/payload/elements/1/title", "B");
    expect_no_send("{\"type\":\"card\",\"text\":\"x\"}", "invalid_content");
    expect_no_send("{\"type\":\"carousel\",\"cards\":[]}", "unsupported_content");
    expect_no_send("{\"type\":\"card\"," CARD("A") ",\"options\":[" YES "," YES "," YES "," YES "]}",
                   "unsupported_content");
}

Test(verb, sender_actions)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = deliver(host, "typing.start", NULL, "{}");
    struct call call = call_only(host);
    EXPECT_TEXT(call_text(&call, "sender_action"), "typing_on");
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"recipient_id\":\"1\"}");
    cr_expect_eq(result_of(host, op)->outcome, KANAL_SENT);
    op = deliver(host, "message.read", "m_A", "{}");
    call = call_only(host);
    EXPECT_TEXT(call_text(&call, "sender_action"), "mark_seen");
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"recipient_id\":\"1\"}");
    expect_sent(host, op, "m_A");
    channel_free(host);
    expect_refused("message.edit", "m_A", SEND("[" TEXT("x") "]"), "unsupported_verb");
}

Test(answer, every_class_of_errors)
{
    static const struct {
        int code, subcode, http;
        int32_t outcome, scope;
        const char *error;
    } rows[] = {
        { 10, 2018278, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "window_closed" },
        { 10, 2534022, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "window_closed" },
        { 10, 2018108, 400, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked" },
        { 551, 1545041, 400, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked" },
        { 200, 1545041, 403, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked" },
        { 100, 2018001, 400, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
        { 100, 2018008, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable" },
        { 100, 2018109, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
        { 100, 0, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
        { 10, 0, 403, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { 190, 460, 401, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { 200, 0, 403, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { 368, 0, 400, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
        { 4, 0, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 32, 0, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 613, 0, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 80006, 0, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 1200, 0, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
        { 2, 0, 500, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
        { 77777, 0, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error" },
        { 77777, 0, 503, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = channel_new(NULL);
        char body[160], code[32];
        kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
        snprintf(body, sizeof body, "{\"error\":{\"message\":\"words\",\"code\":%d,\"error_subcode\":%d}}",
                 rows[i].code, rows[i].subcode);
        fake_request_answer(host, 0, rows[i].http, body);
        const kanal_result *result = result_of(host, op);
        cr_expect_eq(result->outcome, rows[i].outcome, "%s: outcome %d", body, result->outcome);
        cr_expect_eq(result->scope, rows[i].scope, "%s: scope %d", body, result->scope);
        cr_expect(kanal_str_is(result->code, rows[i].error), "%s: %.*s", body, (int)result->code.len,
                  result->code.ptr);
        snprintf(code, sizeof code, rows[i].subcode ? "%d/%d" : "%d", rows[i].code, rows[i].subcode);
        cr_expect(kanal_str_is(result->provider_code, code));
        channel_free(host);
    }
}

Test(answer, what_may_have_been_taken_is_unknown)
{
    static const char *const bodies[] = { "", "{}", "{\"message_id\":5}" };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
        fake_request_answer(host, 0, 200, bodies[i]);
        cr_expect_eq(result_of(host, op)->outcome, KANAL_UNKNOWN, "%s", bodies[i]);
    }
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_UNKNOWN);
    op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_fail(host, 0, KANAL_E_NETWORK);
    cr_expect_eq(result_of(host, op)->outcome, KANAL_RETRY);
    channel_free(host);
}
