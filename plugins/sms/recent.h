/* recent.h - telling a repeated message from one that was written twice. Pure.
 *
 * SMPP gives messages from telephones no id. What says "the same again" is the content within a time window, but a customer who answers "yes" to two
 * questions sends the same content twice. An SMS centre repeats a message when it did not hear our answer: because it was a refusal, or because
 * the bind broke. So a message with content that was acknowledged on this very bind, or is on its way to be, is another message and gets the next
 * number; any other one is the same. The key is made of source, destination, content, window and number, so that it is the same after a restart too.
 *
 * Places are found by the content's hash, 8 for each. Where a fresh one has to give way, what it knew is lost, and the newcomer gets a number that
 * nobody had: rather twice than not at all. */
#ifndef SMS_RECENT_H
#define SMS_RECENT_H
#include "pdu.h"

#define SMS_RECENT_WAYS 8u
#define SMS_RECENT_PLACES (256u * SMS_RECENT_WAYS)
#define SMS_KEY_BYTES 160u
#define SMS_REPEAT_AFTER_MS 10000 /* who has no answer for so long asks again */

struct sms_recent {
    uint64_t content; /* 0: free */
    int64_t window;   /* number of the time window when it was first seen */
    int64_t seen_ms;
    uint32_t number;  /* how many of the same there were before */
    uint32_t session; /* of the bind it came on */
    int32_t state;    /* PENDING, STORED, REFUSED */
};

/* The place of a message, whose key is written; it stays the same for repeats. */
struct sms_recent *sms_recent_find(struct sms_recent places[SMS_RECENT_PLACES], const struct sms_message *,
                                   uint32_t session, int64_t now_ms, uint32_t window_ms,
                                   char key[SMS_KEY_BYTES]);
/* What was answered to the message of that place; found: a copy of what it was then, for the place may be another's by now. */
void sms_recent_answered(struct sms_recent *, const struct sms_recent *found, int is_stored);
/* FNV-1a, going on from h. */
uint64_t sms_hash(uint64_t h, kanal_str text);
#define SMS_HASH_START UINT64_C(0xcbf29ce484222325)

#endif
