#include "outcome.h"

#define RETRY_AFTER_MAX_S 86400

/* The first row whose words stand in the description tells. code 0: any. */
static const struct row {
    int code;
    const char *words;
    int32_t scope;
    const char *error_code;
} rows[] = {
    { 403, "can't initiate conversation", KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 403, "can't send messages to bots", KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 403, "not enough rights", KANAL_SCOPE_RECIPIENT, "provider_rejected" },
    { 403, "CHAT_WRITE_FORBIDDEN", KANAL_SCOPE_RECIPIENT, "provider_rejected" },
    { 403, "", KANAL_SCOPE_RECIPIENT, "recipient_blocked" },
    { 400, "chat not found", KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 400, "user not found", KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 400, "PEER_ID_INVALID", KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 400, "group chat was upgraded", KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 400, "group chat was deactivated", KANAL_SCOPE_RECIPIENT, "recipient_blocked" },
    { 400, "USER_IS_BLOCKED", KANAL_SCOPE_RECIPIENT, "recipient_blocked" },
    { 400, "message to edit not found", KANAL_SCOPE_MESSAGE, "message_not_found" },
    { 400, "message to delete not found", KANAL_SCOPE_MESSAGE, "message_not_found" },
    { 400, "message to react not found", KANAL_SCOPE_MESSAGE, "message_not_found" },
    { 400, "message to be replied not found", KANAL_SCOPE_MESSAGE, "message_not_found" },
    { 400, "message to reply not found", KANAL_SCOPE_MESSAGE, "message_not_found" },
    { 400, "message can't be edited", KANAL_SCOPE_MESSAGE, "message_not_found" },
    { 400, "message can't be deleted", KANAL_SCOPE_MESSAGE, "message_not_found" },
    { 400, "MESSAGE_ID_INVALID", KANAL_SCOPE_MESSAGE, "message_not_found" },
    { 400, "is too long", KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 400, "TOO_LONG", KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 400, "file is too big", KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 400, "HTTP URL", KANAL_SCOPE_MESSAGE, "media_unavailable" },
    { 400, "wrong type of the web page content", KANAL_SCOPE_MESSAGE, "media_unavailable" },
    { 400, "wrong remote file", KANAL_SCOPE_MESSAGE, "media_unavailable" },
    { 400, "WEBPAGE_", KANAL_SCOPE_MESSAGE, "media_unavailable" },
    { 400, "not enough rights", KANAL_SCOPE_RECIPIENT, "provider_rejected" },
    { 400, "have no rights to send", KANAL_SCOPE_RECIPIENT, "provider_rejected" },
    { 400, "CHAT_WRITE_FORBIDDEN", KANAL_SCOPE_RECIPIENT, "provider_rejected" },
    { 400, "CHAT_ADMIN_REQUIRED", KANAL_SCOPE_RECIPIENT, "provider_rejected" },
    { 400, "TOPIC_CLOSED", KANAL_SCOPE_MESSAGE, "provider_rejected" },
    { 400, "VOICE_MESSAGES_FORBIDDEN", KANAL_SCOPE_MESSAGE, "provider_rejected" },
    { 400, "", KANAL_SCOPE_MESSAGE, "invalid_content" },
    { 401, "", KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 404, "", KANAL_SCOPE_CHANNEL, "auth_failed" }, /* what Telegram answers to a token of the wrong form */
    { 413, "", KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 0, "", KANAL_SCOPE_MESSAGE, "provider_error" },
};

/* Where Telegram itself could not get at media that were named by URL (or were a kind it does not take that
 * way). */
static const char *const unfetched[] = { "failed to get HTTP URL content",
                                         "wrong file identifier/HTTP URL",
                                         "wrong type of the web page content",
                                         "wrong remote file",
                                         "WEBPAGE_CURL_FAILED",
                                         "WEBPAGE_MEDIA_EMPTY",
                                         "wrong HTTP URL" };

static int contains(kanal_str text, const char *words)
{
    return *words == 0 || memmem(text.ptr ? text.ptr : "", text.len, words, strlen(words)) != NULL;
}

enum tg_again tg_again_of(const struct tg_reply *reply)
{
    if (reply->status != KANAL_OK || reply->is_ok || reply->error_code != 400)
        return TG_AGAIN_NO;
    if (reply->migrate_to != 0)
        return TG_AGAIN_MIGRATED;
    if (contains(reply->description, "message is not modified"))
        return TG_AGAIN_UNCHANGED;
    if (contains(reply->description, "there is no text in the message to edit"))
        return TG_AGAIN_CAPTION;
    for (size_t i = 0; i < sizeof unfetched / sizeof *unfetched; i++)
        if (contains(reply->description, unfetched[i]))
            return TG_AGAIN_UPLOAD;
    return TG_AGAIN_NO;
}

static void set(kanal_result *result, int32_t outcome, int32_t scope, const char *code)
{
    result->outcome = outcome;
    result->scope = scope;
    result->code = kanal_str_c(code);
}

/* The exchange did not come to an answer. */
static void of_status(kanal_result *result, kanal_status status, const struct tg_ask *ask)
{
    switch (status) {
    case KANAL_E_NETWORK:
    case KANAL_E_TIMEOUT: /* both: no byte of the request left */
        set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network");
        break;
    case KANAL_E_BUSY:
        set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable");
        break;
    case KANAL_E_MAYBE:
        set(result, KANAL_UNKNOWN, 0, "timeout");
        break;
    case KANAL_E_CANCELLED:
        set(result, KANAL_UNKNOWN, 0, ask->is_stopping ? "interrupted" : "timeout");
        break;
    case KANAL_E_TOO_LARGE: /* the media; of a plain call Telegram's answer, which comes after the sending */
        if (ask->is_upload)
            set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large");
        else
            set(result, KANAL_UNKNOWN, 0, "provider_error");
        break;
    case KANAL_E_NOT_FOUND: /* the media; of a plain call the secret */
        if (ask->is_upload)
            set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable");
        else
            set(result, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed");
        break;
    case KANAL_E_DENIED:
        if (ask->is_upload)
            set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable");
        else
            set(result, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "denied");
        break;
    default:
        set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "internal");
    }
}

static uint32_t retry_ms(const struct tg_reply *reply)
{
    int64_t seconds = reply->retry_after_s < RETRY_AFTER_MAX_S ? reply->retry_after_s : RETRY_AFTER_MAX_S;
    return (uint32_t)(seconds * 1000);
}

static void of_error(kanal_result *result, const struct tg_reply *reply, const struct tg_ask *ask)
{
    if (reply->error_code == 429 || reply->error_code == 420) {
        /* In a group it is as a rule the group's own limit (20 messages a minute, slow mode). */
        set(result, KANAL_RETRY, ask->is_group ? KANAL_SCOPE_RECIPIENT : KANAL_SCOPE_CHANNEL, "rate_limited");
        result->retry_after_ms = retry_ms(reply);
        return;
    }
    if (reply->error_code >= 500 || reply->error_code == 409) {
        set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error");
        result->retry_after_ms = retry_ms(reply);
        return;
    }
    if (reply->error_code >= 200 &&
        reply->error_code < 300) { /* taken, it seems, but the answer makes no sense */
        set(result, KANAL_UNKNOWN, 0, "provider_error");
        return;
    }
    const struct row *row = rows;
    while (row->code != 0 && (row->code != reply->error_code || !contains(reply->description, row->words)))
        row++;
    set(result, KANAL_FAILED, row->scope, row->error_code);
}

void tg_result_of_reply(kanal_result *result, const struct tg_reply *reply, const struct tg_ask *ask,
                        char code_scratch[24])
{
    memset(result, 0, sizeof *result);
    result->struct_size = sizeof *result;
    result->reason = reply->description;
    if (reply->status != KANAL_OK) {
        of_status(result, reply->status, ask);
        return;
    }
    of_error(result, reply, ask);
    struct kanal_buffer text = { 0 };
    kanal_buffer_int(&text, reply->error_code);
    if (!text.failed && text.len <= 24) {
        memcpy(code_scratch, text.data, text.len);
        result->provider_code = kanal_str_of(code_scratch, text.len);
    }
    kanal_buffer_release(&text);
}

kanal_status tg_status_of_reply(const struct tg_reply *reply)
{
    if (reply->status != KANAL_OK)
        return reply->status;
    if (reply->is_ok)
        return KANAL_OK;
    if (reply->error_code == 401 || reply->error_code == 404)
        return KANAL_E_DENIED;
    if (reply->error_code == 429 || reply->error_code == 420)
        return KANAL_E_BUSY;
    return reply->error_code >= 500 || reply->error_code == 409 ? KANAL_E_NETWORK : KANAL_E_REJECTED;
}
