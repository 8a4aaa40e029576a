/* kanal/sdk/gsm7.h - the alphabets of SMS, and how many segments a text takes. Part of the static helpers, not of the ABI.
 *
 * Sources: 3GPP TS 23.038, 6.2.1 (default alphabet and its extension table) and TS 23.040, 9.2.3.24 (concatenation). Septets stand one in a
 * byte, as SMPP carries them; UCS-2 is UTF-16 in network order, as telephones read it. */
#ifndef KANAL_SDK_GSM7_H
#define KANAL_SDK_GSM7_H
#include "buffer.h"
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* Appends the septets of UTF-8 text. 0, or KANAL_E_INVALID (a character outside of the alphabet, or no UTF-8) with out as it was. */
kanal_status kanal_gsm7_encode(struct kanal_buffer *out, kanal_str text);
/* Appends UTF-8. As 23.038 asks, an unknown extension is shown as the character of the basic table, and a last escape as a space; bytes above 0x7f become
 * U+FFFD. */
void kanal_gsm7_decode(struct kanal_buffer *out, kanal_str septets);

/* Appends UTF-16 of UTF-8 text; what is no UTF-8 becomes U+FFFD. */
void kanal_ucs2_encode(struct kanal_buffer *out, kanal_str text);
/* Appends UTF-8; a lone surrogate and half a unit at the end become U+FFFD. */
void kanal_ucs2_decode(struct kanal_buffer *out, kanal_str bytes);

/* One character as UTF-8; a surrogate or what is above U+10FFFF becomes U+FFFD. */
void kanal_utf8_append(struct kanal_buffer *out, uint32_t code_point);
/* The character at the start of the text, and its bytes; U+FFFD of what is no UTF-8. The text is not empty. */
uint32_t kanal_utf8_first(kanal_str text, size_t *ret_len);

enum kanal_sms_alphabet { KANAL_SMS_GSM7, KANAL_SMS_UCS2 };

#define KANAL_SMS_OCTETS 140u /* what one short message carries */
#define KANAL_SMS_UDH_8 6u    /* bytes of a header with an 8-bit reference … */
#define KANAL_SMS_UDH_16 7u   /* … and with a 16-bit one */

/* How many bytes as encoded above (septets; two a unit of UCS-2) one segment takes beside a header of so many bytes; 0: none. */
size_t kanal_sms_room(enum kanal_sms_alphabet, uint32_t udh_bytes);
/* The bytes of the next segment of encoded text: at most `room`, with no character of two septets or two units cut. 0 of empty text only. */
size_t kanal_sms_cut(enum kanal_sms_alphabet, kanal_str encoded, size_t room);

struct kanal_sms_size {
    enum kanal_sms_alphabet alphabet; /* GSM 7 bit if all characters are in it */
    uint32_t units;                   /* septets, or units of UTF-16 */
    uint32_t segments;                /* 1: no header is needed; 0: an empty text */
};
/* How a text goes out where a header of udh_bytes joins its segments. 0, or KANAL_E_INTERNAL: out of memory. */
kanal_status kanal_sms_measure(kanal_str text, uint32_t udh_bytes, struct kanal_sms_size *ret_size);

#ifdef __cplusplus
}
#endif
#endif
