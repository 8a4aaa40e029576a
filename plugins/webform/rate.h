/* rate.h - a token bucket for each network address, in a table of fixed size.
 *
 * An IPv6 address counts as its /64: that is what one customer of a provider has. Where the table is full, the bucket that
 * is nearest to full gives way: forgetting it loses least. */
#ifndef WEBFORM_RATE_H
#define WEBFORM_RATE_H
#include "kanal/sdk/sdk.h"

#define RATE_PLACES 1024u /* 16 KiB a channel */

struct rate_bucket {
    uint64_t key;     /* 0: free */
    int64_t empty_ms; /* when it would have been empty, had it filled since then */
};

struct rate {
    uint64_t seed;               /* so that nobody can aim at a place of the table */
    struct rate_bucket *buckets; /* made when first used */
};

void rate_init(struct rate *, uint64_t seed);
void rate_release(struct rate *);
/* Takes one from the bucket of the address. kind: separate buckets for separate things. 1, or 0 and the wait until there is one.
 * per_minute is at least 1. Out of memory: 1. */
int rate_take(struct rate *, char kind, kanal_str address, int64_t now_ms, uint32_t per_minute,
              uint32_t burst, uint32_t *ret_wait_ms);

#endif
