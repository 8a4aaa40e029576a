/* event/types.h - every event type: who may publish it, and where it goes. The one table; proto/ describes the members. */
#ifndef KANAL_EVENT_TYPES_H
#define KANAL_EVENT_TYPES_H
#include "kanal/plugin.h"

enum event_class {
    EVENT_STORED,   /* <prefix>.events…, stream <PREFIX>_EVENTS */
    EVENT_ACTIVITY, /* <prefix>.activity…, stream <PREFIX>_ACTIVITY */
    EVENT_LIVE      /* <prefix>.live…, plain NATS, not kept */
};

#define EVENT_BY_PLUGIN 1u     /* a plugin may publish it; others are the core's */
#define EVENT_NEEDS_ADDRESS 2u /* there is always a customer */
#define EVENT_HAS_MESSAGE 4u   /* data.message exists: the core adds id and external_id */
#define EVENT_OF_COMMAND 8u    /* a step of a command's life: data.message.id is the command's */
#define EVENT_HAS_CALL 16u     /* data.call exists: the core adds id and external_id */

struct event_type {
    const char *name;
    enum event_class class;
    uint32_t flags;
};

/* NULL: no such type. */
const struct event_type *event_type_find(kanal_str name);
/* All of them, ended by a NULL name. */
const struct event_type *event_types(void);

#endif
