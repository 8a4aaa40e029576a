/* outbound/job.h - a command on its way to the provider: the queues that it stands in, and its outcomes. [loop] */
#ifndef KANAL_OUTBOUND_JOB_H
#define KANAL_OUTBOUND_JOB_H
#include "outbound/internal.h"

enum job_state { JOB_QUEUED, JOB_READY, JOB_WAITING, JOB_DELIVERING, JOB_REPORTING };

struct job {
    struct job *next_in_lane;
    struct job *next_ready;  /* in its outlet */
    struct job *prev, *next; /* all jobs */
    struct shard *shard;
    struct js_token token;
    uint64_t stream_sequence;
    uint32_t repeats; /* it came again while we held it: the pull counts each */
    struct channel *channel;
    struct recipient *recipient;
    enum job_state state;
    int64_t due_ms; /* loop time: of waiting and reporting, when to go on; of delivering, the deadline */
    yyjson_doc *document;
    yyjson_val *command;
    char verb[65];
    struct kanal_buffer address, data;
    kanal_str command_id;
    struct parts content;
    uint32_t parts, part; /* part: from 1 */
    uint32_t attempt;
    int64_t expires_ms; /* wall clock; 0: never */
    char key[37];       /* idempotency key of the part */
    kanal_delivery delivery;
    struct op *op;
    struct report report; /* the outcome to be stored */
    struct kanal_buffer external_id, provider_code, provider_message;
    int is_not_up; /* of waiting: for the channel */
    int is_dead;   /* also a dead letter */
    int is_last;   /* nothing follows: acknowledge when stored */
    size_t storing;
    kanal_status stored;
    uint64_t started_ns;
};

/* What a channel delivers, and what waits for its turn. */
struct outlet {
    uint32_t delivering;
    struct job *first, **last;
};

/* One recipient of one channel, while there is something for it. */
struct recipient {
    struct recipient *next; /* in its hash slot */
    struct channel *channel;
    char *key;
    struct job *first, **last;
};

static inline int64_t outbound_loop_ms(const struct outbound *o)
{
    return (int64_t)uv_now(o->host->loop);
}

/* job.c. A used one with its memory, if there is one; the caller links it. NULL: no memory. */
struct job *job_new(struct shard *);
void job_free(struct job *);
/* Into the list of all jobs, and out of it. */
void job_link(struct job *);
void job_unlink(struct job *);
/* Frees those that have ended; not while a plugin is being called, which may still read the delivery. */
void jobs_free_spent(struct outbound *);
/* Everything, at the end. */
void jobs_free_all(struct outbound *);

/* recipient.c. Finds or makes it; recipients_grow() came before. NULL: no memory. */
struct recipient *recipient_get(struct outbound *, struct channel *, kanal_str key);
void recipient_drop(struct outbound *, struct recipient *);
/* Another instance has the channel's place. */
void recipients_move(struct outbound *, const struct channel *from, struct channel *to);
/* Before one more: a larger table, if it is time for one. */
void recipients_grow(struct outbound *);
void recipients_free(struct outbound *);

/* lanes.c. Delivers it, or says when it goes on: the channel pauses, or is busy. */
void job_run(struct job *);
void job_wait(struct job *, int64_t delay_ms);
/* All that was to be told is stored: the message's next part, or the recipient's next command. */
void job_next_part(struct job *);
void job_end(struct job *, enum js_verdict);

/* outcome.c. Each ends the attempt: the job then waits, or its report is being stored, or it is gone. result: NULL or without the
 * members of minor 0: the channel stopped meanwhile. */
void outcome_settle(struct job *, const kanal_result *result);
void outcome_failed(struct job *, const char *type, const char *code, int scope, kanal_str detail);
/* The request may have reached the provider: on_unknown decides. */
void outcome_unknown(struct job *, const char *code);
/* (Again) stores what the job's report says, then goes on or ends it. */
void outcome_store(struct job *);

#endif
