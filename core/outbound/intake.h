/* outbound/intake.h - what the files of intake share. [loop] */
#ifndef KANAL_OUTBOUND_INTAKE_H
#define KANAL_OUTBOUND_INTAKE_H
#include "outbound/internal.h"

/* Checked: to be made in the ledger. Routing: its way is being asked for. Accepted: to be moved, when all before it are. Ending: it goes nowhere, which is being told. */
enum intake_state { IN_CHECKED, IN_ROUTING, IN_ACCEPTING, IN_ACCEPTED, IN_MOVING, IN_ENDING, IN_DONE };

struct intake_route;

#define SCHEDULE_MS 1000 /* what is due so soon goes at once */

struct intake {
    struct outbound *outbound;
    struct intake *next;
    struct js_token token;
    uint64_t sequence, scheduled; /* in the stream of commands, or in that of what is scheduled */
    enum intake_state state;
    int is_orphan;                        /* the lease is lost: only what is under way is waited for */
    struct kanal_buffer subject, payload; /* copies: the broker's are borrowed */
    struct command command;
    struct id key;
    int64_t at_ms;
    char replay[REPLAY_ID], first_part[8]; /* of a dead letter that is replayed */
    size_t waiting;                        /* stores under way */
    kanal_status status;
    int is_out_of_turn;
    int is_again;               /* it may stand in its lane already */
    struct intake_route *route; /* of one that is routed, from its first question on; or NULL */
};

/* intake.c. A used one with its memory, if there is one; NULL: none. */
struct intake *intake_new(struct outbound *);
void intake_free(struct intake *);
/* At the end of the stream's order. */
void intake_append(struct outbound *, struct intake *);
/* It is moved, or nothing is to be done: acknowledged. */
void intake_end(struct intake *);
/* The record in the ledger: then route_accepted(), or it was there before. */
void intake_record(struct intake *);
/* Reads its subject and payload, which it has from elsewhere than the stream of commands; replay: as its header was. */
void intake_examine(struct intake *, kanal_str replay);
/* It failed because of the broker: again in a second, from the state IN_CHECKED. */
void intake_again(struct intake *);
/* Moves what can be moved now. */
void intake_advance(struct outbound *);
/* One store of a command that is told, moved or scheduled has ended. */
void intake_stored(void *in, kanal_status);

/* intake_tell.c. It is refused, or was called back: says so, and ends. */
void intake_tell(struct intake *);
/* It makes a hand-off link. */
void intake_link(struct intake *);
/* It calls back another command. */
void intake_cancel(struct intake *);

#endif
