/* outbound/parked.h - recipients for whom too much waits: their commands are set aside, and come back in order. [loop]
 *
 * A shard holds 1,024 commands of each class in memory. What one recipient may have of them depends on what is free, so that one that waits for a
 * retry, or is slow, never takes the room of the others. What is beyond goes into the stream <PREFIX>_PARKED and is then acknowledged in its lane:
 *   <prefix>.parked.<shard or b and shard>.<hash>        batches, oldest first: [{"sequence", "time", "subject", "step", "replay", "part", "command"}, …];
 *                                                        sequence and time are those that the command had in the lane
 *   <prefix>.parked.<shard or b and shard>.<hash>.done   {"batch": <sequence>, "done": <entries>}: how far the oldest one was carried out; a batch is
 *                                                        taken out when all of it was, again and again until the broker says so
 * hash: of channel and recipient. Batches of one recipient are stored one after the other, each naming the one before it as the subject's last, so
 * that none is stored twice or out of turn, however unclear an answer was. Whoever takes the shard over finds the parked recipients by their subjects. */
#ifndef KANAL_OUTBOUND_PARKED_H
#define KANAL_OUTBOUND_PARKED_H
#include "outbound/job.h"

/* All parked recipients of one class of a shard. NULL: no memory. */
struct parking *parking_new(struct shard_lane *);
/* The shard is another's, or is taken over once more. The jobs are no longer touched. NULL is fine. */
void parking_free(struct parking *);
/* Finds what the former holder left; read() runs once, later. KANAL_OK, or it has to be tried again. */
void parking_read(struct parking *, published_fn *read, void *user);
/* A message of the lane has come. is_last: none is left behind it. */
void parking_seen(struct parking *, uint64_t stream_sequence, int is_last);
/* 1: what the former holder left has not all been looked at. */
int parking_is_unread(const struct parking *);
/* 1: nothing of it is on its way to the stream or out of it: another gateway finds what this one knows. */
int parking_is_quiet(const struct parking *);
void parking_tick(struct parking *);
/* The channel is gone: what is parked for it stays where it is, and is tried again later. */
void parking_let_go(struct parking *, const struct channel *);

/* A job of the lane, linked. 1: it is set aside, or gone, since it is parked already. */
int parked_take(struct job *);
/* Nothing, or little, waits in memory any more: more is asked for, or comes at once. */
void parked_refill(struct recipient *);
/* 1: something is, so the recipient is to be kept. */
int parked_has(const struct recipient *);
/* A job that came out of parking has ended: JS_ACK, or else it goes back there. */
void parked_settle(struct job *, enum js_verdict);

/* Some entries of a batch become jobs at once: so many come back before the ones that follow. */
#define PARKED_LOADED 16u

/* parked_find.c. Is the command parked? Answers once, later, on any gateway: KANAL_OK: it stands there, and so far behind that it is in nobody's
 * memory. KANAL_E_NOT_FOUND: it does not (any more). */
struct parked_wanted {
    kanal_str channel, recipient; /* its address in normal form, or the chat */
    kanal_str command_id;
};
void parked_find(struct outbound *, const struct parked_wanted *, published_fn *done, void *user);

/* The subject of a recipient, in the form of this page. 0, or -1. */
#define PARKED_SUBJECT 120u
int parked_subject(const struct outbound *, enum lane_class, kanal_str channel, kanal_str recipient,
                   char ret_subject[PARKED_SUBJECT]);

#endif
