/* project/inside.h - what the projector's files share. [loop] */
#ifndef KANAL_PROJECT_INSIDE_H
#define KANAL_PROJECT_INSIDE_H
#include "broker/jetstream.h"
#include "broker/topology.h"
#include "host/lease.h"
#include "project/profiles.h"
#include "project/reader.h"

struct projector {
    struct host *host;
    char prefix[33], bucket[64], streams[PROJECTED_STREAMS][64];
    struct lease_member lease; /* "_.projector" */
    uint64_t lease_held;       /* its term; 0: not ours */
    uint64_t term, terms;      /* of this taking over; 0: none */
    int is_enabled, is_started, is_leaving;
    int is_known;                 /* the position was read: both readers may work */
    int is_writing, is_unwritten; /* a write of the position is under way; another is needed */
    size_t asking;
    struct position position;
    struct js_state state[PROJECTED_STREAMS]; /* when it was taken over */
    struct reader *live, *anew;
    struct profiles *profiles, *profiles_anew;
    uv_timer_t *clock;
    struct metric *lag, *lag_seconds, *held, *events;
    struct kv_watch *watch; /* of what is asked for: */
    struct id wanted;       /* a rebuild; "": none */
    int64_t wanted_ms;
    int is_looking, is_clearing; /* requests of rebuild.c under way */
    size_t unsure;               /* events that were projected since the position was stored last */
    size_t writing_events;       /* of these, what the write under way tells */
    char trouble[256];
};

#define LIVE_DURABLE "kanal-projector"
#define REBUILD_DURABLE "kanal-rebuild"

/* A question to the broker under way. */
struct position_put {
    struct projector *projector;
    uint64_t term;
};
struct state_ask {
    struct projector *projector;
    uint64_t term;
    int index;
};

/* projector.c. Stores the position as it is now. */
void projector_write_position(struct projector *);

/* rebuild.c. Hears of what is asked for; in every gateway that may project. */
void rebuild_watch(struct projector *);
/* What was interrupted goes on. */
void rebuild_go_on(struct projector *);
void rebuild_tick(struct projector *);
void rebuild_advanced(void *projector, const uint64_t at[PROJECTED_STREAMS], size_t events);

#endif
