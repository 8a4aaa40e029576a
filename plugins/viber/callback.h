/* callback.h - one callback of Viber to canonical events (https://developers.viber.com/docs/api/rest-bot-api/#callbacks).
 *
 * Pure: no host, no state. Nothing is dropped in silence: a callback without a canonical form that names a person
 * becomes message.received with an "unsupported" part; one that names nobody gives no event, and says why. */
#ifndef VIBER_CALLBACK_H
#define VIBER_CALLBACK_H
#include "kanal/sdk/batch.h"

struct viber_us { /* whose callbacks these are */
    const char *account;
    kanal_str channel_id;
};

struct viber_callback {
    const struct viber_us *us;
    struct kanal_batch batch;
    char key[112];     /* what dedupes it: the event, the message_token, the user */
    char token[24];    /* message_token, above 2^53 too; empty: there is none */
    kanal_str event;   /* "message"; a view into the callback */
    const char *why;   /* there is no event: in words */
    int wants_welcome; /* somebody who has not subscribed opened the chat */
};

/* us is borrowed. */
void viber_callback_init(struct viber_callback *, const struct viber_us *);
void viber_callback_release(struct viber_callback *);

/* Fills it. raw: the whole body, whose hash dedupes a callback without message_token. 0 (batch.count 0: see `why`),
 * KANAL_E_INVALID (no callback: not an object, or without an event), KANAL_E_INTERNAL. */
kanal_status viber_callback_read(struct viber_callback *, yyjson_val *callback, kanal_str raw);

#endif
