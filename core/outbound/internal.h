/* outbound/internal.h - what the files of outbound/ share. [loop] */
#ifndef KANAL_OUTBOUND_INTERNAL_H
#define KANAL_OUTBOUND_INTERNAL_H
#include "broker/jetstream.h"
#include "host/lease.h"
#include "kanal/sdk/json.h"
#include "outbound/offers.h"
#include "outbound/outbound.h"
#include "outbound/parts.h"
#include "outbound/reach.h"
#include "outbound/reader.h"

#define SHARDS LEASE_LANES
#define LANE_WINDOW 1024u /* commands of each class that a shard holds */

/* Live goes before bulk: each has a consumer of its own in a shard, and queues of its own behind it. */
enum lane_class { LANE_LIVE, LANE_BULK, LANE_CLASSES };

struct attempts;
struct cancels;
struct intake;
struct job;
struct parking;
struct recipient;
struct request;
struct schedule;

/* The commands of the channels whose id hashes to it; one gateway at a time holds it. */
struct shard {
    struct outbound *outbound;
    struct lease_member lease; /* "_.lane-<index>" */
    uint32_t index;
    uint64_t term; /* of the lease, since it was taken over; 0: not ours */
    struct attempts *attempts;
    struct shard_lane {
        struct shard *shard;
        struct reader reader;
        char durable[16], filter[64];
        int is_behind;           /* more is left in the stream */
        size_t held;             /* its messages in memory */
        struct parking *parking; /* parked.h */
    } lanes[LANE_CLASSES];
    int is_yielding;        /* another gateway is to have it: nothing new begins */
    int is_read, is_unread; /* the log of attempts and what is parked: read; could not be: tried again */
    size_t unlisted;        /* classes whose parked recipients are being looked for */
    int64_t taken_ms;       /* loop time of that */
};

struct outbound {
    struct host *host;
    struct broker *broker;
    const struct json_schema *contract;
    char prefix[33];
    char commands_stream[64], lanes_stream[64], attempts_stream[64], scheduled_stream[64], events_stream[64],
        parked_stream[64];
    struct offers *offers;
    struct shard shards[SHARDS];
    struct {
        struct lease_member lease; /* "_.intake" */
        uint64_t term;             /* since the consumer was made anew; 0: not ours */
        struct reader reader;
        int is_yielding;              /* another gateway is to have it: nothing more is taken */
        struct intake *first, **last; /* commands on their way, in the stream's order */
        size_t moving;
        int is_broken;            /* a move failed: when no other is under way it goes on from the first */
        int64_t next_ms;          /* loop time: not before */
        char last_id[ID_LEN + 1]; /* of the message moved last: the next one must follow it; "" : unknown */
        struct intake *spare;
        size_t spare_count;
    } intake;
    struct schedule *schedule;
    struct cancels *cancels;
    struct ended *ended;       /* ended.h */
    struct reach_source reach; /* find NULL: nothing is known of customers */
    struct zones *zones;
    const char *timezone;         /* of customers whose own is not known */
    yyjson_doc *required_consent; /* array of the purposes that need one */
    struct job *spent;      /* done with, but a plugin may still read the delivery; freed at the next tick */
    struct job *jobs;       /* all of them, for the clock */
    struct job *spare_jobs; /* used ones, with the memory of their buffers */
    size_t spare_job_count;
    struct request *requests;      /* of the API, under way */
    size_t unparked_jobs;          /* jobs that came out of parking */
    struct recipient **recipients; /* hash table */
    size_t recipient_slots, recipient_count;
    uv_timer_t *clock; /* deadlines, retries, rates, keeping messages ours */
    uv_check_t *turn;  /* attempts of a loop turn are recorded together */
    uint64_t ticks;
    int started, draining;
    void (*drained)(void *user);
    void *drained_user;
    int64_t drain_until_ms;
    struct metric_family *commands, *deliveries, *dead, *log_lost, *parked;
    struct metric *recipients_parked;
    const char *replica; /* this process, in the log; or NULL */
    void (*make_link)(void *user, yyjson_val *command, outbound_linked_fn *done, void *done_user);
    void *make_link_user;
};

static inline int64_t outbound_loop_ms(const struct outbound *o)
{
    return (int64_t)uv_now(o->host->loop);
}

/* Empties a buffer that is to be used again; a large one gives its memory back. */
static inline void outbound_buffer_clear(struct kanal_buffer *buffer)
{
    if (buffer->capacity > 4096)
        kanal_buffer_release(buffer);
    else
        kanal_buffer_clear(buffer);
}

/* A dead letter that is replayed: the command comes with these headers. The letter's id is part of every id that is made of the command
 * (in the lanes, of events, of the next dead letter, the idempotency key), which would else be taken for repetitions. */
#define REPLAY_HEADER "Kanal-Replay" /* the dead letter's id */
#define PART_HEADER "Kanal-Part"     /* the parts before this one have been sent */
#define AGAIN_HEADER "Kanal-Again"   /* of a lane's message: the same one may stand there already */
#define STEP_HEADER "Kanal-Step"     /* of a lane's message: it is that step of a route (route.h) */
#define REPLAY_ID 32u                /* "e_…" and its NUL; "": it is none */
/* Copies the header, if it is such an id. */
void replay_read(const struct broker_in *, char ret_id[REPLAY_ID]);
void replay_copy(kanal_str id, char ret_id[REPLAY_ID]);
/* Appends "#" and the id of a replay. */
void replay_append(struct kanal_buffer *out, kanal_str replay);

/* What is to be said about a command. */
struct report {
    const char *type; /* "message.failed" */
    kanal_str command_id, reference, address, chat, external_id;
    kanal_str replay;      /* id of the dead letter that it was, or absent */
    kanal_str traceparent; /* as the command says, or absent: one that follows from its id */
    uint32_t part, parts;  /* 0: the whole command */
    uint32_t attempt;      /* 0: none was made */
    uint32_t step;         /* of the route; 0: it has none */
    int is_abandoned;      /* that step was given up for the next one */
    const char *code;      /* of failed and unknown: an error code of the contract */
    int scope;             /* KANAL_SCOPE_… */
    kanal_str provider_code, provider_message, detail;
    const char *next;    /* of unknown */
    const char *reason;  /* of cancelled */
    kanal_str expires;   /* of expired */
    kanal_str from, to;  /* of rerouted: channels; reason says why, step is the one that is taken */
    yyjson_val *error;   /* of rerouted: why the step before failed; or NULL */
    yyjson_val *agent;   /* who acted for the company, as the command says; or NULL */
    yyjson_val *command; /* of accepted: the whole command */
};

/* report.c. source: the channel's, or that of no channel. done() runs once, later. */
void report_event(struct outbound *, const struct envelope_source *, const struct report *,
                  published_fn *done, void *user);
/* The contract's error, of its code and what goes with it. */
void report_error(struct kanal_json *, const struct report *);
/* A command that ends here: <prefix>.dead.<channel>. command: what came; not NULL if it is a JSON object. */
struct dead_letter {
    kanal_str channel, subject, verb, payload;
    yyjson_val *command;
    uint32_t attempts;
    const struct report *report;
};
/* What a command's events have as traceparent. */
void report_trace(struct outbound *, const struct report *, struct trace *ret_trace);
void report_dead(struct outbound *, const struct dead_letter *, published_fn *done, void *user);
const char *scope_name(int scope);
int scope_of_name(const char *name);

/* What a channel can show; borrows from it. */
static inline struct adapt_target outbound_target(const struct channel *channel)
{
    const kanal_plugin *plugin = &channel->plugin->descriptor;
    return (struct adapt_target){ .caps = plugin->caps,
                                  .limits = plugin->limits,
                                  .channel = channel->id,
                                  .plugin = channel->source.plugin };
}

/* intake.c */
void intake_start(struct outbound *);
/* Each tick: takes, loses and goes on. */
void intake_tick(struct outbound *);
size_t intake_under_way(const struct outbound *);
void intake_leave(struct outbound *);
void intake_free_all(struct outbound *);
/* A command whose time has come goes the way of the others. payload is copied. 0, or KANAL_E_BUSY. */
int intake_scheduled(struct outbound *, kanal_str subject, kanal_str payload, uint64_t sequence);

/* messages.c */
void messages_free_all(struct outbound *);

/* check.c: what a command says, held against the contract, the channel and its recipient. */
struct command {
    kanal_str subject, payload; /* as they came */
    kanal_str verb;             /* of the subject: "message.send" */
    yyjson_doc *document;
    yyjson_val *root;
    struct channel *channel;     /* NULL: none, or not yet */
    int is_routed;               /* where it goes has to be asked for (routing.h) */
    kanal_str only;              /* of one that is routed: the channel that its subject names; absent: any */
    struct kanal_buffer address; /* the normal form */
    struct kanal_buffer detail;
    struct report report; /* .code set: why it is refused */
};
/* subject and payload are set and stay where they are. */
void command_examine(struct outbound *, struct command *);
enum lane_class command_class(yyjson_val *root);

/* shard.c */
void shards_start(struct outbound *);
void shards_tick(struct outbound *);
/* At the end of each loop turn: attempts are recorded. */
void shards_flush(struct outbound *);
/* Takes no more messages. */
void shards_pause(struct outbound *);
/* Gives the leases back. */
void shards_leave(struct outbound *);
/* 1: ours at this very moment, by a clock that nobody sets. */
int shard_is_held(const struct shard *);

/* lanes.c */
void lanes_tick(struct outbound *);
/* 1: no command is on its way into parking or out of it. */
int shards_are_quiet(const struct outbound *);
/* Something of it is being recorded, delivered or told. NULL: of any shard. */
int lane_is_under_way(const struct outbound *, const struct shard *);
uint32_t lane_hash(kanal_str channel);
uint32_t lane_shard(kanal_str channel);
/* A command as it stands in its lane. */
struct lane_message {
    kanal_str subject, payload, replay, part, step;
};
/* Reads it into a job, which is not linked. NULL: no memory (*ret_is_stray 0), or it cannot be delivered here. */
struct job *lane_read(struct shard *, const struct lane_message *, int *ret_is_stray);
/* A message of the shard's stream. */
void lane_take(struct shard *, enum lane_class, const struct js_delivered *);
/* The shard is another gateway's now: only what is under way is still ours. */
void lanes_drop(struct shard *);
/* host.moved: jobs go to the channel's next instance; of a removed one they go back to the broker. */
void lanes_move(void *outbound, struct channel *from, struct channel *to);
void lanes_free(struct outbound *);

/* strays.c: says that a message cannot be delivered here, as event and dead letter; done() runs once, later. channel and command may be NULL. */
struct stray_message {
    const struct channel *channel;
    yyjson_val *command;
    kanal_str subject, payload, verb, replay;
};
void stray_tell(struct outbound *, const struct stray_message *, const char *code, kanal_str detail,
                published_fn *done, void *user);
/* Settles a message that cannot be delivered here. channel and command may be NULL. */
void stray_end(struct shard_lane *, const struct channel *, yyjson_val *command, const struct js_delivered *);
/* "<prefix>.lanes.<shard or b and shard>.<channel>.<object>.<verb>". ret_verb: absent if there is none. */
kanal_str lane_channel(const struct outbound *, kanal_str subject, kanal_str *ret_verb);

#endif
