#include "host/handover.h"

#include <stdio.h>

#include "host/host.h"
#include "kanal/sdk/str.h"

#define TICK_MS 5u
#define DRAIN_MS 5000
#define HOLD_MS 10000
#define START_MS 40000 /* more than the channel's own deadline */

enum step { STEP_CREATE, STEP_PAUSE, STEP_DRAIN, STEP_STOP, STEP_START, STEP_UNDO_STOP, STEP_UNDO_START };

struct handover {
    struct channel *old, *next;
    enum step step;
    int64_t until_ms, hold_until_ms; /* loop time */
    int was_paused, is_holding;
    struct lane_item *held, **held_last;
    size_t held_count;
    kanal_status status; /* why it is undone */
    char reason[256];
    uv_timer_t *timer;
    handover_done_fn *done;
    void *user;
};

static int64_t now_ms(const struct handover *h)
{
    return (int64_t)uv_now(h->old->host->loop);
}

static void step_to(struct handover *h, enum step step, int64_t patience_ms)
{
    h->step = step;
    h->until_ms = now_ms(h) + patience_ms;
}

/* ---- Requests that wait ---- */

int handover_hold(struct handover *h, struct op *op)
{
    if (!h->is_holding)
        return 0;
    op->is_held = 1;
    op->item.next = NULL;
    *h->held_last = &op->item;
    h->held_last = &op->item.next;
    h->held_count++;
    return 1;
}

void handover_drop(struct handover *h, struct op *op)
{
    struct lane_item **link = &h->held;
    while (*link && *link != &op->item)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = op->item.next;
    if (!*link)
        h->held_last = link;
    op->is_held = 0;
    h->held_count--;
}

/* To the instance that is up now, in the order in which they came; one that is not answers 503. */
static void release_held(struct handover *h, struct channel *to)
{
    struct lane_item *item = h->held;
    h->held = NULL;
    h->held_last = &h->held;
    h->is_holding = 0;
    while (item) {
        struct lane_item *next = item->next;
        struct op *op = (struct op *)item;
        op->is_held = 0;
        op->channel->http--;
        to->http++;
        op->channel = to;
        lane_push(&to->lane, item);
        item = next;
    }
    h->held_count = 0;
}

/* ---- The end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void handover_free(struct handover *h)
{
    if (!h)
        return;
    if (h->next)
        channel_free(h->next);
    uv_close((uv_handle_t *)h->timer, on_timer_closed);
    free(h);
}

struct channel *handover_abort(struct handover *h)
{
    struct channel *next = h->next;
    h->old->handover = NULL;
    release_held(h, h->old);
    h->next = NULL;
    handover_free(h);
    return next;
}

static void end(struct handover *h, struct channel *channel, kanal_status status)
{
    handover_done_fn *done = h->done;
    void *user = h->user;
    char reason[256];
    snprintf(reason, sizeof reason, "%s", h->reason);
    h->old->handover = NULL;
    release_held(h, channel);
    if (h->next)
        host_retire(h->old->host, h->next, NULL);
    h->next = NULL;
    handover_free(h);
    done(user, channel, status, kanal_str_c(reason));
}

static void fail(struct handover *h, kanal_status status, const char *reason)
{
    if (h->status == KANAL_OK)
        h->status = status;
    if (h->reason[0] == '\0')
        snprintf(h->reason, sizeof h->reason, "%s", reason);
}

/* ---- Undoing ---- */

static void undo_start(struct handover *h)
{
    step_to(h, STEP_UNDO_START, START_MS);
    channel_start(h->old);
}

static void on_next_stopped(struct channel *channel, void *user)
{
    (void)channel;
    undo_start(user);
}

static void undo(struct handover *h, kanal_status status, const char *reason)
{
    fail(h, status, reason);
    channel_timer(h->next, 0, NULL); /* it would try again by itself */
    step_to(h, STEP_UNDO_STOP, START_MS);
    channel_stop(h->next, on_next_stopped, h);
}

/* ---- The steps ---- */

static const char *reason_of(const struct channel *channel)
{
    return channel->reason[0] ? channel->reason : "it gave no reason";
}

static void on_old_stopped(struct channel *old, void *user)
{
    struct handover *h = user;
    (void)old;
    step_to(h, STEP_START, START_MS);
    if (h->next->instance)
        channel_start(h->next);
    else
        undo(h, h->next->health, reason_of(h->next));
}

static void begin_stop(struct handover *h)
{
    step_to(h, STEP_STOP, START_MS);
    h->old->is_quiet = 1;
    channel_stop(h->old, on_old_stopped, h);
}

static void begin_drain(struct handover *h)
{
    h->is_holding = 1;
    h->hold_until_ms = now_ms(h) + HOLD_MS;
    step_to(h, STEP_DRAIN, DRAIN_MS);
}

static void finish(struct handover *h)
{
    struct channel *old = h->old, *next = h->next;
    int told = old->told;
    h->next = NULL;
    host_replace(old->host, old, next);
    old->handover = NULL;
    release_held(h, next);
    host_retire(old->host, old, next);
    channel_unquiet(next, told);
    h->reason[0] = '\0';
    handover_done_fn *done = h->done;
    void *user = h->user;
    handover_free(h);
    done(user, next, KANAL_OK, (kanal_str){ 0 });
}

static void on_paused(struct channel *next, void *user)
{
    (void)next;
    finish(user);
}

/* A paused one stays paused; that create() takes the settings is known. */
static void begin_pause(struct handover *h)
{
    step_to(h, STEP_PAUSE, START_MS);
    channel_pause(h->next, on_paused, h);
}

/* Created beside: refused, or its worker died of it, or it stands. */
static void check_created(struct handover *h)
{
    struct channel *next = h->next;
    if (next->state == CHANNEL_FAILED || next->state == CHANNEL_DOWN) {
        fail(h, next->state == CHANNEL_FAILED ? KANAL_E_INVALID : KANAL_E_INTERNAL, reason_of(next));
        channel_timer(next, 0, NULL);
        end(h, h->old, h->status);
    } else if (channel_is_idle(next)) {
        if (h->was_paused)
            begin_pause(h);
        else
            begin_drain(h);
    } /* else its worker is at it, or is killed soon */
}

static void check_started(struct handover *h)
{
    struct channel *next = h->next;
    if (next->state == CHANNEL_UP)
        finish(h);
    else if (next->state == CHANNEL_FAILED || next->state == CHANNEL_DOWN || now_ms(h) > h->until_ms)
        undo(h, next->health != KANAL_OK ? next->health : KANAL_E_TIMEOUT, reason_of(next));
}

static void check_undone(struct handover *h)
{
    struct channel *old = h->old;
    if (old->state == CHANNEL_STARTING && now_ms(h) <= h->until_ms)
        return;
    int told = old->told;
    channel_unquiet(old, told);
    end(h, old, h->status);
}

static void on_tick(uv_timer_t *timer)
{
    struct handover *h = timer->data;
    if (h->is_holding && now_ms(h) > h->hold_until_ms)
        release_held(h, h->old);
    switch (h->step) {
    case STEP_CREATE:
        check_created(h);
        break;
    case STEP_DRAIN:
        if ((h->old->http == h->held_count && h->old->calls == 0) || now_ms(h) > h->until_ms)
            begin_stop(h);
        break;
    case STEP_START:
        check_started(h);
        break;
    case STEP_UNDO_START:
        check_undone(h);
        break;
    case STEP_PAUSE:
    case STEP_STOP:
    case STEP_UNDO_STOP: /* the channel's own deadline ends these */
        break;
    }
}

int handover_begin(struct channel *old, const struct config_channel *config, struct plugin *plugin,
                   handover_done_fn *done, void *user)
{
    if (old->handover || old->stopped || old->state == CHANNEL_RETIRED)
        return KANAL_E_BUSY;
    struct handover *h = calloc(1, sizeof *h);
    uv_timer_t *timer = calloc(1, sizeof *timer);
    struct channel *next = h && timer ? channel_new(old->host, config, plugin) : NULL;
    if (!next) {
        free(h);
        free(timer);
        return KANAL_E_INTERNAL;
    }
    *h = (struct handover){ .old = old, .next = next, .timer = timer, .done = done, .user = user };
    h->held_last = &h->held;
    h->was_paused = old->state == CHANNEL_PAUSED;
    uv_timer_init(old->host->loop, timer);
    timer->data = h;
    uv_timer_start(timer, on_tick, TICK_MS, TICK_MS);
    old->handover = h;
    next->is_quiet = 1;
    next->last_in_ms = old->last_in_ms;
    next->last_out_ms = old->last_out_ms;
    step_to(h, STEP_CREATE, 0);
    channel_prepare(next);
    return 0;
}
