/* inbound/detour_inside.h - what detour.c, late.c, detour_spool.c and drain.c share. [loop] */
#ifndef KANAL_INBOUND_DETOUR_INSIDE_H
#define KANAL_INBOUND_DETOUR_INSIDE_H
#include "broker/find.h"
#include "inbound/detour.h"
#include "inbound/keys.h"
#include "inbound/spool/spool.h"

struct trip;

struct drain {
    int is_busy, is_ready; /* ready: the streams are there */
    int64_t after;         /* rows up to here were sent */
    uint64_t again_ms;     /* loop time: not before */
    struct drained *rows;  /* SPOOL_READ_MOST of them, made with the spool */
    size_t count, waiting; /* of those; for answers of the broker */
    int had_damaged;       /* since the spool was empty */
    int is_failed;         /* one could not be sent: from here on they are tried again */
};

/* One channel's flood must not take the others' share of questions. */
#define FIND_SHARES 64u

struct detour {
    struct host *host;
    char streams[2][64]; /* by event class */
    char prefix[33];
    char directory[440];           /* of the spool */
    int64_t window_ms, half_ms[2]; /* by event class */
    uint64_t max_bytes, max_events;
    struct keys *keys;
    struct trip *first;          /* under way */
    uint32_t finds[FIND_SHARES]; /* questions to the broker about them, by hash of the channel */
    int is_ending;
    struct spool *spool;             /* NULL: not open */
    char aside[1024];                /* a damaged spool was set aside: where, and why */
    char told[STORE_REASON_BYTES];   /* the last trouble that was logged */
    char cannot[STORE_REASON_BYTES]; /* the spool cannot be opened: why; or "" */
    struct drain drain;
    uv_timer_t *timer; /* each second: metrics, health, another try */
    struct metric *rows, *bytes, *age, *spooled, *drained, *refused, *set_aside;
    struct metric_family *lookups, *failed;
};

/* An event, and its payload if that is to be kept. Returns how many answers come, never inside the call. */
size_t detour_send(struct detour *, const struct spool_event *, js_ack_fn *, js_ack_fn *raw_fn, void *user);

/* ---- late.c ---- */

/* Asks what the streams say of their windows: seldom, not for each event. */
void late_learn(struct detour *);
/* 1: it may have been stored before what the stream remembers. half_ms: half of that. */
int late_is(int64_t time_ms, int64_t half_ms, int64_t now_ms);
/* It cannot have been stored before. class: enum event_class. */
int64_t late_since(int64_t time_ms, int64_t half_ms, int64_t now_ms, int32_t class);
/* Is it in its stream? Never inside the call. */
void late_find(struct detour *, const struct spool_event *, js_find_fn *, void *user);
void late_count(struct detour *, kanal_status);

/* ---- detour_spool.c ---- */

void detour_metrics_init(struct detour *);
/* 1: a channel spools, or something is left from when one did. */
int detour_spool_is_wanted(const struct detour *);
int detour_spool_open(struct detour *, char reason[STORE_REASON_BYTES]);
/* Counts a row of the spool in or out: its chat and customer wait as long as there is one. */
void detour_spool_count(struct detour *, kanal_str channel, const uint64_t keys[2], int is_in);
/* Brings metrics and /channels up to date. */
void detour_spool_show(struct detour *);
/* The same, and the channels' health. */
void detour_spool_tick(struct detour *);

/* ---- drain.c ---- */

int drain_init(struct drain *);
void drain_release(struct drain *);
/* Goes on if there is something to drain and it is not being done. */
void drain_poke(struct detour *);

#endif
