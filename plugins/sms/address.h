/* address.h - telephone numbers as SMPP has them (digits with a type and a plan) and as Kanal has them (URIs). Pure. */
#ifndef SMS_ADDRESS_H
#define SMS_ADDRESS_H
#include "pdu.h"

#define SMS_URI_BYTES_MAX 255u

/* Types of number, 5.2.5. */
#define SMS_TON_UNKNOWN 0
#define SMS_TON_INTERNATIONAL 1
#define SMS_TON_NATIONAL 2
#define SMS_TON_ALPHANUMERIC 5

struct sms_place {
    uint8_t ton, npi;
    char number[SMS_ADDRESS_BYTES_MAX + 1]; /* empty: none */
};

/* "tel:+79161234567" of a number that can be made international; "sms:900" of a short or alphanumeric one. region: how national numbers are read;
 * empty: not. 1; 0: there is no number, out is empty. */
int sms_uri_write(char out[SMS_URI_BYTES_MAX + 1], uint8_t ton, kanal_str number, kanal_str region);
/* Whom a message goes to. 0, or KANAL_E_INVALID: no "tel:" or "sms:" that a telephone could have. */
kanal_status sms_destination(struct sms_place *, kanal_str uri, kanal_str region);
/* What a message comes from, as the operator writes it: "+79161234567", "900", "Lavka". 0, or KANAL_E_INVALID: no number, and no name of up to 11
 * characters of ASCII. */
kanal_status sms_sender(struct sms_place *, kanal_str text);

#endif
