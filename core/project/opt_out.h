/* project/opt_out.h - STOP: a customer's message that is nothing but a word of the configured lists withdraws their consent on its channel, or
 * gives it again. [loop]
 *
 * A projection: the message itself is published and stored as every other; consent.withdrawn or consent.given follows it, by the core, within
 * milliseconds and also after a crash. Its time is the message's, its id follows from the message's, so it is one event however often the
 * message is said. Channels whose plugin tells this itself (KANAL_CAP_OPT_OUT) are left to it; groups are no one's consent. */
#ifndef KANAL_PROJECT_OPT_OUT_H
#define KANAL_PROJECT_OPT_OUT_H
#include "project/projector.h"

struct opt_out;

struct opt_out_words { /* NULL-ended; borrowed */
    const char *const *stop, *const *start;
};

/* 0, or KANAL_E_INTERNAL. words: of channels that have none of their own. */
int opt_out_new(struct opt_out **ret_opt_out, struct host *, const struct opt_out_words *words);
struct projection *opt_out_projection(struct opt_out *);
/* After broker_shut(). NULL is fine. */
void opt_out_free(struct opt_out *);

/* What a message's data says: -1 no more, 1 again, 0 neither. Pure. */
int opt_out_read(yyjson_val *data, const struct opt_out_words *);

#endif
