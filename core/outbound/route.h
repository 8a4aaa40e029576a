/* outbound/route.h - a command that finds its channel by itself: which step it is at, and what comes next. [loop]
 *
 * It is taken in as every command is. Its first step is found (routing.h) while it is made in the ledger, so it moves into the lanes in its
 * turn, as an ordinary command to an address with the header Kanal-Step. What it was, and the steps that were taken, stand in the ledger's
 * bucket under r.<key>: {"subject", "replay", "command", "steps": [{"step", "channel", "address", "started", "deadline", "unless", "from", "reason", "error",
 * "cause"}]}, changed by compare-and-set, by the holder of the intake.
 *
 * What makes it go on lies in the stream of what is scheduled, so it outlives everybody: that a step has failed (said by the lane, or by a
 * receipt), or that its time is over (stored together with the step). Of a step that is over already it means nothing. The next step is
 * decided by putting it into the record; only then the step before is given up (k.<step's key>, cancel.h), message.rerouted is told, the lane
 * gets its message, and its own deadline is stored. All of these may be done twice. */
#ifndef KANAL_OUTBOUND_ROUTE_H
#define KANAL_OUTBOUND_ROUTE_H
#include "outbound/intake.h"
#include "outbound/job.h"
#include "outbound/routing.h"
#include "outbound/schedule.h"

#define ROUTE_FAILED "failed"

/* The key of a step in the lanes, the log of attempts and the ledger. */
void route_step_key(const struct outbound *, const struct id *message, uint32_t step, struct id *ret_key);
/* Of a lane's message, as its header has it; 0: no step. */
uint32_t route_step_read(kanal_str header);

/* ---- Intake (route.c) ---- */

/* Of its lane's message; 0: none. */
uint32_t route_step(const struct intake *);
/* 1: it came by route_due(), and what it is about has to be read. */
int route_is_due(const struct intake *);
/* The command's first step has to be found; then it goes on as others do, in the state IN_ACCEPTED. */
void route_begin(struct intake *);
/* The ledger knows it now: it is new. */
void route_accepted(struct intake *);
/* It moves: what has to be stored besides the lane's message. Each store counts in `waiting`, and ends in intake_stored(). */
void route_move(struct intake *);
/* What the lane gets: the command to one address, without its route. */
kanal_str route_payload(struct intake *);
/* The lane's id of the message. */
const char *route_lane_id(const struct intake *);
void route_free(struct intake_route *); /* NULL is fine */

/* A message of the stream of what is scheduled: a route that goes on. 0, or KANAL_E_BUSY: later. */
int route_due(struct outbound *, yyjson_val *route, uint64_t sequence);
/* (Again) from what its record says. */
void route_resume(struct intake *);

/* ---- Lanes, receipts (route_told.c) ---- */

/* A job's step has failed for good: the route goes on. done(job) once. */
void route_step_failed(struct job *, published_fn *done);
/* For receipts (host.h). */
void route_listen(struct outbound *);

/* ---- The record (route_state.c) ---- */

struct route_taken {
    uint32_t step;
    kanal_str channel, address;
    int64_t started_ms, deadline_ms; /* deadline_ms 0: none */
    kanal_str unless;                /* what is waited for until then */
    kanal_str from, reason;          /* of the second and later ones */
    yyjson_val *error;               /* of the step before; or NULL */
    uint64_t cause; /* what made it go on: in the stream of what is scheduled; 0: the command itself */
};

/* Appends the record. before: what it was, or NULL; command: what it is about, if there was none. */
void route_state_write(struct kanal_buffer *out, yyjson_val *before, const struct command *command,
                       const struct route_taken *);
/* The last step of a record. 0, or -1: it is none. */
int route_state_last(yyjson_val *record, struct route_taken *ret_taken);
/* The steps that were taken; at most ROUTE_STEP_MAX. */
size_t route_state_tried(yyjson_val *record, struct route_tried ret_tried[ROUTE_STEP_MAX]);

#endif
