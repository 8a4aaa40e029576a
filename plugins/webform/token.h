/* token.h - the texts that are signed: a visitor's session, and the token against double submits. The host signs and verifies
 * them, with HMAC-SHA256 under the secret "session"; their first letters keep the one from being passed off as the other.
 *
 *   session  v1.<visitor id>.<mac>                       the webchat plugin's, so that both see one visitor
 *   token    f1.<form id>.<expiry, s>.<nonce>.<mac>      mac: base64url without padding; over what stands before the last dot */
#ifndef WEBFORM_TOKEN_H
#define WEBFORM_TOKEN_H
#include "kanal/sdk/sdk.h"

#define TOKEN_SECRET "session"
#define TOKEN_ALGORITHM "hmac-sha256"
#define TOKEN_MAC_BYTES 32u
#define TOKEN_ID_LEN 26u /* 130 bits in base32 */

struct token {                   /* taken apart, not verified */
    kanal_str signed_text, form; /* views into the text; form of f1 only */
    char mac[TOKEN_MAC_BYTES];
    char id[TOKEN_ID_LEN + 1]; /* the visitor, or the nonce */
    int64_t expires_s;         /* of f1 */
};

/* A random id: 26 letters and digits of base32, NUL-ended. */
void token_new_id(const kanal_host *, char out[TOKEN_ID_LEN + 1]);
/* 0 or KANAL_E_INVALID. */
kanal_status token_parse_session(kanal_str text, struct token *ret_token);
kanal_status token_parse_form(kanal_str text, struct token *ret_token);
/* What is to be signed; token_seal() appends the MAC. */
void token_begin_session(struct kanal_buffer *out, const char *visitor);
void token_begin_form(struct kanal_buffer *out, kanal_str form, int64_t expires_s, const char *nonce);
void token_seal(struct kanal_buffer *out, kanal_str mac);

#endif
