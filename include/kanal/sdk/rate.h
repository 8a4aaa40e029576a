/* kanal/sdk/rate.h - a token bucket for each network address, in a table of fixed size. Part of the static helpers, not of the ABI.
 *
 * An IPv6 address counts as its /64: that is what one customer of a provider has. Where the table is full, the bucket that
 * is nearest to full gives way: forgetting it loses least. */
#ifndef KANAL_SDK_RATE_H
#define KANAL_SDK_RATE_H
#include "str.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_RATE_PLACES 1024u /* 16 KiB a channel */

struct kanal_rate_bucket {
    uint64_t key;     /* 0: free */
    int64_t empty_ms; /* when it would have been empty, had it filled since then */
};

struct kanal_rate {
    uint64_t seed;                     /* so that nobody can aim at a place of the table */
    struct kanal_rate_bucket *buckets; /* made when first used */
};

void kanal_rate_init(struct kanal_rate *, uint64_t seed);
void kanal_rate_release(struct kanal_rate *);
/* Takes one from the bucket of the address. kind: separate buckets for separate things. 1, or 0 and the wait until there is one.
 * per_minute is at least 1. Out of memory: 1. */
int kanal_rate_take(struct kanal_rate *, char kind, kanal_str address, int64_t now_ms, uint32_t per_minute,
                    uint32_t burst, uint32_t *ret_wait_ms);

#ifdef __cplusplus
}
#endif
#endif
