/* host/receipts.h - what a plugin tells of a message by the provider's id only, brought together with the command that sent it. [lane]
 *
 * A receipt and a reply name the message as the provider does. Which command that was, which part of it, and whose message, stands in
 * the ledger (outbound/ledger.h) under x.<hash of channel and id>. A receipt may come before the answer to the request that sent the message, or on
 * another replica: it is looked for again for some seconds, then stored without the command's id. */
#ifndef KANAL_HOST_RECEIPTS_H
#define KANAL_HOST_RECEIPTS_H
#include "host/channel.h"
#include "host/publisher.h"

struct receipts;

/* The ledger's key of a provider's id: "x." and 26 characters. */
#define RECEIPT_KEY_LEN (ID_LEN)
void receipt_key(struct ids *, kanal_str channel, kanal_str external_id, char ret_key[RECEIPT_KEY_LEN + 1]);

/* As publisher_publish(), after what has to be looked up. */
void receipts_publish(struct channel *, const struct envelope_source *, const kanal_event *const *events,
                      size_t count, int keep_raw, published_fn *done, void *user);
/* Whoever waits is told KANAL_E_CANCELLED. Before the channels go. NULL is fine. */
void receipts_free(struct receipts *);

#endif
