/* outbound/route_plan.h - on which channel a message goes, and what is tried after it. Pure: no I/O, no clock. [any thread]
 *
 * From everything that is known (the customer's addresses, the channels that reach them, consents, quiet hours) and what the
 * command wants (its route, purpose, class) to choices in the order in which they would be tried, each with its reasons in words. The
 * router takes the chosen one, `kanal plan` shows them all. docs/routing.md has the rules. */
#ifndef KANAL_OUTBOUND_ROUTE_PLAN_H
#define KANAL_OUTBOUND_ROUTE_PLAN_H
#include "kanal/sdk/json.h"
#include "outbound/zone.h"

#define ROUTE_PREFER_MAX 16u /* as the contract allows */
#define ROUTE_STEPS_MAX 8u
#define ROUTE_STEP_MAX 64u    /* number of a step */
#define ROUTE_CHOICES_MAX 64u /* shown; places beyond are not looked at */
#define ROUTE_CONSENTS_MAX 256u
#define ROUTE_WHY_MAX 12u

/* ---- What the command wants ---- */

enum route_unless { ROUTE_UNLESS_SENT, ROUTE_UNLESS_DELIVERED, ROUTE_UNLESS_READ };

struct route_step {
    kanal_str channel; /* an id, "last", "preferred" */
    int64_t after_ms;  /* since the step before it began; -1: only when that has failed */
    enum route_unless unless;
};

struct route_wish {
    kanal_str prefer[ROUTE_PREFER_MAX];
    size_t prefer_count;
    struct route_step steps[ROUTE_STEPS_MAX];
    size_t step_count;
    yyjson_val *exclude; /* array of channel ids, or NULL */
    kanal_str purpose;   /* or absent */
    int is_bulk;
    int64_t expires_ms; /* 0: never */
};

/* Reads it from a command that keeps the contract. */
void route_wish_read(struct route_wish *ret_wish, yyjson_val *command);
/* 1: the array of strings has it; NULL has nothing. */
int route_list_has(yyjson_val *array, kanal_str text);
/* 1: nobody may be sent this who does not want it: a purpose other than transactional and service. */
int route_wants_consent(kanal_str purpose);
const char *route_unless_name(enum route_unless);

/* ---- What is known ---- */

enum route_window { ROUTE_WINDOW_UNKNOWN, ROUTE_WINDOW_OPEN, ROUTE_WINDOW_CLOSED };

/* How we come to believe that the channel reaches the address. */
enum route_reach { ROUTE_SEEN, ROUTE_BY_KIND, ROUTE_BY_PLUGIN };

/* One address on one channel. */
struct route_place {
    kanal_str channel, plugin, address;
    enum route_reach reach;
    int64_t last_in_ms; /* the customer wrote there; 0: never */
    int is_up;
    kanal_str trouble; /* of a channel that is not up, in words */
    enum route_window window;
    int64_t window_until_ms;
    const char *misfit; /* an error code: the content cannot go there; or NULL */
    kanal_str misfit_detail;
    int tells_delivered, tells_read; /* receipts come from there */
};

/* As it stands: a later one about the same thing replaces it. */
struct route_consent {
    kanal_str purpose, channel; /* absent: all */
    int is_given;
    int64_t time_ms;
};

struct route_quiet {
    int is_set;
    int from_min, to_min; /* of the day, by the customer's clock */
};

struct route_known {
    const struct route_place *places;
    size_t place_count;
    const struct route_consent *consents;
    size_t consent_count;
    struct route_quiet quiet;
    const struct zone *zone;              /* of the customer; NULL: UTC */
    kanal_str preferred_channel;          /* the customer's own choice, or absent */
    kanal_str last_channel, last_address; /* where they wrote last, or absent */
    yyjson_val *required;                 /* array of purposes that need a consent that was given, or NULL */
    int64_t now_ms;
};

/* Where the route is: steps before `from` are over. */
struct route_past {
    uint32_t from; /* 1 at first */
    const struct route_tried {
        kanal_str channel, address;
    } * tried;
    size_t tried_count;
};

/* ---- The plan ---- */

struct route_choice {
    const struct route_place *place; /* NULL: no place for the step */
    kanal_str channel;               /* of the place, or what the step names */
    uint32_t step;                   /* from 1 */
    int64_t after_ms;                /* as of the step; -1 */
    enum route_unless unless;
    const char *error;           /* why not; NULL: it can be taken */
    const char *scope;           /* of the error */
    kanal_str detail;            /* borrows from the plan or the place */
    size_t why_first, why_count; /* lines in the plan */
};

struct route_plan {
    struct route_choice choices[ROUTE_CHOICES_MAX];
    size_t count;
    int chosen;            /* index of the one to take; -1: none, error says why */
    int64_t not_before_ms; /* quiet hours end then; 0: now */
    const char *error, *scope;
    kanal_str detail;
    struct kanal_buffer words; /* every line, NUL-ended */
    size_t lines[ROUTE_CHOICES_MAX * ROUTE_WHY_MAX];
    size_t line_count;
};

/* Fills *ret_plan; it borrows from everything given. */
void route_plan_make(struct route_plan *ret_plan, const struct route_wish *, const struct route_known *,
                     const struct route_past *);
void route_plan_release(struct route_plan *);
/* A reason, NUL-ended. */
const char *route_plan_why(const struct route_plan *, const struct route_choice *, size_t index);
/* The choice that follows the chosen one, if it fails or is not heard of in time; or NULL. */
const struct route_choice *route_plan_next(const struct route_plan *);

/* 1: quiet hours now; ret_until_ms: their end. */
int route_quiet_now(const struct route_quiet *, const struct zone *, int64_t now_ms, int64_t *ret_until_ms);

#endif
