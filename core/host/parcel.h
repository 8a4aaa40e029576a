/* host/parcel.h - events that are finished but cannot be sent at once: what the publisher hands to its detour. [loop] */
#ifndef KANAL_HOST_PARCEL_H
#define KANAL_HOST_PARCEL_H
#include "event/envelope.h"

struct parcel_event { /* one block with its texts */
    kanal_str id, channel, subject, json;
    kanal_str raw;           /* to be kept too, or absent */
    kanal_str chat, address; /* as the speaker said them, or absent: whose order is kept */
    int64_t time_ms;         /* the provider's; 0: not told */
    enum event_class class;  /* EVENT_STORED or EVENT_ACTIVITY */
};

struct parcel {
    int is_core, is_said_again, may_spool; /* as of its source */
    size_t count, capacity;
    struct parcel_event *events[];
};

/* NULL: no memory. */
struct parcel *parcel_new(const struct envelope_source *, size_t capacity);
/* NULL is fine. */
void parcel_free(struct parcel *);
/* envelope: what was written of the event. KANAL_E_BUSY: no memory. */
int parcel_add(struct parcel *, const struct envelope *, const struct envelope_source *, const kanal_event *,
               int keep_raw);

#endif
