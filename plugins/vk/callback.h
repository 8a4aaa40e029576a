/* callback.h - one event of the Callback API to canonical events (https://dev.vk.com/ru/api/callback/getting-started).
 *
 * Pure: no host, no state. Nothing is dropped in silence: an event without a canonical form that names a person
 * becomes message.received with an "unsupported" part; one that names nobody gives no event, and says why. */
#ifndef VK_CALLBACK_H
#define VK_CALLBACK_H
#include "kanal/sdk/batch.h"

#define VK_CHAT_BASE INT64_C(2000000000) /* peers above it are group chats */

struct vk_us { /* whose events these are */
    int64_t group_id;
    kanal_str channel_id;
};

struct vk_callback {
    const struct vk_us *us;
    struct kanal_batch batch;
    char key[112];      /* what dedupes it */
    kanal_str type;     /* "message_new"; a view into the event */
    yyjson_val *object; /* what it is about */
    const char *why;    /* there is no event: in words */
    int is_echo;        /* it is what we sent ourselves */
    /* Of a button that wants an answer; absent: none does. */
    kanal_str press_id;
    int64_t press_user, press_peer;
    int64_t person; /* who wrote; 0: nobody whose name is worth knowing */
};

/* us is borrowed. */
void vk_callback_init(struct vk_callback *, const struct vk_us *);
void vk_callback_release(struct vk_callback *);

/* Fills it. raw: the whole body, whose hash dedupes an event without event_id. 0 (batch.count 0: see `why`),
 * KANAL_E_INVALID (no event: not an object, or without a type), KANAL_E_INTERNAL. */
kanal_status vk_callback_read(struct vk_callback *, yyjson_val *event, kanal_str raw);

#endif
