/* batch.h - the events of one webhook request, under construction. Pure: no host, no state.
 *
 * The payload's document has to live as long as the batch: texts that need no change are views into it. */
#ifndef META_BATCH_H
#define META_BATCH_H
#include "kanal/sdk/sdk.h"

#define META_ID_MAX 512 /* bytes of a provider's id: the host takes no longer ones */
#define META_ADDRESS_MAX 512

struct meta_item { /* one event */
    kanal_event event;
    struct kanal_buffer data;
    int opens_window; /* the customer did something: free content may be sent for a while */
    char address[META_ADDRESS_MAX], chat[META_ID_MAX + 1], dedupe[META_ID_MAX + 256];
};

struct meta_batch {
    struct meta_item **items;
    size_t count, capacity;
    size_t ignored; /* things of the payload that make no event; `why` names the last one */
    kanal_str why;
    int failed; /* out of memory */
};

void meta_batch_init(struct meta_batch *);
void meta_batch_release(struct meta_batch *);

/* Who and where: what every event begins with. */
struct meta_start {
    const char *type;
    kanal_str key;         /* of the dedupe key: the provider's id; absent or too long: a hash of `whole` */
    const char *suffix;    /* appended to the key, after a ':'; NULL: nothing */
    yyjson_val *whole;     /* the thing of the payload that the event tells */
    kanal_str external_id; /* of the message; absent or too long: left out */
    kanal_str address;     /* the customer's URI */
    kanal_str chat;
    int64_t time_ms; /* 0: not told */
};

/* A new event; *json stands inside of its data. NULL: out of memory (failed is set). */
struct meta_item *meta_item_begin(struct meta_batch *, struct kanal_json *, const struct meta_start *);
void meta_item_end(struct meta_batch *, struct meta_item *, struct kanal_json *);

/* Something makes no event: it is counted, and named in the log. */
void meta_ignore(struct meta_batch *, kanal_str why);

/* A time given in seconds, as a number or as text; 0: none, or one that cannot be. */
int64_t meta_seconds(yyjson_val *value);

#endif
