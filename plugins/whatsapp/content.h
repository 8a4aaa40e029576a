/* content.h - what a WhatsApp message shows, as canonical content parts. Pure functions over parsed JSON. Source:
 * https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/messages. */
#ifndef WHATSAPP_CONTENT_H
#define WHATSAPP_CONTENT_H
#include "kanal/sdk/sdk.h"

#define WA_TEXT_MAX 65536 /* code points of a text that are told; WhatsApp sends at most 4096 */

/* Writes the parts of a message as one JSON array; always at least one: what has no canonical form becomes "unsupported" with
 * WhatsApp's word for it. Media parts carry "ref": the media id. */
void wa_content_write(struct kanal_json *, yyjson_val *message);

#endif
