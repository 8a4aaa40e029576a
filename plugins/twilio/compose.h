/* compose.h - one delivery to one call of Twilio's API: a message (https://www.twilio.com/docs/messaging/api/message-resource), or a call that
 * says a text (https://www.twilio.com/docs/voice/api/call-resource). Pure: no host, no state. */
#ifndef TWILIO_COMPOSE_H
#define TWILIO_COMPOSE_H
#include "channel.h"

struct tw_wish { /* what the delivery asks for; borrowed */
    const struct tw_settings *settings;
    kanal_str type; /* the verb */
    yyjson_val *data;
    kanal_str to;   /* the party */
    kanal_str base; /* the channel's public URL; absent: Twilio is not told where to say what became of it */
    kanal_str command_id;
    uint32_t part, parts;
};

struct tw_outgoing {
    const char *path; /* below the account */
    struct kanal_buffer form;
    /* Why there is no call. */
    const char *error_code, *reason;
};

void tw_outgoing_release(struct tw_outgoing *);
/* 0, or KANAL_E_REJECTED with error_code and reason, or KANAL_E_INTERNAL. */
kanal_status tw_compose(struct tw_outgoing *, const struct tw_wish *);

/* ---- For each other ---- */

kanal_status tw_refuse(struct tw_outgoing *, const char *error_code, const char *reason);
/* Our options of a provider's object: provider.twilio, or provider itself. */
yyjson_val *tw_options(yyjson_val *object);
/* A parameter with a URL of ours, and what it has to bring back. rest: more of the query, or NULL. */
void tw_add_callback(struct kanal_buffer *form, const char *name, const struct tw_wish *, const char *path,
                     kanal_str rest);
/* say.c: the form of a call. */
kanal_status tw_compose_call(struct tw_outgoing *, const struct tw_wish *);

#endif
