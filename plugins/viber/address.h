/* address.h - addresses of Viber: "viber:ACCOUNT/USER", percent-encoded. Viber numbers its users anew for every account. */
#ifndef VIBER_ADDRESS_H
#define VIBER_ADDRESS_H
#include "kanal/sdk/buffer.h"

#define VIBER_USER_BYTES_MAX 96

/* Writes it into out of so many bytes; 0: the user's id is none, or too long. */
int viber_address_write(char *out, size_t size, const char *account, kanal_str user);
/* The user of an address of the account, NUL-ended. 0 or -1. */
int viber_address_read(char out[VIBER_USER_BYTES_MAX + 1], const char *account, kanal_str address);

#endif
