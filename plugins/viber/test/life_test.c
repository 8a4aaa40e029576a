/* Starting, registering, stopping, media. */
#include "test/capture.h"

Test(life, the_account_is_asked_for_and_kept)
{
    struct fake_host *host = channel_new(NULL);
    cr_expect_str_eq(fake_state(host, "account"),
                     "{\"id\":\"" ACCOUNT "\",\"name\":\"Лавка\",\"uri\":\"lavka\"}");
    channel_free(host);
}

Test(life, links_name_the_account)
{
    static const char answer[] = "{\"status\":0,\"id\":\"" ACCOUNT "\",\"name\":\"x\",\"uri\":\"shop bot\"}";
    struct fake_host *host = channel_new_unanswered(NULL);
    fake_request_answer(host, 0, 200, answer);
    cr_expect(kanal_str_is(fake_link_template(host), "viber://pa?chatURI=shop%20bot&context={ref}"));
    cr_expect(strstr(fake_state(host, "account"), "\"uri\":\"shop bot\"") != NULL,
              "for a start without Viber");
    channel_free(host);
    host = channel_new_unanswered(NULL);
    fake_request_answer(host, 0, 200, "{\"status\":0,\"id\":\"" ACCOUNT "\",\"name\":\"x\"}");
    cr_expect_eq(fake_link_template(host).len, 0, "an account without one");
    channel_free(host);
}

Test(life, a_start_without_viber_fails_and_is_tried_again)
{
    static const struct {
        int code;
        const char *body;
        kanal_status expected;
    } answers[] = { { 200, ERROR(2, "invalidAuthToken"), KANAL_E_DENIED },
                    { 502, "", KANAL_E_NETWORK },
                    { 200, "{\"status\":0}", KANAL_E_REJECTED },
                    { 200, ERROR(12, "tooManyRequests"), KANAL_E_BUSY } };
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        struct fake_host *host = channel_new_unanswered(NULL);
        fake_request_answer(host, 0, answers[i].code, answers[i].body);
        cr_expect(fake_start_answer(host)->answered);
        cr_expect_eq(fake_start_answer(host)->status, answers[i].expected, "%s: %d", answers[i].body,
                     fake_start_answer(host)->status);
        channel_free(host);
    }
    struct fake_host *host = channel_new_unanswered(NULL);
    fake_request_fail(host, 0, KANAL_E_TIMEOUT);
    cr_expect_eq(fake_start_answer(host)->status, KANAL_E_TIMEOUT);
    channel_free(host);
}

Test(life, settings_are_checked)
{
    static const char *const secrets[][2] = { { "token", TOKEN } };
    cr_expect_null(fake_new(kanal_plugin_v1(), "{\"api_url\":\"ftp://x\"}", secrets, 1));
    struct fake_host *host = channel_new_unanswered("{\"api_url\":\"http://127.0.0.1:8081/\"}");
    EXPECT_TEXT(fake_request_at(host, 0)->request.url.ptr, "http://127.0.0.1:8081/get_account_info");
    fake_request_answer(host, 0, 200, OK_ACCOUNT);
    channel_free(host);
}

Test(life, stop_with_everything_under_way)
{
    struct fake_host *host = channel_new(NULL);
    send_content(host, SEND("[" TEXT("x") "]"));
    fake_provision(host, "https://hub.example.com/c/fake", 1);
    cr_expect_eq(fake_request_count(host), 2);
    channel_free(host);
}

static kanal_status finished(struct fake_host *host, kanal_op op)
{
    cr_assert(fake_answer(host, op)->answered);
    return fake_answer(host, op)->status;
}

Test(registration, viber_calls_back_while_it_registers)
{
    size_t len;
    char *webhook = fixture_read(FIXTURES, "webhook", &len);
    struct fake_host *host = channel_new(NULL);
    kanal_op op = fake_provision(host, "https://hub.example.com/c/fake", 1);
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "set_webhook");
    EXPECT_TEXT(call_text(&call, "url"), "https://hub.example.com/c/fake/");
    EXPECT_TEXT(
        call_text(&call, "event_types"),
        "[\"delivered\",\"seen\",\"failed\",\"subscribed\",\"unsubscribed\",\"conversation_started\"]");
    EXPECT_TEXT(call_text(&call, "send_name"), "true");
    call_free(&call);
    cr_expect_eq(post(host, kanal_str_of(webhook, len))->response.code, 200,
                 "asked before set_webhook is answered");
    fake_request_answer(host, 0, 200, OK_ZERO);
    cr_expect_eq(finished(host, op), KANAL_OK);
    op = fake_provision(host, "https://hub.example.com/c/fake", 0);
    call = call_only(host);
    EXPECT_TEXT(call_text(&call, "url"), "");
    EXPECT_TEXT(call_text(&call, "event_types"), "");
    call_free(&call);
    fake_request_answer(host, 0, 200, OK_ZERO);
    cr_expect_eq(finished(host, op), KANAL_OK);
    free(webhook);
    channel_free(host);
}

Test(registration, viber_may_call_back_while_the_channel_starts)
{
    size_t len, text_len;
    char *webhook = fixture_read(FIXTURES, "webhook", &len),
         *text = fixture_read(FIXTURES, "text", &text_len);
    struct fake_host *host = channel_new_unanswered(NULL);
    cr_expect_eq(post(host, kanal_str_of(webhook, len))->response.code, 200);
    cr_expect_eq(post(host, kanal_str_of(text, text_len))->response.code, 503,
                 "who it is cannot be told yet");
    fake_request_answer(host, 0, 200, OK_ACCOUNT);
    cr_expect_eq(post(host, kanal_str_of(text, text_len))->response.code, 200);
    free(webhook);
    free(text);
    channel_free(host);
}

Test(registration, what_is_worth_trying_again_says_so)
{
    static const struct {
        int code;
        const char *body;
        kanal_status expected;
    } answers[] = { { 200, ERROR(1, "invalidUrl"), KANAL_E_REJECTED },
                    { 200, ERROR(2, "invalidAuthToken"), KANAL_E_DENIED },
                    { 200, ERROR(12, "tooManyRequests"), KANAL_E_BUSY },
                    { 502, "", KANAL_E_NETWORK } };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        kanal_op op = fake_provision(host, "https://hub.example.com/c/fake", 1);
        fake_request_answer(host, 0, answers[i].code, answers[i].body);
        cr_expect_eq(finished(host, op), answers[i].expected, "%s", answers[i].body);
    }
    channel_free(host);
}

Test(media, files_have_urls_of_their_own)
{
    struct fake_host *host = channel_new(NULL);
    const struct fake_answer *answer =
        fake_answer(host, fake_media(host, "https://dl-media.viber.com/a.jpg?x=1"));
    cr_assert(answer->answered && answer->status == KANAL_OK);
    EXPECT_TEXT(answer->location.url.ptr, "https://dl-media.viber.com/a.jpg?x=1");
    cr_expect_eq(answer->location.secret_count, 0);
    cr_expect_eq(fake_answer(host, fake_media(host, "file:///etc/passwd"))->status, KANAL_E_NOT_FOUND);
    channel_free(host);
}
