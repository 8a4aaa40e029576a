/* outbound/attempts.h - the log of attempts of a shard, so that after a kill "not started", "unknown" and "sent" differ. [loop]
 *
 * Before a request to a provider that drops no repeated key, the stream <PREFIX>_ATTEMPTS says so, under <prefix>.attempts.<shard>; when the
 * answer is there it says that, too. What a loop turn has to say is one message:
 *   [["<key of the command>", part, number, "start"], [key, part, number, "end"], [key, part, number, "sent", "<external id>"], …]
 * Who takes the shard over reads the log: a start without anything after it is an attempt whose answer nobody knows. The log is
 * purged up to the oldest entry of a command that is not done with. */
#ifndef KANAL_OUTBOUND_ATTEMPTS_H
#define KANAL_OUTBOUND_ATTEMPTS_H
#include "outbound/job.h"

/* NULL: no memory. */
struct attempts *attempts_new(struct shard *);
/* Whoever still waits is told: KANAL_E_CANCELLED. NULL is fine. */
void attempts_free(struct attempts *);
/* Reads what the shard's former holder left; read() runs once, later. KANAL_OK, or it has to be tried again. */
void attempts_read(struct attempts *, published_fn *read, void *user);

/* "start": job_recorded() runs when it is stored. 0, or KANAL_E_BUSY: no memory. */
int attempts_start(struct attempts *, struct job *);
/* "end": the provider has not taken it; nobody waits for that. */
void attempts_end(struct attempts *, struct job *);
/* "sent": done() runs when it is stored. */
void attempts_sent(struct attempts *, struct job *, kanal_str external_id, published_fn *done);
/* A job that waits for the log is told nothing any more. */
void attempts_forget(struct attempts *, struct job *);
/* The command is done with. */
void attempts_release(struct job *);
/* What the log of the former holder knows of the job: what is recalled, part, attempt and external id are set. */
void attempts_recall(struct attempts *, struct job *);

/* At the end of each loop turn: what is to be said goes out. */
void attempts_flush(struct attempts *);
/* Everything that was said is stored, or will not be. NULL is fine. */
int attempts_settled(const struct attempts *);
/* Now and then: forgets what no command needs. caught_up: every message that stood in the shard at its takeover has come. */
void attempts_purge(struct attempts *, int caught_up);

#endif
