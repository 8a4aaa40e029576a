/* deliver.h - deliver(): one message or call to Twilio, and what became of it. Always one request. A recipient that Twilio knows to
 * have opted out (21610) is told as consent.withdrawn, too. */
#ifndef TWILIO_DELIVER_H
#define TWILIO_DELIVER_H
#include "channel.h"

/* [lane] The slot of kanal_plugin. */
void tw_deliver(struct kanal_channel *, kanal_op, const kanal_delivery *);

#endif
