/* outbound/schedule.h - commands that have their time (`at`), and routes that go on at theirs. [loop]
 *
 * They wait in the stream <PREFIX>_SCHEDULED, one subject each; the holder of the intake's lease has their times in memory, 48 bytes each, and
 * sends each on its way when it is due. */
#ifndef KANAL_OUTBOUND_SCHEDULE_H
#define KANAL_OUTBOUND_SCHEDULE_H
#include "outbound/internal.h"

/* NULL: no memory. */
struct schedule *schedule_new(struct outbound *);
void schedule_free(struct schedule *);
/* The intake is ours: reads what waits. */
void schedule_start(struct schedule *);
/* It is no longer. */
void schedule_stop(struct schedule *);
/* Each tick. */
void schedule_tick(struct schedule *);

/* Stores a command until its time. key: 26 characters of its ledger key. done() as of publishing. */
void schedule_add(struct schedule *, const struct command *, const char *key, int64_t at_ms,
                  published_fn *done, void *user);
/* A route goes on then: the step has failed, or was not heard of in time. {"at_ms", "route": {"key", "step", "reason", "error"}} */
struct schedule_step {
    uint32_t step;      /* that is over, or waited for */
    const char *reason; /* ROUTE_FAILED, or the `unless` that is waited for */
    kanal_str error;    /* of one that failed: the contract's error, as JSON */
    int64_t at_ms;      /* 0: now */
};
/* Also by gateways that do not hold the intake. */
void schedule_route(struct outbound *, const char *key, const struct schedule_step *, published_fn *done,
                    void *user);
/* It is on its way (or dropped): its message is removed. */
void schedule_done(struct schedule *, uint64_t sequence);
/* 1: it waited here, and is taken out: the intake tells what became of it. */
int schedule_cancel(struct schedule *, const char *key);

#endif
