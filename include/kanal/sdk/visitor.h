/* kanal/sdk/visitor.h - the token that proves a visitor of a site: "v1.<visitor id>.<mac>". Part of the static helpers, not of the ABI.
 *
 * The host signs and verifies it, with HMAC-SHA256 under the secret "session", which the channels of one site share: so chat, forms and push
 * see one visitor. id: 26 letters and digits of base32 (130 random bits); mac: base64url without padding, over what stands before the last dot. */
#ifndef KANAL_SDK_VISITOR_H
#define KANAL_SDK_VISITOR_H
#include "buffer.h"
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_VISITOR_SECRET "session"
#define KANAL_VISITOR_ALGORITHM "hmac-sha256"
#define KANAL_VISITOR_MAC_BYTES 32u
#define KANAL_VISITOR_ID_LEN 26u

struct kanal_visitor {     /* a token taken apart, not verified */
    kanal_str signed_text; /* a view into it */
    char mac[KANAL_VISITOR_MAC_BYTES];
    char id[KANAL_VISITOR_ID_LEN + 1];
};

/* A random id, NUL-ended. */
void kanal_visitor_new_id(const kanal_host *, char out[KANAL_VISITOR_ID_LEN + 1]);
/* True of 26 letters and digits of base32. */
int kanal_visitor_is_id(kanal_str);
/* 0 or KANAL_E_INVALID. */
kanal_status kanal_visitor_parse(kanal_str token, struct kanal_visitor *ret_visitor);
/* What is to be signed; kanal_visitor_seal() appends the MAC. */
void kanal_visitor_begin(struct kanal_buffer *out, const char *id);
void kanal_visitor_seal(struct kanal_buffer *out, kanal_str mac);

#ifdef __cplusplus
}
#endif
#endif
