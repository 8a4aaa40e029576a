/* config/seal.h - secrets that are kept in the cluster, readable only with a key that the gateways have: AES-256-GCM (NIST SP 800-38D).
 *
 * Sealed: "v1." and the base64url of a random nonce (12 bytes), the ciphertext and its tag (16). What it is for (a channel and a
 * secret's name) is authenticated with it, so that a sealed text moved elsewhere does not open. [any thread] */
#ifndef KANAL_CONFIG_SEAL_H
#define KANAL_CONFIG_SEAL_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

struct sealer;

/* key_file: 32 bytes, or their base64 (a line end is cut). old_files: NULL-ended, or NULL: further keys that only open.
 * KANAL_E_INVALID: reason names the file and what is wrong with it. */
int sealer_new(struct sealer **ret_sealer, const char *key_file, const char *const *old_files,
               char reason[256]);
/* Wipes the keys; NULL is fine. */
void sealer_free(struct sealer *);

/* Appends the sealed text. 0 or KANAL_E_INTERNAL. */
int seal_close(const struct sealer *, kanal_str purpose, kanal_str plain, struct kanal_buffer *ret_sealed);
/* Appends what was sealed. KANAL_E_REJECTED: no key opens it, or it was made for another purpose; KANAL_E_INVALID: no sealed text;
 * KANAL_E_INTERNAL. */
int seal_open(const struct sealer *, kanal_str purpose, kanal_str sealed, struct kanal_buffer *ret_plain);

#endif
