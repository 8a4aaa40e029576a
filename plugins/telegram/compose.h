/* compose.h - one delivery to one call of the Bot API. Pure: no host, no state.
 *
 * The parameters are always made as a JSON object; a file that is to be uploaded is named beside it, and the
 * caller makes a multipart form of both. */
#ifndef TELEGRAM_COMPOSE_H
#define TELEGRAM_COMPOSE_H
#include "update.h"

/* The chat that a call is for. */
struct tg_target {
    int64_t chat_id;                    /* 0: `username` */
    char username[64];                  /* "@name" of a public channel or group */
    char business[TG_BUSINESS_MAX + 1]; /* empty: the bot's own chat */
};

/* "[business:]chat" or "@name". 0 or -1. */
int tg_target_of_chat(struct tg_target *, kanal_str chat);
/* "telegram:3527065". 0 or -1. */
int tg_target_of_address(struct tg_target *, kanal_str address);
/* "<chat>/<message_id>". 0 or -1. */
int tg_target_of_message(struct tg_target *, int64_t *ret_message_id, kanal_str external_id);

/* How media go out. */
enum tg_media_way {
    TG_WAY_URL,   /* Telegram fetches the URL, where it can */
    TG_WAY_UPLOAD /* the host streams the URL into a form */
};

struct tg_wish {    /* what the delivery asks for; borrowed */
    kanal_str type; /* the verb */
    yyjson_val *data;
    struct tg_target target;
    int64_t message_id;   /* of what is edited, deleted, reacted to or replied to; 0: none */
    int64_t message_chat; /* the chat of that message, where it is another one; else 0 */
    enum tg_media_way way;
    int as_caption; /* of an edit: the message has media, so its text is a caption */
};

struct tg_outgoing {
    const char *method;
    struct kanal_buffer json;
    /* A file to upload as this field; absent: there is none. Views into the wish's data. */
    const char *field;
    kanal_str url, filename, mime;
    int has_media;   /* media are named by URL: refused by Telegram they can still be uploaded */
    int for_message; /* the result is a Message */
    /* Why there is no call. */
    const char *error_code, *reason;
};

void tg_outgoing_release(struct tg_outgoing *);
/* 0, or KANAL_E_REJECTED with error_code and reason, or KANAL_E_INTERNAL. */
kanal_status tg_compose(struct tg_outgoing *, const struct tg_wish *);

/* ---- Parts of it, for each other ---- */

/* Says why there is no call; returns KANAL_E_REJECTED. */
kanal_status tg_refuse(struct tg_outgoing *, const char *error_code, const char *reason);
/* The member "reply_markup" of a choice; inline_only: of an edit. */
kanal_status tg_write_keyboard(struct tg_outgoing *, struct kanal_json *, yyjson_val *choice,
                               int inline_only);
/* Our options of a provider's object: data.provider.telegram, or data.provider itself. */
yyjson_val *tg_options(yyjson_val *object);

#endif
