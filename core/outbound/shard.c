/* Shards: who holds them, and what has to happen before the first message of one is touched.
 *
 * Taking one over: the log of attempts is read, and its consumers are made anew, so that the former holder's messages come first and in
 * order instead of a minute later. Losing one: what waits is forgotten; what is under way is finished and told. */
#include "outbound/attempts.h"
#include "outbound/parked.h"

#include <stdio.h>

#define ACK_WAIT_MS 60000
#define PURGE_TICKS 50u
#define AGAIN_TICKS 20u

int shard_is_held(const struct shard *shard)
{
    return shard->term != 0 && lease_term(&shard->lease) == shard->term;
}

static void make_consumer(struct shard_lane *);

/* The consumer counts what it gives. One that did not come went into a connection that broke, and would come again in a minute, behind later ones:
 * so everything comes once more, in order. What of it is held or done with is known by its key. */
static int is_gap(struct shard_lane *lane, const struct js_delivered *delivered)
{
    if (delivered->consumer_sequence > lane->consumer_sequence + 1) {
        js_pull_stop(lane->pull);
        lane->pull = NULL;
        make_consumer(lane);
        return 1;
    }
    lane->consumer_sequence = delivered->consumer_sequence;
    return 0;
}

static void on_message(void *user, const struct js_delivered *delivered)
{
    struct shard_lane *lane = user;
    if (is_gap(lane, delivered))
        return;
    lane->is_behind = delivered->pending > 0;
    lane_take(lane->shard, (enum lane_class)(lane - lane->shard->lanes), delivered);
    parking_seen(lane->parking, delivered->stream_sequence, delivered->pending == 0);
}

static void on_error(void *user, kanal_str reason)
{
    struct shard_lane *lane = user;
    log_write(lane->shard->outbound->host->log, KANAL_LOG_WARN, "lanes", NULL,
              "%s cannot be read: %.*s (tried again)", lane->durable, (int)reason.len, reason.ptr);
}

static void on_consumer(void *user, kanal_status status, kanal_str reason)
{
    struct shard_lane *lane = user;
    struct shard *shard = lane->shard;
    struct outbound *o = shard->outbound;
    if (status != KANAL_OK)
        log_write(o->host->log, KANAL_LOG_ERROR, "lanes", NULL,
                  "the consumer %s cannot be made: %.*s (status %d; tried again)", lane->durable,
                  (int)reason.len, reason.ptr ? reason.ptr : "", status);
    lane->is_unmade = status != KANAL_OK;
    struct js_pull_options options = {
        .stream = o->lanes_stream, .durable = lane->durable, .batch = 256, .window = LANE_WINDOW, .known = 1
    };
    if (status == KANAL_OK && shard->term && shard->is_read && !lane->pull && !o->draining)
        js_pull_start(o->broker, &options, on_message, on_error, lane, &lane->pull);
}

static void make_consumer(struct shard_lane *lane)
{
    struct shard *shard = lane->shard;
    struct outbound *o = shard->outbound;
    char filter[64];
    int bulk = lane == &shard->lanes[LANE_BULK];
    snprintf(filter, sizeof filter, "%s.lanes.%s%u.>", o->prefix, bulk ? "b" : "", shard->index);
    struct js_consumer consumer = { .stream = o->lanes_stream,
                                    .durable = lane->durable,
                                    .filter = filter,
                                    .ack_wait_ms = ACK_WAIT_MS,
                                    .max_ack_pending = 2 * LANE_WINDOW };
    lane->is_unmade = 0; /* until the answer */
    lane->consumer_sequence = 0;
    js_consumer_ensure(o->broker, &consumer, 1, on_consumer, lane);
}

static void on_listed(void *user, kanal_status status)
{
    struct shard *shard = user;
    struct outbound *o = shard->outbound;
    if (status != KANAL_OK)
        shard->is_unread = 1; /* tried again */
    if (--shard->unlisted > 0 || shard->is_unread)
        return;
    shard->is_read = 1;
    shard->taken_ms = outbound_loop_ms(o);
    for (int i = 0; i < LANE_CLASSES; i++)
        make_consumer(&shard->lanes[i]);
}

static void on_read(void *user, kanal_status status)
{
    struct shard *shard = user;
    if (status != KANAL_OK) {
        shard->is_unread = 1;
        return;
    }
    shard->unlisted = LANE_CLASSES;
    for (int i = 0; i < LANE_CLASSES; i++)
        parking_read(shard->lanes[i].parking, on_listed, shard);
}

static void forget(struct shard *shard)
{
    attempts_free(shard->attempts);
    shard->attempts = NULL;
    for (int i = 0; i < LANE_CLASSES; i++) {
        parking_free(shard->lanes[i].parking);
        shard->lanes[i].parking = NULL;
    }
}

static void take_over(struct shard *shard)
{
    int is_made = 1;
    shard->is_unread = 0;
    forget(shard);
    shard->attempts = attempts_new(shard);
    for (int i = 0; i < LANE_CLASSES; i++)
        is_made &= (shard->lanes[i].parking = parking_new(&shard->lanes[i])) != NULL;
    if (shard->attempts && is_made)
        attempts_read(shard->attempts, on_read, shard);
    else
        shard->is_unread = 1;
}

static void lose(struct shard *shard)
{
    shard->term = 0;
    shard->is_read = shard->is_unread = 0;
    for (int i = 0; i < LANE_CLASSES; i++) {
        js_pull_stop(shard->lanes[i].pull);
        shard->lanes[i].pull = NULL;
        shard->lanes[i].is_behind = 0;
    }
    lanes_drop(shard);
    forget(shard);
}

static void on_lease(struct lease_member *member)
{
    struct shard *shard = (struct shard *)((char *)member - offsetof(struct shard, lease));
    uint64_t term = lease_term(member);
    if (term == shard->term || shard->outbound->draining)
        return;
    if (shard->term)
        lose(shard);
    shard->term = term;
    if (term)
        take_over(shard);
}

void shards_start(struct outbound *o)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &o->shards[i];
        char key[16];
        shard->outbound = o;
        shard->index = i;
        for (int j = 0; j < LANE_CLASSES; j++) {
            shard->lanes[j].shard = shard;
            snprintf(shard->lanes[j].durable, sizeof shard->lanes[j].durable,
                     j == LANE_BULK ? "bulk-%u" : "lane-%u", i);
        }
        snprintf(key, sizeof key, "_.lane-%u", i);
        shard->lease.changed = on_lease;
        shard->lease.ttl_ms = LEASE_TTL_DEFAULT_MS;
        lease_join_named(o->host, key, &shard->lease);
        on_lease(&shard->lease);
    }
}

static int is_caught_up(const struct shard *shard)
{
    const struct outbound *o = shard->outbound;
    int64_t since = outbound_loop_ms(o) - shard->taken_ms;
    for (int i = 0; i < LANE_CLASSES; i++)
        if (!shard->lanes[i].pull || shard->lanes[i].is_behind || parking_is_unread(shard->lanes[i].parking))
            return 0;
    return since > ACK_WAIT_MS;
}

void shards_tick(struct outbound *o)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &o->shards[i];
        if (!shard->term)
            continue;
        if (shard->is_unread && o->ticks % AGAIN_TICKS == 0)
            take_over(shard);
        for (int j = 0; j < LANE_CLASSES && shard->is_read && o->ticks % AGAIN_TICKS == 0; j++)
            if (shard->lanes[j].is_unmade && !o->draining)
                make_consumer(&shard->lanes[j]);
        for (int j = 0; j < LANE_CLASSES && shard->is_read && !o->draining; j++)
            parking_tick(shard->lanes[j].parking);
        if (shard->is_read && (o->ticks + i) % PURGE_TICKS == 0)
            attempts_purge(shard->attempts, is_caught_up(shard));
    }
}

void shards_flush(struct outbound *o)
{
    for (uint32_t i = 0; i < SHARDS; i++)
        if (o->shards[i].attempts)
            attempts_flush(o->shards[i].attempts);
}

void shards_leave(struct outbound *o)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        if (o->shards[i].term)
            lose(&o->shards[i]);
        lease_leave(&o->shards[i].lease);
    }
}

void shards_pause(struct outbound *o)
{
    for (uint32_t i = 0; i < SHARDS; i++)
        for (int j = 0; j < LANE_CLASSES; j++)
            if (o->shards[i].lanes[j].pull)
                js_pull_pause(o->shards[i].lanes[j].pull);
}
