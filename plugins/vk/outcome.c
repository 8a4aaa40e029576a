#include "outcome.h"

#include "kanal/sdk/outcome.h"

#define RETRY_AFTER_MAX_S 86400

/* The first row of a code whose words stand in the message tells. code 0: any. */
static const struct row {
    int code;
    const char *words;
    int32_t outcome, scope;
    const char *error_code;
    uint32_t retry_after_ms;
} rows[] = {
    { 1, "", KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error", 0 },
    { 6, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", 1000 }, /* so many a second */
    { 9, "", KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "rate_limited", 0 },  /* too much alike */
    { 10, "", KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error", 0 },
    { 14, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_rejected", VK_CAPTCHA_PAUSE_MS },
    { 29, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", 60000 }, /* a method's quota */
    { 3, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", 0 },
    { 5, "", KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", 0 },
    { 7, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },
    { 15, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },
    { 17, "", KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", 0 },
    { 18, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked", 0 },
    { 22, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable", 0 },
    { 27, "", KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", 0 },
    { 28, "", KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", 0 },
    { 100, "peer_id", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown", 0 },
    { 100, "user_id", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown", 0 },
    { 100, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", 0 },
    { 104, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "message_not_found", 0 },
    { 105, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable", 0 },
    { 113, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown", 0 },
    { 129, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", 0 },
    { 900, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked", 0 },
    { 901, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "opted_out", 0 },
    { 902, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked", 0 },
    { 909, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "message_not_found", 0 },
    { 910, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large", 0 },
    { 911, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", 0 },
    { 912, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },
    { 913, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large", 0 },
    { 914, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large", 0 },
    { 917, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked", 0 },
    { 920, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "message_not_found", 0 },
    { 922, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked", 0 },
    { 924, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "message_not_found", 0 },
    { 925, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },
    { 936, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown", 0 },
    { 940, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", 0 },
    { 944, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", 0 },
    { 945, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked", 0 },
    { 946, "", KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "provider_rejected", 0 },
    { 1105, "", KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", 60000 },
    { 0, "", KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", 0 },
};

static int contains(kanal_str text, const char *words)
{
    return *words == 0 || memmem(text.ptr ? text.ptr : "", text.len, words, strlen(words)) != NULL;
}

static uint32_t retry_ms(const struct vk_reply *reply)
{
    return (uint32_t)(reply->retry_after_s < RETRY_AFTER_MAX_S ? reply->retry_after_s : RETRY_AFTER_MAX_S) *
           1000u;
}

/* No error of VK's API: the answer of what stands before it, or of an upload server. */
static void of_http(kanal_result *result, const struct vk_reply *reply, uint32_t exchange)
{
    if (reply->http_code == 429)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    else if (reply->http_code >= 500)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error");
    else if (reply->http_code == 413)
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large");
    else if (exchange & KANAL_EXCHANGE_MEDIA)
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable");
    else if (exchange & KANAL_EXCHANGE_PREPARES)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error");
    else if (reply->http_code >= 200 &&
             reply->http_code < 300) /* taken, it seems, but the answer makes no sense */
        kanal_result_set(result, KANAL_UNKNOWN, 0, "provider_error");
    else
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error");
    if (result->outcome == KANAL_RETRY)
        result->retry_after_ms = retry_ms(reply);
}

void vk_result_of_reply(kanal_result *result, const struct vk_reply *reply, uint32_t exchange,
                        char code_scratch[24])
{
    if (reply->status != KANAL_OK) {
        kanal_result_of_status(result, reply->status, exchange);
        return;
    }
    if (reply->error_code == 0) {
        of_http(result, reply, exchange);
        result->reason = reply->words;
        return;
    }
    const struct row *row = rows;
    while (row->code != 0 && (row->code != reply->error_code || !contains(reply->words, row->words)))
        row++;
    kanal_result_set(result, row->outcome, row->scope, row->error_code);
    result->retry_after_ms = row->retry_after_ms;
    result->reason = reply->words;
    struct kanal_buffer text = { 0 };
    kanal_buffer_int(&text, reply->error_code);
    if (!text.failed && text.len <= 24) {
        memcpy(code_scratch, text.data, text.len);
        result->provider_code = kanal_str_of(code_scratch, text.len);
    }
    kanal_buffer_release(&text);
}

kanal_status vk_status_of_reply(const struct vk_reply *reply)
{
    char scratch[24];
    kanal_result result;
    if (reply->status != KANAL_OK || reply->is_ok)
        return reply->status;
    vk_result_of_reply(&result, reply, KANAL_EXCHANGE_PREPARES, scratch);
    if (result.outcome == KANAL_RETRY)
        return kanal_str_is(result.code, "rate_limited") ? KANAL_E_BUSY : KANAL_E_NETWORK;
    return kanal_str_is(result.code, "auth_failed") ? KANAL_E_DENIED : KANAL_E_REJECTED;
}
