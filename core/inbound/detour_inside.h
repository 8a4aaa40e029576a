/* inbound/detour_inside.h - what detour.c, drain.c and detour_spool.c share. [loop] */
#ifndef KANAL_INBOUND_DETOUR_INSIDE_H
#define KANAL_INBOUND_DETOUR_INSIDE_H
#include "broker/find.h"
#include "inbound/detour.h"
#include "inbound/keys.h"
#include "inbound/spool/spool.h"

#define DETOUR_PUBLISH_MS 5000u

struct trip;

struct drain {
    int is_busy, is_ready; /* ready: the streams are there */
    int64_t after;         /* rows up to here were sent */
    uint64_t again_ms;     /* loop time: not before */
    struct drained *rows;  /* SPOOL_READ_MOST of them, made with the spool */
    size_t count, waiting; /* of those; for answers of the broker */
    int is_failed;         /* one could not be sent: from here on they are tried again */
};

struct detour {
    struct host *host;
    char streams[2][64]; /* by event class */
    char prefix[33];
    char directory[440];           /* of the spool */
    int64_t window_ms, half_ms[2]; /* by event class */
    uint64_t max_bytes, max_events;
    struct keys *keys;
    struct trip *first; /* under way */
    size_t finds;       /* questions to the broker about them */
    int is_ending;
    struct spool *spool;             /* NULL: not open */
    char aside[1024];                /* a damaged spool was set aside: where, and why */
    char cannot[STORE_REASON_BYTES]; /* the spool cannot be opened: why; or "" */
    struct drain drain;
    uv_timer_t *timer; /* each second: metrics, health, another try */
    struct metric *rows, *bytes, *age, *spooled, *drained, *refused, *set_aside;
    struct metric_family *lookups;
};

/* Half of what the stream remembers. class: enum event_class, stored ones only. */
int64_t detour_half_window_ms(const struct detour *, int32_t class);
struct js_find detour_what_to_find(struct detour *, const struct spool_event *);
void detour_count_lookup(struct detour *, kanal_status);
/* "<prefix>.raw.<channel>" */
void detour_raw_subject(struct detour *, kanal_str channel, struct kanal_buffer *out);

/* ---- detour_spool.c ---- */

/* 1: a channel spools, or something is left from when one did. */
int detour_spool_is_wanted(const struct detour *);
int detour_spool_open(struct detour *, char reason[STORE_REASON_BYTES]);
/* Counts a row of the spool in or out: its chat and customer wait as long as there is one. */
void detour_spool_count(struct detour *, kanal_str channel, const uint64_t keys[2], int is_in);
/* Metrics, /channels, the channels' health. */
void detour_spool_tick(struct detour *);

/* ---- drain.c ---- */

int drain_init(struct drain *);
void drain_release(struct drain *);
/* Goes on if there is something to drain and it is not being done. */
void drain_poke(struct detour *);

#endif
