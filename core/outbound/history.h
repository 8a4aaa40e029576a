/* outbound/history.h - what became of a command, read from the stream of events. [loop]
 *
 * The ledger says which recipient it is for; under the exact subjects of that recipient's status events, from the place in the stream where it was
 * accepted, lies what was said of it. At most 1,000 events of each kind are looked at. */
#ifndef KANAL_OUTBOUND_HISTORY_H
#define KANAL_OUTBOUND_HISTORY_H
#include "outbound/internal.h"

struct history;
/* Borrowed until fn returns. KANAL_E_NOT_FOUND: the ledger does not know the command. */
typedef void history_fn(void *user, kanal_status, const struct history *);
void history_read(struct outbound *, kanal_str id, const struct id *key, history_fn *, void *user);

/* "accepted", "sent" …: where the whole message stands. */
kanal_str history_state(const struct history *);
/* 1: something of it may still be sent, and nothing was yet. */
int history_is_open(const struct history *);
/* 1: it has left, and a further step of its route may follow. */
int history_may_go_on(const struct history *);
/* 1: all of that step came so far: "sent", "delivered", "read". */
int history_step_reached(const struct history *, uint32_t step, kanal_str how_far);
/* The part whose fate is unknown, if there is one: what follows it was not begun. 1: there is. part 0: the whole, which has no parts. */
struct history_part {
    uint32_t part, parts;
};
int history_unknown(const struct history *, struct history_part *ret_part);
/* The contract's message_state. */
void history_write(const struct history *, struct kanal_json *);

#endif
