/* identity/identity.h - which addresses are one person. [loop]
 *
 * Only links are stored, each with its evidence, in the bucket <prefix>_links; every gateway watches them into a graph
 * (graph.h). A customer is a set of linked nodes, named after its smallest one: ids_customer(root). So all gateways that have seen
 * the same links say the same, an unlinked node is a customer of its own, and nothing is stored for it.
 *
 * A record: key = id of the link ("l_" + 26, a hash of the two nodes and the kind of evidence, so the same evidence is one link whoever says
 * it), value = JSON {"link": the contract's identity_link, "state": "linked" | "unlinked", "count", "changed", "customers": [those who became
 * one, or those that one became], "reason", "agent", "told"}. It changes by compare-and-set only. count: how often it changed; the events identity.linked and
 * identity.unlinked have their id from (link, count), and their content from the record alone. told: that event is stored. Whichever gateway
 * sees a record that stays untold says it, so a kill between the two loses nothing and doubles nothing.
 *
 * A link that was undone stays as "unlinked": the same evidence does not bring it back by itself. A person can (IDENTITY_MANUAL).
 *
 * Replies go to addresses, never to customers: a wrong link shows a history to the company's side, and redirects nothing. */
#ifndef KANAL_IDENTITY_IDENTITY_H
#define KANAL_IDENTITY_IDENTITY_H
#include "event/ids.h"
#include "host/host.h"

#define IDENTITY_SET_MAX                                                                                     \
    1024u /* nodes of one customer: the contract's bound; what would exceed it is a conflict */

struct identity;
struct projected; /* project/projector.h */
struct projection;

struct identity_options {
    struct host *host;
    const char *prefix;
    const char *const
        *trust; /* NULL-ended: plugins whose verified identifiers count (identity.trust); NULL: none */
    const char *default_region; /* of national telephone numbers in forms; NULL: none */
};

/* The contract's evidence.kind, in its order. The numbers are kept in memory only. */
enum identity_kind {
    IDENTITY_TRANSPORT,
    IDENTITY_CONTACT,
    IDENTITY_TOKEN,
    IDENTITY_HANDOFF,
    IDENTITY_FORM,
    IDENTITY_IDENTIFY,
    IDENTITY_HEADER,
    IDENTITY_BY_HAND, /* "manual" */
    IDENTITY_OTHER
};

enum identity_strength {
    IDENTITY_VERIFIED, /* something proves it: links, unless it contradicts what is known, or was undone before */
    IDENTITY_MANUAL /* a person or a system of the company says so: links in any case */
};

struct identity_evidence {
    enum identity_kind kind;
    kanal_str event, link, channel, text; /* each absent or as the contract says; cut where it is too long */
};

/* Who on the company's side: the contract's party as JSON ({"kind":"person","id":"u-17"}), well-formed; absent: {"kind":"system"}. */
struct identity_agent {
    kanal_str json;
};

struct identity_link {
    struct id nodes[2];     /* different; the first is the one that the event will be about */
    kanal_str addresses[2]; /* in the normal form; absent where not known */
    enum identity_strength strength;
    struct identity_evidence evidence;
    kanal_str reason; /* in words, or absent */
    struct identity_agent agent;
    int64_t time_ms; /* when it happened: of an event, its time; 0: now */
};

/* What became of it. Borrowed, for the call. */
struct identity_outcome {
    kanal_status status; /* KANAL_OK: stored, as are its events.
                            KANAL_E_REJECTED: not linked: conflict or undone says why (a conflict was told: identity.claimed).
                            KANAL_E_NOT_FOUND: no such link. KANAL_E_INVALID: nonsense was asked.
                            Others are the broker's: not known to be done; saying it again is safe. */
    int conflict;        /* it contradicts what is known: see identity_observe() */
    int undone;          /* the same evidence was undone before */
    struct id customer;  /* after it: of nodes[0] */
    kanal_str link;      /* JSON: the contract's identity_link; absent where there is none */
    struct id
        customers[2]; /* after unlinking: what the customer was split into, or the one that it still is */
    size_t customer_count;
};
/* Once, never inside the call; not after identity_free(). */
typedef void identity_done_fn(void *user, const struct identity_outcome *);

/* Sets host->envelope.customer. 0, or KANAL_E_INTERNAL. */
int identity_new(struct identity **ret_identity, const struct identity_options *);
/* What is under way is not answered any more. The loop must run once more. NULL is fine. */
void identity_free(struct identity *);
/* The bucket is there: it is watched. Fine to say again. */
void identity_broker_up(struct identity *);
/* 1: all links that stood in the bucket are known. Until then roots are preliminary. */
int identity_is_ready(const struct identity *);

/* The customer whom a node ("a_…") belongs to. On the hot path: one look into a table; without any link, none. */
void identity_customer(struct identity *, const struct id *node, struct id *ret_customer);
/* The nodes of a customer, of the person that a node or a former customer id is now part of: customer ids ("c_…") name a node, and
 * are followed to its set. At most capacity are written; returns how many there are, at least 1. */
size_t identity_nodes(struct identity *, const struct id *node_or_customer, struct id *ret_nodes,
                      size_t capacity);
/* The links that a node has: ids, other ends, kinds. At most capacity; returns how many there are. */
struct identity_edge {
    struct id link, other;
    enum identity_kind kind;
};
size_t identity_links(struct identity *, const struct id *node, struct identity_edge *ret_edges,
                      size_t capacity);
const char *identity_kind_word(enum identity_kind);

/* Links two nodes, tells identity.linked. Everything is borrowed until it returns. A link that is there already is KANAL_OK, and
 * told once. done: after this gateway's own graph has it and the event is stored. */
void identity_link(struct identity *, const struct identity_link *, identity_done_fn *done, void *user);
/* Undoes one link exactly, tells identity.unlinked. One that is undone already is KANAL_OK. reason: may be absent. */
void identity_unlink(struct identity *, kanal_str link_id, kanal_str reason, const struct identity_agent *,
                     identity_done_fn *done, void *user);

/* What one event of the streams proves or claims of its customer's other addresses (data.customer.identifiers, form fields of type tel
 * and email); most events: nothing. Proved ones link; others, and those that contradict what is known, are told as identity.claimed
 * and change nothing. done, perhaps inside the call: KANAL_OK when all of it is stored, else the broker's status: say the event again. A
 * repeated event changes nothing and tells nothing anew.
 *
 * Proved: the plugin says `verified`, the operator names the plugin in identity.trust, and the event's own address is proved as well: any
 *   but a mailto: that the event does not name as verified itself (anybody can write any From).
 * Contradiction (conflict): the two sets together would have two telephone numbers, or two accounts in one space of accounts
 *   (telegram:…, user:SHOP/…): a second phone of a person, or a phone that changed hands. Browsers (visitor:) and mail addresses, of which
 *   one has many, contradict nothing; neither do two that one event names together, telephone numbers excepted. */
void identity_observe(struct identity *, const struct projected *event, identity_done_fn *done, void *user);
/* That, for the projector: the first of its projections, since the others may ask who a node is. The identity's own. */
struct projection *identity_projection(struct identity *);

#endif
