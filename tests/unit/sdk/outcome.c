#include "expect.h"
#include "kanal/sdk/outcome.h"

static const struct row {
    kanal_status status;
    uint32_t exchange;
    int32_t outcome, scope;
    const char *code;
} rows[] = {
    { KANAL_E_NETWORK, 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network" },
    { KANAL_E_TIMEOUT, KANAL_EXCHANGE_MEDIA, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network" },
    { KANAL_E_BUSY, 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable" },
    { KANAL_E_MAYBE, 0, KANAL_UNKNOWN, 0, "timeout" },
    { KANAL_E_MAYBE, KANAL_EXCHANGE_PREPARES, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "network" },
    { KANAL_E_CANCELLED, KANAL_EXCHANGE_STOPPING, KANAL_UNKNOWN, 0, "interrupted" },
    { KANAL_E_CANCELLED, 0, KANAL_UNKNOWN, 0, "timeout" },
    { KANAL_E_CANCELLED, KANAL_EXCHANGE_PREPARES | KANAL_EXCHANGE_STOPPING, KANAL_RETRY, KANAL_SCOPE_MESSAGE,
      "network" },
    { KANAL_E_TOO_LARGE, 0, KANAL_UNKNOWN, 0, "provider_error" },
    { KANAL_E_TOO_LARGE, KANAL_EXCHANGE_MEDIA, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { KANAL_E_NOT_FOUND, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { KANAL_E_NOT_FOUND, KANAL_EXCHANGE_MEDIA, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable" },
    { KANAL_E_DENIED, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "denied" },
    { KANAL_E_DENIED, KANAL_EXCHANGE_MEDIA, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable" },
    { KANAL_E_INVALID, 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "internal" },
};

Test(outcome, every_status_has_a_meaning_and_words)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kanal_result result;
        memset(&result, 0x55, sizeof result);
        kanal_result_of_status(&result, rows[i].status, rows[i].exchange);
        cr_expect_eq(result.struct_size, sizeof result);
        cr_expect_eq(result.outcome, rows[i].outcome, "row %zu: outcome %d", i, result.outcome);
        cr_expect_eq(result.scope, rows[i].scope, "row %zu: scope %d", i, result.scope);
        EXPECT_STR(result.code, rows[i].code);
        cr_expect_gt(result.reason.len, 0);
        cr_expect_null(result.external_id.ptr);
        cr_expect_eq(result.retry_after_ms, 0);
    }
}
