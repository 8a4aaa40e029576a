/* host/lane.h - the serial execution context of a channel, and the scheduler that gives each its turn.
 *
 * Items are pushed by anyone in the loop and run later, in order, one at a time; never inside the push. Ready lanes take turns
 * (round robin, a batch each), so that a busy channel does not starve the others. [loop] */
#ifndef KANAL_HOST_LANE_H
#define KANAL_HOST_LANE_H
#include <stddef.h>
#include <uv.h>

struct lane_item { /* embedded in what is to be done */
    struct lane_item *next;
    void (*run)(struct lane_item *);
};

struct lane {
    struct scheduler *scheduler;
    struct lane_item *first, **last;
    struct lane *next_ready;
    size_t queued;
    int ready;  /* in the scheduler's list */
    int parked; /* may_run() said no: waits for lane_resume() */
    /* Asked before each item; 0: not now. Whoever says no calls lane_resume(). NULL: always. */
    int (*may_run)(struct lane *);
};

struct scheduler;

int scheduler_new(struct scheduler **ret_scheduler, uv_loop_t *);
/* Items that still wait are not run. The loop must run once more. */
void scheduler_free(struct scheduler *);

/* Called at the end of each turn of the lanes. */
void scheduler_after(struct scheduler *, void (*after)(void *user), void *user);

void lane_init(struct lane *, struct scheduler *);
/* Takes the lane out of the scheduler; its items are forgotten. */
void lane_release(struct lane *);
void lane_push(struct lane *, struct lane_item *);
/* A parked lane goes on. */
void lane_resume(struct lane *);
/* Takes out an item that has not run; 1 if it was there. */
int lane_remove(struct lane *, struct lane_item *);

#endif
