/* channel.h - one VK community: what its parts share. Everything runs in the channel's lane. */
#ifndef VK_CHANNEL_H
#define VK_CHANNEL_H
#include "kanal/plugin.h"
#include "kanal/sdk/calls.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/report.h"

struct vk_settings {
    char *api_url;      /* owned, without a trailing slash */
    char *confirmation; /* owned; NULL: it is asked for */
    int64_t group_id;
    int has_text_buttons; /* buttons send a message instead of an event */
    int has_profiles;     /* names are asked for */
};

/* What may be wrong with the channel. */
#define VK_ILL_TOKEN 1u   /* VK refuses the token */
#define VK_ILL_CAPTCHA 2u /* VK wants a person to solve a captcha */

#define VK_KNOWN_MAX 1024u /* people whose names were asked for lately; a power of two */

struct kanal_channel {
    const kanal_host *host;
    char *id; /* owned: the channel's */
    struct vk_settings settings;
    struct kanal_calls calls;
    struct kanal_health health;  /* VK_ILL_… */
    int64_t known[VK_KNOWN_MAX]; /* user ids, each in the place of its hash */
};

/* Settings out of the validated JSON. 0, or KANAL_E_INVALID / KANAL_E_INTERNAL with *ret_error saying what is
 * wrong. */
int vk_settings_read(struct vk_settings *, kanal_str json, const char **ret_error);
void vk_settings_release(struct vk_settings *);

#endif
