/* host/lease_inside.h - what the files of the leases share. [loop]
 *
 * lease.c holds and waits; lease_give.c gives a lease to a certain replica; share.c knows the replicas, and decides who gives what to whom. */
#ifndef KANAL_HOST_LEASE_INSIDE_H
#define KANAL_HOST_LEASE_INSIDE_H
#include <uv.h>
#include "host/lease.h"
#include "host/replicas.h"

struct ask;   /* a request to the broker under way */
struct share; /* NULL: nothing is shared, what is free is taken */

/* Yielding: still held, what is under way is finished. Told: not held any more, those who had it are hearing of it; the record is still ours. */
enum lease_give { GIVE_NOTHING, GIVE_YIELDING, GIVE_TOLD };

struct lease_group {
    struct lease_group *next;
    struct lease_book *book;
    struct lease_member *members;
    uv_timer_t timer;
    struct ask *ask;
    char key[48];
    int lane;      /* of a channel's: the lane that it goes with; -1: the core's own */
    uint64_t term; /* of the present or last holding */
    int held;
    uint64_t revision;               /* of our record */
    uint64_t count, sent_ms;         /* of the last record we sent, and when */
    uint64_t until_ms;               /* held until then */
    uint64_t renew_ms;               /* when the next renewal is due */
    uint64_t seen_revision, seen_ms; /* of somebody else's record, and since when */
    uint32_t seen_ttl_ms, ttl_ms;
    char holder[REPLICA_NAME_MAX + 1]; /* whose record was last seen; "": nobody's */
    int is_offered;                    /* it was given to the holder, who has not renewed it yet */
    uint64_t watched_revision;
    uint64_t free_ms; /* since when it could be taken; 0: it cannot */
    struct {
        enum lease_give state;
        char to[REPLICA_NAME_MAX + 1];
        uint64_t revision; /* of our record, when told */
        uint64_t until_ms; /* then it stays here */
        uint64_t again_ms; /* not before: it did not come to rest the last time */
    } give;
};

struct lease_book {
    struct host *host;
    struct lease_group *groups;
    struct lease_group *lanes[LEASE_LANES]; /* of groups; NULL: not joined */
    struct share *share;
    uint64_t terms;
    char holder[REPLICA_NAME_MAX + 1]; /* this process */
};

/* lease.c */
uint64_t lease_now_ms(void);
/* The host's; made if there is none. NULL: no memory. */
struct lease_book *lease_book_of(struct host *);
struct lease_group *lease_group_find(struct lease_book *, const char *key);
/* What is to be done now: renewed, looked at, taken. */
void lease_look(struct lease_group *);
/* Held no more: the members are told. */
void lease_lost(struct lease_group *, const char *why);
/* Our record becomes that replica's, if it still has this revision. */
void lease_sign_over(struct lease_group *, const char *to, uint64_t revision);

/* lease_give.c. 1: begun. */
int lease_give(struct lease_group *, const char *to);
/* Each tick of those that are being given. */
void lease_give_tick(struct lease_group *);

/* share.c; share may be NULL. How long what is free is left to others, who should have it. */
uint32_t share_grace_ms(const struct share *, const struct lease_group *);
void share_gained(struct share *, const struct lease_group *);
/* It is there. */
int share_knows(struct share *, const char *name);
/* The time of the record that it held is over. */
void share_outlived(struct share *, const char *holder);
void share_free(struct share *);

#endif
