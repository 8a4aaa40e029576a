/* kanal/sdk/phone.h - from what people type to addresses: telephone numbers to E.164, e-mail addresses to mailto. Part of the static
 * helpers, not of the ABI. */
#ifndef KANAL_SDK_PHONE_H
#define KANAL_SDK_PHONE_H
#include "buffer.h"
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A telephone number as people type it: digits, one leading '+', and spaces, hyphens, dots, brackets between. Appends
 * "tel:+79161234567" if it begins with '+', or is a national number of the country (absent: of none). 1: appended; 0: a number,
 * but of an unknown country; KANAL_E_INVALID: none. Nothing here proves that the number exists. */
int kanal_phone_address(kanal_str typed, kanal_str country, struct kanal_buffer *out);

/* An e-mail address as a form accepts it (the HTML standard's definition, with a dot in the domain). Appends
 * "mailto:a@b.ru" with the domain in lower case. 1, or KANAL_E_INVALID. */
int kanal_mail_address(kanal_str typed, struct kanal_buffer *out);

#ifdef __cplusplus
}
#endif
#endif
