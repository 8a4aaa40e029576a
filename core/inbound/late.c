/* Which events may have been stored longer ago than their stream remembers, and where in it they are looked for. */
#include "inbound/detour_inside.h"

/* Between a provider's clock, the broker's and ours. A subject of activity is shared by a 256th of all visitors, and whoever may write there chooses
 * the time: less of it is looked at. */
#define SKEW_MS INT64_C(3600000)
#define ACTIVITY_SKEW_MS INT64_C(60000)
#define ACTIVITY_MOST 64u
#define REPEATED_FOR_MS (8 * INT64_C(86400000)) /* no provider known to us tries longer than a week */

void late_learn(struct detour *d)
{
    for (int i = 0; i < 2; i++) {
        int64_t window_ms = js_stream_window_ms(d->host->broker, d->streams[i]);
        d->half_ms[i] = (window_ms > 0 ? window_ms : d->window_ms) / 2;
    }
}

/* A time that lies ahead hides how old the event is when it comes again: it counts as none. */
static int has_time(int64_t time_ms, int64_t half_ms, int64_t now_ms)
{
    return time_ms > 0 && time_ms < now_ms + half_ms;
}

int late_is(int64_t time_ms, int64_t half_ms, int64_t now_ms)
{
    return !has_time(time_ms, half_ms, now_ms) || time_ms < now_ms - half_ms;
}

int64_t late_since(int64_t time_ms, int64_t half_ms, int64_t now_ms, int32_t class)
{
    int64_t first_ms = !has_time(time_ms, half_ms, now_ms) ? now_ms - REPEATED_FOR_MS
                       : time_ms < now_ms                  ? time_ms
                                                           : now_ms;
    return first_ms - (class == EVENT_ACTIVITY ? ACTIVITY_SKEW_MS : SKEW_MS);
}

void late_find(struct detour *d, const struct spool_event *event, js_find_fn *fn, void *user)
{
    /* Younger ones are what the stream itself remembers. */
    struct js_find what = { .stream = d->streams[event->class],
                            .subject = event->subject,
                            .msg_id = event->id,
                            .since_ms = event->since_ms,
                            .until_ms = host_now_ms() - d->half_ms[event->class],
                            .most = event->class == EVENT_ACTIVITY ? ACTIVITY_MOST : 0 };
    js_find(d->host->broker, &what, fn, user);
}

void late_count(struct detour *d, kanal_status status)
{
    kanal_str values[] = { status == KANAL_OK            ? KANAL_LIT("stored")
                           : status == KANAL_E_NOT_FOUND ? KANAL_LIT("new")
                           : status == KANAL_E_TOO_LARGE ? KANAL_LIT("given_up")
                                                         : KANAL_LIT("no_answer") };
    metric_series(d->lookups, values)->value++;
}
