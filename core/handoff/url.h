/* handoff/url.h - what the customer opens: a channel's template (kanal/ext/link.h) with a reference in it. Pure. */
#ifndef KANAL_HANDOFF_URL_H
#define KANAL_HANDOFF_URL_H
#include "kanal/sdk/buffer.h"

#define HANDOFF_URL_MAX 4096u /* as the contract says */

/* Appends it. text: what the customer sends on arrival, before the reference, where the channel needs a text; may be absent. 0; KANAL_E_TOO_LARGE
 * with out as it was; KANAL_E_INTERNAL: out of memory. uri_template: valid. */
int handoff_url(kanal_str uri_template, kanal_str reference, kanal_str text, struct kanal_buffer *out);

#endif
