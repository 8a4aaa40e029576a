/* webhook.h - on_http(): requests of Twilio's, from their signature to their events and the answer. */
#ifndef TWILIO_WEBHOOK_H
#define TWILIO_WEBHOOK_H
#include "channel.h"

/* [lane] The slot of kanal_plugin. Nothing of a request is believed, logged or told before verify() says that its signature is one of the
 * auth token's. */
void tw_on_http(struct kanal_channel *, kanal_op, const kanal_http_request *);

#endif
