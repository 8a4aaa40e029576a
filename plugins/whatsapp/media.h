/* media.h - media(): somebody fetches a file that an event referred to.
 *
 * Two steps: GET /<media id> tells a URL (valid for five minutes), and the host fetches that, with the access token as a Bearer
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/reference/media). The URL is on another host (lookaside.fbsbx.com), so the
 * token goes there only if the channel's `egress` grants it. */
#ifndef WHATSAPP_MEDIA_H
#define WHATSAPP_MEDIA_H
#include "channel.h"

/* [lane] The slot of kanal_plugin; reference: a media id. */
void wa_media(struct kanal_channel *, kanal_op, kanal_str reference);

#endif
