/* reassemble.h - long messages from telephones: segments are kept in the channel's state until all are there.
 *
 * An SMS centre may wait for the answer to one segment before it sends the next, and may send them on binds of several replicas. So a
 * segment is stored by itself, where all replicas see it, before it is answered; the one that completes a message is answered when the event is stored. The
 * state is 8 values of groups.h, changed by compare-and-set. What is not complete after the setting `reassembly_timeout` is told as it is, with the number of
 * segments that are missing. One job at a time, in order. */
#ifndef SMS_REASSEMBLE_H
#define SMS_REASSEMBLE_H
#include "kanal/sdk/calls.h"
#include "groups.h"
#include "incoming.h"

#define SMS_SLOTS 8u

struct sms_job;

struct sms_slot {
    int is_loaded;
    uint64_t revision;
    struct sms_groups groups;
};

struct sms_reassembly {
    struct sms_slot slots[SMS_SLOTS];
    struct sms_job *first, *last; /* the first is under way */
    int is_busy;
    uint64_t publishing; /* id of the group whose event is being stored */
    struct kanal_timer sweep;
};

/* Looks for what other replicas, or an earlier life, left incomplete; and again from time to time. */
void sms_reassembly_start(struct kanal_channel *);
/* Keeps and answers a segment, or tells the whole message and answers. */
void sms_reassembly_take(struct kanal_channel *, const struct sms_message *, const struct sms_part *,
                         const struct sms_question *);
/* Of stop(): no more looking; what was asked is finished. */
void sms_reassembly_stop(struct kanal_channel *);
void sms_reassembly_release(struct kanal_channel *);

#endif
