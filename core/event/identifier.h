/* event/identifier.h - which addresses are one and the same mailbox or telephone, beyond how they are spelt (address.h).
 *
 * An address stays what the customer or the provider wrote: replies go to it. For recognising the person there may be a second one that means
 * the same: `mailto:anna%2Bnews@example.com` is Anna's mailbox where the domain is configured so, `tel:+5215512345678` is
 * `tel:+525512345678` since Mexico dropped its 1. Pure functions. [any thread] */
#ifndef KANAL_EVENT_IDENTIFIER_H
#define KANAL_EVENT_IDENTIFIER_H
#include "kanal/sdk/buffer.h"

/* How a domain's mailboxes are told apart. */
struct identifier_domain {
    kanal_str name; /* A-labels, lower case */
    int cuts_plus_tags;
};

struct identifier_rules {
    int cuts_plus_tags; /* of every other domain: what stands behind a '+' in the local part is a tag of the same mailbox */
    const struct identifier_domain *domains;
    size_t domain_count;
};

/* address: the normal form. 1: another address means the same, and was appended in its normal form; 0: there is none, nothing was appended;
 * KANAL_E_INTERNAL: out of memory. Applied to what it appended it gives 0. */
int identifier_canonical(const struct identifier_rules *, kanal_str address, struct kanal_buffer *out);

#endif
