/* kanal/sdk/link.h - links that open a channel's chat (ext/link.h). Part of the static helpers, not of the ABI. */
#ifndef KANAL_SDK_LINK_H
#define KANAL_SDK_LINK_H
#include "../ext/link.h"
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_LINK_TEMPLATE_MAX 1024u

/* True if it is what kanal_link_host.offer() takes: an absolute URI, not of a scheme that runs or carries its content (javascript, data, …),
 * with exactly one of {ref} and {text}. */
int kanal_link_template_is_valid(kanal_str uri_template);
/* Offers it (kanal_link_host.offer()), if the host has such an extension. */
void kanal_link_offer_template(const kanal_host *, kanal_str uri_template);
/* Offers before + middle + after, the middle percent-encoded: "https://t.me/", "shopbot", "?start={ref}". An empty middle takes the offer back. */
void kanal_link_offer(const kanal_host *, const char *before, kanal_str middle, const char *after);

#ifdef __cplusplus
}
#endif
#endif
