/* message.h - the members customer, chat, author and message of an event, from Telegram's User, Chat and
 * Message.
 *
 * Telegram numbers messages within a chat, so the provider's id of a message is "<chat>/<message_id>"
 * everywhere. A chat that a business account let the bot into is its own chat with the same number:
 * "<business_connection_id>:<chat>". */
#ifndef TELEGRAM_MESSAGE_H
#define TELEGRAM_MESSAGE_H
#include "update.h"

/* Who did something: a user, or a chat that speaks (a channel, an anonymous administrator). */
struct tg_who {
    yyjson_val *user, *chat; /* one of them, or both NULL: nobody */
    int64_t id;              /* 0: nobody */
};

struct tg_who tg_who_of(yyjson_val *user, yyjson_val *chat);
/* The sender of a Message. */
struct tg_who tg_sender(yyjson_val *message);

/* Where it happened. */
struct tg_place {
    yyjson_val *chat;
    int64_t id; /* 0: nowhere known */
    kanal_str business;
    int is_private;
};
struct tg_place tg_place_of(yyjson_val *chat, kanal_str business);

/* "…/…" into out of TG_EXTERNAL_ID_MAX, "…" into out of TG_CHAT_MAX; empty if it is not known. */
void tg_external_id(char *out, const struct tg_place *, int64_t message_id);
void tg_chat_id(char *out, const struct tg_place *);

/* The members "customer" and "chat". message: may be NULL. */
void tg_write_people(struct kanal_json *, const struct tg_who *, const struct tg_place *,
                     yyjson_val *message);
/* The member "author", where more than one may speak; for the events of messages. */
void tg_write_author(struct kanal_json *, const struct tg_who *, const struct tg_place *,
                     yyjson_val *message);
/* The member "message" of message.received and message.edited. */
void tg_write_message(struct kanal_json *, const struct tg_self *, const struct tg_place *,
                      yyjson_val *message);
/* The member "message" of message.sent: what somebody else than Kanal wrote to the customer in our name. */
void tg_write_sent(struct kanal_json *, yyjson_val *message);

#endif
