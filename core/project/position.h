/* project/position.h - how far the projector is: the record `_position` of the bucket <prefix>_profiles. [loop]
 *
 * {"v":1, "generation":n, "at":[events, activity], "rebuild":{"id","state","generation","former","at","first","target","asked","started","ended"}}.
 * Written by the projector alone, by compare-and-set: one that has lost its lease without knowing it cannot move it. */
#ifndef KANAL_PROJECT_POSITION_H
#define KANAL_PROJECT_POSITION_H
#include "kanal/sdk/json.h"
#include "project/projector.h"

#define POSITION_KEY "_position"

#define REBUILD_KEY "_rebuild" /* {"id","asked"}: what somebody asked for last */

/* Clearing: the new records count, the former ones are being removed. */
enum rebuild_state { REBUILD_NONE, REBUILD_ASKED, REBUILD_RUNNING, REBUILD_CLEARING, REBUILD_DONE };

/* Folding everything anew, beside what goes on. */
struct rebuild {
    enum rebuild_state state;
    struct id id;                           /* "r_…" */
    uint64_t generation, former;            /* the one that is made; the one before */
    uint64_t at[PROJECTED_STREAMS];         /* folded up to here */
    uint64_t first[PROJECTED_STREAMS];      /* the first message there was when it began */
    uint64_t target[PROJECTED_STREAMS];     /* the last one there was */
    int64_t asked_ms, started_ms, ended_ms; /* 0: not yet */
};

struct position {
    uint64_t generation; /* of the records that are read; from 1 */
    uint64_t at[PROJECTED_STREAMS];
    struct rebuild rebuild;
    uint64_t revision; /* of the record; 0: there is none */
};

/* value absent: a first one. 0, or KANAL_E_INVALID: it is no position of ours. */
int position_read(struct position *ret_position, kanal_str value, uint64_t revision);
void position_write(const struct position *, struct kanal_buffer *out);
/* Appends the contract's `profile_rebuild`: {"id","state","events","total","started","ended"}. */
void rebuild_write(struct kanal_json *, const struct rebuild *);
const char *rebuild_word(enum rebuild_state);

#endif
