/* channel.h - what every channel of a Meta plugin has: its settings, its calls under way, its health, its end. The base of the
 * plugins' own struct kanal_channel, as its first member. Everything runs in the channel's lane. */
#ifndef META_CHANNEL_H
#define META_CHANNEL_H
#include "kanal/plugin.h"
#include "kanal/sdk/calls.h"
#include "kanal/sdk/sdk.h"

/* What may be wrong with the channel. */
#define META_ILL_TOKEN 1u /* Meta refuses the access token */

enum meta_media_way {
    META_MEDIA_URL,   /* Meta fetches the URL */
    META_MEDIA_UPLOAD /* the host streams the URL into a form first */
};

struct meta_channel {
    const kanal_host *host;
    char *id;      /* owned: the channel's */
    char *api_url; /* owned, without a trailing slash */
    char *version; /* owned: of the Graph API, "v24.0" */
    char *account; /* owned: the node that messages are sent from: a phone number id, a page id, "me" */
    enum meta_media_way media;
    const char *self_fields; /* what is asked of the account at start, to prove the token */
    void (*offer_link)(struct meta_channel *, yyjson_val *self); /* what was told of the account; or NULL */
    struct kanal_timer self_timer;
    uint32_t self_failures;
    struct kanal_calls calls;   /* what is under way, and the end that waits for it */
    struct kanal_health health; /* META_ILL_… */
};

/* The base out of the settings `api_url`, `version`, `media` and `account_setting` (NULL: "me"). 0, or a status with
 * *ret_error saying what is wrong. Released in either case. */
int meta_channel_init(struct meta_channel *, const kanal_host *, const kanal_config *, yyjson_val *settings,
                      const char *account_setting, const char **ret_error);
void meta_channel_release(struct meta_channel *);

/* Proves the token, again and again with growing pauses until it succeeds. */
void meta_channel_ask_self(struct meta_channel *);
/* The slot stop(): what is under way gets some seconds to end. */
void meta_channel_stop(struct meta_channel *, kanal_op);

/* finish() of a channel that needs no registration, with a hint for the operator. */
void meta_finish(struct meta_channel *, kanal_op, kanal_status, kanal_str reason);

#endif
