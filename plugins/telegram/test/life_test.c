/* Start, stop, registration, media. */
#include <stdio.h>

#include "test/capture.h"

static int finished(struct fake_host *host, kanal_op op)
{
    const struct fake_answer *answer = fake_answer(host, op);
    cr_assert(answer->answered, "not finished");
    return answer->status;
}

Test(life, a_refused_token_is_told_and_asked_again)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    call_answer(host, "getMe", 401, "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}");
    cr_expect(fake_logged(host, "getMe failed: Unauthorized"));
    cr_expect_eq(fake_health(host), KANAL_E_DENIED);
    cr_expect_eq(fake_request_count(host), 0);
    fake_advance(host, 5000);
    call_answer(
        host, "getMe", 200,
        "{\"ok\":true,\"result\":{\"id\":1,\"is_bot\":true,\"first_name\":\"x\",\"username\":\"x_bot\"}}");
    cr_expect_eq(fake_health(host), KANAL_OK);
    fake_advance(host, 600000);
    cr_expect_eq(fake_request_count(host), 0);
    channel_free(host);
}

Test(life, links_name_the_bot)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    cr_expect_eq(fake_link_template(host).len, 0, "not known yet");
    call_answer(
        host, "getMe", 200,
        "{\"ok\":true,\"result\":{\"id\":1,\"is_bot\":true,\"first_name\":\"x\",\"username\":\"x_bot\"}}");
    cr_expect(kanal_str_is(fake_link_template(host), "https://t.me/x_bot?start={ref}"));
    channel_free(host);
}

Test(life, stop_with_everything_open)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    kanal_delivery delivery = { .address = KANAL_LIT("telegram:5"),
                                .data = KANAL_LIT("{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}") };
    fake_deliver(host, &delivery);
    fake_media(host, "AgAC");
    fake_provision(host, "https://hub.example.com/c/fake", 1);
    cr_expect_eq(fake_request_count(host), 4);
    channel_free(host); /* every op answered, nothing leaked */
    host = channel_new_unanswered(NULL);
    fake_request_fail(host, 0, KANAL_E_NETWORK); /* a timer is set */
    channel_free(host);
}

Test(life, settings_are_checked)
{
    static const char *const secrets[][2] = { { "token", "1:a" } };
    cr_expect_null(fake_new(kanal_plugin_v1(), "{\"api_url\":\"ftp://x\"}", secrets, 1));
    struct fake_host *host = channel_new("{\"api_url\":\"http://127.0.0.1:8081/\"}");
    kanal_delivery delivery = { .address = KANAL_LIT("telegram:5"),
                                .data = KANAL_LIT("{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}") };
    fake_deliver(host, &delivery);
    EXPECT_TEXT(fake_request_at(host, 0)->request.url.ptr, "http://127.0.0.1:8081/sendMessage");
    cr_expect_eq(fake_request_at(host, 0)->request.secrets[0].position, strlen("http://127.0.0.1:8081"));
    fake_request_answer(host, 0, 200, OK_MESSAGE);
    channel_free(host);
}

Test(registration, webhook)
{
    struct fake_host *host =
        channel_new("{\"drop_pending\":true,\"max_connections\":7,\"allowed_updates\":[\"message\"]}");
    kanal_op op = fake_provision(host, "https://hub.example.com/c/fake", 1);
    struct call call = call_only(host); /* checks the slot of the secret token too */
    EXPECT_TEXT(call.method, "setWebhook");
    EXPECT_TEXT(call_text(&call, "url"), "https://hub.example.com/c/fake/");
    EXPECT_TEXT(call_text(&call, "allowed_updates"), "[\"message\"]");
    EXPECT_TEXT(call_text(&call, "max_connections"), "7");
    EXPECT_TEXT(call_text(&call, "drop_pending_updates"), "true");
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_TRUE);
    cr_expect_eq(finished(host, op), KANAL_OK);
    op = fake_provision(host, "https://hub.example.com/c/fake", 0);
    call_answer(host, "deleteWebhook", 200, OK_TRUE);
    cr_expect_eq(finished(host, op), KANAL_OK);
    channel_free(host);
}

Test(registration, what_is_worth_trying_again_says_so)
{
    static const struct {
        int code;
        const char *body;
        kanal_status expected;
    } rows[] = {
        { 400,
          "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: bad webhook: An HTTPS URL must be "
          "provided for webhook\"}",
          KANAL_E_REJECTED },
        { 401, "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}", KANAL_E_DENIED },
        { 429, "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after 1\"}",
          KANAL_E_BUSY },
        { 502, "", KANAL_E_NETWORK },
    };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kanal_op op = fake_provision(host, "http://hub.example.com/c/fake", 1);
        fake_request_answer(host, 0, rows[i].code, rows[i].body);
        cr_expect_eq(finished(host, op), rows[i].expected, "%d", rows[i].code);
        cr_expect_gt(fake_answer(host, op)->reason.len, 0);
    }
    kanal_op op = fake_provision(host, "https://hub.example.com/c/fake", 1);
    fake_request_fail(host, 0, KANAL_E_MAYBE);
    cr_expect_eq(finished(host, op), KANAL_E_MAYBE);
    channel_free(host);
}

Test(registration, polling_takes_the_webhook_away)
{
    struct fake_host *host = channel_new("{\"mode\":\"polling\"}");
    kanal_op op = fake_provision(host, "https://hub.example.com/c/fake", 1);
    struct call call = call_at(host, 1); /* the first is getUpdates */
    EXPECT_TEXT(call.method, "deleteWebhook");
    call_free(&call);
    fake_request_answer(host, 1, 200, OK_TRUE);
    cr_expect_eq(finished(host, op), KANAL_OK);
    channel_free(host);
}

static const struct fake_answer *fetch(struct fake_host *host, int code, const char *body)
{
    kanal_op op = fake_media(host, "AgAC\"x");
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "getFile");
    EXPECT_TEXT(call_text(&call, "file_id"), "AgAC\"x");
    call_free(&call);
    fake_request_answer(host, 0, code, body);
    const struct fake_answer *answer = fake_answer(host, op);
    cr_assert(answer->answered);
    return answer;
}

Test(media, the_file_is_located_without_the_token_in_sight)
{
    struct fake_host *host = channel_new(NULL);
    const struct fake_answer *answer =
        fetch(host, 200, "{\"ok\":true,\"result\":{\"file_id\":\"a\",\"file_path\":\"photos/file 1?.jpg\"}}");
    cr_assert_eq(answer->status, KANAL_OK);
    const kanal_http_request *at = &answer->location;
    EXPECT_TEXT(at->url.ptr, API "/file/photos/file%201%3F.jpg");
    cr_assert_eq(at->secret_count, 1);
    cr_expect_eq(at->secrets[0].where, KANAL_IN_PATH);
    cr_expect_eq(at->secrets[0].position, strlen(API "/file")); /* → /file/bot<token>/photos/… */
    cr_expect(kanal_str_is(at->secrets[0].prefix, "bot") && kanal_str_is(at->secrets[0].secret, "token"));
    cr_expect(kanal_str_is(at->method, "GET"));
    channel_free(host);
}

Test(media, what_cannot_be_fetched_says_why)
{
    static const struct {
        int code;
        const char *body;
        kanal_status expected;
    } rows[] = {
        { 400, "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: file is too big\"}",
          KANAL_E_TOO_LARGE },
        { 400, "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: invalid file_id\"}",
          KANAL_E_NOT_FOUND },
        { 401, "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}", KANAL_E_DENIED },
        { 200, "{\"ok\":true,\"result\":{\"file_id\":\"a\"}}", KANAL_E_NOT_FOUND },
        { 200, "{\"ok\":true,\"result\":{\"file_path\":\"/var/lib/telegram-bot-api/x\"}}",
          KANAL_E_NOT_FOUND },
        { 200, "{\"ok\":true,\"result\":{\"file_path\":\"../../bot1:a/getMe\"}}", KANAL_E_NOT_FOUND },
        { 200, "{\"ok\":true,\"result\":{\"file_path\":\"photos//x\"}}", KANAL_E_NOT_FOUND },
        { 200, "{\"ok\":true,\"result\":{\"file_path\":\"photos/\"}}", KANAL_E_NOT_FOUND },
        { 200, "{\"ok\":true,\"result\":{\"file_path\":[]}}", KANAL_E_NOT_FOUND },
    };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(fetch(host, rows[i].code, rows[i].body)->status, rows[i].expected, "%s", rows[i].body);
    channel_free(host);
}
