/* Token buckets: what comes in a burst is paid back by a pause. */
#include "outbound/job.h"

void rate_init(struct rate *rate, double per_second, double burst, int64_t now_ms)
{
    *rate = (struct rate){ .per_second = per_second, .burst = burst < 1 ? 1 : burst, .refilled_ms = now_ms };
    rate->tokens = rate->burst;
}

static void refill(struct rate *rate, int64_t now_ms)
{
    rate->tokens += (double)(now_ms - rate->refilled_ms) * rate->per_second / 1000;
    rate->refilled_ms = now_ms;
    if (rate->tokens > rate->burst)
        rate->tokens = rate->burst;
}

int rate_take(struct rate *rate, int64_t now_ms)
{
    if (rate->per_second <= 0)
        return 1;
    refill(rate, now_ms);
    if (rate->tokens < 1)
        return 0;
    rate->tokens -= 1;
    return 1;
}

int64_t rate_wait_ms(struct rate *rate, int64_t now_ms)
{
    if (rate->per_second <= 0)
        return 0;
    refill(rate, now_ms);
    return rate->tokens >= 1 ? 0 : (int64_t)((1 - rate->tokens) * 1000 / rate->per_second) + 1;
}
