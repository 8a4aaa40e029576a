/* config/channels.c - the list of channels: their structs, what must hold between them, and their fingerprints. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "impl.h"
#include "json/quote.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/str.h"
#include "memory.h"
#include "network.h"

/* ---- Parts of a channel ---- */

static const char *id_wrong(kanal_str id)
{
    if (kanal_str_is(id, "any"))
        return "any is reserved: in a command's subject it lets Kanal choose the channel";
    return kanal_str_is(id, "_") ? "_ is reserved: in subjects it stands for nothing" : NULL;
}

static void build_secrets(struct config *config, struct config_channel *channel, yyjson_mut_val *secrets)
{
    size_t size = yyjson_mut_obj_size(secrets);
    struct config_secret *list = json_arena_alloc(&config->impl->arena, (size + 1) * sizeof *list);
    yyjson_mut_obj_iter iter = yyjson_mut_obj_iter_with(secrets);
    yyjson_mut_val *key;

    while (list && (key = yyjson_mut_obj_iter_next(&iter))) {
        yyjson_mut_val *value = yyjson_mut_obj_iter_get_val(key);
        struct config_secret *secret = &list[channel->secret_count++];
        secret->name = json_arena_dup(&config->impl->arena, config_str(key));
        secret->origin = config_origin(&config->impl->expansions, value);
        /* Of the arena: a copy of a literal, so that the tree could go. */
        secret->value = config_str(value);
        secret->value.ptr = json_arena_dup(&config->impl->arena, secret->value);
    }
    channel->secrets = list;
}

static void build_settings(struct config *config, struct config_channel *channel, yyjson_mut_val *settings)
{
    size_t len = 0;
    char *text =
        settings ? yyjson_mut_val_write_opts(settings, 0, &config_wiping_allocator, &len, NULL) : NULL;

    channel->settings = KANAL_LIT("{}");
    if (!text)
        return;
    channel->settings = kanal_str_of(json_arena_dup(&config->impl->arena, kanal_str_of(text, len)), len);
    config_wiping_allocator.free(NULL, text);
}

static void check_raw(struct config *config, const struct config_channel *channel, yyjson_mut_val *value,
                      struct config_errors *errors)
{
    kanal_str text = config_str(value);

    if (!text.ptr || config_error_known(errors, value))
        return;
    if (channel->raw_ms == 0)
        config_error_found(errors, value, "expected more than nothing; without raw no payloads are kept",
                           &text);
    else if (config->retention.raw_ms > 0 && channel->raw_ms > config->retention.raw_ms)
        config_error_found(errors, value, "expected at most retention.raw, which bounds all channels", &text);
}

/* NULL if they are not there: those of `routing` count. */
static const char *const *words(struct config *config, yyjson_mut_val *value, struct config_errors *errors)
{
    return value ? config_texts(config, value, NULL, errors, NULL) : NULL;
}

static void build_channel(struct config *config, struct config_channel *channel, yyjson_mut_val *value,
                          struct config_errors *errors)
{
    static const char *const workers[] = { "shared", "own", NULL };
    static const char *const fallbacks[] = { "refuse", "spool", NULL };
    static const char *const policies[] = { "retry", "fail", "ask", NULL };
    static const char *const media[] = { "proxy", "keep", NULL };
    static const char *const logs[] = { "failed", "all", "off", NULL }; /* as enum config_log */
    yyjson_mut_val *egress = yyjson_mut_obj_get(value, "egress"), *raw = yyjson_mut_obj_get(value, "raw");

    config_check_text(yyjson_mut_obj_get(value, "id"), id_wrong, errors);
    channel->id = config_text(config, yyjson_mut_obj_get(value, "id"), errors);
    channel->plugin = config_text(config, yyjson_mut_obj_get(value, "plugin"), errors);
    build_settings(config, channel, yyjson_mut_obj_get(value, "settings"));
    build_secrets(config, channel, yyjson_mut_obj_get(value, "secrets"));
    if (egress)
        channel->egress = config_texts(config, egress, config_egress_wrong, errors, NULL);
    channel->stop_words = words(config, yyjson_mut_obj_get(value, "stop_words"), errors);
    channel->start_words = words(config, yyjson_mut_obj_get(value, "start_words"), errors);
    channel->worker_own = config_choice(yyjson_mut_obj_get(value, "worker"), workers);
    channel->spool = config_choice(yyjson_mut_obj_get(value, "when_broker_down"), fallbacks);
    channel->raw_ms = config_duration(raw, errors);
    check_raw(config, channel, raw, errors);
    channel->rate_per_second = yyjson_mut_get_num(yyjson_mut_ptr_get(value, "/rate/per_second"));
    channel->rate_per_recipient_second =
        yyjson_mut_get_num(yyjson_mut_ptr_get(value, "/rate/per_recipient_second"));
    channel->on_unknown = config_choice(yyjson_mut_obj_get(value, "on_unknown"), policies);
    channel->log = (enum config_log)config_choice(yyjson_mut_obj_get(value, "log"), logs);
    channel->media_keep = config_choice(yyjson_mut_obj_get(value, "media"), media);
}

/* ---- Unique ids ---- */

struct named {
    kanal_str id;
    yyjson_mut_val *value;
    size_t index;
};

static int compare(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    size_t shorter = x->id.len < y->id.len ? x->id.len : y->id.len;
    int order = shorter > 0 ? memcmp(x->id.ptr, y->id.ptr, shorter) : 0;

    if (order == 0 && x->id.len != y->id.len)
        order = x->id.len < y->id.len ? -1 : 1;
    return order != 0 ? order : x->index < y->index ? -1 : x->index > y->index;
}

static int check_unique(yyjson_mut_val *channels, struct config_errors *errors)
{
    struct named *names = calloc(yyjson_mut_arr_size(channels) + 1, sizeof *names);
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(channels);
    yyjson_mut_val *item;
    size_t count = 0;

    for (size_t i = 0; names && (item = yyjson_mut_arr_iter_next(&iter)); i++) {
        yyjson_mut_val *id = yyjson_mut_obj_get(item, "id");
        if (yyjson_mut_is_str(id))
            names[count++] = (struct named){ config_str(id), id, i };
    }
    if (names)
        qsort(names, count, sizeof *names, compare);
    for (size_t i = 1; i < count; i++) {
        const struct config_position *first = config_position_find(errors->positions, names[i - 1].value);
        struct kanal_buffer *text;
        if (!kanal_str_equal(names[i - 1].id, names[i].id))
            continue;
        text = config_error_of(errors, names[i].value);
        json_quote(text, names[i].id);
        kanal_buffer_text(text, " is the id of another channel, on line ");
        kanal_buffer_uint(text, first ? first->line : 1);
    }
    free(names);
    return names ? 0 : KANAL_E_INTERNAL;
}

int config_build_channels(struct config *config, yyjson_mut_val *channels, struct config_errors *errors)
{
    size_t size = yyjson_mut_arr_size(channels);
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(channels);
    yyjson_mut_val *item;

    config->channels = json_arena_alloc(&config->impl->arena, (size + 1) * sizeof *config->channels);
    if (!config->channels)
        return KANAL_E_INTERNAL;
    while ((item = yyjson_mut_arr_iter_next(&iter))) {
        struct config_channel *channel = &config->channels[config->channel_count];
        channel->position = (uint32_t)config->channel_count++;
        build_channel(config, channel, item, errors);
    }
    return check_unique(channels, errors);
}

/* ---- Fingerprints ---- */

/* With its length in front, so that "ab" + "c" and "a" + "bc" differ. */
static int add(EVP_MAC_CTX *mac, kanal_str part)
{
    unsigned char length[8];

    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (unsigned char)((uint64_t)part.len >> (8 * i));
    return EVP_MAC_update(mac, length, sizeof length) == 1 &&
           (part.len == 0 || EVP_MAC_update(mac, (const unsigned char *)part.ptr, part.len) == 1);
}

static int digest(EVP_MAC_CTX *mac, kanal_str salt, const struct config_channel *channel,
                  unsigned char out[32])
{
    char sha256[] = "SHA256";
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string("digest", sha256, 0),
                            OSSL_PARAM_construct_end() };
    size_t len = 0;
    int ok = EVP_MAC_init(mac, (const unsigned char *)salt.ptr, salt.len, params) == 1 &&
             add(mac, kanal_str_c(channel->plugin)) && add(mac, channel->settings);

    for (size_t i = 0; ok && i < channel->secret_count; i++)
        ok = add(mac, kanal_str_c(channel->secrets[i].name)) && add(mac, channel->secrets[i].value);
    return ok && EVP_MAC_final(mac, out, &len, 32) == 1 && len == 32;
}

int config_fingerprint(struct config *config, struct config_channel *channel)
{
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = algorithm ? EVP_MAC_CTX_new(algorithm) : NULL;
    unsigned char bytes[32];
    struct kanal_buffer hex = { 0 };
    int ok = mac && digest(mac, config->identity.salt, channel, bytes);

    if (ok) {
        kanal_hex_encode(&hex, kanal_str_of((const char *)bytes, sizeof bytes));
        channel->fingerprint =
            kanal_str_of(json_arena_dup(&config->impl->arena, kanal_buffer_view(&hex)), hex.len);
        kanal_buffer_release(&hex);
    }
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(algorithm);
    return ok && channel->fingerprint.ptr ? 0 : KANAL_E_INTERNAL;
}
