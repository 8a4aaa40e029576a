/* webhook.h - one payload of the Cloud API to canonical events
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference).
 *
 * Pure: no host, no state. A payload holds entries, an entry changes, a change messages and statuses of one telephone number
 * (phone_number_id); those of another number of the same app are not ours. What has no canonical form becomes message.received
 * with an "unsupported" part; what names no person is counted (meta_batch.ignored). */
#ifndef WHATSAPP_WEBHOOK_H
#define WHATSAPP_WEBHOOK_H
#include "../meta/batch.h"
#include "who.h"

#define WA_WINDOW_MS (INT64_C(24) * 3600 * 1000)

/* What stands around the things of one change. */
struct wa_change {
    struct meta_batch *batch;
    kanal_str channel_id;
    yyjson_val *value;
};

/* Fills the batch. 0, KANAL_E_INVALID (no payload of WhatsApp), KANAL_E_INTERNAL. */
kanal_status wa_webhook_read(struct meta_batch *, kanal_str channel_id, kanal_str phone_number_id,
                             yyjson_val *payload);

/* ---- Parts of it, for each other ---- */

/* message.c: one of value.messages; one of value.message_echoes: what was written from the app of the business. */
void wa_read_message(const struct wa_change *, yyjson_val *message);
void wa_read_echo(const struct wa_change *, yyjson_val *message);
/* status.c: one of value.statuses. */
void wa_read_status(const struct wa_change *, yyjson_val *status);
/* The contact that a person's ids are of, in value.contacts; its BSUIDs go into who. */
void wa_find_contact(const struct wa_change *, struct wa_who *);

#endif
