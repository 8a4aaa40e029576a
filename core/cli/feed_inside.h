/* cli/feed_inside.h - what the files of the feed share; nothing else includes it. */
#ifndef KANAL_CLI_FEED_INSIDE_H
#define KANAL_CLI_FEED_INSIDE_H
#include "cli/api.h"
#include "cli/feed.h"

#define FEED_RETRY_MS 1000
#define FEED_FILTER 512u

struct message {
    struct message *next;
    natsMsg *msg;
    struct source *source;
    uint32_t generation;
};

struct queue {
    struct message *first, **end;
    size_t count;
};

struct source {
    struct feed *feed;
    char filter[FEED_FILTER];
    enum filter_branch branch;
    natsSubscription *subscription; /* a plain one, or our inbox */
    char stream[64], consumer[64];  /* "": none was made yet */
    char inbox[64];
    uint32_t generation;    /* of the consumer; messages of earlier ones are dropped */
    uint64_t last_sequence; /* handed over; 0: none */
    int behind;             /* stored events are still to come */
    int64_t asked;          /* messages that were asked for and did not come yet */
    int64_t late_ms;        /* then the request counts as lost */
    struct queue queue;
};

struct feed {
    struct client *client;
    struct source sources[FEED_SOURCES];
    size_t source_count;
    int64_t since_ms;
    int stored_only, plain; /* plain: no streams */
    uint32_t turns;
    int64_t retry_ms; /* when consumers that could not be made are tried again; 0: all are there */
    pthread_mutex_t lock;
    pthread_cond_t completed;
    struct queue incoming; /* guarded by lock, as are: */
    uint64_t dropped;
    size_t inlets;
    natsMsg *shown;
};

/* Where a stored event stands in its stream. */
struct place {
    int64_t sequence, time_ns, pending;
};

/* feed_inlet.c */
void feed_queue_init(struct queue *);
void feed_queue_put(struct queue *, struct message *);
struct message *feed_queue_take(struct queue *); /* NULL: empty */
void feed_queue_clear(struct queue *);
void feed_message_free(struct message *);
/* Messages come into feed->incoming from now on. */
natsStatus feed_subscribe(struct source *, const char *subject);
/* After all subscriptions were destroyed: true when libnats is done with them. */
int feed_wait_for_inlets(struct feed *);

/* feed_source.c */
/* CLI_OK, or the exit code and a reason (API_REASON bytes). */
int feed_source_open(struct source *, int stored, char *reason);
/* A new consumer behind the last event handed over. CLI_OK, or the exit code and why. */
int feed_source_make(struct source *, struct api_failure *);
void feed_source_drop(struct source *);
/* Asks for the next batch when the one before has come. */
void feed_source_ask(struct source *, int64_t now_ms);
/* What the server says instead of a message. True if it was that. */
int feed_source_take_status(struct source *, natsMsg *);
/* 0, or -1: it is no stored event. */
int feed_place_of(const struct message *, struct place *ret_place);

#endif
