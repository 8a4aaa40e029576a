#include "outcome.h"

#include <stdio.h>

/* The Graph API's own, equal for all products. */
static const struct meta_rule common_rows[] = {
    { 1, 2, 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" }, /* unknown; service */
    { 3, 3, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },   /* capability, permission */
    { 4, 4, 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },   /* calls of the app */
    { 10, 10, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 17, 17, 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" }, /* … of the user */
    { 32, 32, 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" }, /* … of the page */
    { 33, 33, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" }, /* the account is gone */
    { 100, 100, 33, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 100, 100, 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
    { 102, 102, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 104, 104, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 190, 190, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 200, 299, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 341, 341, 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
    { 368, 368, 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" }, /* policy */
    { 613, 613, 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
    { 80000, 80099, 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" }, /* business use cases */
};
static const struct meta_rules common = { common_rows, sizeof common_rows / sizeof *common_rows };

static const struct meta_rule *find(const struct meta_rules *rules, int64_t code, int64_t subcode)
{
    for (size_t i = 0; rules && i < rules->count; i++) {
        const struct meta_rule *row = &rules->rows[i];
        if (code >= row->from && code <= row->to && (row->subcode == 0 || row->subcode == subcode))
            return row;
    }
    return NULL;
}

const struct meta_rule *meta_rule_of(const struct meta_rules *rules, int64_t code, int64_t subcode)
{
    const struct meta_rule *row = code == 0 ? NULL : find(rules, code, subcode);
    return row || code == 0 ? row : find(&common, code, subcode);
}

/* An answer without a code that we know: of a proxy in front of Meta, or something new. */
static void of_http(kanal_result *result, int http_code)
{
    if (http_code == 429)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited");
    else if (http_code >= 500)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error");
    else if (http_code == 401)
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed");
    else if (http_code == 413)
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large");
    else
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_error");
}

kanal_str meta_code_text(int64_t code, int64_t subcode, char scratch[META_CODE_MAX])
{
    int n = 0;
    if (code != 0 && subcode != 0)
        n = snprintf(scratch, META_CODE_MAX, "%lld/%lld", (long long)code, (long long)subcode);
    else if (code != 0)
        n = snprintf(scratch, META_CODE_MAX, "%lld", (long long)code);
    return kanal_str_of(n > 0 ? scratch : NULL, n > 0 ? (size_t)n : 0);
}

void meta_result_of_reply(kanal_result *result, const struct meta_reply *reply,
                          const struct meta_rules *rules, uint32_t exchange, char scratch[META_CODE_MAX])
{
    int is_taken = reply->http_code >= 200 && reply->http_code < 300 && reply->code == 0;
    const struct meta_rule *rule = meta_rule_of(rules, reply->code, reply->subcode);
    if (reply->status != KANAL_OK) {
        kanal_result_of_status(result, reply->status, exchange);
        return;
    }
    if (is_taken) /* it seems, but the answer makes no sense */
        kanal_result_set(result, exchange & KANAL_EXCHANGE_PREPARES ? KANAL_RETRY : KANAL_UNKNOWN, 0,
                         "provider_error");
    else if (rule)
        kanal_result_set(result, rule->outcome, rule->scope, rule->error_code);
    else
        of_http(result, reply->http_code);
    result->reason = reply->message;
    result->provider_code = meta_code_text(reply->code, reply->subcode, scratch);
    if (result->outcome == KANAL_RETRY)
        result->retry_after_ms = reply->retry_ms;
}

kanal_status meta_status_of_reply(const struct meta_reply *reply)
{
    if (reply->status != KANAL_OK)
        return reply->status;
    if (reply->is_ok)
        return KANAL_OK;
    const struct meta_rule *rule = meta_rule_of(NULL, reply->code, reply->subcode);
    if (rule && rule->outcome == KANAL_RETRY)
        return strcmp(rule->error_code, "rate_limited") == 0 ? KANAL_E_BUSY : KANAL_E_NETWORK;
    if (reply->http_code == 401 || (rule && strcmp(rule->error_code, "auth_failed") == 0))
        return KANAL_E_DENIED;
    if (reply->http_code == 429)
        return KANAL_E_BUSY;
    return reply->http_code >= 500 || reply->http_code < 300 ? KANAL_E_NETWORK : KANAL_E_REJECTED;
}
