/* project/profile.h - what the events of one node say: a record, folded event by event. Pure: no broker, no clock. [any thread]
 *
 * A record belongs to one node and is made of that node's events alone, so linking and unlinking change none; a person's profile is the
 * merge of their nodes' records at the moment of reading (profile_merge()).
 *
 * Folding the same events in the order of their streams gives the same record, whichever way the two streams were interleaved, and how
 * often soever events were said again: a record holds the sequences it has seen, and each member that can change holds a stamp (when the
 * event happened; at equal times the stream of events counts as later). The later stamp wins, so what came late changes no newer member.
 *
 * As JSON: {"v":1, "seen":[events, activity], "address", "proved", "since", "last" (ms), "channels":[{"id","plugin","kinds":{"message.received":
 * [count, last_ms]}}], "first", "latest", "acquisition", "inbound", "conversation", "cart", "told":{"name":[value, stamp]}, "told_attributes",
 * "set", "set_attributes", "preferred", "quiet", "consent":[…]}. Bounded: PROFILE_… below; what is beyond is left out. */
#ifndef KANAL_PROJECT_PROFILE_H
#define KANAL_PROJECT_PROFILE_H
#include "kanal/sdk/json.h"
#include "project/projector.h"

#define PROFILE_CHANNELS_MAX 64u
#define PROFILE_ATTRIBUTES_MAX 256u
#define PROFILE_VALUE_MAX 4096u /* bytes of one attribute, picture or referral, as JSON */
#define PROFILE_CONSENT_MAX 256u
#define PROFILE_CART_MAX 500u
#define PROFILE_BYTES_MAX (384u * 1024) /* a record; what would make it longer is counted and not kept */

struct profile;

/* record: as written before; absent: of a node of which nothing is known. 0, KANAL_E_INVALID: it is none, KANAL_E_INTERNAL: no memory. */
int profile_open(struct profile **ret_profile, kanal_str record);
/* One event of the node. 1: it is in the record now; 0: it was before. */
int profile_fold(struct profile *, const struct projected *);
/* Appends the record. 0, or KANAL_E_INTERNAL: no memory. */
int profile_write(const struct profile *, struct kanal_buffer *out);
/* NULL is fine. */
void profile_free(struct profile *);

/* 1: the customer did it (wrote, called, filled in a form, agreed …): a touch. Others are what the company or the gateway did. */
int profile_is_touch(const struct projected *);

/* A decimal number without exponent, as the contract writes money. */
int profile_is_money(kanal_str text);

/* ---- Reading ---- */

/* One of a person's nodes. */
struct profile_member {
    kanal_str node;
    yyjson_val *record; /* NULL: nothing is known of it */
    kanal_str link;     /* id of the link that joins it, or absent */
    kanal_str evidence; /* of that link, as JSON, or absent */
};
/* Writes the contract's customer_profile. Depends on the set of members only, not on their order. */
void profile_merge(struct kanal_json *, kanal_str customer, const struct profile_member *, size_t count);

/* A place where events of the node lie: all of one channel and one type, under one exact subject. */
struct profile_place {
    kanal_str channel, plugin, type;
    uint64_t count;
    int64_t last_ms;
};
/* Calls place() for each. */
void profile_places(yyjson_val *record, void (*place)(void *user, const struct profile_place *), void *user);
/* Appends "<prefix>.events.<plugin>.<channel>.<object>.<verb>.<node>" (of activity: the bucket's, which other nodes share). */
void profile_subject(kanal_str prefix, const struct profile_place *, kanal_str node,
                     struct kanal_buffer *out);
/* The address that is answered to, or absent. */
kanal_str profile_address(yyjson_val *record);

#endif
