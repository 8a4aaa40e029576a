/* kanal/sdk/base64.h - base64 (RFC 4648) and hexadecimal. Part of the static helpers, not of the ABI. */
#ifndef KANAL_SDK_BASE64_H
#define KANAL_SDK_BASE64_H
#include "buffer.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_BASE64_URL 1u      /* '-' and '_' (section 5) */
#define KANAL_BASE64_UNPADDED 2u /* without '=' */

void kanal_base64_encode(struct kanal_buffer *out, kanal_str bytes, uint32_t flags);
/* Strict: other characters, a wrong length and left-over bits are errors. Padding may be missing only with
 * KANAL_BASE64_UNPADDED. 0, or KANAL_E_INVALID with out as it was. */
kanal_status kanal_base64_decode(struct kanal_buffer *out, kanal_str text, uint32_t flags);

void kanal_hex_encode(struct kanal_buffer *out, kanal_str bytes);        /* lower case */
kanal_status kanal_hex_decode(struct kanal_buffer *out, kanal_str text); /* any case */

/* Crockford-free base32 of RFC 4648 in lower case and without padding: ids. */
void kanal_base32_encode(struct kanal_buffer *out, kanal_str bytes);

#ifdef __cplusplus
}
#endif
#endif
