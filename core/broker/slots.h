/* broker/slots.h - requests under way: a table with generations, deadlines on a coarse wheel, and the search
 * for those that nobody answers. No I/O, no clock: the caller tells the time. [loop]
 *
 * A token names one use of one slot: an answer that comes late meets another generation and is ignored.
 *
 * No responders: cnats hands a subscriber the fact (status 503) but not the subject it came on, so that it
 * is unknown which request it answers. What is known: it was sent before. So each such message makes a
 * group: "among the requests sent until now, this many have no responder". Answers thin the group out,
 * within milliseconds; when as many are left as there are such messages, those are the ones. Never
 * guessed: a request that runs into its deadline first is a timeout. */
#ifndef KANAL_BROKER_SLOTS_H
#define KANAL_BROKER_SLOTS_H
#include "broker.h"

/* Whom to answer: answer() gets the rest back. fn and user are the caller's own pair. */
struct broker_asker {
    void (*answer)(const struct broker_asker *, kanal_status, const struct broker_in *);
    void (*fn)(void);
    void *user;
};

#define BROKER_WHEEL_BUCKETS 128u
#define BROKER_WHEEL_TICK_MS 50u
#define BROKER_NOBODY_GROUPS 32u

struct broker_slot {
    struct broker_asker asker;
    uint64_t sequence; /* of sending; 0: free */
    uint64_t deadline_tick;
    uint32_t generation;
    uint32_t next, prev; /* in its bucket, or in the free list */
};

struct broker_nobody {
    uint64_t until;   /* the last request sent before */
    uint32_t waiting; /* requests up to there without an answer */
    uint32_t count;   /* of them without a responder */
};

struct broker_slots {
    struct broker_slot *table;
    uint32_t capacity, limit; /* grown up to limit */
    uint32_t used, free;
    uint64_t sequence, tick;
    uint32_t buckets[BROKER_WHEEL_BUCKETS];
    struct broker_nobody nobody[BROKER_NOBODY_GROUPS];
    uint32_t nobody_count;
};

/* limit: at most 65,535. */
void broker_slots_init(struct broker_slots *, uint32_t limit, uint64_t now_ms);
void broker_slots_release(struct broker_slots *);
/* KANAL_E_BUSY: all are in use (or no memory). */
int broker_slots_take(struct broker_slots *, const struct broker_asker *, uint64_t deadline_ms,
                      uint64_t *ret_token);
/* The answer came; KANAL_E_NOT_FOUND: too late, or not one of ours. */
int broker_slots_give(struct broker_slots *, uint64_t token, struct broker_asker *ret_asker);
/* 1: *ret_asker's deadline is over (never early, at most one tick late); call until 0. */
int broker_slots_expired(struct broker_slots *, uint64_t now_ms, struct broker_asker *ret_asker);
/* One "no responders" came. */
void broker_slots_nobody(struct broker_slots *);
/* 1: *ret_asker has no responder; call until 0. *cursor: 0 at first; where the walk through the table
 * stands. */
int broker_slots_unanswered(struct broker_slots *, uint32_t *cursor, struct broker_asker *ret_asker);
/* 1: took one out; 0: none left (among those that were there when *cursor was 0). */
int broker_slots_pop(struct broker_slots *, uint32_t *cursor, struct broker_asker *ret_asker);

#define BROKER_TOKEN_BYTES 17u
/* Lower-case hexadecimal without leading zeros. Returns the length. */
size_t broker_token_format(uint64_t token, char out[BROKER_TOKEN_BYTES]);
/* 0, or KANAL_E_INVALID: other characters, empty, too long. */
int broker_token_parse(kanal_str text, uint64_t *ret_token);

#endif
