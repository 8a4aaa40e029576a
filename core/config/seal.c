#include "config/seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/file.h"
#include "config/memory.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/str.h"

#define KEYS_MAX 9u
#define KEY_BYTES 32u
#define NONCE_BYTES 12u
#define TAG_BYTES 16u
#define SECRET_BYTES_MAX (64u * 1024)

struct sealer {
    unsigned char keys[KEYS_MAX][KEY_BYTES]; /* the first also closes */
    size_t key_count;
};

/* ---- Keys ---- */

static kanal_str without_line_end(kanal_str text)
{
    while (text.len > 0 && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    return text;
}

static int read_key(unsigned char key[KEY_BYTES], kanal_str text)
{
    struct kanal_buffer bytes = { 0 };
    int ok = text.len == KEY_BYTES;

    if (ok) {
        memcpy(key, text.ptr, KEY_BYTES);
        return 0;
    }
    kanal_buffer_reserve(&bytes, 2 * KEY_BYTES);
    text = without_line_end(text);
    ok = text.len <= 48 && kanal_base64_decode(&bytes, text, 0) == KANAL_OK && bytes.len == KEY_BYTES;
    if (ok)
        memcpy(key, bytes.data, KEY_BYTES);
    config_wipe_free(bytes.data, bytes.capacity);
    return ok ? 0 : KANAL_E_INVALID;
}

static int add_key(struct sealer *sealer, const char *path, char reason[256])
{
    struct config_file file = { 0 };
    int status = config_file_read(&file, path, 4096);

    if (status != 0) {
        snprintf(reason, 256, "%.180s: %s", path,
                 status == KANAL_E_NOT_FOUND ? strerror(errno) : "it is larger than a key");
        config_file_release(&file);
        return KANAL_E_INVALID;
    }
    status = read_key(sealer->keys[sealer->key_count], kanal_str_of(file.bytes, file.len));
    config_file_release(&file);
    if (status == 0)
        sealer->key_count++;
    else
        snprintf(reason, 256,
                 "%.140s: expected 32 random bytes or their base64, as `openssl rand -base64 32` makes them",
                 path);
    return status;
}

int sealer_new(struct sealer **ret_sealer, const char *key_file, const char *const *old_files,
               char reason[256])
{
    struct sealer *sealer = calloc(1, sizeof *sealer);
    int status = sealer ? add_key(sealer, key_file, reason) : KANAL_E_INTERNAL;

    for (; status == 0 && old_files && *old_files && sealer->key_count < KEYS_MAX; old_files++)
        status = add_key(sealer, *old_files, reason);
    if (status == 0)
        *ret_sealer = sealer;
    else
        sealer_free(sealer);
    return status;
}

void sealer_free(struct sealer *sealer)
{
    if (!sealer)
        return;
    OPENSSL_cleanse(sealer, sizeof *sealer);
    free(sealer);
}

/* ---- Closing ---- */

/* nonce, ciphertext, tag: room for all of them in out. */
static int encrypt(const unsigned char key[KEY_BYTES], kanal_str purpose, kanal_str plain, unsigned char *out)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int len = 0;
    int ok =
        context && RAND_bytes(out, NONCE_BYTES) == 1 &&
        EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
        EVP_EncryptUpdate(context, NULL, &len, (const unsigned char *)purpose.ptr, (int)purpose.len) == 1 &&
        EVP_EncryptUpdate(context, out + NONCE_BYTES, &len, (const unsigned char *)plain.ptr,
                          (int)plain.len) == 1 &&
        EVP_EncryptFinal_ex(context, out + NONCE_BYTES + plain.len, &len) == 1 &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, out + NONCE_BYTES + plain.len) == 1;

    EVP_CIPHER_CTX_free(context);
    return ok ? 0 : KANAL_E_INTERNAL;
}

int seal_close(const struct sealer *sealer, kanal_str purpose, kanal_str plain,
               struct kanal_buffer *ret_sealed)
{
    size_t size = NONCE_BYTES + plain.len + TAG_BYTES;
    unsigned char *bytes = plain.len <= SECRET_BYTES_MAX ? malloc(size) : NULL;
    int status = bytes ? encrypt(sealer->keys[0], purpose, plain, bytes) : KANAL_E_INTERNAL;

    if (status == 0) {
        kanal_buffer_text(ret_sealed, "v1.");
        kanal_base64_encode(ret_sealed, kanal_str_of((const char *)bytes, size), KANAL_BASE64_URL);
        status = ret_sealed->failed ? KANAL_E_INTERNAL : 0;
    }
    free(bytes);
    return status;
}

/* ---- Opening ---- */

static int decrypt(const unsigned char key[KEY_BYTES], kanal_str purpose, kanal_str sealed,
                   unsigned char *plain)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    const unsigned char *bytes = (const unsigned char *)sealed.ptr;
    size_t size = sealed.len - NONCE_BYTES - TAG_BYTES;
    unsigned char tag[TAG_BYTES];
    int len = 0, ok;

    memcpy(tag, bytes + NONCE_BYTES + size, TAG_BYTES);
    ok = context && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, bytes) == 1 &&
         EVP_DecryptUpdate(context, NULL, &len, (const unsigned char *)purpose.ptr, (int)purpose.len) == 1 &&
         EVP_DecryptUpdate(context, plain, &len, bytes + NONCE_BYTES, (int)size) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
         EVP_DecryptFinal_ex(context, plain + size, &len) == 1;
    EVP_CIPHER_CTX_free(context);
    return ok ? 0 : KANAL_E_REJECTED;
}

static int open_bytes(const struct sealer *sealer, kanal_str purpose, kanal_str sealed,
                      struct kanal_buffer *ret_plain)
{
    size_t size = sealed.len - NONCE_BYTES - TAG_BYTES;
    unsigned char *plain = malloc(size + 1);
    int status = plain ? KANAL_E_REJECTED : KANAL_E_INTERNAL;

    for (size_t i = 0; plain && status != 0 && i < sealer->key_count; i++)
        status = decrypt(sealer->keys[i], purpose, sealed, plain);
    if (status == 0)
        kanal_buffer_append(ret_plain, plain, size);
    config_wipe_free(plain, size + 1);
    return status == 0 && ret_plain->failed ? KANAL_E_INTERNAL : status;
}

int seal_open(const struct sealer *sealer, kanal_str purpose, kanal_str sealed,
              struct kanal_buffer *ret_plain)
{
    struct kanal_buffer bytes = { 0 };
    int status = KANAL_E_INVALID;

    if (kanal_str_starts(sealed, "v1.") &&
        kanal_base64_decode(&bytes, kanal_str_from(sealed, 3), KANAL_BASE64_URL) == KANAL_OK &&
        bytes.len >= NONCE_BYTES + TAG_BYTES && bytes.len <= SECRET_BYTES_MAX + NONCE_BYTES + TAG_BYTES)
        status = open_bytes(sealer, purpose, kanal_buffer_view(&bytes), ret_plain);
    kanal_buffer_release(&bytes);
    return status;
}
