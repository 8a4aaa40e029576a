/* deliver.h - deliver(): one canonical message or verb to WhatsApp, and what became of it.
 *
 * Up to three steps: is the window open (from memory as a rule), upload of the media if the channel is set to, the message itself.
 * Nothing is asked twice after an answer that may mean that the message was taken: WhatsApp has no idempotency key. */
#ifndef WHATSAPP_DELIVER_H
#define WHATSAPP_DELIVER_H
#include "channel.h"

/* [lane] The slot of kanal_plugin. */
void wa_deliver(struct kanal_channel *, kanal_op, const kanal_delivery *);

#endif
