/* outbound/route_judge.h - what the files of the plan share. [any thread] */
#ifndef KANAL_OUTBOUND_ROUTE_JUDGE_H
#define KANAL_OUTBOUND_ROUTE_JUDGE_H
#include "kanal/sdk/str.h"
#include "outbound/route_plan.h"

/* Whether the customer wants it there. */
enum route_will {
    ROUTE_WILL_NOT_ASKED,
    ROUTE_WILL_GIVEN,
    ROUTE_WILL_WROTE_AGAIN, /* they wanted nothing there, and wrote there since */
    ROUTE_WILL_WITHDRAWN,
    ROUTE_WILL_MISSING
};
/* ret_since_ms: of the word that decides; 0: nothing was said. */
enum route_will route_will_of(const struct route_known *, kanal_str purpose, const struct route_place *,
                              int64_t *ret_since_ms);
/* 1: it waits for the end of quiet hours. */
int route_keeps_quiet(const struct route_wish *);

#endif
