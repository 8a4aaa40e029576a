#include "outcome.h"

#include <stdio.h>

#include "kanal/sdk/member.h"
#include "kanal/sdk/outcome.h"

#define WORDS_MAX 500u
#define CHANNEL_PAUSE_MS 60000u

/* The first that fits. status: the beginning of the enhanced code; "": any, also none. is_recipient: only of a refused RCPT. */
static const struct row {
    int32_t from, to;
    const char *status;
    int32_t is_recipient, outcome, scope;
    const char *code;
} rows[] = {
    { 421, 421, "", 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
    { 454, 454, "", 0, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable" },        /* TLS or log-in, for now */
    { 400, 499, "4.7.", 1, KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "rate_limited" }, /* greylisting */
    { 400, 499, "4.2.2", 0, KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "provider_rejected" },
    { 400, 499, "", 1, KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "provider_error" },
    { 400, 499, "", 0, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error" },
    { 530, 530, "", 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 534, 535, "", 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 500, 599, "5.1.7", 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" }, /* our own address */
    { 500, 599, "5.1.8", 0, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
    { 500, 599, "5.1.", 0, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 500, 599, "5.2.2", 0, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "provider_rejected" },
    { 500, 599, "5.2.3", 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 500, 599, "5.2.", 0, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_blocked" },
    { 500, 599, "5.3.4", 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 500, 599, "5.4.", 0, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 500, 599, "5.6.", 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
    { 500, 599, "5.7.", 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
    { 550, 551, "", 1, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 553, 553, "", 1, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 552, 552, "", 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 500, 599, "", 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
};

/* "550 5.1.1", or the code alone. Returns where the enhanced one begins in text, or "". */
static const char *write_code(char scratch[32], int32_t code, kanal_str text)
{
    int before = snprintf(scratch, 32, "%d", code);
    size_t n = 0;
    while (n < text.len && n < 12 && ((text.ptr[n] >= '0' && text.ptr[n] <= '9') || text.ptr[n] == '.'))
        n++;
    if (n < 5 || text.ptr[1] != '.' || before < 0)
        return "";
    snprintf(scratch + before, 32 - (size_t)before, " %.*s", (int)n, text.ptr);
    return scratch + before + 1;
}

static void of_reply(kanal_result *result, const kanal_mail_result *told, char scratch[32])
{
    int is_recipient = told->recipient_count > 0 && told->recipients[0].code >= 400;
    const kanal_mail_reply *reply = is_recipient ? &told->recipients[0] : &told->reply;
    const char *status = write_code(scratch, reply->code, reply->text);
    const struct row *row = rows;
    const struct row *last = rows + sizeof rows / sizeof *rows - 1;
    while (row < last &&
           (reply->code < row->from || reply->code > row->to || (row->is_recipient && !is_recipient) ||
            strncmp(status, row->status, strlen(row->status)) != 0))
        row++;
    kanal_result_set(result, row->outcome, row->scope, row->code);
    if (row->outcome == KANAL_RETRY && row->scope == KANAL_SCOPE_CHANNEL)
        result->retry_after_ms = CHANNEL_PAUSE_MS;
    result->provider_code = kanal_str_c(scratch);
    result->reason =
        kanal_str_utf8(reply->text) ? kanal_str_cut(reply->text, WORDS_MAX) : kanal_str_of(NULL, 0);
}

void outcome_of(kanal_result *result, kanal_status status, const kanal_mail_result *told, uint32_t flags,
                char scratch[32])
{
    int has_code =
        told && (told->reply.code >= 400 || (told->recipient_count > 0 && told->recipients[0].code >= 400));
    if (status == KANAL_OK) {
        kanal_result_set(result, KANAL_SENT, 0, NULL);
    } else if (status == KANAL_E_REJECTED && has_code) {
        of_reply(result, told, scratch);
    } else if (status == KANAL_E_REJECTED) { /* no TLS, or a wrong certificate: for the operator to mend */
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network");
        result->retry_after_ms = CHANNEL_PAUSE_MS;
        result->reason = KANAL_LIT("the server offers no TLS, or its certificate is wrong");
    } else if (status == KANAL_E_NOT_FOUND && flags & OUTCOME_FILES) {
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable");
    } else if (status == KANAL_E_NOT_FOUND) {
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed");
        result->reason = KANAL_LIT("the password is not configured");
    } else if (status == KANAL_E_TOO_LARGE) {
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large");
    } else if (status == KANAL_E_CANCELLED) { /* the body was not ended: nobody has it */
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_MESSAGE,
                         flags & OUTCOME_STOPPING ? "interrupted" : "network");
    } else if (status == KANAL_E_INVALID) {
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content");
        result->reason = KANAL_LIT("the host does not take this mail: its address, perhaps");
    } else {
        kanal_result_of_status(result, status,
                               (flags & OUTCOME_STOPPING ? KANAL_EXCHANGE_STOPPING : 0) |
                                   (flags & OUTCOME_FILES ? KANAL_EXCHANGE_MEDIA : 0));
    }
}
