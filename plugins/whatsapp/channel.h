/* channel.h - one WhatsApp channel: one telephone number of a business. Everything runs in the channel's lane. */
#ifndef WHATSAPP_CHANNEL_H
#define WHATSAPP_CHANNEL_H
#include "../meta/channel.h"

#define WA_WINDOW_SLOTS 256u
#define WA_MESSAGE_ID_MAX 160

/* When a customer last wrote; see window.h. */
struct wa_slot {
    uint64_t key;      /* hash of the chat; 0: free */
    int64_t last_ms;   /* the customer's last message */
    int64_t stored_ms; /* what durable storage says of it, as far as we know */
    char message_id[WA_MESSAGE_ID_MAX];
};

struct kanal_channel {
    struct meta_channel base; /* account: the phone_number_id */
    char *waba_id;            /* owned; NULL: the webhook is registered by hand */
    char *list_label;         /* owned */
    int checks_window;
    struct wa_slot *slots; /* owned; NULL until somebody writes */
};

#endif
