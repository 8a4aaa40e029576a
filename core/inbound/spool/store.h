/* inbound/spool/store.h - events on local disk: one SQLite file, in write-ahead mode, fsynced at each commit.
 *
 * Nothing here knows of threads: whoever calls it takes care that one does at a time, and that it is not the event loop's, because every call may
 * wait for the disk. A row is a finished event with its subject, so what was spooled can be stored whatever became of its channel.
 *
 * Source: sqlite.org, "Write-Ahead Logging" and "How To Corrupt An SQLite Database File". */
#ifndef KANAL_INBOUND_SPOOL_STORE_H
#define KANAL_INBOUND_SPOOL_STORE_H
#include <stddef.h>
#include <stdint.h>
#include "kanal/plugin.h"

struct store;

#define STORE_REASON_BYTES 256u

struct spool_event {
    int64_t seq; /* its place in the spool; 0: none yet */
    kanal_str id, channel, subject, json;
    kanal_str raw;      /* the provider's payload, or absent */
    int64_t created_ms; /* when it was first tried, or put here */
    int64_t since_ms;   /* it cannot have been stored before */
    uint64_t keys[2];   /* whose order is kept (keys.h) */
    int32_t class;      /* enum event_class */
    int32_t is_late;    /* it may have been stored long ago: always looked up */
};

/* Of the rows that are not refused. */
struct store_size {
    uint64_t rows, bytes;
    int64_t oldest_ms; /* 0: none */
};

/* What was found at the start. */
struct store_opened {
    struct store_size size;
    char aside[512]; /* where a file that could not be read was put; "" : there was none */
    char aside_reason[STORE_REASON_BYTES];
};

/* Opens directory/spool.db, or makes it. What is there and is damaged, or is no spool, is renamed (".corrupt-" and the time) and a new one is made.
 * max_bytes of the file, 0: none. KANAL_E_REJECTED: another process has it; KANAL_E_INTERNAL: it cannot be made, or not be set aside; reason says
 * why. */
int store_open(struct store **ret_store, const char *directory, uint64_t max_bytes,
               struct store_opened *ret_opened, char reason[STORE_REASON_BYTES]);
/* NULL is fine. */
void store_close(struct store *);

/* Every row's channel and keys, at the start. */
typedef void store_row_fn(void *user, kanal_str channel, const uint64_t keys[2]);
int store_each(struct store *, store_row_fn *, void *user);

/* All of them or none, on disk when it returns 0. An id that is there already is as good as added: its seq stays 0. KANAL_E_BUSY: there is no room;
 * KANAL_E_INTERNAL: the disk fails; nothing was added. */
int store_add(struct store *, struct spool_event *const *events, size_t count,
              char reason[STORE_REASON_BYTES]);
int store_remove(struct store *, const int64_t *seqs, size_t count, char reason[STORE_REASON_BYTES]);
/* It stays, but is not read any more: for a person to look at. */
int store_refuse(struct store *, int64_t seq, const char *why, char reason[STORE_REASON_BYTES]);

/* The next ones after a place, oldest first; each in one block, to be freed. At most count, and no more after so many bytes. Rows that are damaged are
 * refused and told in *ret_damaged. */
int store_read(struct store *, int64_t after, size_t count, size_t most_bytes,
               struct spool_event **ret_events, size_t *ret_count, size_t *ret_damaged,
               char reason[STORE_REASON_BYTES]);

int store_measure(struct store *, struct store_size *ret_size, char reason[STORE_REASON_BYTES]);
/* When the oldest one was made; 0: there is none, or it cannot be read. */
int64_t store_oldest(struct store *);
/* It is empty: gives its room back, and what was drained is overwritten. */
void store_trim(struct store *);

/* What one takes of the spool. */
uint64_t store_bytes_of(const struct spool_event *);

#endif
