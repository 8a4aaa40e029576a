/* compose.h - one delivery to one send_message. Pure: no host, no state. */
#ifndef VIBER_COMPOSE_H
#define VIBER_COMPOSE_H
#include "kanal/sdk/json.h"

struct viber_wish { /* what the delivery asks for; borrowed */
    kanal_str type; /* the verb */
    yyjson_val *data;
    kanal_str receiver;    /* a user's id */
    kanal_str chat;        /* of a group; absent: the receiver's own */
    kanal_str sender_name; /* shown with the message */
    kanal_str sender_avatar;
};

struct viber_outgoing {
    struct kanal_buffer json;
    int64_t api_version; /* what a client has to know; 1: nothing special */
    /* Why there is no call. */
    const char *error_code, *reason;
};

void viber_outgoing_release(struct viber_outgoing *);
/* 0, or KANAL_E_REJECTED with error_code and reason, or KANAL_E_INTERNAL. */
kanal_status viber_compose(struct viber_outgoing *, const struct viber_wish *);
/* The greeting that answers conversation_started: a text message without a receiver. */
void viber_compose_welcome(struct kanal_buffer *out, const struct viber_wish *, kanal_str text);

/* ---- Parts of it, for each other ---- */

/* Says why there is no call; returns KANAL_E_REJECTED. */
kanal_status viber_refuse(struct viber_outgoing *, const char *error_code, const char *reason);
/* Our options of a provider's object: provider.viber, or provider itself. */
yyjson_val *viber_options(yyjson_val *object);
/* The member "keyboard" of a choice. */
kanal_status viber_write_keyboard(struct viber_outgoing *, struct kanal_json *, yyjson_val *choice);
/* The members of a rich_media message: one card, or several side by side. */
kanal_status viber_write_cards(struct viber_outgoing *, struct kanal_json *, yyjson_val *const *cards,
                               size_t count);

#endif
