/* What Telegram answers, and what it means for the delivery. */
#include "test/delivery.h"

struct row {
    int http;
    const char *body;
    int32_t outcome, scope;
    const char *code;
    uint32_t retry_after_ms;
};

#define ERROR(code, words) "{\"ok\":false,\"error_code\":" #code ",\"description\":\"" words "\"}"

static const struct row rows[] = {
    { 403, ERROR(403, "Forbidden: bot was blocked by the user"), KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
      "recipient_blocked", 0 },
    { 403, ERROR(403, "Forbidden: user is deactivated"), KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
      "recipient_blocked", 0 },
    { 403, ERROR(403, "Forbidden: bot was kicked from the supergroup chat"), KANAL_FAILED,
      KANAL_SCOPE_RECIPIENT, "recipient_blocked", 0 },
    { 403, ERROR(403, "Forbidden: bot can't initiate conversation with a user"), KANAL_FAILED,
      KANAL_SCOPE_RECIPIENT, "recipient_unknown", 0 },
    { 400, ERROR(400, "Bad Request: chat not found"), KANAL_FAILED, KANAL_SCOPE_RECIPIENT,
      "recipient_unknown", 0 },
    { 400, ERROR(400, "Bad Request: message is too long"), KANAL_FAILED, KANAL_SCOPE_MESSAGE,
      "payload_too_large", 0 },
    { 400, ERROR(400, "Bad Request: message caption is too long"), KANAL_FAILED, KANAL_SCOPE_MESSAGE,
      "payload_too_large", 0 },
    { 400, ERROR(400, "Bad Request: can't parse entities: Unsupported start tag"), KANAL_FAILED,
      KANAL_SCOPE_MESSAGE, "invalid_content", 0 },
    { 400, ERROR(400, "Bad Request: BUTTON_DATA_INVALID"), KANAL_FAILED, KANAL_SCOPE_MESSAGE,
      "invalid_content", 0 },
    { 400, ERROR(400, "Bad Request: not enough rights to send text messages to the chat"), KANAL_FAILED,
      KANAL_SCOPE_RECIPIENT, "provider_rejected", 0 },
    { 400, ERROR(400, "Bad Request: message to edit not found"), KANAL_FAILED, KANAL_SCOPE_MESSAGE,
      "message_not_found", 0 },
    { 400, ERROR(400, "something that nobody ever saw"), KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content",
      0 },
    { 401, ERROR(401, "Unauthorized"), KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", 0 },
    { 404, ERROR(404, "Not Found"), KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", 0 },
    { 429,
      "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests: retry after "
      "35\",\"parameters\":{\"retry_after\":35}}",
      KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", 35000 },
    { 429, "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":9223372036854775807}}",
      KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", 86400000 },
    { 500, ERROR(500, "Internal Server Error"), KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error", 0 },
    { 502, "<html>Bad Gateway</html>", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error", 0 },
    { 200, "not json", KANAL_UNKNOWN, 0, "provider_error", 0 },
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
        { KANAL_E_INVALID, KANAL_FAILED, "internal" }, { KANAL_E_TOO_LARGE, KANAL_UNKNOWN, "provider_error" },
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

Test(answer, a_groups_limit_is_the_groups)
{
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_to(host, "-1001494028100", NULL, SEND("[" TEXT("x") "]"));
    fake_request_answer(host, 0, 429, "{\"ok\":false,\"error_code\":429,\"parameters\":{\"retry_after\":3}}");
    cr_expect_eq(result_of(host, op)->scope, KANAL_SCOPE_RECIPIENT);
    cr_expect_eq(result_of(host, op)->retry_after_ms, 3000);
    channel_free(host);
}

Test(answer, a_migrated_group_is_followed_within_the_delivery)
{
    static const char migrated[] = "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: group "
                                   "chat was upgraded to a supergroup chat\","
                                   "\"parameters\":{\"migrate_to_chat_id\":-1001999888777}}";
    struct fake_host *host = channel_new(NULL);
    kanal_op op = send_to(host, "-412345678", NULL, SEND("[" TEXT("x") "]"));
    call_answer(host, "sendMessage", 400, migrated);
    struct call call = call_only(host);
    EXPECT_TEXT(call_text(&call, "chat_id"), "-1001999888777");
    call_free(&call);
    fake_request_answer(host, 0, 200,
                        "{\"ok\":true,\"result\":{\"message_id\":1,\"chat\":{\"id\":-1001999888777}}}");
    expect_sent(host, op, "-1001999888777/1");
    op = send_to(host, "-412345678", NULL, SEND("[" TEXT("x") "]")); /* not for ever */
    call_answer(host, "sendMessage", 400, migrated);
    call_answer(host, "sendMessage", 400, migrated);
    cr_expect_eq(fake_request_count(host), 0);
    expect_failed(host, op, KANAL_SCOPE_RECIPIENT, "recipient_unknown");
    channel_free(host);
}

Test(answer, the_deadline_bounds_the_request)
{
    struct fake_host *host = channel_new(NULL);
    kanal_delivery delivery = {
        .address = KANAL_LIT("telegram:5"),
        .data = KANAL_LIT(SEND("[" TEXT("x") "]")),
        .deadline_ms =
            INT64_C(1795294385000) + 9000, /* 2026-11-21T20:53:05Z, where the fake's clock stands */
    };
    fake_deliver(host, &delivery);
    cr_expect_eq(fake_request_at(host, 0)->request.timeout_ms, 8500, "%u",
                 fake_request_at(host, 0)->request.timeout_ms);
    fake_request_answer(host, 0, 200, OK_MESSAGE);
    channel_free(host);
}
