/* verify() and sign() by secret name, with OpenSSL as the real host does it. */
#include "inside.h"
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

const char *fake_secret(const struct fake_host *host, kanal_str name)
{
    for (size_t i = 0; i < host->secret_count; i++) {
        if (kanal_str_is(name, host->secrets[i][0]))
            return host->secrets[i][1];
    }
    return NULL;
}

int fake_same_bytes(kanal_str a, kanal_str b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0);
}

kanal_status fake_mac(const char *secret, kanal_str algorithm, kanal_str data, unsigned char out[64],
                      size_t *ret_len)
{
    const EVP_MD *digest = kanal_str_is(algorithm, "hmac-sha256") ? EVP_sha256()
                           : kanal_str_is(algorithm, "hmac-sha1") ? EVP_sha1()
                                                                  : NULL;
    unsigned length = 0;
    if (digest == NULL)
        return KANAL_E_INVALID;
    const unsigned char *bytes = (const unsigned char *)(data.ptr ? data.ptr : "");
    if (HMAC(digest, secret, (int)strlen(secret), bytes, data.len, out, &length) == NULL)
        return KANAL_E_INTERNAL;
    *ret_len = length;
    return KANAL_OK;
}

/* The plugin must have declared the secret, or the operator could not have configured it. */
static const char *declared_secret(struct fake_host *host, kanal_str name)
{
    for (size_t i = 0; i < host->plugin->secret_count; i++) {
        if (kanal_str_is(name, host->plugin->secrets[i].name))
            return fake_secret(host, name);
    }
    fake_fail(host, "the plugin declares no secret '%.*s'", (int)name.len, name.ptr);
    return NULL;
}

static kanal_status check(struct fake_host *host, kanal_str name, kanal_str algorithm, kanal_str data,
                          kanal_str claimed)
{
    unsigned char mac[64];
    size_t length = 0;
    const char *secret = declared_secret(host, name);
    if (secret == NULL)
        return KANAL_E_NOT_FOUND;
    if (kanal_str_is(algorithm, "equal"))
        return fake_same_bytes(kanal_str_c(secret), claimed) ? KANAL_OK : KANAL_E_REJECTED;
    kanal_status status = fake_mac(secret, algorithm, data, mac, &length);
    if (status != KANAL_OK)
        return status;
    return fake_same_bytes(kanal_str_of((char *)mac, length), claimed) ? KANAL_OK : KANAL_E_REJECTED;
}

kanal_op fake_verify(const kanal_host *table, kanal_str secret, kanal_str algorithm, kanal_str data,
                     kanal_str claimed, kanal_done_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "verify", TASK_DONE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.done = callback;
    if (!refused)
        fake_ready(host, task, check(host, secret, algorithm, data, claimed));
    return task->op;
}

/* DER to the fixed-length r || s of RFC 7518, 3.4. */
static int to_jose(struct kanal_buffer *signature)
{
    const unsigned char *der = (const unsigned char *)signature->data;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)signature->len);
    unsigned char raw[64];
    int right = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32) == 32 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32) == 32;
    ECDSA_SIG_free(pair);
    kanal_buffer_clear(signature);
    kanal_buffer_append(signature, raw, right ? sizeof raw : 0);
    return right ? 0 : -1;
}

static kanal_status sign_with_key(const char *pem, kanal_str data, int is_es256, struct kanal_buffer *out)
{
    kanal_status status = KANAL_E_INVALID;
    size_t length = 0;
    BIO *source = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = source ? PEM_read_bio_PrivateKey(source, NULL, NULL, NULL) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    const unsigned char *bytes = (const unsigned char *)(data.ptr ? data.ptr : "");
    if (key == NULL || context == NULL ||
        EVP_PKEY_get_base_id(key) != (is_es256 ? EVP_PKEY_EC : EVP_PKEY_RSA))
        goto done;
    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, NULL, &length, bytes, data.len) != 1 ||
        kanal_buffer_reserve(out, length) != 0 ||
        EVP_DigestSign(context, (unsigned char *)out->data, &length, bytes, data.len) != 1)
        goto done;
    out->len = length;
    status = is_es256 && to_jose(out) != 0 ? KANAL_E_INVALID : KANAL_OK;
done:
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    BIO_free(source);
    return status;
}

static kanal_status make(struct fake_host *host, kanal_str name, kanal_str algorithm, kanal_str data,
                         struct task *task)
{
    const char *secret = declared_secret(host, name);
    struct kanal_buffer signature = { 0 };
    unsigned char mac[64];
    size_t length = 0;
    kanal_status status;
    if (secret == NULL)
        return KANAL_E_NOT_FOUND;
    int is_es256 = kanal_str_is(algorithm, "es256");
    if (is_es256 || kanal_str_is(algorithm, "rs256")) {
        status = sign_with_key(secret, data, is_es256, &signature);
    } else {
        status = fake_mac(secret, algorithm, data, mac, &length);
        kanal_buffer_append(&signature, mac, length);
    }
    if (status == KANAL_OK)
        task->value = fake_arena_str(&task->copies, kanal_buffer_view(&signature));
    kanal_buffer_release(&signature);
    return status;
}

kanal_op fake_sign(const kanal_host *table, kanal_str secret, kanal_str algorithm, kanal_str data,
                   kanal_value_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "sign", TASK_VALUE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.value = callback;
    if (!refused)
        fake_ready(host, task, make(host, secret, algorithm, data, task));
    return task->op;
}
