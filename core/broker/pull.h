/* broker/pull.h - what a delivered message's reply subject says, and the form of a running pull that the
 * watch uses. Private to core/broker. */
#ifndef KANAL_BROKER_PULL_H
#define KANAL_BROKER_PULL_H
#include "jetstream.h"

/* "$JS.ACK.<stream>.<consumer>.<deliveries>.<sseq>.<cseq>.<time>.<pending>", or with domain and account
 * hash (and perhaps a random token at the end) before and after. Fills the numbers and the token. 0 or
 * KANAL_E_INVALID. */
int js_ack_parse(kanal_str reply, struct js_delivered *ret_delivered);

#endif
