/* address.h - parties as Twilio writes them, and Kanal's addresses: "+79161234567" is "tel:+79161234567"; short codes, names of senders and
 * Twilio's channel addresses ("whatsapp:+7916…") are "twilio:" and the text, percent-encoded. Pure. */
#ifndef TWILIO_ADDRESS_H
#define TWILIO_ADDRESS_H
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"

#define TW_PARTY_BYTES_MAX 80
#define TW_ADDRESS_BYTES 256

/* Writes the address, NUL-ended; empty: a caller who hides the number, or no party at all. 1: it is there. */
int tw_address_write(char out[TW_ADDRESS_BYTES], kanal_str party);
/* The party of an address, NUL-ended. 0 or -1. */
int tw_address_read(char out[TW_PARTY_BYTES_MAX + 1], kanal_str address);

#endif
