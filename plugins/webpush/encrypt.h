/* encrypt.h - Message Encryption for Web Push (RFC 8291) in one aes128gcm record (RFC 8188), and checks of keys. OpenSSL; no host, no secret of
 * the operator: the keys are the subscription's and ephemeral ones. */
#ifndef WEBPUSH_ENCRYPT_H
#define WEBPUSH_ENCRYPT_H
#include <openssl/evp.h>
#include "kanal/sdk/sdk.h"

#define PUBLIC_KEY_BYTES 65u /* uncompressed point of P-256 */
#define AUTH_BYTES 16u
#define SALT_BYTES 16u
#define RECORD_BYTES 4096u
/* Push services take 4,096 bytes: the header (salt, record size, key) is 86 of them, the delimiter 1, the tag 16. */
#define PLAINTEXT_BYTES_MAX (RECORD_BYTES - 86u - 1u - 16u)

/* True of a point on the curve, uncompressed. */
int encrypt_is_public_key(kanal_str key);
/* A new key pair, or NULL. EVP_PKEY_free() it. */
EVP_PKEY *encrypt_new_key(void);
/* Appends the body of the request. public_key, auth: of the subscription, in raw bytes; own: a key pair for this message alone. 0,
 * KANAL_E_TOO_LARGE, KANAL_E_INVALID (a key), KANAL_E_INTERNAL; out as it was. */
kanal_status encrypt_message(struct kanal_buffer *out, kanal_str public_key, kanal_str auth, EVP_PKEY *own,
                             const unsigned char salt[SALT_BYTES], kanal_str plaintext);
/* True if a JOSE signature (r and s, 64 bytes) of data is that of the public key. */
int encrypt_verify_es256(kanal_str public_key, kanal_str data, kanal_str signature);

#endif
