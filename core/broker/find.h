/* broker/find.h - is a message in its stream already? For what comes again later than the duplicate window remembers. [loop]
 *
 * The stream is the ledger: the message is looked for among those of its exact subject, by DIRECT.GET, without a consumer. Most questions end with
 * the first answer: the subject has no message, its last one is the one looked for, or its last one is older than the one looked for can be. Else
 * the first one of that time is searched by halving the sequence numbers (about log2 of their range; none is needed if the first one of the subject is
 * young enough), and from there on each is looked at. */
#ifndef KANAL_BROKER_FIND_H
#define KANAL_BROKER_FIND_H
#include "jetstream.h"

#define JS_FIND_MOST 1000u /* messages that are looked at one by one */

struct js_find {
    const char *stream;
    kanal_str subject, msg_id;
    int64_t since_ms; /* by the broker's clock: it was not stored before */
    int64_t until_ms; /* nor after: the duplicate window remembers those; 0: open */
    uint32_t most;    /* messages looked at one by one; 0: 1,000 */
};
/* KANAL_OK: it is there. KANAL_E_NOT_FOUND: it is not. KANAL_E_TOO_LARGE: it is not among the first `most` since then. Others as broker_request(). requests:
 * how many messages were asked for. */
typedef void js_find_fn(void *user, kanal_status, uint32_t requests);
/* Never inside the call. */
void js_find(struct broker *, const struct js_find *, js_find_fn *, void *user);

/* How long the stream remembers ids, as its last INFO said; 0: not heard of yet. */
int64_t js_stream_window_ms(struct broker *, const char *stream);

#endif
