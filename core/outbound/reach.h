/* outbound/reach.h - how a customer can be reached: their addresses, and the channels that can write to them. [loop]
 *
 * What is known of a customer is the contract's customer_profile, which somebody else keeps (struct reach_source). Only addresses that it
 * lists count: they are linked by what proves it or by a person, never by what somebody claims. */
#ifndef KANAL_OUTBOUND_REACH_H
#define KANAL_OUTBOUND_REACH_H
#include "host/host.h"
#include "outbound/route_plan.h"

#define REACH_ADDRESSES_MAX 256u
#define REACH_PLACES_MAX ROUTE_CHOICES_MAX

/* profile: a customer_profile, borrowed for the call. KANAL_E_NOT_FOUND: nothing is known; others are the broker's: try again. */
typedef void reach_found_fn(void *user, kanal_status, yyjson_val *profile);

struct reach_source {
    /* who: a customer ("c_…") or a node ("a_…"). done() once, inside the call or later. */
    void (*find)(void *user, const struct id *who, reach_found_fn *done, void *done_user);
    void *user;
};

struct reach_address {
    kanal_str address;
    yyjson_val *channels; /* where it was seen: array of ids, or NULL */
};

struct reach {
    yyjson_doc *document; /* the profile, copied; all below borrow from it */
    kanal_str customer;   /* id, or absent */
    struct reach_address *addresses;
    size_t address_count;
    yyjson_val *touches;
    struct route_consent *consents;
    size_t consent_count;
    struct route_quiet quiet;
    kanal_str timezone; /* of the quiet hours, or of the customer; or absent */
    kanal_str preferred_channel, last_channel, last_address;
    int64_t last_ms;
};

/* 0, or KANAL_E_INTERNAL: no memory. profile NULL: nothing is known. */
int reach_read(struct reach *ret_reach, yyjson_val *profile);
void reach_release(struct reach *);

/* How the channel reaches the address, or -1: not at all. named: by the command, so that a guess by the plugin's name is good enough. */
int reach_fits(const struct channel *, const struct reach_address *, int named);
/* The customer wrote to us there: when; 0: never. */
int64_t reach_last_in_ms(const struct reach *, const struct reach_address *, kanal_str channel);

#endif
