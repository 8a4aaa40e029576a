/* deliver.h - the way out: one delivery, one text, as many submit_sm as it has segments.
 *
 * A part of a command is one text of up to 670 characters, and one delivery submits all of its segments: the telephone shows them as one message,
 * and the core need not know of alphabets. The first segment goes alone (a refused number costs one segment, not ten), then the rest within the
 * window. All carry the same reference, made from the idempotency key, so another attempt joins what an earlier one began; where an
 * attempt ends with some segments taken, it is written down which (progress.h), and the next attempt submits only the others. */
#ifndef SMS_DELIVER_H
#define SMS_DELIVER_H
#include "kanal/plugin.h"

struct sms_delivery;

struct sms_outgoing {
    struct sms_delivery *first, *last; /* in the order they came */
    uint32_t count;
    int64_t resume_ms; /* the SMS centre is throttling: nothing before this */
};

/* The slot deliver(). */
void sms_deliver(struct kanal_channel *, kanal_op, const kanal_delivery *);
/* Submits what the window has room for. */
void sms_outgoing_pump(struct kanal_channel *);
/* Deliveries that are about to miss their deadline unsent. */
void sms_outgoing_expire(struct kanal_channel *);
/* Nothing can be submitted any more: what has not left is to be tried again. words: a literal. */
void sms_outgoing_give_back(struct kanal_channel *, const char *words);
/* Frees what is left. */
void sms_outgoing_release(struct kanal_channel *);

#endif
