#include "outcome.h"

#include <stdio.h>

#include "kanal/sdk/outcome.h"

static const struct rule {
    uint32_t status;
    int32_t outcome, scope;
    const char *code, *words;
} rules[] = {
    { 0x01, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large", "the message's length is invalid" },
    { 0x02, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", "the command's length is invalid" },
    { 0x03, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", "the command is unknown" },
    { 0x04, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable", "not bound for this command" },
    { 0x05, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable", "already bound" },
    { 0x06, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", "the priority is invalid" },
    { 0x07, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", "registered_delivery is invalid" },
    { 0x08, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error", "a system error of the SMS centre" },
    { 0x0a, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", "the sender is invalid" },
    { 0x0b, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown", "the recipient's number is invalid" },
    { 0x0c, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", "the message id is invalid" },
    { 0x0d, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", "the bind failed" },
    { 0x0e, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", "the password is wrong" },
    { 0x0f, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed", "the system_id is unknown" },
    { 0x14, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", "the SMS centre's queue is full" },
    { 0x15, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", "the service type is invalid" },
    { 0x43, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content", "the esm_class is invalid" },
    { 0x45, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", "the SMS centre refuses the message" },
    { 0x48, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected",
      "the sender's type of number is invalid" },
    { 0x49, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected",
      "the sender's numbering plan is invalid" },
    { 0x50, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown",
      "the recipient's type of number is invalid" },
    { 0x51, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown",
      "the recipient's numbering plan is invalid" },
    { 0x53, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", "the system_type is invalid" },
    { 0x58, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", "over the allowed rate (throttled)" },
    { 0x61, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", "the schedule is invalid" },
    { 0x62, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content", "the validity period is invalid" },
    { 0x64, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error", "a temporary error of the receiver" },
    { 0x65, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", "a permanent error of the receiver" },
    { 0x66, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected", "the receiver refuses the message" },
    { 0xc0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content", "the optional parameters are broken" },
    { 0xc1, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content",
      "an optional parameter is not allowed" },
    { 0xc2, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content", "a parameter's length is invalid" },
    { 0xc3, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content", "a parameter is missing" },
    { 0xc4, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "unsupported_content", "a parameter's value is invalid" },
    { 0xfe, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", "the delivery failed" },
    { 0xff, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", "an unknown error" },
};

static const struct rule *find_rule(uint32_t status)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].status == status)
            return &rules[i];
    }
    return NULL;
}

void sms_status_code(char out[SMS_CODE_BYTES], uint32_t status)
{
    snprintf(out, SMS_CODE_BYTES, "0x%08x", (unsigned)status);
}

const char *sms_status_words(uint32_t status)
{
    const struct rule *rule = find_rule(status);
    return rule ? rule->words : "an error of the provider's own";
}

void sms_result_of_status(kanal_result *result, uint32_t status, const uint32_t *retried,
                          size_t retried_count, char scratch[SMS_CODE_BYTES])
{
    static const struct rule other = { 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error", NULL };
    static const struct rule later = { 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited", NULL };
    const struct rule *rule = find_rule(status);
    for (size_t i = 0; i < retried_count; i++) {
        if (retried[i] == status)
            rule = &later;
    }
    if (!rule)
        rule = &other;
    kanal_result_set(result, rule->outcome, rule->scope, rule->code);
    sms_status_code(scratch, status);
    result->provider_code = kanal_str_c(scratch);
    result->reason = kanal_str_c(sms_status_words(status));
}
