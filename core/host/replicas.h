/* host/replicas.h - which gateways work on one cluster, as far as this one has heard, and who of them should have less, who more.
 *
 * Arithmetic only: neither broker nor clock. Times are milliseconds of a clock that never goes back. A replica is there from its first
 * announcement until it leaves, or has not been heard of for its time. It is given something only when it has been there for 3 s without a
 * break; each time that it was lost without a word doubles that, up to 5 minutes, until it has been there for 10 minutes: one that dies
 * again and again, or stands still now and then, does not draw work to itself. */
#ifndef KANAL_HOST_REPLICAS_H
#define KANAL_HOST_REPLICAS_H
#include <stddef.h>
#include <stdint.h>
#include "kanal/plugin.h"

#define REPLICAS_MAX 64u /* those beyond are not counted, and given nothing */
#define REPLICA_NAME_MAX 40u
#define REPLICA_STEADY_MS 3000u
#define REPLICA_STEADY_MAX_MS 300000u
#define REPLICA_FORGIVEN_MS 600000u

struct replica {
    char name[REPLICA_NAME_MAX + 1];
    int is_there;
    uint64_t heard_ms, since_ms; /* last; without a break */
    uint32_t ttl_ms;             /* without a word for so long it is lost */
    uint32_t losses;
    uint32_t load; /* how many of what is spread it has; the caller's */
};

struct replicas {
    struct replica list[REPLICAS_MAX];
    size_t count;
};

/* It says that it is there. NULL: no name, or too many. */
struct replica *replicas_heard(struct replicas *, kanal_str name, uint32_t ttl_ms, uint64_t now_ms);
/* It says that it goes. */
void replicas_left(struct replicas *, kanal_str name);
/* What it held has run out: it is lost, whatever it said last. */
void replicas_lost(struct replicas *, kanal_str name);
/* Whoever was silent for too long is lost. */
void replicas_expire(struct replicas *, uint64_t now_ms);
/* Nobody could have been heard for so long: that time does not count. */
void replicas_deaf(struct replicas *, uint64_t ms);
/* Is it there? NULL: no. */
struct replica *replicas_find(struct replicas *, kanal_str name);
size_t replicas_there(const struct replicas *);
int replica_is_steady(const struct replica *, uint64_t now_ms);

/* A fair share of so many: nobody needs more. */
uint32_t replicas_share(const struct replicas *, uint32_t total);
/* By their load: one goes from who has most to who has least and is steady, if that makes them more even. 0: nothing is to be moved. All
 * replicas that know the same come to the same answer. */
int replicas_move(const struct replicas *, uint64_t now_ms, const struct replica **ret_from,
                  const struct replica **ret_to);

#endif
