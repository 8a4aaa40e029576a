/* handoff/arrive.h - customers who arrive through a hand-off link: a projection of the projector. [loop]
 *
 * An event of a customer that brings a reference (its referral's payload, or a reference in the text or the subject of a message) is held against the
 * signature, then against the link's record, which is taken by compare-and-set: of two arrivals at once, on two replicas or of two persons, one
 * wins. Then the arriving node is linked with the customer's, and the core says `conversation.started` with `referral.link` and the context; or
 * `link.refused` with the reason, and nothing else happens.
 *
 * The record names the event that took it, so the same event told again goes on where it stopped (kill -9 at any place), and says the same
 * events under the same ids. What a channel says besides of the same arrival (its own conversation.started and message.received bring the same
 * reference) is the same arrival: same node, times not further apart than ARRIVE_SAME_MS. */
#ifndef KANAL_HANDOFF_ARRIVE_H
#define KANAL_HANDOFF_ARRIVE_H
#include "identity/identity.h"
#include "project/profiles.h"
#include "project/projector.h"

#define ARRIVE_SAME_MS 5000

struct arrivals;

struct arrivals_options {
    struct host *host;
    const char *prefix;
    /* identity_link(), or who stands in for it under test. */
    void (*link)(struct identity *, const struct identity_link *, identity_done_fn *done, void *user);
    struct identity *identity;
    struct profile_book *book; /* tells the customer's address; NULL: nobody does */
};

/* 0, or KANAL_E_INTERNAL: no memory. */
int arrivals_new(struct arrivals **ret_arrivals, const struct arrivals_options *);
/* The projection to be added after identity's; it lives as long as the arrivals. */
struct projection *arrivals_projection(struct arrivals *);
/* What is under way is not answered any more. NULL is fine. */
void arrivals_free(struct arrivals *);

#endif
