#include "kanal/sdk/outcome.h"

void kanal_result_set(kanal_result *result, int32_t outcome, int32_t scope, const char *code)
{
    memset(result, 0, sizeof *result);
    result->struct_size = sizeof *result;
    result->outcome = outcome;
    result->scope = scope;
    result->code = kanal_str_c(code);
}

kanal_str kanal_status_words(kanal_status status)
{
    switch (status) {
    case KANAL_E_TIMEOUT:
        return KANAL_LIT("no answer in time; nothing was sent");
    case KANAL_E_NETWORK:
        return KANAL_LIT("the provider could not be reached");
    case KANAL_E_MAYBE:
        return KANAL_LIT("the connection broke before the provider answered");
    case KANAL_E_CANCELLED:
        return KANAL_LIT("cancelled");
    case KANAL_E_DENIED:
        return KANAL_LIT("the host of the URL, or of the media, is not granted in `egress`");
    case KANAL_E_BUSY:
        return KANAL_LIT("too many requests of this channel are pending");
    case KANAL_E_TOO_LARGE:
        return KANAL_LIT("the answer or the media is over the size limit");
    case KANAL_E_NOT_FOUND:
        return KANAL_LIT("the media, or the secret, is not there");
    default:
        return KANAL_LIT("the request could not be made");
    }
}

/* Nobody knows whether it was taken; what only prepares is simply made again. */
static void set_maybe(kanal_result *result, uint32_t exchange, const char *code)
{
    if (exchange & KANAL_EXCHANGE_PREPARES)
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "network");
    else
        kanal_result_set(result, KANAL_UNKNOWN, 0, code);
}

void kanal_result_of_status(kanal_result *result, kanal_status status, uint32_t exchange)
{
    int has_media = (exchange & KANAL_EXCHANGE_MEDIA) != 0;
    switch (status) {
    case KANAL_E_NETWORK:
    case KANAL_E_TIMEOUT: /* both: no byte of the request left */
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "network");
        break;
    case KANAL_E_BUSY:
        kanal_result_set(result, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "unavailable");
        break;
    case KANAL_E_MAYBE:
        set_maybe(result, exchange, "timeout");
        break;
    case KANAL_E_CANCELLED:
        set_maybe(result, exchange, exchange & KANAL_EXCHANGE_STOPPING ? "interrupted" : "timeout");
        break;
    case KANAL_E_TOO_LARGE: /* the media; without any the answer, which comes after the sending */
        if (has_media)
            kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large");
        else
            set_maybe(result, exchange, "provider_error");
        break;
    case KANAL_E_NOT_FOUND: /* the media; without any the secret */
        if (has_media)
            kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable");
        else
            kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed");
        break;
    case KANAL_E_DENIED:
        if (has_media)
            kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "media_unavailable");
        else
            kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "denied");
        break;
    default:
        kanal_result_set(result, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "internal");
    }
    result->reason = kanal_status_words(status);
}
