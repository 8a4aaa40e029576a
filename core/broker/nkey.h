/* broker/nkey.h - the public key of a NATS user seed (Ed25519; github.com/nats-io/nkeys: base32 of two
 * prefix bytes, the seed and a CRC-16). cnats signs with the seed file by itself but must be told the
 * public key. [any thread] */
#ifndef KANAL_BROKER_NKEY_H
#define KANAL_BROKER_NKEY_H
#include "kanal/plugin.h"

#define BROKER_NKEY_BYTES 57u /* of a public key, with its NUL */

/* text: a file's content; the first line that starts with "SU" is the seed. 0, or KANAL_E_INVALID: there
 * is none, or it is damaged. Leaves no copy of the seed behind. */
int broker_nkey_public(kanal_str text, char ret_public[BROKER_NKEY_BYTES]);

#endif
