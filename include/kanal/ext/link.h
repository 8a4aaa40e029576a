/* kanal/ext/link.h - extension "kanal.link/1": how a link looks that opens the channel's chat and brings a reference with it.
 *
 * The plugin says it once it knows, and again when it changes (a bot was renamed). The gateway makes links of it, for consumers and QR codes,
 * without asking the plugin each time, on every replica. When a customer arrives through one, the plugin reports the reference as any other: as
 * `referral.payload` of what it publishes, or in the text that the customer sends. */
#ifndef KANAL_EXT_LINK_H
#define KANAL_EXT_LINK_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_EXT_LINK "kanal.link/1"

/* The host's table: kanal_host.extension(). Frozen. */
typedef struct kanal_link_host {
    uint64_t struct_size;
    /* [lane] A URI of at most 1,024 bytes with exactly one of these in it, which the gateway replaces, percent-encoded (RFC 6570, level 1):
     *   {ref}   the reference, at most 64 of [A-Za-z0-9_-]: "https://t.me/shopbot?start={ref}"
     *   {text}  what the customer will send, which has the reference in it: "https://wa.me/79161234567?text={text}"
     * Absent or empty: there is no such link now. Anything else is logged and changes nothing. */
    void (*offer)(const kanal_host *, kanal_str uri_template);
} kanal_link_host;

#ifdef __cplusplus
}
#endif
#endif
