#include "host/lane.h"

#include <stdlib.h>

#include "kanal/plugin.h"

#define LANE_BATCH 64   /* items of one lane before the next has its turn */
#define TURN_ITEMS 4096 /* items of all lanes before I/O has its turn */

struct scheduler {
    uv_prepare_t prepare; /* what timers and answers made ready runs before the loop looks for I/O … */
    uv_check_t check;     /* … and what I/O made ready, right after it */
    uv_idle_t idle;       /* keeps the loop from sleeping while lanes are ready */
    struct lane *first, **last;
    int idling, open_handles;
    void (*after)(void *user);
    void *after_user;
};

static void make_ready(struct scheduler *s, struct lane *lane)
{
    lane->ready = 1;
    lane->next_ready = NULL;
    *s->last = lane;
    s->last = &lane->next_ready;
}

static void run_turn(struct scheduler *s)
{
    size_t left = TURN_ITEMS;
    while (s->first && left > 0) {
        struct lane *lane = s->first;
        s->first = lane->next_ready;
        if (!s->first)
            s->last = &s->first;
        lane->next_ready = NULL;
        lane->ready = 0;
        for (size_t n = 0; lane->first && n < LANE_BATCH && left > 0; n++, left--) {
            struct lane_item *item = lane->first;
            if (lane->may_run && !lane->may_run(lane)) {
                lane->parked = 1;
                break;
            }
            lane->first = item->next;
            if (!lane->first)
                lane->last = &lane->first;
            lane->queued--;
            item->next = NULL;
            item->run(item);
            if (!lane->scheduler)
                break; /* released by the item itself */
        }
        if (lane->scheduler && lane->first && !lane->ready && !lane->parked)
            make_ready(s, lane);
    }
}

static void on_idle(uv_idle_t *handle)
{
    (void)handle; /* its being there is what matters */
}

static void turn(struct scheduler *s)
{
    run_turn(s);
    if (s->first && !s->idling)
        uv_idle_start(&s->idle, on_idle);
    else if (!s->first && s->idling)
        uv_idle_stop(&s->idle);
    s->idling = s->first != NULL;
    if (s->after)
        s->after(s->after_user);
}

static void on_prepare(uv_prepare_t *handle)
{
    turn(handle->data);
}

static void on_check(uv_check_t *handle)
{
    turn(handle->data);
}

int scheduler_new(struct scheduler **ret_scheduler, uv_loop_t *loop)
{
    struct scheduler *s = calloc(1, sizeof *s);
    if (!s)
        return KANAL_E_INTERNAL;
    s->last = &s->first;
    uv_prepare_init(loop, &s->prepare);
    uv_check_init(loop, &s->check);
    uv_idle_init(loop, &s->idle);
    s->prepare.data = s->check.data = s->idle.data = s;
    s->open_handles = 3;
    uv_prepare_start(&s->prepare, on_prepare);
    uv_check_start(&s->check, on_check);
    uv_unref((uv_handle_t *)&s->prepare);
    uv_unref((uv_handle_t *)&s->check);
    *ret_scheduler = s;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct scheduler *s = handle->data;
    if (--s->open_handles == 0)
        free(s);
}

void scheduler_free(struct scheduler *s)
{
    if (!s)
        return;
    uv_close((uv_handle_t *)&s->prepare, on_closed);
    uv_close((uv_handle_t *)&s->check, on_closed);
    uv_close((uv_handle_t *)&s->idle, on_closed);
}

void scheduler_after(struct scheduler *s, void (*after)(void *user), void *user)
{
    s->after = after;
    s->after_user = user;
}

void lane_init(struct lane *lane, struct scheduler *scheduler)
{
    *lane = (struct lane){ .scheduler = scheduler };
    lane->last = &lane->first;
}

void lane_release(struct lane *lane)
{
    struct scheduler *s = lane->scheduler;
    if (!s)
        return;
    for (struct lane **link = &s->first; lane->ready && *link; link = &(*link)->next_ready)
        if (*link == lane) {
            *link = lane->next_ready;
            if (!*link)
                s->last = link;
            break;
        }
    *lane = (struct lane){ 0 };
}

void lane_push(struct lane *lane, struct lane_item *item)
{
    struct scheduler *s = lane->scheduler;
    item->next = NULL;
    *lane->last = item;
    lane->last = &item->next;
    lane->queued++;
    if (!lane->ready && !lane->parked)
        make_ready(s, lane);
}

void lane_resume(struct lane *lane)
{
    lane->parked = 0;
    if (lane->first && !lane->ready && lane->scheduler)
        make_ready(lane->scheduler, lane);
}

int lane_remove(struct lane *lane, struct lane_item *item)
{
    for (struct lane_item **link = &lane->first; *link; link = &(*link)->next)
        if (*link == item) {
            *link = item->next;
            if (!*link)
                lane->last = link;
            lane->queued--;
            item->next = NULL;
            return 1;
        }
    return 0;
}
