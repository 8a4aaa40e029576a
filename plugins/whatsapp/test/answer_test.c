/* What becomes of the answers to deliveries. */
#include <stdio.h>

#include "../../meta/test/support.h"

static void expect_outcome(int http_code, const char *body, int32_t outcome, int32_t scope, const char *code)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
    fake_request_answer(host, 0, http_code, body);
    const kanal_result *result = result_of(host, op);
    cr_expect_eq(result->outcome, outcome, "%d %s: outcome %d", http_code, body, result->outcome);
    cr_expect_eq(result->scope, scope, "%d %s: scope %d", http_code, body, result->scope);
    cr_expect(kanal_str_is(result->code, code), "%d %s: %.*s", http_code, body, (int)result->code.len,
              result->code.ptr);
    int is_ill = outcome == KANAL_FAILED && scope == KANAL_SCOPE_CHANNEL;
    cr_expect_eq(fake_health(host), is_ill ? KANAL_E_DENIED : KANAL_OK, "%s", body);
    channel_free(host);
}

Test(answer, every_class_of_errors)
{
    static const struct {
        int code, http;
        int32_t outcome, scope;
        const char *error;
    } rows[] = {
        { 4, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 80007, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 130429, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 131048, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 131056, 400, KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "rate_limited" },
        { 133016, 400, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
        { 131053, 400, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "media_unavailable" },
        { 131016, 500, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
        { 131000, 500, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
        { 131000, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error" },
        { 2, 503, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
        { 100, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
        { 131008, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
        { 131009, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
        { 131021, 400, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
        { 131026, 400, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked" },
        { 131047, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "window_closed" },
        { 131049, 400, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "provider_rejected" },
        { 131050, 400, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "opted_out" },
        { 131051, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content" },
        { 131052, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable" },
        { 132001, 404, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
        { 132015, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
        { 190, 401, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { 10, 403, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { 200, 403, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
        { 131031, 400, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
        { 131042, 400, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
        { 368, 400, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
        { 999999, 400, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error" },
        { 999999, 503, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[160];
        snprintf(body, sizeof body,
                 "{\"error\":{\"message\":\"(#%d) words\",\"type\":\"OAuthException\",\"code\":%d}}",
                 rows[i].code, rows[i].code);
        expect_outcome(rows[i].http, body, rows[i].outcome, rows[i].scope, rows[i].error);
    }
    expect_outcome(401, "{\"error\":{\"message\":\"AuthException\",\"code\":0}}", KANAL_FAILED,
                   KANAL_SCOPE_CHANNEL, "auth_failed");
    expect_outcome(429, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    expect_outcome(502, "<html>Bad Gateway</html>", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error");
    expect_outcome(404, "<html>", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error");
    expect_outcome(413, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large");
    /* Taken, it seems. */
    expect_outcome(200, "", KANAL_UNKNOWN, 0, "provider_error");
    expect_outcome(200, "{}", KANAL_UNKNOWN, 0, "provider_error");
    expect_outcome(200, "{\"messages\":[]}", KANAL_UNKNOWN, 0, "provider_error");
    expect_outcome(200, "{\"messages\":[{\"id\":5}]}", KANAL_UNKNOWN, 0, "provider_error");
}

Test(answer, how_long_to_wait)
{
    static const struct {
        const char *name, *value;
        uint32_t expected;
    } rows[] = {
        { "retry-after", "7", 7000 },
        { "x-business-use-case-usage",
          "{\"102290129340398\":[{\"type\":\"whatsapp\",\"call_count\":100,\"estimated_time_to_regain_"
          "access\":19}]}",
          19 * 60000 },
        { "x-business-use-case-usage", "{\"1\":[{\"estimated_time_to_regain_access\":999999999}]}",
          86400000 },
        { "x-business-use-case-usage", "not json", 0 },
        { "retry-after", "-5", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = channel_new(NULL);
        kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
        const kanal_field header = { kanal_str_c(rows[i].name), kanal_str_c(rows[i].value) };
        kanal_http_response response = { .struct_size = sizeof response,
                                         .code = 400,
                                         .body =
                                             KANAL_LIT("{\"error\":{\"code\":80007,\"message\":\"limit\"}}"),
                                         .headers = &header,
                                         .header_count = 1 };
        fake_request_answer_with(host, 0, &response);
        cr_expect_eq(result_of(host, op)->outcome, KANAL_RETRY);
        cr_expect_eq(result_of(host, op)->retry_after_ms, rows[i].expected, "%s: %u", rows[i].value,
                     result_of(host, op)->retry_after_ms);
        channel_free(host);
    }
}

Test(answer, an_exchange_without_one)
{
    static const struct {
        kanal_status status;
        int32_t outcome;
        const char *code;
    } rows[] = {
        { KANAL_E_NETWORK, KANAL_RETRY, "network" },
        { KANAL_E_TIMEOUT, KANAL_RETRY, "network" },
        { KANAL_E_BUSY, KANAL_RETRY, "unavailable" },
        { KANAL_E_MAYBE, KANAL_UNKNOWN, "timeout" },
        { KANAL_E_TOO_LARGE, KANAL_UNKNOWN, "provider_error" },
        { KANAL_E_DENIED, KANAL_FAILED, "denied" },
        { KANAL_E_NOT_FOUND, KANAL_FAILED, "auth_failed" },
        { KANAL_E_INVALID, KANAL_FAILED, "internal" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fake_host *host = channel_new(NULL);
        kanal_op op = send_content(host, SEND("[" TEXT("x") "]"));
        fake_request_fail(host, 0, rows[i].status);
        cr_expect_eq(result_of(host, op)->outcome, rows[i].outcome, "%d", rows[i].status);
        cr_expect(kanal_str_is(result_of(host, op)->code, rows[i].code));
        channel_free(host);
    }
}
