/* outbound/job.h - a command on its way to the provider: the queues that it stands in, and its outcomes. [loop] */
#ifndef KANAL_OUTBOUND_JOB_H
#define KANAL_OUTBOUND_JOB_H
#include "outbound/internal.h"

/* Recording: that it is about to be tried is being stored. */
enum job_state { JOB_QUEUED, JOB_READY, JOB_WAITING, JOB_RECORDING, JOB_DELIVERING, JOB_REPORTING };

struct attempt_batch;

struct job {
    struct job *next_in_lane;
    struct job *next_ready;  /* in its outlet */
    struct job *prev, *next; /* all jobs */
    struct shard *shard;
    enum lane_class class;
    uint64_t term; /* of the shard when it came: another one must not be acknowledged with its token */
    struct js_token token;
    uint64_t stream_sequence;
    int64_t stream_ms;     /* when it came into its lane, as the stream says */
    struct parked *parked; /* where it comes from; NULL: from its lane */
    struct {
        uint64_t batch; /* in the stream of what is parked */
        uint32_t index; /* there, from 0 */
        int is_last;    /* of the batch */
    } place;
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
    struct id key;         /* of the command, or of the step, in the log of attempts and in the lane */
    struct id message_key; /* of the command in the ledger */
    uint32_t step;         /* of the route; 0: it has none */
    struct parts content;
    uint32_t parts, part; /* part: from 1 */
    uint32_t attempt;
    int64_t expires_ms;             /* wall clock; 0: never */
    char idempotency_key[37];       /* of the part */
    struct attempt_batch *recorded; /* the log must keep what it has from there on; or NULL */
    enum {
        RECALL_NOTHING,
        RECALL_STARTED,
        RECALL_SENT
    } recalled; /* from the log: of another gateway, or this one before it was killed */
    char replay[REPLAY_ID];
    struct trace trace;
    kanal_delivery delivery;
    struct op *op;
    struct report report; /* the outcome to be stored */
    struct kanal_buffer external_id, provider_code, provider_message;
    int is_not_up; /* of waiting: for the channel */
    int is_dead;   /* also a dead letter */
    int is_over;   /* of a step: the route goes on, and tells */
    int is_last;   /* nothing follows: acknowledge when stored */
    int is_sent;   /* of reporting: the ledger is told, too */
    size_t storing;
    kanal_status stored;
};

/* How many a second, in bursts of at most a second's. */
struct rate {
    double per_second; /* 0: no limit */
    double burst, tokens;
    int64_t refilled_ms; /* loop time */
};

/* What a channel delivers, and what waits for its turn. */
struct outlet {
    uint32_t delivering, live_in_row;
    struct outlet_queue {
        struct job *first, **last;
    } ready[LANE_CLASSES];
    struct rate rate;
    double asked_per_second; /* by the operator or the plugin; 0: nothing */
    double sent_per_second;  /* as it went lately */
    uint32_t sent;           /* in this second */
    int64_t second_ms, refused_ms;
};

/* One recipient of one channel, while there is something for it. */
struct recipient {
    struct recipient *next; /* in its hash slot */
    struct channel *channel;
    char *key;
    struct job *current;
    struct recipient_queue {
        struct job *first, **last;
        size_t count;
        struct parked *parked; /* what follows those that wait; or NULL */
    } waiting[LANE_CLASSES];
    struct rate rate;
    int64_t paused_until_ms; /* loop time: the provider wants nothing for it until then */
};

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
/* There is nothing for it: it is forgotten, unless it has a rate to be kept. */
void recipient_drop(struct outbound *, struct recipient *);
void recipient_push(struct recipient *, struct job *);
/* The next one in its turn becomes the current one; NULL: none. */
struct job *recipient_next(struct recipient *);
/* Another instance has the channel's place. */
void recipients_move(struct outbound *, const struct channel *from, struct channel *to);
/* Before one more: a larger table, if it is time for one. */
void recipients_grow(struct outbound *);
/* Those that wait for nothing but their rate, which is full again. */
void recipients_sweep(struct outbound *);
void recipients_free(struct outbound *);

/* rate.c */
void rate_init(struct rate *, double per_second, double burst, int64_t now_ms);
/* 1: taken. */
int rate_take(struct rate *, int64_t now_ms);
/* Until there is one again. */
int64_t rate_wait_ms(struct rate *, int64_t now_ms);

/* outlet.c */
struct outlet *outlet_get(struct channel *);
/* It goes now, or stands in the queue until it is its turn. */
void outlet_enter(struct job *);
/* One that was under way has ended: others have their turn. */
void outlet_leave(struct channel *);
/* Each tick: rates have recovered. */
void outlet_tick(struct channel *);
/* The provider says that it is too fast. */
void outlet_slow_down(struct channel *);
/* Another instance has the channel's place, perhaps at another rate. */
void outlet_move(struct channel *from, struct channel *to);
/* Takes a job that is ready out of its queue. */
void outlet_forget(struct job *);

/* lanes.c. Delivers it, or says when it goes on: the channel pauses, or is busy. */
void job_run(struct job *);
/* It counts in its outlet: goes on, 1; or not after all, 0. */
int job_enter(struct job *);
void job_wait(struct job *, int64_t delay_ms);
/* The attempt is recorded, or could not be. */
void job_recorded(struct job *, kanal_status);
/* All that was to be told is stored: the message's next part, or the recipient's next command. */
void job_next_part(struct job *);
void job_end(struct job *, enum js_verdict);
/* To the broker, or to where it was parked. */
void job_settle(struct job *, enum js_verdict);
/* It is not to be carried out by this gateway any more: it is in no queue. */
void job_discard(struct job *);
/* The recipient's next command has its turn, if none has. */
void recipient_run(struct outbound *, struct recipient *);

/* log.c. An attempt has ended, its op is still there: stores what the provider was asked and answered, if the channel's log wants it. result: NULL or
 * without the members of minor 0, then code says how. */
void job_log(struct job *, const kanal_result *result, const char *code);

/* outcome.c. Each ends the attempt: the job then waits, or its report is being stored, or it is gone. result: NULL or without the
 * members of minor 0: the channel stopped meanwhile. */
void outcome_settle(struct job *, const kanal_result *result);
void outcome_failed(struct job *, const char *type, const char *code, int scope, kanal_str detail);
/* The request may have reached the provider: on_unknown decides. */
void outcome_unknown(struct job *, const char *code);
/* It was sent: by this attempt, or by one that the log tells of. */
void outcome_sent(struct job *, kanal_str external_id);
/* Called back by its sender before anything of it left. */
void outcome_cancelled(struct job *);
/* (Again) stores what the job's report says, then goes on or ends it. */
void outcome_store(struct job *);

#endif
