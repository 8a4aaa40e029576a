/* host/lease.h - leases in the bucket <prefix>_leases: what runs once across replicas. [loop]
 *
 * A lease is one of a group (a hash of the channel's id, 64 a plugin), and it is the group that is held: one record
 * "<plugin>.<group>" = {"holder", "ttl_ms", "count"}, renewed by compare-and-set on its revision. Replicas that share (lease_share()) have
 * as many of the core's own leases each, and a channel's group goes with the lane of its channels. Only clocks that never go back are used,
 * and none of two machines is compared:
 *   the holder  counts from when it sent the renewal, and gives up a fifth of the ttl early;
 *   a waiter    counts from when it first saw the revision that stands there, and takes over by that revision.
 * A process that follows another one in the same data_dir (ops/instance.h) has its name: what that one held is its own at once.
 * What the waiter saw was stored after it was sent, so the holder has stopped before. The bucket forgets records after 10 s,
 * which is at least every ttl; a waiter that has seen the record before waits as if it were still there. */
#ifndef KANAL_HOST_LEASE_H
#define KANAL_HOST_LEASE_H
#include "kanal/plugin.h"

#define LEASE_GROUPS 64u
#define LEASE_LANES                                                                                          \
    8u /* of the way out: what is held for a channel is to be where its lane is, that of its group's number modulo this */
#define LEASE_TTL_MIN_MS 3000u
#define LEASE_TTL_MAX_MS 10000u /* the bucket's max_age */
#define LEASE_TTL_DEFAULT_MS 9000u

struct host;
struct lease_book;
struct lease_group;

/* Embedded in who wants the lease. */
struct lease_member {
    struct lease_member *next;
    struct lease_group *group; /* NULL: not in any */
    uint32_t ttl_ms;
    void (*changed)(struct lease_member *); /* look at lease_term() again */
    void (*renewed)(struct lease_member *); /* it is held for longer; NULL: it does not matter */
    /* Another replica is to have it: begins nothing new; or, is_asked 0: it stays after all. NULL: there is nothing to be finished. */
    void (*yield)(struct lease_member *, int is_asked);
    /* Of one that yields: nothing is under way. Of one that has lost it: whoever had it knows. NULL: always. */
    int (*is_quiet)(const struct lease_member *);
};

/* The group's number of a channel. */
uint32_t lease_group_of(kanal_str channel_id);
/* 0 or KANAL_E_INTERNAL. changed() never runs inside. */
int lease_join(struct host *, kanal_str plugin, kanal_str channel_id, struct lease_member *);
/* The core's own work, by the record's key: "_.intake". A plugin's name has no '_' in front. */
int lease_join_named(struct host *, const char *key, struct lease_member *);
/* The same of a lane of the way out, "_.lane-3". */
int lease_join_lane(struct host *, uint32_t lane, struct lease_member *);
/* From now on the core's own leases are shared with the other replicas, and channels' go with their lanes. 0 or KANAL_E_INTERNAL. */
int lease_share(struct host *);
/* It ends: takes part no more, and gives nothing away but what it leaves. Fine when it does not share. */
void lease_share_end(struct host *);
/* The last of a group that is held gives it back. Fine when not joined. */
void lease_leave(struct lease_member *);
/* The number of this holding, another one each time the lease is gained; 0: not held, by this machine's clock right now. */
uint64_t lease_term(const struct lease_member *);
/* The holding lasts until then, by CLOCK_BOOTTIME, unless it is renewed; 0: not held. */
uint64_t lease_until_ms(const struct lease_member *);
/* All members have left. NULL is fine. The loop must run once more. */
void lease_book_free(struct lease_book *);

#endif
