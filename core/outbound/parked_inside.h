/* outbound/parked_inside.h - between parked.c (who is parked, and when) and parked_batch.c (what stands in the stream). [loop] */
#ifndef KANAL_OUTBOUND_PARKED_INSIDE_H
#define KANAL_OUTBOUND_PARKED_INSIDE_H
#include "outbound/parked.h"

#define PARKED_HASH 26u
#define PARKED_ENTRIES 64u         /* of a batch, at most */
#define PARKED_BYTES (256u * 1024) /* a batch of more than one entry is not longer */
#define PARKED_AGAIN_MS 1000
#define PARKED_ABSENT_MS 60000 /* its channel is not here */
#define PARKED_ABSENT_TRIES 10u

/* The place of a command in its lane. */
struct parked_point {
    uint64_t sequence;
    int64_t ms; /* of the stream: numbers begin anew when a stream was made anew */
};

struct parked_doomed;

/* One recipient, of one class. What follows each other: its jobs in memory, the batches from `next` to `newest`, the jobs that stand aside. */
struct parked {
    struct parked *next_in_slot;
    struct parking *parking; /* NULL: the shard is lost; freed when nothing is under way */
    char hash[PARKED_HASH + 1];
    struct recipient
        *recipient; /* NULL: what the former holder left, and was not read yet; or its channel is not here */
    int is_known;   /* how far it was carried out, where it begins and ends */
    int is_clear;   /* what came into the lane before its first command has come */
    struct parked_point first;    /* of the oldest batch */
    struct parked_point last;     /* of the newest one */
    uint64_t newest;              /* batch; 0: none */
    uint64_t next;                /* the batch to be read next, or an earlier number */
    uint32_t next_index;          /* the entry there */
    uint64_t progress;            /* the newest word under ".done"; 0: none */
    struct parked_doomed *doomed; /* batches that are being taken out */
    struct recipient_queue aside;
    size_t storing;   /* the first ones of these, in a batch under way */
    size_t unended;   /* its jobs that were read back */
    size_t under_way; /* requests to the broker whose answers refer to this */
    int is_busy;      /* one of them reads */
    int64_t due_ms;   /* loop time: nothing before */
    uint64_t ticked;  /* the tick that looked at it last */
    uint32_t tries;   /* its channel was not here */
};

struct parking {
    struct outbound *outbound;
    struct shard_lane *lane;
    struct parked *slots[256];
    size_t count, strangers; /* strangers: without a recipient */
    int is_level;            /* all that stood in the lane at the takeover has come */
    uint64_t seen;           /* in the lane */
    published_fn *read_done;
    void *read_user;
    int *alive; /* 0 when freed, for the listing that is under way */
};

/* parked.c. An answer has come (or could not): goes on. 0: it is gone, or the shard is another's. */
int parked_answered(struct parked *);
void parked_go_on(struct parked *);
/* Gives it back to nobody in particular: tried again later. */
void parked_let_go(struct parked *, int64_t delay_ms);
/* The recipient is known now. 0, or -1: something else of it is parked, which cannot be. */
int parked_attach(struct parked *, struct recipient *);

/* parked_batch.c */
void parked_subject_of(const struct parked *, const char *suffix, char ret_subject[PARKED_SUBJECT]);
/* Reads how far it was carried out, its oldest and its newest batch: then it is known. */
void parked_read_edges(struct parked *);
/* The first of what stands aside becomes the newest batch. */
void parked_store(struct parked *);
/* Some entries of the next batch become jobs. */
void parked_load(struct parked *);
/* Takes out what is done with, again and again. */
void parked_remove(struct parked *);
void parked_doomed_free(struct parked *);
/* Of its words under ".done", those before that sequence are not needed any more. */
void parked_forget_progress(const struct parked *, uint64_t before);
/* That entry is done. */
void parked_progress(struct parked *, const struct job *);

#endif
