/* project/reader.h - reads both streams from a position on, in batches, and tells them to projections. [loop]
 *
 * The projector has two of them: the one that goes on for ever, and the one of a rebuild. A reader is started and stopped as often as needed
 * and freed only after broker_shut(): until then answers of the broker may still come. */
#ifndef KANAL_PROJECT_READER_H
#define KANAL_PROJECT_READER_H
#include "broker/jetstream.h"
#include "project/projector.h"

struct reader;

struct reader_options {
    struct host *host;
    const char *prefix;
    const char *durable; /* static */
    /* A batch has ended: every effect up to these sequences is stored. */
    void (*advanced)(void *user, const uint64_t at[PROJECTED_STREAMS], size_t events);
    void *user;
};

/* 0, or KANAL_E_INTERNAL. */
int reader_new(struct reader **ret_reader, const struct reader_options *);
/* At the end of the list; before the first start. */
void reader_add(struct reader *, struct projection *);
/* From the messages after these. Makes its consumers anew. */
void reader_start(struct reader *, const uint64_t at[PROJECTED_STREAMS]);
/* Forgets what waits; what was told is still answered, to nobody. */
void reader_stop(struct reader *);
/* 1: no other batch begins until it is 0 again. A start ends it. */
void reader_hold(struct reader *, int is_held);
int reader_is_running(const struct reader *);
/* Up to where every effect is stored. */
void reader_at(const struct reader *, uint64_t ret_at[PROJECTED_STREAMS]);
uint64_t reader_lag(const struct reader *); /* messages that are not done with */
int64_t
reader_oldest_ms(const struct reader *); /* when the oldest of these that came was stored; 0: none waits */
/* Why it does not go on, or "". */
const char *reader_trouble(const struct reader *);
/* The loop must run once more. NULL is fine. */
void reader_free(struct reader *);

#endif
