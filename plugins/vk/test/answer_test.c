/* What VK answers, and what it means for the delivery. */
#include "outcome.h"
#include "test/capture.h"

struct row {
    int http;
    const char *body;
    int32_t outcome, scope;
    const char *code;
    uint32_t retry_after_ms;
};

#define RETRY(number, scope, code, ms)                                                                       \
    {                                                                                                        \
        200, ERROR(number, "words"), KANAL_RETRY, scope, code, ms                                            \
    }
#define FAILS(number, scope, code)                                                                           \
    {                                                                                                        \
        200, ERROR(number, "words"), KANAL_FAILED, scope, code, 0                                            \
    }

static const struct row rows[] = {
    RETRY(1, KANAL_SCOPE_MESSAGE, "provider_error", 0),
    RETRY(6, KANAL_SCOPE_CHANNEL, "rate_limited", 1000),
    RETRY(9, KANAL_SCOPE_RECIPIENT, "rate_limited", 0),
    RETRY(10, KANAL_SCOPE_MESSAGE, "provider_error", 0),
    RETRY(29, KANAL_SCOPE_CHANNEL, "rate_limited", 60000),
    RETRY(14, KANAL_SCOPE_CHANNEL, "provider_rejected", VK_CAPTCHA_PAUSE_MS),
    FAILS(5, KANAL_SCOPE_CHANNEL, "auth_failed"),
    FAILS(7, KANAL_SCOPE_MESSAGE, "provider_rejected"),
    FAILS(15, KANAL_SCOPE_MESSAGE, "provider_rejected"),
    FAILS(18, KANAL_SCOPE_RECIPIENT, "recipient_blocked"),
    FAILS(100, KANAL_SCOPE_MESSAGE, "invalid_content"),
    { 200, ERROR(100, "One of the parameters specified was missing or invalid: peer_id"), KANAL_FAILED,
      KANAL_SCOPE_RECIPIENT, "recipient_unknown", 0 },
    FAILS(900, KANAL_SCOPE_RECIPIENT, "recipient_blocked"),
    FAILS(901, KANAL_SCOPE_RECIPIENT, "opted_out"),
    FAILS(902, KANAL_SCOPE_RECIPIENT, "recipient_blocked"),
    FAILS(911, KANAL_SCOPE_MESSAGE, "invalid_content"),
    FAILS(912, KANAL_SCOPE_MESSAGE, "provider_rejected"),
    FAILS(913, KANAL_SCOPE_MESSAGE, "payload_too_large"),
    FAILS(914, KANAL_SCOPE_MESSAGE, "payload_too_large"),
    FAILS(917, KANAL_SCOPE_RECIPIENT, "recipient_blocked"),
    FAILS(936, KANAL_SCOPE_RECIPIENT, "recipient_unknown"),
    FAILS(945, KANAL_SCOPE_RECIPIENT, "recipient_blocked"),
    FAILS(946, KANAL_SCOPE_RECIPIENT, "provider_rejected"),
    FAILS(27, KANAL_SCOPE_CHANNEL, "auth_failed"),
    FAILS(909, KANAL_SCOPE_MESSAGE, "message_not_found"),
    FAILS(920, KANAL_SCOPE_MESSAGE, "message_not_found"),
    FAILS(924, KANAL_SCOPE_MESSAGE, "message_not_found"),
    FAILS(31337, KANAL_SCOPE_MESSAGE, "provider_error"),
    { 200,
      "{\"response\":[{\"peer_id\":41887,\"message_id\":0,\"error\":{\"code\":901,\"description\":\"Can't "
      "send messages for users without permission\"}}]}",
      KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "opted_out", 0 },
    { 429, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", 0 },
    { 502, "<html>Bad Gateway</html>", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error", 0 },
    { 413, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large", 0 },
    { 200, "not json", KANAL_UNKNOWN, 0, "provider_error", 0 },
    { 200, "{}", KANAL_UNKNOWN, 0, "provider_error", 0 },
    { 302, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", 0 },
};

Test(answer, errors_are_told_apart)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = channel_new(NULL);
        kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
        fake_request_answer(host, 0, rows[i].http, rows[i].body);
        cr_expect_eq(fake_request_count(host), 0);
        const kanal_result *result = result_of(host, op);
        cr_expect_eq(result->outcome, rows[i].outcome, "%s: outcome %d", rows[i].body, result->outcome);
        cr_expect_eq(result->scope, rows[i].scope, "%s: scope %d", rows[i].body, result->scope);
        cr_expect(kanal_str_is(result->code, rows[i].code), "%s: %.*s", rows[i].body, (int)result->code.len,
                  result->code.ptr);
        cr_expect_eq(result->retry_after_ms, rows[i].retry_after_ms, "%s: %u ms", rows[i].body,
                     result->retry_after_ms);
        channel_free(host);
    }
}

Test(answer, a_captcha_pauses_and_is_shown)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_answer(
        host, 0, 200,
        "{\"error\":{\"error_code\":14,\"error_msg\":\"Captcha "
        "needed\",\"captcha_sid\":\"23984\",\"captcha_img\":\"https://api.vk.com/captcha.php?sid=23984\"}}");
    cr_expect_eq(result_of(host, op)->outcome, KANAL_RETRY);
    cr_expect_eq(result_of(host, op)->scope, KANAL_SCOPE_CHANNEL);
    cr_expect_geq(result_of(host, op)->retry_after_ms, 600000);
    cr_expect_eq(fake_health(host), KANAL_E_BUSY);
    op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_answer(host, 0, 200, OK_SENT);
    expect_sent(host, op, "41887/77");
    cr_expect_eq(fake_health(host), KANAL_OK);
    channel_free(host);
}

Test(answer, a_refused_token_makes_the_channel_ill)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_answer(host, 0, 200, ERROR(5, "User authorization failed: invalid access_token (4)."));
    expect_failed(host, op, KANAL_SCOPE_CHANNEL, "auth_failed");
    cr_expect_eq(fake_health(host), KANAL_E_DENIED);
    cr_expect(kanal_str_is(result_of(host, op)->provider_code, "5"));
    channel_free(host);
}

Test(answer, failed_exchanges_are_told_apart)
{
    static const struct {
        kanal_status status;
        int32_t outcome;
        const char *code;
    } failures[] = {
        { KANAL_E_NETWORK, KANAL_RETRY, "network" },   { KANAL_E_TIMEOUT, KANAL_RETRY, "network" },
        { KANAL_E_BUSY, KANAL_RETRY, "unavailable" },  { KANAL_E_MAYBE, KANAL_UNKNOWN, "timeout" },
        { KANAL_E_DENIED, KANAL_FAILED, "denied" },    { KANAL_E_NOT_FOUND, KANAL_FAILED, "auth_failed" },
        { KANAL_E_INVALID, KANAL_FAILED, "internal" },
    };
    struct fake_host *host = channel_new(NULL);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
        fake_request_fail(host, 0, failures[i].status);
        cr_expect_eq(result_of(host, op)->outcome, failures[i].outcome, "status %d", failures[i].status);
        cr_expect(kanal_str_is(result_of(host, op)->code, failures[i].code), "status %d", failures[i].status);
    }
    channel_free(host);
}

Test(answer, a_number_without_a_conversation_is_sent_all_the_same)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_answer(host, 0, 200, "{\"response\":3200}");
    expect_sent(host, op, "");
    channel_free(host);
}
