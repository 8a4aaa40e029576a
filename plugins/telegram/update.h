/* update.h - one Update of the Bot API to canonical events (https://core.telegram.org/bots/api#update).
 *
 * Pure: no host, no state. Nothing is dropped in silence: what has no canonical form becomes message.received
 * with an "unsupported" part; only an update that names neither a user nor a chat gives no event, and says
 * so. */
#ifndef TELEGRAM_UPDATE_H
#define TELEGRAM_UPDATE_H
#include "kanal/sdk/batch.h"

#define TG_EXTERNAL_ID_MAX 160
#define TG_CHAT_MAX 112
#define TG_BUSINESS_MAX 80 /* bytes of a business connection's id that we take */

/* Who the bot is (getMe); zeroed: not known yet. */
struct tg_self {
    int64_t id;
    char username[64];
};

struct tg_batch {
    const struct tg_self *self;
    kanal_str channel_id;
    int64_t update_id;
    kanal_str kind; /* "message", "callback_query"; a view into the update; absent: the update has nothing */
    kanal_str callback_id; /* of a callback query that wants an answer; a view into the update */
    struct kanal_batch events;
};

/* self and channel_id are borrowed. */
void tg_batch_init(struct tg_batch *, const struct tg_self *, kanal_str channel_id);
void tg_batch_release(struct tg_batch *);

/* Fills the batch. 0 (no event: it names nobody), KANAL_E_INVALID (no update: not an object, no update_id),
 * KANAL_E_INTERNAL. */
kanal_status tg_update_read(struct tg_batch *, yyjson_val *update);
/* Instead of what tg_update_read() made: one small event that says that this update could not be told. 0 or
 * KANAL_E_INTERNAL; KANAL_E_NOT_FOUND: the update names nobody. */
kanal_status tg_update_fallback(struct tg_batch *, yyjson_val *update);

#endif
