/* outbound/route_inside.h - what the files of the router share. [loop] */
#ifndef KANAL_OUTBOUND_ROUTE_INSIDE_H
#define KANAL_OUTBOUND_ROUTE_INSIDE_H
#include "outbound/route.h"

/* What a command that is routed has beside what every command has. */
struct intake_route {
    uint32_t step; /* that is to be taken; 0: the command needs no record, nothing could follow */
    struct id step_key, before_key;
    char channel[65];
    struct kanal_buffer payload;     /* for the lane */
    int64_t started_ms, deadline_ms; /* deadline_ms 0: none */
    const char *unless;              /* what is waited for until then */
    int is_settled;                  /* decided and stored */
    int is_refused;                  /* the first step: nothing could be found; the report says why */
    /* Of one that goes on: */
    yyjson_doc *due;    /* {"key", "step", "reason", "error"}; or NULL */
    yyjson_doc *record; /* r.<key> */
    uint64_t revision;
    struct kanal_buffer next_record;
    struct route_taken taken; /* borrows from record and due */
    char from[65];
    struct route_tried tried[ROUTE_STEP_MAX];
};

/* route.c. "r.<key>" and the like. */
void route_record_name(const struct intake *, const char *what, char ret_name[ID_LEN + 3]);
/* An answer has come. 1: the intake's lease was lost meanwhile, and it is gone. */
int route_is_gone(struct intake *);
/* The broker failed: all of it again in a second. */
void route_again(struct intake *);
/* It is done with, and gone; the ones behind it go on. */
void route_end(struct intake *);
void route_set_address(struct command *, kanal_str address);
/* The same of an answer of routing_ask(): 1: it is there; else all is done that can be. */
int route_is_answered(struct intake *, kanal_status, struct routing *);
/* The step is that choice; what follows it is what the plan says follows, or NULL. */
void route_settle(struct intake *, const struct route_choice *, const struct route_choice *next);
/* The step is what a record says. */
void route_restore(struct intake *, const struct route_taken *);
/* Decided and stored: it can move. */
void route_ready(struct intake *);

#endif
