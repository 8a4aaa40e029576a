/* Start, stop, registration, media. */
#include "../../meta/test/support.h"

Test(life, a_refused_token_makes_the_channel_unhealthy)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    fake_request_answer(
        host, 0, 401,
        "{\"error\":{\"message\":\"Error validating access token\",\"type\":\"OAuthException\","
        "\"code\":190,\"fbtrace_id\":\"A\"}}");
    cr_expect_eq(fake_health(host), KANAL_E_DENIED);
    fake_advance(host, 2000);
    call_answer(host, meta_test.self, 200, "{\"id\":\"106540352242922\"}");
    cr_expect_eq(fake_health(host), KANAL_OK);
    channel_free(host);
}

static void expect_link(const char *shown, const char *wanted)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    struct kanal_buffer answer = { 0 };
    kanal_buffer_text(&answer, "{\"id\":\"106540352242922\",\"display_phone_number\":\"");
    kanal_buffer_text(&answer, shown);
    kanal_buffer_append(&answer, "\"}", sizeof "\"}");
    call_answer(host, meta_test.self, 200, answer.data);
    cr_expect(kanal_str_is(fake_link_template(host), wanted), "%s: %.*s", shown,
              (int)fake_link_template(host).len, fake_link_template(host).ptr);
    kanal_buffer_release(&answer);
    channel_free(host);
}

Test(life, links_name_the_number)
{
    expect_link("+7 916 123-45-67", "https://wa.me/79161234567?text={text}");
    expect_link("15550783881", "https://wa.me/15550783881?text={text}");
    expect_link("", "");
    expect_link("hidden", "");
    expect_link("1234567890123456", "");
}

Test(life, an_unreachable_meta_is_asked_again)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    for (size_t i = 0; i < 12; i++) {
        fake_request_fail(host, 0, KANAL_E_NETWORK);
        cr_expect_eq(fake_health(host), KANAL_OK, "one lost connection is nothing");
        fake_advance(host, 300000);
        cr_assert_eq(fake_request_count(host), 1);
    }
    channel_free(host);
}

Test(life, stop_with_everything_open)
{
    struct fake_host *host = channel_new_unanswered(NULL);
    kanal_op sent = send_content(host, SEND("[" TEXT("x") "]"));
    kanal_op media = fake_media(host, "1003383421387256");
    cr_expect_eq(fake_request_count(host), 3);
    cr_expect_not(fake_answer(host, sent)->answered);
    cr_expect_not(fake_answer(host, media)->answered);
    channel_free(host); /* everything is answered exactly once, else it counts as a fault */
}

Test(life, wrong_settings_are_refused)
{
    static const char *const wrong[] = { "{}", "{\"phone_number_id\":\"../1\"}",
                                         "{\"phone_number_id\":\"12345\",\"api_url\":\"ftp://x\"}",
                                         "{\"phone_number_id\":\"12345\",\"version\":\"v1/..\"}" };
    static const char *const secrets[][2] = { { "token", TOKEN } };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_null(fake_new(kanal_plugin_v1(), wrong[i], secrets, 1), "%s", wrong[i]);
}

/* ---- Registration ---- */

#define WITH_WABA "{\"phone_number_id\":\"106540352242922\",\"waba_id\":\"102290129340398\"}"

Test(registration, the_business_accounts_callback_is_set)
{
    struct fake_host *host = channel_new(WITH_WABA);
    kanal_op op = fake_provision(host, "https://hub.example.com/c/fake", 1);
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "POST");
    EXPECT_TEXT(call.path, "102290129340398/subscribed_apps");
    EXPECT_TEXT(call_text(&call, "override_callback_uri"), "https://hub.example.com/c/fake/");
    EXPECT_TEXT(call_text(&call, "verify_token"), "");
    const kanal_http_request *request = &fake_request_at(host, 0)->request;
    cr_assert_eq(request->secret_count, 2);
    cr_expect_eq(request->secrets[1].where, KANAL_IN_JSON);
    cr_expect(kanal_str_is(request->secrets[1].name, "verify_token"));
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"success\":true}");
    cr_expect_eq(fake_answer(host, op)->status, KANAL_OK);
    op = fake_provision(host, "https://hub.example.com/c/fake", 0);
    call = call_only(host);
    EXPECT_TEXT(call.path, "102290129340398/subscribed_apps");
    cr_expect_null(call.body, "without an override the app's own callback holds again");
    call_free(&call);
    fake_request_answer(host, 0, 200, "{\"success\":true}");
    cr_expect_eq(fake_answer(host, op)->status, KANAL_OK);
    channel_free(host);
}

Test(registration, without_a_business_account_it_is_done_by_hand)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = fake_provision(host, "https://hub.example.com/c/fake", 1);
    cr_expect_eq(fake_request_count(host), 0);
    cr_expect_eq(fake_answer(host, op)->status, KANAL_OK);
    cr_expect(fake_logged(host, "https://hub.example.com/c/fake"));
    channel_free(host);
}

Test(registration, errors_are_told_apart)
{
    static const struct {
        int code;
        const char *body;
        kanal_status expected;
    } rows[] = {
        { 400, "{\"error\":{\"code\":2200,\"message\":\"callback verification failed\"}}", KANAL_E_REJECTED },
        { 401, "{\"error\":{\"code\":190,\"message\":\"expired\"}}", KANAL_E_DENIED },
        { 403, "{\"error\":{\"code\":200,\"message\":\"permissions\"}}", KANAL_E_DENIED },
        { 400, "{\"error\":{\"code\":80008,\"message\":\"too many\"}}", KANAL_E_BUSY },
        { 429, "", KANAL_E_BUSY },
        { 503, "<html>", KANAL_E_NETWORK },
    };
    struct fake_host *host = channel_new(WITH_WABA);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kanal_op op = fake_provision(host, "https://hub.example.com/c/fake", 1);
        fake_request_answer(host, 0, rows[i].code, rows[i].body);
        cr_expect_eq(fake_answer(host, op)->status, rows[i].expected, "%s", rows[i].body);
    }
    channel_free(host);
}

/* ---- Media ---- */

static const struct fake_answer *fetch(struct fake_host *host, int code, const char *body)
{
    kanal_op op = fake_media(host, "1003383421387256");
    struct call call = call_only(host);
    EXPECT_TEXT(call.method, "GET");
    EXPECT_TEXT(call.path, "1003383421387256?phone_number_id=106540352242922");
    call_free(&call);
    fake_request_answer(host, 0, code, body);
    return fake_answer(host, op);
}

Test(media, the_url_is_asked_for_and_fetched_with_the_token)
{
    struct fake_host *host = channel_new(NULL);
    const struct fake_answer *answer =
        fetch(host, 200,
              "{\"messaging_product\":\"whatsapp\",\"url\":\"https://lookaside.fbsbx.com/whatsapp_business/"
              "attachments/?mid=1&ext=2&hash=A\",\"mime_type\":\"image/jpeg\",\"file_size\":\"303833\"}");
    cr_assert(answer->answered && answer->status == KANAL_OK);
    cr_expect(kanal_str_is(answer->location.url,
                           "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1&ext=2&hash=A"));
    cr_expect(kanal_str_is(answer->location.method, "GET"));
    cr_assert_eq(answer->location.secret_count, 1);
    cr_expect(kanal_str_is(answer->location.secrets[0].prefix, "Bearer "));
    channel_free(host);
}

Test(media, failures_are_told_apart)
{
    static const struct {
        int code;
        const char *body;
        kanal_status expected;
    } rows[] = {
        { 400, "{\"error\":{\"code\":100,\"error_subcode\":33,\"message\":\"does not exist\"}}",
          KANAL_E_NOT_FOUND },
        { 404, "{\"error\":{\"code\":131052,\"message\":\"gone\"}}", KANAL_E_NOT_FOUND },
        { 401, "{\"error\":{\"code\":190,\"message\":\"expired\"}}", KANAL_E_DENIED },
        { 400, "{\"error\":{\"code\":4,\"message\":\"limit\"}}", KANAL_E_BUSY },
        { 500, "", KANAL_E_NETWORK },
        { 200, "{}", KANAL_E_NOT_FOUND },
        { 200, "{\"url\":\"file:///etc/passwd\"}", KANAL_E_NOT_FOUND },
    };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(fetch(host, rows[i].code, rows[i].body)->status, rows[i].expected, "%s", rows[i].body);
    kanal_op op = fake_media(host, "../../x?y");
    struct call call = call_only(host);
    EXPECT_TEXT(call.path, "..%2F..%2Fx%3Fy?phone_number_id=106540352242922");
    call_free(&call);
    fake_request_fail(host, 0, KANAL_E_TIMEOUT);
    cr_expect_eq(fake_answer(host, op)->status, KANAL_E_TIMEOUT);
    channel_free(host);
}
