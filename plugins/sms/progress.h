/* progress.h - which segments of a long message an attempt got through, kept in the channel's state for the next attempt, on whatever replica.
 *
 * 256 places, by hash of the idempotency key: what a delivery that never comes back leaves behind is overwritten, so the state does not grow. Where two
 * share a place, one of them is submitted whole again, with the same reference: the telephone shows it once. Pure. */
#ifndef SMS_PROGRESS_H
#define SMS_PROGRESS_H
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"
#include "pdu.h"
#include "text.h"

struct sms_progress {
    uint32_t count; /* of segments; of how many a message is said to have, where it is read */
    uint8_t taken[SMS_SEGMENTS_MAX];
    char external_id[SMS_ID_BYTES_MAX + 1]; /* of the last segment; empty: not taken yet */
};

/* The reference that joins the segments of a delivery. */
uint16_t sms_progress_reference(kanal_str idempotency_key);
/* The state's key. */
void sms_progress_place(char out[16], kanal_str idempotency_key);
void sms_progress_write(struct kanal_buffer *out, kanal_str idempotency_key, const struct sms_progress *);
/* 0, or KANAL_E_NOT_FOUND: it is about another delivery, or about a message of another number of segments. */
kanal_status sms_progress_read(struct sms_progress *, kanal_str idempotency_key, uint32_t count,
                               kanal_str text);

#endif
