/* window.h - the customer service window: free content may be sent for 24 hours after the customer's last message, only templates
 * later (https://developers.facebook.com/docs/whatsapp/pricing#customer-service-windows).
 *
 * WhatsApp takes what is sent outside of it and reports the failure afterwards; so we remember when each customer last wrote: in
 * memory for the latest ones, in the channel's state for all (written at most each ten minutes a customer). Only a record that is
 * certainly too old refuses a message; no record, or no storage, lets it pass. */
#ifndef WHATSAPP_WINDOW_H
#define WHATSAPP_WINDOW_H
#include "channel.h"

/* The customer of a chat did something at that time. message_id: absent: not a message. */
void wa_window_note(struct kanal_channel *, kanal_str chat, int64_t time_ms, kanal_str message_id);

struct wa_window {
    int is_known;
    int64_t last_ms;                    /* of the customer's last message */
    char message_id[WA_MESSAGE_ID_MAX]; /* of that message; empty: not known */
};
/* 1 if the window is certainly closed. */
int wa_window_is_closed(const struct wa_window *, int64_t now_ms);

typedef void wa_window_fn(void *user, const struct wa_window *);
/* What is known of a chat: from memory, or if that does not suffice from storage; the callback runs at once or later, in the lane.
 * needs_message: a message's id is wanted. */
void wa_window_ask(struct kanal_channel *, kanal_str chat, int needs_message, wa_window_fn *, void *user);

#endif
