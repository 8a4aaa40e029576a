#include "outcome.h"

#include "kanal/sdk/outcome.h"

#define RETRY_AFTER_MAX_S 86400

static const struct row {
    int code;
    int32_t outcome, scope;
    const char *error_code;
    uint32_t retry_after_ms;
} rows[] = {
    { 1, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", 0 },        /* invalidUrl */
    { 2, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", 0 },            /* invalidAuthToken */
    { 3, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", 0 },        /* badData */
    { 4, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", 0 },        /* missingData */
    { 5, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown", 0 },    /* receiverNotRegistered */
    { 6, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "opted_out", 0 },            /* receiverNotSubscribed */
    { 7, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected", 0 },      /* publicAccountBlocked */
    { 8, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", 0 },            /* publicAccountNotFound */
    { 9, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected", 0 },      /* publicAccountSuspended */
    { 10, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable", 60000 },        /* webhookNotSet: it will be */
    { 11, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "unsupported_content", 0 }, /* receiverNoSuitableDevice */
    { 12, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", 0 },           /* tooManyRequests */
    { 13, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content", 0 },   /* apiVersionNotSupported */
    { 14, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content", 0 },   /* incompatibleWithVersion */
    { 15, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected", 0 },     /* publicAccountNotAuthorized */
    { 16, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },     /* inchatReplyMessageNotAllowed */
    { 17, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },     /* publicAccountIsNotInline */
    { 18, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },     /* noPublicChat */
    { 19, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },     /* cannotSendBroadcast */
    { 20, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },     /* broadcastNotAllowed */
    { 21, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "provider_rejected", 0 },   /* unsupportedCountry */
    { 22, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },     /* paymentUnsupported */
    { 23, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected", 0 },     /* freeMessagesExceeded */
    { 24, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected", 0 },     /* noBalance */
    { 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", 0 },
};

static uint32_t retry_ms(const struct viber_reply *reply)
{
    return (uint32_t)(reply->retry_after_s < RETRY_AFTER_MAX_S ? reply->retry_after_s : RETRY_AFTER_MAX_S) *
           1000u;
}

/* No status of Viber's: the answer of what stands before it. */
static void of_http(kanal_result *result, const struct viber_reply *reply)
{
    if (reply->http_code == 429)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    else if (reply->http_code >= 500)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error");
    else if (reply->http_code == 413)
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large");
    else if (reply->http_code >= 200 && reply->http_code < 300) /* taken, it seems, but it makes no sense */
        kanal_result_set(result, KANAL_UNKNOWN, 0, "provider_error");
    else
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error");
}

void viber_result_of_reply(kanal_result *result, const struct viber_reply *reply, uint32_t exchange,
                           char code_scratch[24])
{
    if (reply->status != KANAL_OK) {
        kanal_result_of_status(result, reply->status, exchange);
        return;
    }
    const struct row *row = rows;
    while (row->code != 0 && row->code != reply->error_code)
        row++;
    if (reply->error_code == 0) {
        of_http(result, reply);
    } else {
        kanal_result_set(result, row->outcome, row->scope, row->error_code);
        struct kanal_buffer text = { 0 };
        kanal_buffer_int(&text, reply->error_code);
        if (!text.failed && text.len <= 24) {
            memcpy(code_scratch, text.data, text.len);
            result->provider_code = kanal_str_of(code_scratch, text.len);
        }
        kanal_buffer_release(&text);
    }
    if (result->outcome == KANAL_RETRY)
        result->retry_after_ms = reply->retry_after_s > 0 ? retry_ms(reply) : row->retry_after_ms;
    result->reason = reply->words;
}

kanal_status viber_status_of_reply(const struct viber_reply *reply)
{
    char scratch[24];
    kanal_result result;
    if (reply->status != KANAL_OK || reply->is_ok)
        return reply->status;
    viber_result_of_reply(&result, reply, KANAL_EXCHANGE_PREPARES, scratch);
    if (result.outcome == KANAL_RETRY)
        return kanal_str_is(result.code, "rate_limited") ? KANAL_E_BUSY : KANAL_E_NETWORK;
    if (result.outcome == KANAL_UNKNOWN)
        return KANAL_E_MAYBE;
    return kanal_str_is(result.code, "auth_failed") ? KANAL_E_DENIED : KANAL_E_REJECTED;
}
