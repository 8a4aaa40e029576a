/* outbound/internal.h - what the files of outbound/ share. [loop] */
#ifndef KANAL_OUTBOUND_INTERNAL_H
#define KANAL_OUTBOUND_INTERNAL_H
#include "broker/jetstream.h"
#include "kanal/sdk/json.h"
#include "outbound/offers.h"
#include "outbound/outbound.h"
#include "outbound/parts.h"

#define SHARDS 8u

struct job;
struct intake;
struct recipient;

struct outbound {
    struct host *host;
    struct broker *broker;
    const struct json_schema *contract;
    char prefix[33];
    char commands_stream[64], lanes_stream[64];
    struct offers *offers;
    struct js_pull *intake;
    struct shard {
        struct outbound *outbound;
        struct js_pull *pull;
        char durable[16];
        int unmade; /* its consumer could not be made: tried again */
    } shards[SHARDS];
    int intake_unmade;
    struct intake *intakes; /* commands being moved */
    size_t intake_pending;
    struct job *spent; /* done with, but a plugin may still read the delivery; freed at the next tick */
    struct job *jobs;  /* all of them, for the clock */
    size_t job_count;
    struct job *spare_jobs; /* used ones, with the memory of their buffers */
    size_t spare_job_count;
    struct intake *spare_intakes;
    size_t spare_intake_count;
    struct recipient **recipients; /* hash table */
    size_t recipient_slots, recipient_count;
    uv_timer_t *clock; /* deadlines, retries, keeping messages ours */
    uint64_t ticks;
    int started, draining;
    void (*drained)(void *user);
    void *drained_user;
    int64_t drain_until_ms;
    struct metric_family *commands, *deliveries, *dead, *seconds;
};

/* Empties a buffer that is to be used again; a large one gives its memory back. */
static inline void outbound_buffer_clear(struct kanal_buffer *buffer)
{
    if (buffer->capacity > 4096)
        kanal_buffer_release(buffer);
    else
        kanal_buffer_clear(buffer);
}

/* What is to be said about a command. */
struct report {
    const char *type; /* "message.failed" */
    kanal_str command_id, reference, address, chat, external_id;
    uint32_t part, parts; /* 0: the whole command */
    uint32_t attempt;     /* 0: none was made */
    const char *code;     /* of failed and unknown: an error code of the contract */
    int scope;            /* KANAL_SCOPE_… */
    kanal_str provider_code, provider_message, detail;
    const char *next;    /* of unknown */
    kanal_str expires;   /* of expired */
    yyjson_val *agent;   /* who acted for the company, as the command says; or NULL */
    yyjson_val *command; /* of accepted: the whole command */
};

/* report.c. source: the channel's, or that of no channel. done() runs once, later. */
void report_event(struct outbound *, const struct envelope_source *, const struct report *,
                  published_fn *done, void *user);
/* A command that ends here: <prefix>.dead.<channel>. command: what came; not NULL if it is a JSON object. */
struct dead_letter {
    kanal_str channel, subject, verb, payload;
    yyjson_val *command;
    uint32_t attempts;
    const struct report *report;
};
void report_dead(struct outbound *, const struct dead_letter *, published_fn *done, void *user);
const char *scope_name(int scope);

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
void intake_free_all(struct outbound *);

/* lanes.c */
void lanes_start(struct outbound *);
/* Makes the consumers that could not be made. */
void lanes_start_again(struct outbound *);
void lanes_tick(struct outbound *);
uint32_t lane_hash(kanal_str channel);
uint32_t lane_shard(kanal_str channel);
/* host.moved: jobs go to the channel's next instance; of a removed one they go back to the broker. */
void lanes_move(void *outbound, struct channel *from, struct channel *to);

/* strays.c: settles a message that cannot be delivered here. channel and command may be NULL. */
void stray_end(struct shard *, const struct channel *, yyjson_val *command, const struct js_delivered *);
/* "<prefix>.lanes.<shard>.<channel>.<object>.<verb>". ret_verb: absent if there is none. */
kanal_str lane_channel(const struct outbound *, kanal_str subject, kanal_str *ret_verb);
void lanes_free(struct outbound *);

#endif
