/* deliver.h - deliver(): one canonical message to Viber, and what became of it. Always one call. */
#ifndef VIBER_DELIVER_H
#define VIBER_DELIVER_H
#include "channel.h"
#include "compose.h"

/* [lane] The slot of kanal_plugin. */
void viber_deliver(struct kanal_channel *, kanal_op, const kanal_delivery *);
/* Who is shown as the author of what the channel sends. */
void viber_wish_sender(struct viber_wish *, const struct kanal_channel *);

#endif
