/* identity/evidence.h - what an event says of its customer's other addresses. Pure. */
#ifndef KANAL_IDENTITY_EVIDENCE_H
#define KANAL_IDENTITY_EVIDENCE_H
#include "identity/identity.h"
#include "project/projector.h"

#define EVIDENCE_MAX 40u /* the contract's 32 identifiers, and some fields of a form */

struct evidence_rules {
    const char *const *trust;   /* NULL-ended, or NULL */
    const char *default_region; /* or NULL */
};

struct evidence_item {
    struct id node;
    kanal_str address; /* the normal form */
    enum identity_kind kind;
    int is_proved; /* else it is a claim */
    kanal_str text;
};

/* Others than the event's own address, each once; proved before claimed where it is said twice. */
struct evidence {
    struct evidence_item items[EVIDENCE_MAX];
    size_t count;
    struct kanal_buffer memory; /* of addresses and texts */
};

/* 1: there may be something; cheap, and most events have nothing. */
int evidence_is_likely(const struct projected *);
/* 0, or KANAL_E_INTERNAL: no memory. Hostile input only makes it less. */
int evidence_read(struct evidence *, struct ids *, const struct evidence_rules *, const struct projected *);
void evidence_release(struct evidence *);

#endif
