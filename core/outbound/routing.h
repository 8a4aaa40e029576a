/* outbound/routing.h - one command's way, asked for: the customer is looked up, the channels are judged, the plan is made. [loop] */
#ifndef KANAL_OUTBOUND_ROUTING_H
#define KANAL_OUTBOUND_ROUTING_H
#include "outbound/internal.h"
#include "outbound/reach.h"

struct routing {
    struct outbound *outbound;
    struct reach reach;
    struct reach_address only; /* of a command to an address: that one alone */
    struct route_wish wish;
    struct route_place places[REACH_PLACES_MAX];
    struct kanal_buffer details[REACH_PLACES_MAX]; /* of misfits */
    size_t place_count;
    struct route_plan plan;
    int is_known; /* of a command to a customer: somebody knows them */
};

struct routing_question {
    yyjson_val *command; /* all borrowed until done() */
    kanal_str address;   /* the normal form, or absent */
    kanal_str channel;   /* the only one that may be taken, or absent: any */
    struct route_past past;
};

/* Of a command that was examined. */
struct routing_question routing_question_of(struct command *, const struct route_past *);
/* status: KANAL_OK, with the routing (the callee's: routing_free()); or the broker's failure, and NULL. Once, inside the call or later. */
typedef void routing_fn(void *user, kanal_status, struct routing *);
void routing_ask(struct outbound *, const struct routing_question *, routing_fn *, void *user);
void routing_free(struct routing *); /* NULL is fine */

/* The plan has chosen nothing: the command's report and detail say why. */
void routing_refusal(const struct routing *, struct command *);

/* 1: a message.send to a customer or conversation, one whose route says more than its subject, or one that needs a consent. channel: of the
 * subject, or "any". */
int routing_concerns(yyjson_val *command, kanal_str channel);

#endif
