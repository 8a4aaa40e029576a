/* inbound/spool/spool.h - the spool's side in the event loop. Its file is written and read on a thread of libuv's pool, one job at a time: what a
 * turn of the loop brings goes to disk together, in one transaction and with one fsync. [loop] */
#ifndef KANAL_INBOUND_SPOOL_SPOOL_H
#define KANAL_INBOUND_SPOOL_SPOOL_H
#include <uv.h>
#include "inbound/spool/store.h"

struct spool;

struct spool_options {
    uv_loop_t *loop;
    const char *directory;
    uint64_t max_bytes, max_rows;
};
/* Opens it: this waits for the disk. As store_open(). */
int spool_new(struct spool **ret_spool, const struct spool_options *, struct store_opened *ret_opened,
              char reason[STORE_REASON_BYTES]);
/* Finishes what was begun, waiting for the disk; who was promised an answer gets it inside. The loop must run once more. NULL is fine. */
void spool_free(struct spool *);
int spool_each(struct spool *, store_row_fn *, void *user);

/* KANAL_OK: all of them are on disk. Else none is. Never inside spool_append(). */
typedef void spool_done_fn(void *user, kanal_status);
/* The events are borrowed until done(), which finds their seq set (0: was there already). KANAL_E_BUSY at once: it is full, and done() does not run. */
int spool_append(struct spool *, struct spool_event *const *events, size_t count, spool_done_fn *,
                 void *user);
/* It is stored elsewhere. Tried again (spool_retry()) until the disk takes it. */
void spool_remove(struct spool *, const struct spool_event *);
/* It can never be stored: kept for a person to look at. why is static. */
void spool_refuse(struct spool *, const struct spool_event *, const char *why);

/* Now and then: removals that the disk did not take are tried again. */
void spool_retry(struct spool *);

/* events are the callee's, each to be freed; damaged: rows that were found damaged and refused meanwhile. */
typedef void spool_read_fn(void *user, kanal_status, struct spool_event **events, size_t count,
                           size_t damaged);
#define SPOOL_READ_MOST 256u
/* The next ones after a place, oldest first. One reader at a time. */
void spool_read(struct spool *, int64_t after, spool_read_fn *, void *user);

struct spool_state {
    uint64_t rows, bytes;
    int64_t oldest_ms;
    int is_full;         /* the last append was refused for want of room */
    const char *trouble; /* "": the disk works; else the words of its last failure */
};
void spool_state(const struct spool *, struct spool_state *ret_state);

#endif
