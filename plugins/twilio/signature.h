/* signature.h - what X-Twilio-Signature is the base64 HMAC-SHA1 of (https://www.twilio.com/docs/usage/security): the URL as it was configured
 * at Twilio, and of a form each parameter's name and value, sorted by name. A body of another kind is proved by its SHA-256 in the
 * query (bodySHA256), which the URL holds. Pure; the host makes the MAC. */
#ifndef TWILIO_SIGNATURE_H
#define TWILIO_SIGNATURE_H
#include "params.h"

#define TW_MAC_BYTES 20u
#define TW_URL_FORMS 4u
/* Stands at the end of every URL that we give Twilio: what fails, also with 503, is sent again, five times within 15 s
 * (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides). */
#define TW_URL_AGAIN "#rc=5&rp=5xx,ct,rt"

/* The MAC of the header, raw. 0 or -1: none, or no MAC. */
int tw_signature_read(unsigned char out[TW_MAC_BYTES], kanal_str header);
/* Appends a form of the URL: 0 as it is; 1 with the scheme's port, or without a port: which of them Twilio signs depends on the
 * product; 2 and 3 the same with TW_URL_AGAIN, which no request shows. 0, or KANAL_E_INVALID: it is no URL. */
kanal_status tw_signature_url(struct kanal_buffer *out, kanal_str url, unsigned form);
/* Appends what follows the URL, of a form. The same name and value twice count once, as in Twilio's own libraries. */
void tw_signature_params(struct kanal_buffer *out, const struct tw_params *);
/* True if the digest of the query is the body's. */
int tw_signature_body_is(kanal_str digest, kanal_str body);

#endif
