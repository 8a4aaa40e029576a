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
#define READER_TICKS 5u

int shard_is_held(const struct shard *shard)
{
    return shard->term != 0 && lease_term(&shard->lease) == shard->term;
}

static void on_message(void *user, const struct js_delivered *delivered)
{
    struct shard_lane *lane = user;
    lane->is_behind = delivered->pending > 0;
    lane_take(lane->shard, (enum lane_class)(lane - lane->shard->lanes), delivered);
    parking_seen(lane->parking, delivered->stream_sequence, delivered->pending == 0);
}

/* What of it is held or done with is known by its key. */
static void on_broken(void *user)
{
    struct shard_lane *lane = user;
    int is_paused = lane->reader.is_paused;
    reader_start(&lane->reader);
    reader_pause(&lane->reader, is_paused);
}

static void init_lane(struct shard *shard, int class)
{
    struct outbound *o = shard->outbound;
    struct shard_lane *lane = &shard->lanes[class];
    int bulk = class == LANE_BULK;
    lane->shard = shard;
    snprintf(lane->durable, sizeof lane->durable, bulk ? "bulk-%u" : "lane-%u", shard->index);
    snprintf(lane->filter, sizeof lane->filter, "%s.lanes.%s%u.>", o->prefix, bulk ? "b" : "", shard->index);
    lane->reader = (struct reader){ .broker = o->broker,
                                    .log = o->host->log,
                                    .area = "lanes",
                                    .consumer = { .stream = o->lanes_stream,
                                                  .durable = lane->durable,
                                                  .filter = lane->filter,
                                                  .ack_wait_ms = ACK_WAIT_MS,
                                                  .max_ack_pending = 2 * LANE_WINDOW },
                                    .window = LANE_WINDOW,
                                    .user = lane,
                                    .message = on_message,
                                    .broken = on_broken };
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
    for (int i = 0; i < LANE_CLASSES; i++) {
        reader_start(&shard->lanes[i].reader);
        reader_pause(&shard->lanes[i].reader, shard->is_yielding || o->draining);
    }
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
    shard->is_read = shard->is_unread = shard->is_yielding = 0;
    for (int i = 0; i < LANE_CLASSES; i++) {
        reader_stop(&shard->lanes[i].reader);
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

/* Another gateway is to have it: what is under way ends, nothing begins; what was fetched waits, and comes to the other one from the stream. */
static void on_yield(struct lease_member *member, int is_asked)
{
    struct shard *shard = (struct shard *)((char *)member - offsetof(struct shard, lease));
    shard->is_yielding = is_asked && shard->term;
    for (int i = 0; i < LANE_CLASSES; i++)
        reader_pause(&shard->lanes[i].reader, shard->is_yielding);
}

static int is_parking_quiet(const struct shard *shard)
{
    return parking_is_quiet(shard->lanes[LANE_LIVE].parking) &&
           parking_is_quiet(shard->lanes[LANE_BULK].parking);
}

int shards_are_quiet(const struct outbound *o)
{
    for (size_t i = 0; i < SHARDS; i++)
        if (!is_parking_quiet(&o->shards[i]))
            return 0;
    return 1;
}

/* What was told is stored, too; and no consumer is being made that would take the next gateway's away. */
static int is_quiet(const struct lease_member *member)
{
    const struct shard *shard = (const struct shard *)((const char *)member - offsetof(struct shard, lease));
    return !shard->lanes[LANE_LIVE].reader.is_asking && !shard->lanes[LANE_BULK].reader.is_asking &&
           (!shard->term || (attempts_settled(shard->attempts) && is_parking_quiet(shard) &&
                             !lane_is_under_way(shard->outbound, shard)));
}

void shards_start(struct outbound *o)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &o->shards[i];
        shard->outbound = o;
        shard->index = i;
        for (int j = 0; j < LANE_CLASSES; j++)
            init_lane(shard, j);
        shard->lease.changed = on_lease;
        shard->lease.yield = on_yield;
        shard->lease.is_quiet = is_quiet;
        shard->lease.ttl_ms = LEASE_TTL_DEFAULT_MS;
        lease_join_lane(o->host, i, &shard->lease);
        on_lease(&shard->lease);
    }
}

static int is_caught_up(const struct shard *shard)
{
    const struct outbound *o = shard->outbound;
    int64_t since = outbound_loop_ms(o) - shard->taken_ms;
    for (int i = 0; i < LANE_CLASSES; i++)
        if (!shard->lanes[i].reader.pull || shard->lanes[i].is_behind ||
            parking_is_unread(shard->lanes[i].parking))
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
        for (int j = 0; j < LANE_CLASSES && o->ticks % READER_TICKS == 0; j++)
            reader_tick(&shard->lanes[j].reader);
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
            reader_pause(&o->shards[i].lanes[j].reader, 1);
}
