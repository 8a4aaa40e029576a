/* bucket.h - a token bucket: so many a minute, and a burst. Times come from the caller; a zeroed bucket is full. */
#ifndef WEBCHAT_BUCKET_H
#define WEBCHAT_BUCKET_H
#include <stdint.h>

struct bucket {
    int64_t
        empty_ms; /* the moment at which it would have been empty, had it filled since then: spent time lies after */
};

/* Takes one token. 1, or 0 and how long until there is one. */
static inline int bucket_take(struct bucket *b, int64_t now_ms, uint32_t per_minute, uint32_t burst,
                              uint32_t *ret_wait_ms)
{
    int64_t cost_ms = per_minute > 0 ? (60000 + per_minute - 1) / per_minute : 60000;
    int64_t oldest_ms = now_ms - cost_ms * (int64_t)burst;

    if (b->empty_ms < oldest_ms || b->empty_ms > now_ms) /* full; or the clock went back */
        b->empty_ms = oldest_ms;
    if (b->empty_ms + cost_ms > now_ms) {
        *ret_wait_ms = (uint32_t)(b->empty_ms + cost_ms - now_ms);
        return 0;
    }
    b->empty_ms += cost_ms;
    return 1;
}

#endif
