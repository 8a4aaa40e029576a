#include "outcome.h"

#include "kanal/sdk/outcome.h"

#define RETRY(code, scope, error, after_ms)                                                                  \
    {                                                                                                        \
        code, KANAL_RETRY, KANAL_SCOPE_##scope, error, after_ms                                              \
    }
#define FAILED(code, scope, error)                                                                           \
    {                                                                                                        \
        code, KANAL_FAILED, KANAL_SCOPE_##scope, error, 0                                                    \
    }

/* In order of codes. */
static const struct tw_rule rules[] = {
    FAILED(11200, MESSAGE, "media_unavailable"),   /* a URL of ours could not be fetched */
    FAILED(11751, MESSAGE, "payload_too_large"),   /* media over the limit of MMS */
    FAILED(12300, MESSAGE, "media_unavailable"),   /* … or of no type that it has */
    FAILED(13223, RECIPIENT, "recipient_unknown"), /* a call: no valid number */
    FAILED(13224, RECIPIENT, "recipient_unknown"),
    RETRY(14107, CHANNEL, "rate_limited", 0), /* messages of one number */
    RETRY(20001, CHANNEL, "provider_error", 0),
    FAILED(20003, CHANNEL, "auth_failed"),
    FAILED(20004, CHANNEL, "auth_failed"),       /* the key may not do this */
    FAILED(20005, CHANNEL, "provider_rejected"), /* the account is not active */
    FAILED(20006, CHANNEL, "auth_failed"),
    FAILED(20404, CHANNEL, "auth_failed"), /* no such account */
    RETRY(20429, CHANNEL, "rate_limited", 0),
    RETRY(20500, CHANNEL, "provider_error", 0),
    RETRY(20503, CHANNEL, "provider_error", 0),
    FAILED(21210, CHANNEL, "provider_rejected"),   /* the number to call from is not verified */
    FAILED(21211, RECIPIENT, "recipient_unknown"), /* invalid To */
    FAILED(21212, CHANNEL, "provider_rejected"),   /* invalid From */
    FAILED(21213, CHANNEL, "provider_rejected"),
    FAILED(21214, RECIPIENT, "recipient_unknown"),
    FAILED(21215, RECIPIENT, "provider_rejected"), /* calls to this country are not switched on */
    FAILED(21216, RECIPIENT, "provider_rejected"),
    FAILED(21217, RECIPIENT, "recipient_unknown"),
    FAILED(21219, RECIPIENT, "provider_rejected"), /* a trial account: not verified */
    FAILED(21266, RECIPIENT, "recipient_unknown"), /* To is From */
    FAILED(21401, RECIPIENT, "recipient_unknown"),
    FAILED(21408, RECIPIENT, "provider_rejected"), /* messages to this country are not switched on */
    FAILED(21602, MESSAGE, "invalid_content"),
    FAILED(21603, CHANNEL, "provider_rejected"), /* no From */
    FAILED(21604, RECIPIENT, "recipient_unknown"),
    FAILED(21606, CHANNEL, "provider_rejected"),   /* From is no number of ours, or has no SMS */
    FAILED(21608, RECIPIENT, "provider_rejected"), /* a trial account: not verified */
    FAILED(TW_OPTED_OUT, RECIPIENT, "opted_out"),
    RETRY(21611, CHANNEL, "rate_limited", 60000),  /* the number's queue is full */
    FAILED(21612, RECIPIENT, "recipient_unknown"), /* no way from this number to that */
    FAILED(21614, RECIPIENT, "recipient_unknown"), /* no mobile telephone */
    FAILED(21617, MESSAGE, "payload_too_large"),
    FAILED(21619, MESSAGE, "invalid_content"),
    FAILED(21620, MESSAGE, "media_unavailable"),   /* invalid URL of media */
    FAILED(21623, MESSAGE, "payload_too_large"),   /* too many media */
    FAILED(21635, RECIPIENT, "recipient_unknown"), /* a landline */
    FAILED(21656, MESSAGE, "invalid_content"),     /* variables of a content template */
    FAILED(21659, CHANNEL, "provider_rejected"),
    FAILED(21660, CHANNEL, "provider_rejected"), /* From is another account's */
    FAILED(21661, CHANNEL, "provider_rejected"),
    FAILED(21703, CHANNEL, "provider_rejected"), /* the messaging service has no number */
    FAILED(21704, CHANNEL, "provider_rejected"),
    FAILED(21705, CHANNEL, "provider_rejected"),   /* no such messaging service */
    FAILED(30001, MESSAGE, "rate_limited"),        /* a status: the queue was full */
    FAILED(30002, CHANNEL, "provider_rejected"),   /* the account is suspended */
    FAILED(30003, RECIPIENT, "recipient_unknown"), /* switched off, or not there */
    FAILED(30004, RECIPIENT, "recipient_blocked"),
    FAILED(30005, RECIPIENT, "recipient_unknown"),
    FAILED(30006, RECIPIENT, "recipient_unknown"), /* a landline */
    FAILED(30007, MESSAGE, "provider_rejected"),   /* the carrier's filter */
    FAILED(30008, MESSAGE, "provider_error"),
    FAILED(30010, MESSAGE, "provider_rejected"),     /* over the price that was set */
    FAILED(30011, RECIPIENT, "unsupported_content"), /* no MMS at this carrier */
    FAILED(30019, MESSAGE, "payload_too_large"),
    RETRY(30022, CHANNEL, "rate_limited", 0),    /* A2P 10DLC */
    FAILED(30023, CHANNEL, "provider_rejected"), /* … the day's limit */
    FAILED(30032, CHANNEL, "provider_rejected"), /* a toll-free number that is not verified */
    FAILED(30034, CHANNEL, "provider_rejected"), /* a number without a campaign */
    FAILED(30036, MESSAGE, "expired"),           /* the validity period */
    FAILED(63003, RECIPIENT, "recipient_unknown"),
    FAILED(63005, MESSAGE, "invalid_content"),
    FAILED(63007, CHANNEL, "provider_rejected"), /* no such sender */
    FAILED(63016, MESSAGE, "window_closed"),
    RETRY(63018, CHANNEL, "rate_limited", 0),
    FAILED(63019, MESSAGE, "media_unavailable"),
    FAILED(63021, MESSAGE, "invalid_content"),
    FAILED(63024, RECIPIENT, "recipient_unknown"),
    RETRY(63038, CHANNEL, "rate_limited", 3600000), /* the account's limit of the day */
    FAILED(0, MESSAGE, "provider_error"),
};

const struct tw_rule *tw_rule_of(int64_t code)
{
    const struct tw_rule *rule = rules;
    while (rule->code != 0 && rule->code != code)
        rule++;
    return rule;
}

/* No code of Twilio's: the answer of what stands before it. */
static void of_http(kanal_result *result, int code)
{
    if (code == 429)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    else if (code >= 500)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error");
    else if (code == 401 || code == 403)
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed");
    else if (code == 413)
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large");
    else if (code >= 200 && code < 300) /* taken, it seems, but nobody knows as what */
        kanal_result_set(result, KANAL_UNKNOWN, 0, "provider_error");
    else
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error");
}

/* HTTP decides where Twilio's code has no rule: a new code with 429 or 503 is worth another try. */
static void judge(kanal_result *result, const struct tw_reply *reply)
{
    const struct tw_rule *rule = tw_rule_of(reply->error_code);
    int by_http = rule->code == 0 && (reply->error_code == 0 || reply->http_code == 429 ||
                                      reply->http_code >= 500 || reply->http_code == 401);
    if (by_http)
        of_http(result, reply->http_code);
    else
        kanal_result_set(result, rule->outcome, rule->scope, rule->error_code);
    if (result->outcome == KANAL_RETRY)
        result->retry_after_ms = reply->retry_after_ms > 0 ? reply->retry_after_ms : rule->retry_after_ms;
}

void tw_result_of_reply(kanal_result *result, const struct tw_reply *reply, uint32_t exchange,
                        char code_scratch[24])
{
    if (reply->status != KANAL_OK) {
        kanal_result_of_status(result, reply->status, exchange);
        return;
    }
    judge(result, reply);
    if (reply->error_code > 0) {
        struct kanal_buffer text = { 0 };
        kanal_buffer_int(&text, reply->error_code);
        if (!text.failed && text.len <= 24) {
            memcpy(code_scratch, text.data, text.len);
            result->provider_code = kanal_str_of(code_scratch, text.len);
        }
        kanal_buffer_release(&text);
    }
    result->reason = reply->words;
}

kanal_status tw_status_of_reply(const struct tw_reply *reply)
{
    char scratch[24];
    kanal_result result;
    if (reply->status != KANAL_OK || reply->is_ok)
        return reply->status;
    tw_result_of_reply(&result, reply, KANAL_EXCHANGE_PREPARES, scratch);
    if (result.outcome == KANAL_RETRY)
        return kanal_str_is(result.code, "rate_limited") ? KANAL_E_BUSY : KANAL_E_NETWORK;
    if (result.outcome == KANAL_UNKNOWN)
        return KANAL_E_MAYBE;
    return kanal_str_is(result.code, "auth_failed") ? KANAL_E_DENIED : KANAL_E_REJECTED;
}
