/* incoming.h - what the SMS centre sends: messages and receipts (deliver_sm, data_sm).
 *
 * The answer goes out when the event is stored, or when the segment is (reassemble.h): ESME_ROK. Where that failed it is ESME_RX_T_APPN, and the SMS
 * centre sends it again. */
#ifndef SMS_INCOMING_H
#define SMS_INCOMING_H
#include "recent.h"

struct kanal_channel;

struct sms_incoming {
    uint32_t under_way; /* not answered yet */
    struct sms_recent recent[SMS_RECENT_PLACES];
};

/* What is to be answered. Plain data. */
struct sms_question {
    uint32_t session, command, sequence;
};

void sms_incoming_take(struct kanal_channel *, const struct sms_header *, kanal_str body);
/* One thing is under way, until it is answered: one for one. */
void sms_incoming_begin(struct kanal_channel *);
void sms_incoming_answer(struct kanal_channel *, const struct sms_question *, uint32_t status);

#endif
