#include "encrypt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define SECRET_BYTES 32u
#define KEY_BYTES 16u
#define NONCE_BYTES 12u
#define TAG_BYTES 16u
#define HEADER_BYTES (SALT_BYTES + 4u + 1u + PUBLIC_KEY_BYTES)

/* ---- Keys ---- */

/* OpenSSL takes no point off the curve; it would give our key away (RFC 8291, 7). */
static EVP_PKEY *read_public_key(kanal_str key)
{
    char group[] = "prime256v1";
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = NULL;
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                                              (void *)(uintptr_t)key.ptr, key.len),
                            OSSL_PARAM_construct_end() };
    if (key.len != PUBLIC_KEY_BYTES || key.ptr[0] != 4)
        return NULL;
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return pkey;
}

int encrypt_is_public_key(kanal_str key)
{
    EVP_PKEY *pkey = read_public_key(key);
    int right = pkey != NULL;
    EVP_PKEY_free(pkey);
    return right;
}

EVP_PKEY *encrypt_new_key(void)
{
    return EVP_EC_gen("prime256v1");
}

static int public_bytes(EVP_PKEY *key, unsigned char out[PUBLIC_KEY_BYTES])
{
    size_t len = 0;
    return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out, PUBLIC_KEY_BYTES,
                                           &len) == 1 &&
           len == PUBLIC_KEY_BYTES && out[0] == 4;
}

/* ---- Derivation ---- */

static int agree(EVP_PKEY *own, EVP_PKEY *theirs, unsigned char out[SECRET_BYTES])
{
    size_t len = SECRET_BYTES;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    int right = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, theirs) == 1 &&
                EVP_PKEY_derive(ctx, out, &len) == 1 && len == SECRET_BYTES;
    EVP_PKEY_CTX_free(ctx);
    return right;
}

/* HKDF-SHA-256 (RFC 5869), both steps. */
static int hkdf(const void *salt, size_t salt_len, const void *key, size_t key_len, const void *info,
                size_t info_len, unsigned char *out, size_t out_len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt, salt_len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key, key_len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info, info_len),
        OSSL_PARAM_construct_end()
    };
    int right = ctx && EVP_KDF_derive(ctx, out, out_len, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    return right;
}

struct content_keys {
    unsigned char key[KEY_BYTES], nonce[NONCE_BYTES];
};

/* RFC 8291, 3.4. The strings end with their NUL. */
static int derive(struct content_keys *out, kanal_str their_public,
                  const unsigned char own_public[PUBLIC_KEY_BYTES], kanal_str auth,
                  const unsigned char secret[SECRET_BYTES], const unsigned char salt[SALT_BYTES])
{
    static const char push[] = "WebPush: info", encoding[] = "Content-Encoding: aes128gcm",
                      nonce[] = "Content-Encoding: nonce";
    unsigned char info[sizeof push + 2 * PUBLIC_KEY_BYTES], key[SECRET_BYTES];
    memcpy(info, push, sizeof push);
    memcpy(info + sizeof push, their_public.ptr, PUBLIC_KEY_BYTES);
    memcpy(info + sizeof push + PUBLIC_KEY_BYTES, own_public, PUBLIC_KEY_BYTES);
    int right = hkdf(auth.ptr, auth.len, secret, SECRET_BYTES, info, sizeof info, key, sizeof key) &&
                hkdf(salt, SALT_BYTES, key, sizeof key, encoding, sizeof encoding, out->key, KEY_BYTES) &&
                hkdf(salt, SALT_BYTES, key, sizeof key, nonce, sizeof nonce, out->nonce, NONCE_BYTES);
    OPENSSL_cleanse(key, sizeof key);
    return right;
}

/* ---- The record ---- */

/* One record, the last: the plaintext and the delimiter 2 (RFC 8188, 2). out has room for all of it. */
static int seal(const struct content_keys *keys, kanal_str plaintext, unsigned char *out)
{
    static const unsigned char last = 2;
    int len = 0, more = 0, end = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const unsigned char *text = (const unsigned char *)(plaintext.ptr ? plaintext.ptr : "");
    int right = ctx && EVP_EncryptInit_ex2(ctx, EVP_aes_128_gcm(), keys->key, keys->nonce, NULL) == 1 &&
                EVP_EncryptUpdate(ctx, out, &len, text, (int)plaintext.len) == 1 &&
                EVP_EncryptUpdate(ctx, out + len, &more, &last, 1) == 1 &&
                EVP_EncryptFinal_ex(ctx, out + len + more, &end) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, out + len + more + end) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return right;
}

static void write_header(unsigned char out[HEADER_BYTES], const unsigned char salt[SALT_BYTES],
                         const unsigned char own_public[PUBLIC_KEY_BYTES])
{
    static const unsigned char sizes[5] = { 0, 0, RECORD_BYTES >> 8, RECORD_BYTES & 255, PUBLIC_KEY_BYTES };
    memcpy(out, salt, SALT_BYTES);
    memcpy(out + SALT_BYTES, sizes, sizeof sizes);
    memcpy(out + SALT_BYTES + sizeof sizes, own_public, PUBLIC_KEY_BYTES);
}

kanal_status encrypt_message(struct kanal_buffer *out, kanal_str public_key, kanal_str auth, EVP_PKEY *own,
                             const unsigned char salt[SALT_BYTES], kanal_str plaintext)
{
    unsigned char own_public[PUBLIC_KEY_BYTES], secret[SECRET_BYTES];
    struct content_keys keys;
    EVP_PKEY *theirs = read_public_key(public_key);
    size_t bytes = HEADER_BYTES + plaintext.len + 1 + TAG_BYTES;
    kanal_status status = plaintext.len > PLAINTEXT_BYTES_MAX                       ? KANAL_E_TOO_LARGE
                          : theirs == NULL || own == NULL || auth.len != AUTH_BYTES ? KANAL_E_INVALID
                          : kanal_buffer_reserve(out, bytes) != 0                   ? KANAL_E_INTERNAL
                                                                                    : KANAL_OK;
    if (status == KANAL_OK) {
        unsigned char *at = (unsigned char *)out->data + out->len;
        if (public_bytes(own, own_public) && agree(own, theirs, secret) &&
            derive(&keys, public_key, own_public, auth, secret, salt) &&
            seal(&keys, plaintext, at + HEADER_BYTES)) {
            write_header(at, salt, own_public);
            out->len += bytes;
        } else {
            status = KANAL_E_INTERNAL;
        }
        OPENSSL_cleanse(secret, sizeof secret);
        OPENSSL_cleanse(&keys, sizeof keys);
    }
    EVP_PKEY_free(theirs);
    ERR_clear_error();
    return status;
}

/* ---- Whose signature ---- */

int encrypt_verify_es256(kanal_str public_key, kanal_str data, kanal_str signature)
{
    unsigned char *der = NULL;
    int der_len = 0, right = 0;
    EVP_PKEY *key = signature.len == 64 ? read_public_key(public_key) : NULL;
    ECDSA_SIG *pair = key ? ECDSA_SIG_new() : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const unsigned char *bytes = (const unsigned char *)signature.ptr;
    BIGNUM *r = pair ? BN_bin2bn(bytes, 32, NULL) : NULL, *s = pair ? BN_bin2bn(bytes + 32, 32, NULL) : NULL;
    if (r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        der_len = i2d_ECDSA_SIG(pair, &der);
    }
    if (ctx && der_len > 0 && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1)
        right = EVP_DigestVerify(ctx, der, (size_t)der_len, (const unsigned char *)data.ptr, data.len) == 1;
    BN_free(r);
    BN_free(s);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return right;
}
