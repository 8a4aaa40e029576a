#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/params.h>
#include "encrypt.h"

/* RFC 8291, section 5 and appendix A. */
#define RECEIVER_KEY "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
#define SENDER_KEY "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
#define SENDER_PRIVATE "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
#define AUTH "BTBZMqHH6r4Tts7J_aSIgg"
#define SALT "DGv6ra1nlYgDCS1FRnbzlw"
#define BODY                                                                                                 \
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_"                                                         \
    "c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"                                  \
    "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"

static kanal_str decode(struct kanal_buffer *out, const char *text)
{
    kanal_buffer_clear(out);
    cr_assert_eq(kanal_base64_decode(out, kanal_str_c(text), KANAL_BASE64_URL | KANAL_BASE64_UNPADDED),
                 KANAL_OK);
    return kanal_buffer_view(out);
}

/* The vector's key pair. */
static EVP_PKEY *sender(void)
{
    struct kanal_buffer key = { 0 }, secret = { 0 };
    char group[] = "prime256v1";
    unsigned char reversed[32]; /* OSSL_PARAM's integers are in the machine's order */
    EVP_PKEY *pkey = NULL;
    decode(&key, SENDER_KEY);
    decode(&secret, SENDER_PRIVATE);
    for (size_t i = 0; i < 32; i++)
        reversed[i] = (unsigned char)secret.data[31 - i];
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                            OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, key.data, key.len),
                            OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, reversed, sizeof reversed),
                            OSSL_PARAM_construct_end() };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    cr_assert_eq(EVP_PKEY_fromdata_init(ctx), 1);
    cr_assert_eq(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params), 1);
    EVP_PKEY_CTX_free(ctx);
    kanal_buffer_release(&key);
    kanal_buffer_release(&secret);
    return pkey;
}

Test(encrypt, the_rfcs_own_vector)
{
    struct kanal_buffer key = { 0 }, auth = { 0 }, salt = { 0 }, out = { 0 }, text = { 0 };
    EVP_PKEY *own = sender();
    decode(&key, RECEIVER_KEY);
    decode(&auth, AUTH);
    decode(&salt, SALT);
    cr_assert_eq(encrypt_message(&out, kanal_buffer_view(&key), kanal_buffer_view(&auth), own,
                                 (unsigned char *)salt.data,
                                 KANAL_LIT("When I grow up, I want to be a watermelon")),
                 KANAL_OK);
    kanal_base64_encode(&text, kanal_buffer_view(&out), KANAL_BASE64_URL | KANAL_BASE64_UNPADDED);
    cr_assert(kanal_str_is(kanal_buffer_view(&text), BODY), "%.*s", (int)text.len, text.data);
    EVP_PKEY_free(own);
    kanal_buffer_release(&key);
    kanal_buffer_release(&auth);
    kanal_buffer_release(&salt);
    kanal_buffer_release(&out);
    kanal_buffer_release(&text);
}

Test(encrypt, sizes_and_keys)
{
    struct kanal_buffer key = { 0 }, auth = { 0 }, out = { 0 };
    static const unsigned char salt[SALT_BYTES] = { 1 };
    static char text[PLAINTEXT_BYTES_MAX + 1];
    EVP_PKEY *own = encrypt_new_key();
    const kanal_str k = decode(&key, RECEIVER_KEY), a = decode(&auth, AUTH);
    cr_assert_eq(encrypt_message(&out, k, a, own, salt, kanal_str_of(text, PLAINTEXT_BYTES_MAX)), KANAL_OK);
    cr_assert_eq(out.len, 4096);
    cr_assert_eq(encrypt_message(&out, k, a, own, salt, kanal_str_of(NULL, 0)), KANAL_OK);
    cr_assert_eq(out.len, 4096 + 86 + 1 + 16);
    cr_assert_eq(encrypt_message(&out, k, a, own, salt, kanal_str_of(text, sizeof text)), KANAL_E_TOO_LARGE);
    cr_assert_eq(encrypt_message(&out, k, kanal_str_of(a.ptr, 15), own, salt, KANAL_LIT("x")),
                 KANAL_E_INVALID);
    cr_assert_eq(encrypt_message(&out, kanal_str_of(k.ptr, 64), a, own, salt, KANAL_LIT("x")),
                 KANAL_E_INVALID);
    cr_assert_eq(encrypt_message(&out, k, a, NULL, salt, KANAL_LIT("x")), KANAL_E_INVALID);
    cr_assert_eq(out.len, 4096 + 86 + 1 + 16);
    cr_assert(encrypt_is_public_key(k));
    for (size_t i = 0; i < PUBLIC_KEY_BYTES; i++) { /* a point off the curve, or of another form */
        key.data[i] ^= 1;
        cr_assert_not(encrypt_is_public_key(k), "%zu", i);
        key.data[i] ^= 1;
    }
    for (char form = 6; form <= 7; form++) { /* hybrid: one of them would be a point to OpenSSL */
        key.data[0] = form;
        cr_assert_not(encrypt_is_public_key(k));
    }
    cr_assert_not(encrypt_is_public_key(kanal_str_of(NULL, 0)));
    EVP_PKEY_free(own);
    kanal_buffer_release(&key);
    kanal_buffer_release(&auth);
    kanal_buffer_release(&out);
}

/* RFC 8292, 2.4 and 3.2: its key, and its token's signature. */
Test(encrypt, the_token_of_rfc_8292)
{
    static const char signed_text[] =
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9."
        "eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1"
        "YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0";
    struct kanal_buffer key = { 0 }, signature = { 0 };
    decode(&key, "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs");
    decode(&signature,
           "i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA");
    const kanal_str k = kanal_buffer_view(&key), s = kanal_buffer_view(&signature);
    cr_assert(encrypt_verify_es256(k, kanal_str_c(signed_text), s));
    cr_assert_not(encrypt_verify_es256(k, KANAL_LIT("other"), s));
    signature.data[63] ^= 1;
    cr_assert_not(encrypt_verify_es256(k, kanal_str_c(signed_text), s));
    cr_assert_not(encrypt_verify_es256(k, kanal_str_c(signed_text), kanal_str_of(s.ptr, 63)));
    kanal_buffer_release(&key);
    kanal_buffer_release(&signature);
}
