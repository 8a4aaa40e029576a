/* kanal/sdk/phone.h - from what people type to addresses: telephone numbers to E.164, e-mail addresses to mailto. Part of the static
 * helpers, not of the ABI. */
#ifndef KANAL_SDK_PHONE_H
#define KANAL_SDK_PHONE_H
#include "buffer.h"
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

/* A telephone number, read. */
struct kanal_phone {
    char number[17];   /* E.164: "+79161234567" */
    char extension[8]; /* digits; "": none */
};

/* A telephone number as people type it: digits (also of Arabic and full-width keyboards), spaces and - . / ( ) between, a '+' before,
 * "tel:" before that, an extension behind ("ext. 12", "x12", ";ext=12", "доб. 12"). Read by the rules of E.164 and of the numbering plans of
 * Google's libphonenumber: a '+' or the region's international prefix ("00", "810", "011") and a country code; else a national number of
 * the region (ISO 3166-1; absent: of none) with its trunk prefix or without, or one whose '+' was forgotten. 1: *ret_phone is set; 0: a
 * number, but not one that can be dialled from everywhere; KANAL_E_INVALID: none. *ret_why (static; may be NULL) then
 * says what is wrong with "it". Lengths are checked, and of national numbers the region's plan; nothing here proves that a number is in use. */
int kanal_phone_read(kanal_str typed, kanal_str region, struct kanal_phone *ret_phone, const char **ret_why);

/* The same, as the address of a person: appends "tel:+79161234567". 0 also with an extension: a switchboard's number is nobody's own. */
int kanal_phone_address(kanal_str typed, kanal_str region, struct kanal_buffer *out);

/* A number as a provider says it, 7 to 15 digits behind the '+', taken at its word: a reply has to go to just this one. Appends
 * "tel:+…". 1, or KANAL_E_INVALID. */
int kanal_phone_e164(kanal_str digits, struct kanal_buffer *out);

/* An e-mail address as a form accepts it (the HTML standard's definition, with a dot in the domain, which may have letters of any
 * script). Appends "mailto:a@b.ru" with the domain in lower case and percent-encoded. 1, or KANAL_E_INVALID. */
int kanal_mail_address(kanal_str typed, struct kanal_buffer *out);

#ifdef __cplusplus
}
#endif
#endif
