/* phone_plans.h - how telephone numbers are written in each region: a generated table, for the helpers' own files. */
#ifndef KANAL_SDK_PHONE_PLANS_INTERNAL_H
#define KANAL_SDK_PHONE_PLANS_INTERNAL_H
#include <stddef.h>
#include <stdint.h>

struct phone_plan {
    char region[3];   /* ISO 3166-1; "00": of no region */
    uint16_t code;    /* after the '+' */
    uint32_t lengths; /* bit n: a national number may have n digits */
    /* Offsets into phone_texts; patterns are phone_pattern.h's, "" is none. */
    uint16_t international; /* dialled before another country's code: "00" */
    uint16_t trunk;         /* dialled at home before a number: "0" */
    uint16_t transform;     /* what a trunk prefix with a group becomes: "9$1" */
    uint16_t general;       /* every national number */
};

/* By calling code; of those that share one the main region first. */
extern const struct phone_plan phone_plans[];
extern const size_t phone_plan_count;
extern const char phone_texts[];

#endif
