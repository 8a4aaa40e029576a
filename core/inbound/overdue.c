#include "inbound/overdue.h"

#include <stdlib.h>

#include "kanal/plugin.h"

struct overdue {
    uv_timer_t timer; /* first: it is what is closed; runs while somebody waits */
    uint64_t patience_ms;
    struct waiter *first, *last;
};

static void on_timer(uv_timer_t *timer)
{
    struct overdue *o = timer->data;
    while (o->first && o->first->until_ms <= uv_now(timer->loop)) {
        struct waiter *waiter = o->first;
        overdue_unwatch(waiter);
        waiter->late(waiter);
    }
    /* Those who let go do not touch it: it looks again only when the first one's time would be over. */
    if (o->first)
        uv_timer_start(timer, on_timer, o->first->until_ms - uv_now(timer->loop), 0);
}

int overdue_new(struct overdue **ret_overdue, uv_loop_t *loop, uint32_t patience_ms)
{
    struct overdue *o = calloc(1, sizeof *o);
    if (!o)
        return KANAL_E_INTERNAL;
    o->patience_ms = patience_ms;
    uv_timer_init(loop, &o->timer);
    o->timer.data = o;
    *ret_overdue = o;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void overdue_free(struct overdue *o)
{
    if (!o)
        return;
    while (o->first)
        overdue_unwatch(o->first);
    uv_close((uv_handle_t *)&o->timer, on_closed);
}

void overdue_watch(struct overdue *o, struct waiter *waiter, void (*late)(struct waiter *))
{
    waiter->watched_by = o;
    waiter->late = late;
    waiter->until_ms = uv_now(o->timer.loop) + o->patience_ms;
    waiter->prev = o->last;
    waiter->next = NULL;
    if (o->last)
        o->last->next = waiter;
    else
        o->first = waiter;
    o->last = waiter;
    if (!uv_is_active((uv_handle_t *)&o->timer))
        uv_timer_start(&o->timer, on_timer, o->patience_ms, 0);
}

void overdue_unwatch(struct waiter *waiter)
{
    struct overdue *o = waiter->watched_by;
    if (!o)
        return;
    if (waiter->prev)
        waiter->prev->next = waiter->next;
    else
        o->first = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    else
        o->last = waiter->prev;
    waiter->watched_by = NULL;
}
