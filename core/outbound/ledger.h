/* outbound/ledger.h - the bucket <prefix>_sent: what was accepted, and where what was sent is found again. [loop]
 *
 *   c.<key>   a command: {"channel", "address", "chat", "sequence", "after", "at", "routed"}; made once by intake, so that an id is one
 *             command for as long as the bucket remembers it, not only for JetStream's window of minutes
 *   x.<key>   a provider's message (host/receipts.h): {"id", "reference", "part", "parts", "address", "chat"}; receipts and replies find the command by it; of a
 *             step of a route also {"step", "step_key", "route": its key}
 *   r.<key>   a routed command: itself, and the steps that were taken (route.h)
 *   k.<key>   a command that was called back, or a step that was given up (cancel.h)
 * Keys are hashes: of (channel, verb, id) and of (channel, external id). */
#ifndef KANAL_OUTBOUND_LEDGER_H
#define KANAL_OUTBOUND_LEDGER_H
#include "outbound/job.h"

/* The key of a command; replay: the dead letter that it was, or absent. An id names one message whatever its channel, so `channel` is no part of the key of message.send. */
void ledger_command_key(const struct outbound *, kanal_str channel, kanal_str verb, kanal_str id,
                        kanal_str replay, struct id *ret_key);
/* KANAL_OK: it is new, or was taken a moment ago. KANAL_E_MAYBE: this very message was taken so long ago that JetStream would not know a second move
 * as the first one. KANAL_E_REJECTED: it was accepted before, as another message of the stream. Else the broker: try again. */
struct ledger_command {
    const struct command *command;
    const struct id *key;
    uint64_t sequence; /* in the stream of commands */
};
void ledger_accept(struct outbound *, const struct ledger_command *, published_fn *done, void *user);
/* A part of the job was sent. */
void ledger_sent(struct outbound *, const struct job *, published_fn *done, void *user);

#endif
