#include "rules.h"

#define FAILED(code, scope, error)                                                                           \
    {                                                                                                        \
        code, code, 0, KANAL_FAILED, KANAL_SCOPE_##scope, error                                              \
    }
#define RETRY(code, scope, error)                                                                            \
    {                                                                                                        \
        code, code, 0, KANAL_RETRY, KANAL_SCOPE_##scope, error                                               \
    }

static const struct meta_rule rows[] = {
    /* Throttled. */
    RETRY(4, CHANNEL, "rate_limited"),
    RETRY(80007, CHANNEL, "rate_limited"),
    RETRY(130429, CHANNEL, "rate_limited"),
    RETRY(131048, CHANNEL, "rate_limited"),   /* spam limit of the number */
    RETRY(131056, RECIPIENT, "rate_limited"), /* this number to that one */
    RETRY(133016, CHANNEL, "rate_limited"),
    /* For a while. */
    RETRY(131016, CHANNEL, "provider_error"), /* service unavailable */
    RETRY(131053, MESSAGE, "media_unavailable"),
    RETRY(131057, CHANNEL, "provider_error"), /* the account is under maintenance */
    RETRY(133004, CHANNEL, "provider_error"),
    /* The recipient. */
    FAILED(130472, RECIPIENT, "provider_rejected"), /* in an experiment of Meta's */
    FAILED(130497, RECIPIENT, "provider_rejected"), /* this country is not served */
    FAILED(131021, RECIPIENT, "recipient_unknown"), /* ourselves */
    FAILED(131026, RECIPIENT, "recipient_blocked"), /* not on WhatsApp, too old an app, terms not accepted */
    FAILED(131030, RECIPIENT, "provider_rejected"), /* not on the list of a test number */
    FAILED(131049, RECIPIENT, "provider_rejected"), /* enough marketing for this person */
    FAILED(131050, RECIPIENT, "opted_out"),         /* of marketing */
    FAILED(131060, RECIPIENT, "recipient_unknown"),
    FAILED(131062, RECIPIENT, "invalid_content"), /* this kind cannot go to a BSUID */
    /* The window. */
    FAILED(470, MESSAGE, "window_closed"),
    FAILED(131047, MESSAGE, "window_closed"),
    /* The content. */
    FAILED(131008, MESSAGE, "invalid_content"),
    FAILED(131009, MESSAGE, "invalid_content"),
    FAILED(131051, MESSAGE, "unsupported_content"),
    FAILED(131052, MESSAGE, "media_unavailable"),
    { 132000, 132014, 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE,
      "invalid_content" },                        /* the template or its parameters */
    FAILED(132015, MESSAGE, "provider_rejected"), /* paused */
    FAILED(132016, MESSAGE, "provider_rejected"), /* disabled */
    { 132017, 132099, 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" }, /* … and flows */
    { 135000, 135000, 0, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
    /* The account. */
    FAILED(131005, CHANNEL, "auth_failed"),
    FAILED(131031, CHANNEL, "provider_rejected"), /* locked */
    FAILED(131037, CHANNEL, "provider_rejected"), /* the display name is not approved */
    FAILED(131042, CHANNEL, "provider_rejected"), /* payment */
    FAILED(131045, CHANNEL, "auth_failed"),       /* the number is not registered properly */
    FAILED(133010, CHANNEL, "auth_failed"),       /* … not at all */
    FAILED(134011, CHANNEL, "provider_rejected"), /* payments: terms not accepted */
};
const struct meta_rules wa_rules = { rows, sizeof rows / sizeof *rows };
