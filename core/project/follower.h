/* project/follower.h - reads both streams from a position on, in batches, and tells them to projections. [loop]
 *
 * The projector has two of them: the one that goes on for ever, and the one of a rebuild. A follower is started and stopped as often as needed
 * and freed only after broker_shut(): until then answers of the broker may still come. */
#ifndef KANAL_PROJECT_FOLLOWER_H
#define KANAL_PROJECT_FOLLOWER_H
#include "broker/jetstream.h"
#include "project/projector.h"

struct follower;

struct follower_options {
    struct host *host;
    const char *prefix;
    const char *durable; /* static */
    /* A batch has ended: every effect up to these sequences is stored. */
    void (*advanced)(void *user, const uint64_t at[PROJECTED_STREAMS], size_t events);
    void *user;
};

/* 0, or KANAL_E_INTERNAL. */
int follower_new(struct follower **ret_follower, const struct follower_options *);
/* At the end of the list; before the first start. */
void follower_add(struct follower *, struct projection *);
/* From the messages after these. Makes its consumers anew. */
void follower_start(struct follower *, const uint64_t at[PROJECTED_STREAMS]);
/* Forgets what waits; what was told is still answered, to nobody. */
void follower_stop(struct follower *);
/* 1: no other batch begins until it is 0 again. A start ends it. */
void follower_hold(struct follower *, int is_held);
int follower_is_running(const struct follower *);
/* Up to where every effect is stored. */
void follower_at(const struct follower *, uint64_t ret_at[PROJECTED_STREAMS]);
uint64_t follower_lag(const struct follower *); /* messages that are not done with */
int64_t follower_oldest_ms(
    const struct follower *); /* when the oldest of these that came was stored; 0: none waits */
/* Why it does not go on, or "". */
const char *follower_trouble(const struct follower *);
/* The loop must run once more. NULL is fine. */
void follower_free(struct follower *);

#endif
