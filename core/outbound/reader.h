/* outbound/reader.h - reads one stream of the way out through a durable consumer of a lease's holder. [loop]
 *
 * The holder never inherits a consumer: the former one's is deleted and made anew, so that what nobody has acknowledged comes first and in order. It
 * is made anew, too, when a message of it was lost on its way (a gap in the consumer's numbers), when the broker has it no more, and when it says
 * nothing. A broker that chooses leaders leaves requests unanswered: what has been deleted is not deleted once more because the making was not
 * answered, for then a consumer would go each time that it is about to come. */
#ifndef KANAL_OUTBOUND_READER_H
#define KANAL_OUTBOUND_READER_H
#include "broker/jetstream.h"

struct log;

struct reader {
    /* Set once, before the first start. */
    struct broker *broker;
    struct log *log;
    const char *area;            /* who says it in the log */
    struct js_consumer consumer; /* what it names stays */
    uint32_t window;
    void *user;
    void (*message)(void *user, const struct js_delivered *);
    /* Everything that is left is going to come once more: reader_start() is to be called, now or never. */
    void (*broken)(void *user);
    /* Its own. */
    struct js_pull *pull; /* NULL: not there yet; messages are settled by it */
    uint64_t sequence;    /* of the consumer, of the last message */
    int is_on, is_paused;
    int is_deleted;             /* what is there now, if anything, was made since */
    int is_asking, is_outdated; /* a request is under way; its answer is not what is wanted any more */
    int is_unmade;              /* tried again by reader_tick() */
    kanal_status told;          /* why, as the log says already */
};

/* From the beginning, also if it runs. */
void reader_start(struct reader *);
void reader_stop(struct reader *);
/* Asks for no more, or for more again. */
void reader_pause(struct reader *, int is_paused);
/* Each half second: tries again. */
void reader_tick(struct reader *);

#endif
