/* channel.h - one Telegram channel: what its parts share. Everything runs in the channel's lane. */
#ifndef TELEGRAM_CHANNEL_H
#define TELEGRAM_CHANNEL_H
#include "kanal/ext/lease.h"
#include "kanal/plugin.h"
#include "kanal/sdk/calls.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/report.h"
#include "update.h"

enum tg_media_mode { TG_MEDIA_AUTO, TG_MEDIA_URL, TG_MEDIA_UPLOAD };

struct tg_settings {
    char *api_url;         /* owned, without a trailing slash */
    char *allowed_updates; /* owned: a JSON array of strings */
    enum tg_media_mode media;
    int is_polling;
    int drop_pending;
    int64_t max_connections;
    int64_t poll_timeout_s;
};

/* What may be wrong with the channel. */
#define TG_ILL_TOKEN 1u /* Telegram refuses the token */
#define TG_ILL_POLL 2u  /* getUpdates does not work */

/* Long polling; see poll.h. */
struct tg_poll {
    const kanal_lease_host *leases; /* NULL: this host has none, and every replica polls */
    kanal_op lease;
    struct kanal_call *call;
    struct kanal_timer timer;
    yyjson_doc *document; /* the updates that are being stored, one after another */
    yyjson_val *updates;
    size_t next;
    struct tg_batch batch; /* of the update that is being stored */
    kanal_op publishing;   /* 0: none is under way */
    int has_fallen_back;
    int64_t offset;       /* of the first update that is not yet stored; 0: Telegram knows */
    int64_t asked_offset; /* of the answer at hand */
    uint32_t failures;    /* in a row */
};

struct kanal_channel {
    const kanal_host *host;
    char *id; /* owned: the channel's */
    struct tg_settings settings;
    struct tg_self self;
    struct kanal_timer self_timer;
    uint32_t self_failures;
    struct tg_poll poll;
    struct kanal_calls calls;   /* what is under way, and the end that waits for it */
    struct kanal_health health; /* TG_ILL_… */
};

/* Settings out of the validated JSON. 0, or KANAL_E_INVALID / KANAL_E_INTERNAL with *ret_error saying what is
 * wrong. */
int tg_settings_read(struct tg_settings *, kanal_str json, const char **ret_error);
void tg_settings_release(struct tg_settings *);

/* Stops the spinner of a pressed button; nothing depends on it. cause: 0 or the on_http() op. */
void tg_answer_callback(struct kanal_channel *, kanal_op cause, kanal_str callback_id);

#endif
