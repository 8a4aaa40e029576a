/* event/address.h - a customer's address: a URI with percent-encoded parts ("telegram:3527065", "tel:+79161234567").
 *
 * Two spellings of one address must give one node, so every address is brought to one form before anything else is done with it:
 * scheme in lower case, `tel:` as E.164 (RFC 3966 global number without separators), `mailto:` in lower case and its domain in A-labels
 * (UTS 46, by libidn2; what is no domain of theirs stays as it is), percent-encoded unreserved characters decoded and
 * escapes in upper case (RFC 3986, 6.2.2). Which of two normal forms are the same mailbox or telephone: identifier.h. */
#ifndef KANAL_EVENT_ADDRESS_H
#define KANAL_EVENT_ADDRESS_H
#include "kanal/sdk/buffer.h"

#define ADDRESS_BYTES_MAX 512u

/* Appends the normal form. 0, or KANAL_E_INVALID with out as it was: no scheme, over 512 bytes, a character that has to be
 * percent-encoded, a tel: that is no international number, a mailto: without exactly one '@'. */
int address_normalise(kanal_str address, struct kanal_buffer *out);
kanal_str address_scheme(kanal_str address);
kanal_str address_rest(kanal_str address);

/* [A-Za-z0-9_-]{1,64}, and not "any" or "_". */
int channel_id_valid(kanal_str id);

#endif
