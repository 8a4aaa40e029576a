#include "kanal/sdk/rate.h"
#include <arpa/inet.h>
#include <stdlib.h>

#define WAYS 4u /* places that a key may have */

void kanal_rate_init(struct kanal_rate *rate, uint64_t seed)
{
    rate->seed = seed;
    rate->buckets = NULL;
}

void kanal_rate_release(struct kanal_rate *rate)
{
    free(rate->buckets);
    rate->buckets = NULL;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * UINT64_C(0x100000001B3);
        hash ^= hash >> 29;
    }
    return hash;
}

static uint64_t key_of(const struct kanal_rate *rate, char kind, kanal_str address)
{
    static const unsigned char mapped[12] = {
        [10] = 0xFF, [11] = 0xFF
    }; /* ::ffff:0:0/96, RFC 4291, 2.5.5.2 */
    char text[INET6_ADDRSTRLEN] = "";
    unsigned char bytes[16];
    uint64_t hash = mix(rate->seed, &kind, 1);
    if (address.len < sizeof text && memchr(address.ptr ? address.ptr : "", 0, address.len) == NULL) {
        memcpy(text, address.ptr ? address.ptr : "", address.len);
        if (inet_pton(AF_INET, text, bytes) == 1)
            return mix(hash, bytes, 4) | 1;
        if (inet_pton(AF_INET6, text, bytes) == 1)
            return (memcmp(bytes, mapped, 12) == 0 ? mix(hash, bytes + 12, 4) : mix(hash, bytes, 8)) | 1;
    }
    return mix(hash, address.ptr ? address.ptr : "", address.len) | 1;
}

/* The bucket of the key; a new one is full. */
static struct kanal_rate_bucket *find(struct kanal_rate *rate, uint64_t key)
{
    struct kanal_rate_bucket *set = &rate->buckets[key / WAYS % (KANAL_RATE_PLACES / WAYS) * WAYS],
                             *fullest = set;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].key == 0 || set[i].empty_ms < fullest->empty_ms)
            fullest = &set[i];
        if (set[i].key == 0)
            break; /* places are taken in order */
    }
    fullest->key = key;
    fullest->empty_ms = 0;
    return fullest;
}

int kanal_rate_take(struct kanal_rate *rate, char kind, kanal_str address, int64_t now_ms,
                    uint32_t per_minute, uint32_t burst, uint32_t *ret_wait_ms)
{
    if (rate->buckets == NULL)
        rate->buckets = calloc(KANAL_RATE_PLACES, sizeof *rate->buckets);
    if (rate->buckets == NULL)
        return 1;
    struct kanal_rate_bucket *bucket = find(rate, key_of(rate, kind, address));
    int64_t cost_ms = (60000 + (int64_t)per_minute - 1) / per_minute;
    int64_t full_ms = now_ms - cost_ms * burst;
    if (bucket->empty_ms < full_ms || bucket->empty_ms > now_ms) /* full; or the clock was set back */
        bucket->empty_ms = full_ms;
    if (bucket->empty_ms + cost_ms > now_ms) {
        *ret_wait_ms = (uint32_t)(bucket->empty_ms + cost_ms - now_ms);
        return 0;
    }
    bucket->empty_ms += cost_ms;
    return 1;
}
