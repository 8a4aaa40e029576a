#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include "host/host.h"
#include "host/services/services.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/str.h"

static int is_base64(kanal_str algorithm)
{
    return kanal_str_is(algorithm, "hmac-sha256-base64");
}

static const EVP_MD *hmac_digest(kanal_str algorithm)
{
    if (kanal_str_is(algorithm, "hmac-sha256") || is_base64(algorithm))
        return EVP_sha256();
    if (kanal_str_is(algorithm, "hmac-sha1"))
        return EVP_sha1();
    return NULL;
}

static int hmac(kanal_str key, const EVP_MD *digest, kanal_str data, unsigned char *ret_mac,
                unsigned int *ret_len)
{
    const void *bytes = data.len > 0 ? data.ptr : "";
    return HMAC(digest, key.ptr, (int)key.len, bytes, data.len, ret_mac, ret_len) ? 0 : KANAL_E_INTERNAL;
}

/* The key is what the secret's base64 says (Standard Webhooks: "whsec_" stands before it). */
static int hmac_base64(kanal_str secret, kanal_str data, unsigned char *ret_mac, unsigned int *ret_len)
{
    static const char prefix[] = "whsec_";
    struct kanal_buffer key = { 0 };
    if (kanal_str_starts(secret, prefix))
        secret = kanal_str_from(secret, sizeof prefix - 1);
    int status = KANAL_E_INVALID;
    if (kanal_buffer_reserve(&key, secret.len) == 0 &&
        kanal_base64_decode(&key, secret, KANAL_BASE64_UNPADDED) == 0 && key.len > 0)
        status = hmac(kanal_buffer_view(&key), EVP_sha256(), data, ret_mac, ret_len);
    if (key.data)
        OPENSSL_cleanse(key.data, key.capacity);
    kanal_buffer_release(&key);
    return status;
}

/* 0 or a negative status; ret_mac has room for EVP_MAX_MD_SIZE. */
static int mac_of(kanal_str secret, kanal_str algorithm, kanal_str data, unsigned char *ret_mac,
                  unsigned int *ret_len)
{
    const EVP_MD *digest = hmac_digest(algorithm);
    if (!digest)
        return KANAL_E_INVALID;
    return is_base64(algorithm) ? hmac_base64(secret, data, ret_mac, ret_len)
                                : hmac(secret, digest, data, ret_mac, ret_len);
}

/* Takes as long as the claim is, whatever the secret: the time tells nothing of it, nor of its length. */
static int equals(kanal_str secret, kanal_str claimed)
{
    volatile unsigned char different = secret.len != claimed.len;
    size_t at = 0;
    for (size_t i = 0; i < claimed.len; i++) {
        different |= (unsigned char)(claimed.ptr[i] ^ secret.ptr[at]);
        at = (at + 1) &
             -(size_t)(at + 1 != secret.len); /* from its end back to its beginning, without a branch */
    }
    return !different;
}

int check_signature(const struct channel *channel, kanal_str secret, kanal_str algorithm, kanal_str data,
                    kanal_str claimed)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    if (!text_valid(secret) || !text_valid(algorithm) || !text_valid(data) || !text_valid(claimed))
        return KANAL_E_INVALID;
    kanal_str key = channel_secret(channel, secret);
    if (key.len == 0)
        return KANAL_E_NOT_FOUND;
    if (kanal_str_is(algorithm, "equal"))
        return equals(key, claimed) ? KANAL_OK : KANAL_E_REJECTED;
    int status = mac_of(key, algorithm, data, mac, &len);
    if (status != 0)
        return status;
    return claimed.len == len && CRYPTO_memcmp(claimed.ptr, mac, len) == 0 ? KANAL_OK : KANAL_E_REJECTED;
}

kanal_op service_verify(const kanal_host *host, kanal_str secret, kanal_str algorithm, kanal_str data,
                        kanal_str claimed, kanal_done_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct op *op = channel_op(channel, OP_DONE);
    if (!op)
        return 0;
    op->callback.done = done;
    op->user = user;
    kanal_op id = op->id;
    op_complete(op, channel->ops > CHANNEL_OPS_MAX
                        ? KANAL_E_BUSY
                        : check_signature(channel, secret, algorithm, data, claimed));
    return id;
}

/* ES256 signatures leave OpenSSL as DER; JOSE wants r and s, 32 bytes each (RFC 7518, 3.4). */
static int to_jose(kanal_str der, struct kanal_buffer *out)
{
    unsigned char jose[64];
    const unsigned char *at = (const unsigned char *)der.ptr;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der.len);
    int ok = signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature), jose, 32) == 32 &&
             BN_bn2binpad(ECDSA_SIG_get0_s(signature), jose + 32, 32) == 32;
    ECDSA_SIG_free(signature);
    kanal_buffer_clear(out);
    kanal_buffer_append(out, jose, ok ? sizeof jose : 0);
    return ok ? KANAL_OK : KANAL_E_INTERNAL;
}

/* OpenSSL would ask for the passphrase on the terminal, with the gateway standing still. */
static int no_passphrase(char *out, int size, int writing, void *user)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

static int key_fits(const EVP_PKEY *key, int is_ec)
{
    return key && EVP_PKEY_get_base_id(key) == (is_ec ? EVP_PKEY_EC : EVP_PKEY_RSA) &&
           (!is_ec || EVP_PKEY_get_bits(key) == 256);
}

static int sign_with_key(kanal_str pem, int is_ec, kanal_str data, struct kanal_buffer *out)
{
    int status = KANAL_E_INVALID;
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = 0;
    if (!key_fits(key, is_ec) || !ctx)
        goto out;
    status = KANAL_E_INTERNAL;
    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(ctx, NULL, &len, (const unsigned char *)data.ptr, data.len) != 1 ||
        kanal_buffer_reserve(out, len) != 0 ||
        EVP_DigestSign(ctx, (unsigned char *)out->data, &len, (const unsigned char *)data.ptr, data.len) != 1)
        goto out;
    out->len = len;
    status = KANAL_OK;
    if (is_ec) {
        struct kanal_buffer der = *out;
        *out = (struct kanal_buffer){ 0 };
        status = to_jose(kanal_buffer_view(&der), out);
        kanal_buffer_release(&der);
    }
out:
    ERR_clear_error(); /* what was wrong here must not be found by the next user of this thread's queue */
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return status;
}

static int sign(const struct channel *channel, kanal_str secret, kanal_str algorithm, kanal_str data,
                struct kanal_buffer *out)
{
    if (!text_valid(secret) || !text_valid(algorithm) || !text_valid(data))
        return KANAL_E_INVALID;
    kanal_str key = channel_secret(channel, secret);
    if (key.len == 0)
        return KANAL_E_NOT_FOUND;
    if (kanal_str_is(algorithm, "rs256") || kanal_str_is(algorithm, "es256"))
        return sign_with_key(key, kanal_str_is(algorithm, "es256"), data, out);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    int status = mac_of(key, algorithm, data, mac, &len);
    kanal_buffer_append(out, mac, len);
    return status;
}

kanal_op service_sign(const kanal_host *host, kanal_str secret, kanal_str algorithm, kanal_str data,
                      kanal_value_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct op *op = channel_op(channel, OP_VALUE);
    if (!op)
        return 0;
    op->callback.value = done;
    op->user = user;
    kanal_op id = op->id;
    int status =
        channel->ops > CHANNEL_OPS_MAX ? KANAL_E_BUSY : sign(channel, secret, algorithm, data, &op->value);
    op_complete(op, op->value.failed ? KANAL_E_INTERNAL : status);
    return id;
}
