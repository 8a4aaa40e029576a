/* kanal/sdk/batch.h - the events that one payload of a provider says, written one after another and published together. Part
 * of the static helpers, not of the ABI.
 *
 * An item owns what its event shows: the views of kanal_event point into it. Texts that do not fit are no ids: they are left
 * empty, and an event without a dedupe key is refused by the host. Not thread-safe. */
#ifndef KANAL_SDK_BATCH_H
#define KANAL_SDK_BATCH_H
#include "json.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_BATCH_MAX 128u

struct kanal_batch_item {
    kanal_event event;
    struct kanal_json json; /* stands inside of `data` until kanal_batch_end() */
    struct kanal_buffer data;
    char dedupe[160], address[256], chat[128], external_id[256];
};

/* A zeroed struct is an empty batch too. */
struct kanal_batch {
    struct kanal_batch_item **items;
    uint32_t count, capacity;
    int32_t failed; /* out of memory, or over KANAL_BATCH_MAX */
    int32_t reserved;
};

static inline void kanal_batch_init(struct kanal_batch *batch)
{
    memset(batch, 0, sizeof *batch);
}
void kanal_batch_release(struct kanal_batch *);
/* Empties it, for another try. */
void kanal_batch_clear(struct kanal_batch *);

/* A new event of the type (a literal) with its data object begun; NULL with failed set. */
struct kanal_batch_item *kanal_batch_begin(struct kanal_batch *, const char *type);
/* Ends the data object and fills in the event; what the item's texts leave empty stays absent. */
void kanal_batch_end(struct kanal_batch *, struct kanal_batch_item *);
/* Copies a text of an item, NUL-ended; empty if it does not fit or is absent. 1: it is there. */
int kanal_batch_text(char *out, size_t size, kanal_str text);

/* Publishes all of it; raw: the payload, kept with the first, or absent. The op, or 0: out of memory (the callback never runs). */
kanal_op kanal_batch_publish(const struct kanal_batch *, const kanal_host *, kanal_op cause, kanal_str raw,
                             kanal_done_fn *, void *user);

#ifdef __cplusplus
}
#endif
#endif
