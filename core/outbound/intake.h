/* outbound/intake.h - what the files of intake share. [loop] */
#ifndef KANAL_OUTBOUND_INTAKE_H
#define KANAL_OUTBOUND_INTAKE_H
#include "outbound/internal.h"

/* Checked: to be made in the ledger. Accepted: to be moved, when all before it are. Ending: it goes nowhere, which is being told. */
enum intake_state { IN_CHECKED, IN_ACCEPTING, IN_ACCEPTED, IN_MOVING, IN_ENDING, IN_DONE };

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
    int is_again; /* it may stand in its lane already */
};

/* intake.c. One store of a command that is told, moved or scheduled has ended. */
void intake_stored(void *in, kanal_status);

/* intake_tell.c. It is refused, or was called back: says so, and ends. */
void intake_tell(struct intake *);
/* It makes a hand-off link. */
void intake_link(struct intake *);
/* It calls back another command. */
void intake_cancel(struct intake *);

#endif
