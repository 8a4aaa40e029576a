/* event/envelope.h - from what a plugin (or the core) says happened to the CloudEvent that is published.
 *
 * The one place that knows the outer form of events and their subjects. It checks what was said: a known type that this speaker may
 * publish, a dedupe key, a valid address, data that is one JSON object; and writes data anew, so that what leaves is
 * well-formed UTF-8 JSON with the core's own members (channel, customer.id, message.id …) first and not forgeable. */
#ifndef KANAL_EVENT_ENVELOPE_H
#define KANAL_EVENT_ENVELOPE_H
#include "event/ids.h"
#include "event/types.h"
#include "kanal/sdk/json.h"

#define ENVELOPE_DATA_MAX (512u * 1024)

/* A message of a customer, as far as it is known: the event's id, whose it is. */
struct envelope_incoming {
    kanal_str id, channel, address, chat; /* address: the normal form */
};

struct envelope_context { /* all borrowed */
    struct ids *ids;
    kanal_str prefix;   /* "kanal" */
    kanal_str base_url; /* for media URLs: "https://hub.example.com" */
    /* Does a plugin's message.received mean more than it says (outbound/offers.h)? 1: `out` has the data to be published instead. NULL: never. */
    int (*answer)(void *user, const struct envelope_incoming *, yyjson_val *data, struct kanal_buffer *out);
    void *answer_user;
    /* Whom the node belongs to (identity/identity.h). On the hot path. NULL: each node is a customer of its own. */
    void (*customer)(void *user, const struct id *node, struct id *ret_customer);
    void *customer_user;
};

struct envelope_source {
    kanal_str channel, plugin; /* both "_": no channel is concerned, and data has none */
    kanal_str node; /* of the core, where it knows the node and not the address: the customer's, or absent */
    int is_core;    /* 1: the core itself speaks, and may publish every type */
    int is_said_again;     /* of the core: after a crash it may be said once more, hours later */
    kanal_str traceparent; /* what the event belongs to (trace.h), or absent */
    kanal_str
        corrects; /* id of the event that this one is said instead of, or absent; a message keeps that id */
    int spools;   /* 1: when_broker_down: spool */
};

/* Reused from event to event: clear, not release. */
struct envelope {
    struct kanal_buffer subject, json;
    struct kanal_buffer address; /* the normal form */
    struct id id;
    const struct event_type *type;
    const char *error; /* static: what was wrong */
};

void envelope_release(struct envelope *);
/* 0, or KANAL_E_INVALID / KANAL_E_TOO_LARGE with error set. */
int envelope_write(struct envelope *, const struct envelope_context *, const struct envelope_source *,
                   const kanal_event *, int64_t now_ms);

#endif
