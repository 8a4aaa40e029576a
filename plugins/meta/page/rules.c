#include "page.h"

/* Codes with the subcodes that refine them, first the refined ones
 * (https://developers.facebook.com/docs/messenger-platform/error-codes, …/instagram-platform/instagram-api-with-instagram-login/error-codes). */
#define FAILED(code, subcode, scope, error)                                                                  \
    {                                                                                                        \
        code, code, subcode, KANAL_FAILED, KANAL_SCOPE_##scope, error                                        \
    }
#define RETRY(code, subcode, scope, error)                                                                   \
    {                                                                                                        \
        code, code, subcode, KANAL_RETRY, KANAL_SCOPE_##scope, error                                         \
    }

static const struct meta_rule rows[] = {
    /* The window. */
    FAILED(10, 2018278, MESSAGE, "window_closed"),
    FAILED(10, 2018065, MESSAGE, "window_closed"),
    FAILED(10, 2534022, MESSAGE, "window_closed"), /* Instagram */
    FAILED(10, 2534068, MESSAGE, "window_closed"),
    /* The recipient. */
    FAILED(10, 2018108, RECIPIENT, "recipient_blocked"), /* receives no messages from the page now */
    FAILED(100, 2018001, RECIPIENT, "recipient_unknown"),
    FAILED(100, 2018108, RECIPIENT, "recipient_blocked"),
    FAILED(100, 2534014, RECIPIENT, "recipient_unknown"),
    FAILED(200, 1545041, RECIPIENT, "recipient_blocked"),
    FAILED(230, 0, RECIPIENT, "recipient_blocked"),
    FAILED(551, 0, RECIPIENT, "recipient_blocked"),
    /* The content. */
    FAILED(100, 2018008, MESSAGE, "media_unavailable"), /* could not fetch the URL */
    FAILED(100, 2018007, MESSAGE, "media_unavailable"),
    FAILED(100, 2018047, MESSAGE, "media_unavailable"),
    FAILED(100, 2018074, MESSAGE, "media_unavailable"), /* no such attachment_id */
    FAILED(100, 2018109, MESSAGE, "payload_too_large"),
    FAILED(100, 2018034, MESSAGE, "payload_too_large"),
    FAILED(100, 2534015, MESSAGE, "invalid_content"),
    /* For a while. */
    RETRY(4, 0, CHANNEL, "rate_limited"),
    RETRY(613, 0, CHANNEL, "rate_limited"),
    RETRY(1200, 0, CHANNEL, "provider_error"),
};
const struct meta_rules page_rules = { rows, sizeof rows / sizeof *rows };
