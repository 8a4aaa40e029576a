/* inbound/overdue.h - those who wait for a plugin's answer, and for how long. All wait equally long, so the first one in the list is the first
 * whose time is over: watching and letting go cost nothing, one timer looks at the first. [loop] */
#ifndef KANAL_INBOUND_OVERDUE_H
#define KANAL_INBOUND_OVERDUE_H
#include <stdint.h>
#include <uv.h>

struct overdue;

/* Part of who waits; zeroed: not watched. */
struct waiter {
    struct waiter *prev, *next;
    struct overdue *watched_by;    /* NULL: not watched */
    uint64_t until_ms;             /* loop time */
    void (*late)(struct waiter *); /* it is not watched any more; may free it */
};

/* KANAL_E_INTERNAL: out of memory. */
int overdue_new(struct overdue **ret_overdue, uv_loop_t *, uint32_t patience_ms);
/* Nobody is told. The loop must run once more. */
void overdue_free(struct overdue *);
void overdue_watch(struct overdue *, struct waiter *, void (*late)(struct waiter *));
/* Does nothing if it is not watched. */
void overdue_unwatch(struct waiter *);

#endif
