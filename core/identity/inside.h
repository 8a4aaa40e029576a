/* identity/inside.h - what the files of identity/ share. [loop] */
#ifndef KANAL_IDENTITY_INSIDE_H
#define KANAL_IDENTITY_INSIDE_H
#include "broker/kv.h"
#include "identity/record.h"
#include "project/projector.h"

#define CLAIM_SLOTS 4096u /* of claims that were told lately */

struct change;
struct sighting;
struct untold;

/* A claim that was told lately is not told again: a page that names its visitor's mail address with each step claims it once a day. */
struct claim_slot {
    uint64_t hash;
    int64_t until_ms;
};

struct identity {
    struct host *host;
    char bucket[64];
    const char *const *trust;
    const char *default_region;
    struct graph *graph;
    struct kv_watch *watch;
    int is_ready, was_short; /* was_short: of memory, which was said */
    struct change *first;    /* under way */
    struct change *ended, **last_ended;
    struct untold *untold;                       /* records whose event is not known to be stored */
    int is_telling;                              /* one of them */
    struct sighting *sightings, **last_sighting; /* events that were seen, one after the other */
    int is_linking;                              /* the first of them */
    struct projection projection;
    struct claim_slot claims[CLAIM_SLOTS];
    uv_timer_t *turn, *sweep; /* turn: ended changes are answered; sweep: the untold are looked through */
    struct metric *links, *nodes;
    struct metric_family *results; /* kanal_identity_total{result} */
};

void identity_count(struct identity *, const char *result);
/* The node's set, as the graph has it. */
int identity_node(kanal_str id, struct graph_node *ret_node);

/* change.c */

/* Two nodes that one event names together contradict nothing, if they are no telephone numbers. */
struct named {
    const struct id *nodes;
    size_t count;
};
/* 1: the two sets cannot be one person's. */
int identity_contradicts(struct identity *, const struct identity_link *, const struct named *);
/* As identity_link(), without the question whether it contradicts anything. */
void change_link(struct identity *, const struct identity_link *, identity_done_fn *, void *user);
/* The bucket has told of a link: record NULL: it is gone. */
void changes_seen(struct identity *, kanal_str key, uint64_t revision);
/* Tells the event of a link's record, if nobody has. */
void change_tell(struct identity *, const struct id *link_id, identity_done_fn *, void *user);
void changes_free(struct identity *);

/* untold.c */

/* The record of that link is not told; it is told, or gone. */
void untold_add(struct identity *, kanal_str key);
void untold_remove(struct identity *, kanal_str key);
/* Tells what has waited for long enough, one at a time. */
void untold_sweep(struct identity *);
void untold_free(struct identity *);

/* claim.c */

struct claim {
    kanal_str channel, plugin, traceparent; /* of the event that claims */
    struct id nodes[2];                     /* who claims, what is claimed */
    kanal_str addresses[2];
    struct identity_evidence evidence;
    int conflict;
    int64_t time_ms;
};
/* 1: it was told lately; nothing is to be done. */
int claim_is_known(struct identity *, const struct claim *);
void claim_tell(struct identity *, const struct claim *, published_fn *, void *user);
/* It is stored. */
void claim_remember(struct identity *, const struct claim *);

/* observe.c */
void sightings_free(struct identity *);

/* space.c: accounts of one space are of different persons. 0: of this scheme a person may have many. */
uint32_t address_space(kanal_str address);
#define SPACE_TEL 1u

#endif
