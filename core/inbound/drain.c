/* From the spool to the broker, oldest first: read a part of it; look up what may be in the stream already; send the rest, in order; and remove what is
 * stored. What cannot be sent now is read again later, from the oldest on. */
#include <stdlib.h>

#include "inbound/detour_inside.h"
#include "kanal/sdk/str.h"

#define AGAIN_MS 1000u

struct drained { /* a row on its way */
    struct detour *detour;
    struct spool_event *event;
    int is_stored, is_wrong; /* wrong: it never can be */
    int has_failed;
};

int drain_init(struct drain *drain)
{
    if (!drain->rows)
        drain->rows = calloc(SPOOL_READ_MOST, sizeof *drain->rows);
    return drain->rows ? 0 : KANAL_E_INTERNAL;
}

void drain_release(struct drain *drain)
{
    for (size_t i = 0; i < drain->count; i++)
        free(drain->rows[i].event);
    drain->count = 0;
    free(drain->rows);
    drain->rows = NULL;
}

/* ---- The end of a part ---- */

static void settle_row(struct detour *d, const struct drained *row)
{
    const struct spool_event *event = row->event;
    if (row->is_wrong) {
        d->set_aside->value++;
        log_write(d->host->log, KANAL_LOG_ERROR, "spool", NULL,
                  "event %.*s of channel %.*s can never be stored in the broker; it is kept in the spool, "
                  "out of the way",
                  (int)event->id.len, event->id.ptr, (int)event->channel.len, event->channel.ptr);
        spool_refuse(d->spool, event, "the broker can never take it");
    } else {
        d->drained->value++;
        spool_remove(d->spool, event);
    }
    detour_spool_count(d, event->channel, event->keys, 0);
}

static void finish_part(struct detour *d)
{
    struct drain *drain = &d->drain;
    for (size_t i = 0; i < drain->count; i++) {
        const struct drained *row = &drain->rows[i];
        if (row->is_wrong || (row->is_stored && !row->has_failed))
            settle_row(d, row);
        else
            drain->is_failed = 1;
        drain->after = row->event->seq;
    }
    for (size_t i = 0; i < drain->count; i++)
        free(drain->rows[i].event);
    drain->count = 0;
    if (drain->is_failed) {
        drain->after = 0;
        drain->again_ms = uv_now(d->host->loop) + AGAIN_MS;
    }
    drain->is_busy = 0;
    detour_spool_show(d);
    drain_poke(d);
}

/* ---- Sending ---- */

static void on_answer(struct drained *row, kanal_status status)
{
    if (status == KANAL_E_TOO_LARGE || status == KANAL_E_INVALID)
        row->is_wrong = 1;
    else if (status != KANAL_OK)
        row->has_failed = 1;
    if (--row->detour->drain.waiting == 0)
        finish_part(row->detour);
}

static void on_ack(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct drained *row = user;
    (void)ack, (void)reason;
    row->is_stored = status == KANAL_OK;
    on_answer(row, status);
}

static void on_raw_ack(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    (void)ack, (void)reason;
    /* A payload that is too large must not keep its event. */
    on_answer(user, status == KANAL_E_TOO_LARGE ? KANAL_OK : status);
}

/* In order, and none behind one that could not be looked up. */
static void send_part(struct detour *d)
{
    struct drain *drain = &d->drain;
    drain->waiting = 1;
    for (size_t i = 0; i < drain->count && !drain->is_failed; i++)
        if (drain->rows[i].has_failed)
            drain->is_failed = 1;
        else if (!drain->rows[i].is_stored)
            drain->waiting += detour_send(d, drain->rows[i].event, on_ack, on_raw_ack, &drain->rows[i]);
    if (--drain->waiting == 0)
        finish_part(d);
}

/* ---- Looking up ---- */

static void on_found(void *user, kanal_status status, uint32_t requests)
{
    struct drained *row = user;
    struct detour *d = row->detour;
    (void)requests;
    late_count(d, status);
    row->is_stored = status == KANAL_OK;
    row->has_failed = status != KANAL_OK && status != KANAL_E_NOT_FOUND && status != KANAL_E_TOO_LARGE;
    if (--d->drain.waiting == 0)
        send_part(d);
}

static void on_read(void *user, kanal_status status, struct spool_event **events, size_t count,
                    size_t damaged)
{
    struct detour *d = user;
    struct drain *drain = &d->drain;
    int64_t now_ms = host_now_ms();
    if (damaged > 0) {
        drain->had_damaged = 1;
        d->set_aside->value += (double)damaged;
        log_write(d->host->log, KANAL_LOG_ERROR, "spool", NULL,
                  "%zu damaged events are kept in the spool, out of the way", damaged);
    }
    if (status != KANAL_OK || count == 0) {
        drain->is_busy = 0;
        drain->after = 0;
        drain->again_ms = uv_now(d->host->loop) + (damaged > 0 ? 0 : AGAIN_MS);
        return;
    }
    drain->count = count;
    drain->is_failed = 0;
    drain->waiting = 1;
    for (size_t i = 0; i < count; i++)
        drain->rows[i] = (struct drained){ .detour = d, .event = events[i] };
    for (size_t i = 0; i < count; i++) {
        const struct spool_event *event = events[i];
        if (!event->is_late && event->created_ms <= now_ms &&
            now_ms - event->created_ms < d->half_ms[event->class])
            continue; /* the stream remembers it, if it has it */
        drain->waiting++;
        late_find(d, event, on_found, &drain->rows[i]);
    }
    if (--drain->waiting == 0)
        send_part(d);
}

/* Of which channels the damaged ones were is not known; now there are no others. */
static void forget_damaged(struct detour *d)
{
    for (struct channel *channel = d->drain.had_damaged ? d->host->first_channel : NULL; channel;
         channel = channel->next)
        channel->spooled = 0;
    d->drain.had_damaged = 0;
}

void drain_poke(struct detour *d)
{
    struct drain *drain = &d->drain;
    struct spool_state state;
    if (!d->spool || d->is_ending || drain->is_busy || !drain->is_ready ||
        uv_now(d->host->loop) < drain->again_ms || broker_get_state(d->host->broker) != BROKER_UP)
        return;
    spool_state(d->spool, &state);
    if (state.rows == 0) {
        drain->after = 0;
        keys_forget_rows(d->keys);
        forget_damaged(d);
        return;
    }
    drain->is_busy = 1;
    spool_read(d->spool, drain->after, on_read, d);
}
