/* outbound/ended.h - what this gateway has done with lately. [loop]
 *
 * An acknowledgement tells the broker that a command is done with, and nobody tells us that it has stored that: a broker that is killed gives again what
 * was acknowledged just before, with nothing to tell it from the first time, and may have forgotten the id of what intake moved. Sent and told
 * long since, such a command may no longer stand in the log of attempts. So the keys of the last commands are kept in memory, the latest 65,536 of
 * them, for an hour: the ledger's promise that an id is one command. */
#ifndef KANAL_OUTBOUND_ENDED_H
#define KANAL_OUTBOUND_ENDED_H
#include "outbound/internal.h"

/* The command with this key has ended, and is being acknowledged. Without memory it is not remembered. */
void ended_note(struct outbound *, const struct id *key);
/* 1: it has, here and lately. */
int ended_has(const struct outbound *, const struct id *key);
void ended_free(struct outbound *);

#endif
