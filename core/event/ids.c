#include "event/ids.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>

#include "kanal/sdk/str.h"

#define ID_BYTES 16u
#define DIGEST_BYTES 32u

/* HMAC-SHA256 with the key's two inner states prepared, so that one MAC costs two digest copies and no look-up in OpenSSL's
 * provider tables, which cost more than the hashing (RFC 2104). */
struct hmac_key {
    EVP_MD_CTX *inner, *outer;
};

struct ids {
    EVP_MD *sha256;
    EVP_MD_CTX *work;
    EVP_MD_CTX *empty; /* SHA-256 with nothing hashed */
    struct hmac_key node, url;
    char fingerprint[33];
};

static int hmac_key_init(struct hmac_key *key, const EVP_MD *md, const unsigned char *secret,
                         size_t secret_len)
{
    unsigned char pad[64];
    key->inner = EVP_MD_CTX_new();
    key->outer = EVP_MD_CTX_new();
    if (!key->inner || !key->outer)
        return -1;
    for (int outer = 0; outer < 2; outer++) {
        EVP_MD_CTX *ctx = outer ? key->outer : key->inner;
        for (size_t i = 0; i < sizeof pad; i++)
            pad[i] = (unsigned char)((i < secret_len ? secret[i] : 0) ^ (outer ? 0x5c : 0x36));
        if (EVP_DigestInit_ex(ctx, md, NULL) != 1 || EVP_DigestUpdate(ctx, pad, sizeof pad) != 1)
            return -1;
    }
    OPENSSL_cleanse(pad, sizeof pad);
    return 0;
}

static void hmac_key_release(struct hmac_key *key)
{
    EVP_MD_CTX_free(key->inner);
    EVP_MD_CTX_free(key->outer);
}

static int hmac(struct ids *ids, const struct hmac_key *key, const char *label, kanal_str text,
                unsigned char *ret_mac)
{
    unsigned char digest[DIGEST_BYTES];
    int ok = EVP_MD_CTX_copy_ex(ids->work, key->inner) == 1 &&
             EVP_DigestUpdate(ids->work, label, strlen(label) + 1) == 1 &&
             EVP_DigestUpdate(ids->work, text.ptr, text.len) == 1 &&
             EVP_DigestFinal_ex(ids->work, digest, NULL) == 1 &&
             EVP_MD_CTX_copy_ex(ids->work, key->outer) == 1 &&
             EVP_DigestUpdate(ids->work, digest, sizeof digest) == 1 &&
             EVP_DigestFinal_ex(ids->work, ret_mac, NULL) == 1;
    return ok ? 0 : KANAL_E_INTERNAL;
}

/* 16 bytes → 26 characters. */
static void write_id(struct id *id, const char prefix[2], const unsigned char *bytes)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint32_t bits = 0, have = 0;
    char *out = id->text;
    *out++ = prefix[0];
    *out++ = prefix[1];
    for (size_t i = 0; i < ID_BYTES; i++) {
        bits = (bits << 8) | bytes[i];
        have += 8;
        while (have >= 5) {
            have -= 5;
            *out++ = alphabet[(bits >> have) & 31];
        }
    }
    *out++ = alphabet[(bits << (5 - have)) & 31];
    *out = 0;
}

/* A 64-byte key for one use, from the salt. */
static int derive(EVP_MD *md, kanal_str salt, const char *use, unsigned char ret_key[DIGEST_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, md, NULL) == 1 && EVP_DigestUpdate(ctx, "kanal ", 6) == 1 &&
             EVP_DigestUpdate(ctx, use, strlen(use) + 1) == 1 &&
             EVP_DigestUpdate(ctx, salt.ptr, salt.len) == 1 && EVP_DigestFinal_ex(ctx, ret_key, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? 0 : KANAL_E_INTERNAL;
}

int ids_new(struct ids **ret_ids, kanal_str salt)
{
    unsigned char node_key[DIGEST_BYTES], url_key[DIGEST_BYTES], print[DIGEST_BYTES];
    if (salt.len < 16)
        return KANAL_E_INVALID;
    struct ids *ids = calloc(1, sizeof *ids);
    if (!ids)
        return KANAL_E_INTERNAL;
    int ok = (ids->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL)) && (ids->work = EVP_MD_CTX_new()) &&
             (ids->empty = EVP_MD_CTX_new()) && EVP_DigestInit_ex(ids->empty, ids->sha256, NULL) == 1 &&
             derive(ids->sha256, salt, "node", node_key) == 0 &&
             derive(ids->sha256, salt, "url", url_key) == 0 &&
             derive(ids->sha256, salt, "fingerprint", print) == 0 &&
             hmac_key_init(&ids->node, ids->sha256, node_key, sizeof node_key) == 0 &&
             hmac_key_init(&ids->url, ids->sha256, url_key, sizeof url_key) == 0;
    OPENSSL_cleanse(node_key, sizeof node_key);
    OPENSSL_cleanse(url_key, sizeof url_key);
    if (!ok) {
        ids_free(ids);
        return KANAL_E_INTERNAL;
    }
    for (size_t i = 0; i < 16; i++) {
        ids->fingerprint[2 * i] = "0123456789abcdef"[print[i] >> 4];
        ids->fingerprint[2 * i + 1] = "0123456789abcdef"[print[i] & 15];
    }
    *ret_ids = ids;
    return 0;
}

void ids_free(struct ids *ids)
{
    if (!ids)
        return;
    hmac_key_release(&ids->node);
    hmac_key_release(&ids->url);
    EVP_MD_CTX_free(ids->work);
    EVP_MD_CTX_free(ids->empty);
    EVP_MD_free(ids->sha256);
    free(ids);
}

void ids_fingerprint(struct ids *ids, char ret_text[33])
{
    memcpy(ret_text, ids->fingerprint, sizeof ids->fingerprint);
}

int ids_event(struct ids *ids, kanal_str channel, kanal_str type, kanal_str dedupe, struct id *ret_id)
{
    unsigned char digest[DIGEST_BYTES];
    /* A NUL stands between the parts: neither a channel id nor a type can hold one, so no two triples give the same text. */
    int ok =
        EVP_MD_CTX_copy_ex(ids->work, ids->empty) == 1 &&
        EVP_DigestUpdate(ids->work, channel.ptr, channel.len) == 1 &&
        EVP_DigestUpdate(ids->work, "", 1) == 1 && EVP_DigestUpdate(ids->work, type.ptr, type.len) == 1 &&
        EVP_DigestUpdate(ids->work, "", 1) == 1 && EVP_DigestUpdate(ids->work, dedupe.ptr, dedupe.len) == 1 &&
        EVP_DigestFinal_ex(ids->work, digest, NULL) == 1;
    if (!ok)
        return KANAL_E_INTERNAL;
    write_id(ret_id, "e_", digest);
    return 0;
}

int ids_node(struct ids *ids, kanal_str address, struct id *ret_id)
{
    unsigned char mac[DIGEST_BYTES];
    if (hmac(ids, &ids->node, "address", address, mac) != 0)
        return KANAL_E_INTERNAL;
    write_id(ret_id, "a_", mac);
    return 0;
}

void ids_customer(const struct id *node, struct id *ret_customer)
{
    *ret_customer = *node;
    ret_customer->text[0] = 'c';
}

void ids_text(const char prefix[2], const unsigned char bytes[16], struct id *ret_id)
{
    write_id(ret_id, prefix, bytes);
}

int ids_bytes(kanal_str id, unsigned char ret_bytes[16])
{
    unsigned char bytes[ID_BYTES] = { 0 };
    uint32_t bits = 0, have = 0;
    size_t written = 0;
    if (id.len != ID_LEN || id.ptr[1] != '_')
        return KANAL_E_INVALID;
    for (size_t i = 2; i < ID_LEN; i++) {
        char c = id.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '2' && c <= '7')))
            return KANAL_E_INVALID;
        bits = bits << 5 | (uint32_t)(c >= 'a' ? c - 'a' : c - '2' + 26);
        have += 5;
        if (have >= 8) {
            have -= 8;
            bytes[written++] = (unsigned char)(bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    if (bits != 0) /* two bits are over; with others than 0 it would be a second spelling */
        return KANAL_E_INVALID;
    memcpy(ret_bytes, bytes, sizeof bytes);
    return 0;
}

void ids_bucket(const struct id *node, char ret_bucket[4])
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < ID_LEN; i++)
        hash = (hash ^ (unsigned char)node->text[i]) * 16777619u;
    ret_bucket[0] = 'b';
    ret_bucket[1] = "0123456789abcdef"[hash >> 28];
    ret_bucket[2] = "0123456789abcdef"[hash >> 24 & 15];
    ret_bucket[3] = '\0';
}

int ids_random(const char prefix[2], struct id *ret_id)
{
    unsigned char bytes[ID_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return KANAL_E_INTERNAL;
    write_id(ret_id, prefix, bytes);
    return 0;
}

int ids_sign(struct ids *ids, const char *purpose, kanal_str text, unsigned char ret_signature[16])
{
    unsigned char mac[DIGEST_BYTES];
    if (hmac(ids, &ids->url, purpose, text, mac) != 0)
        return KANAL_E_INTERNAL;
    memcpy(ret_signature, mac, 16);
    return 0;
}

int ids_verify(struct ids *ids, const char *purpose, kanal_str text, const unsigned char signature[16])
{
    unsigned char right[16];
    return ids_sign(ids, purpose, text, right) == 0 && CRYPTO_memcmp(right, signature, sizeof right) == 0;
}
