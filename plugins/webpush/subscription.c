#include "subscription.h"

#include <stdio.h>

#define BASE64 (KANAL_BASE64_URL | KANAL_BASE64_UNPADDED)

static int read_bytes(char *out, size_t size, kanal_str text)
{
    struct kanal_buffer bytes = { 0 };
    int right = kanal_base64_decode(&bytes, text, BASE64) == KANAL_OK && bytes.len == size;
    if (right)
        memcpy(out, bytes.data, size);
    kanal_buffer_release(&bytes);
    return right;
}

const char *subscription_read(struct subscription *s, const struct settings *settings, yyjson_val *object)
{
    yyjson_val *keys = kanal_json_at(object, "keys");
    kanal_str endpoint = kanal_json_text_at(object, "endpoint");
    memset(s, 0, sizeof *s);
    if (!settings_takes_endpoint(settings, endpoint))
        return "the endpoint is not at one of the channel's push services";
    memcpy(s->endpoint, endpoint.ptr, endpoint.len); /* at most 2,048 bytes of ASCII */
    if (!read_bytes(s->auth, AUTH_BYTES, kanal_json_text_at(keys, "auth")))
        return "keys.auth has to be 16 bytes in base64url";
    if (!read_bytes(s->public_key, PUBLIC_KEY_BYTES, kanal_json_text_at(keys, "p256dh")) ||
        !encrypt_is_public_key(kanal_str_of(s->public_key, PUBLIC_KEY_BYTES)))
        return "keys.p256dh has to be a point of P-256 in base64url";
    return NULL;
}

static void member_bytes(struct kanal_json *json, const char *key, const char *bytes, size_t len)
{
    struct kanal_buffer text = { 0 };
    kanal_base64_encode(&text, kanal_str_of(bytes, len), BASE64);
    kanal_json_member_str(json, key, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
}

void subscription_write(struct kanal_buffer *out, const struct subscription *s)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "endpoint", s->endpoint);
    kanal_json_key(&json, "keys");
    kanal_json_object(&json);
    member_bytes(&json, "p256dh", s->public_key, PUBLIC_KEY_BYTES);
    member_bytes(&json, "auth", s->auth, AUTH_BYTES);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
}

int subscription_equal(const struct subscription *a, const struct subscription *b)
{
    return strcmp(a->endpoint, b->endpoint) == 0 &&
           memcmp(a->public_key, b->public_key, PUBLIC_KEY_BYTES) == 0 &&
           memcmp(a->auth, b->auth, AUTH_BYTES) == 0;
}

void subscription_key(char out[STATE_KEY_BYTES], const char *visitor)
{
    snprintf(out, STATE_KEY_BYTES, "visitor/%s", visitor);
}

void subscription_hash(char out[17], const struct subscription *s)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a: tells a visitor's own few endpoints apart */
    for (const char *at = s->endpoint; *at != 0; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001B3);
    snprintf(out, 17, "%016llx", (unsigned long long)hash);
}
