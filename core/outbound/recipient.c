/* Recipients: by channel and key, as long as there is something for them. */
#include "outbound/parked.h"

static struct recipient **recipient_slot(struct outbound *o, const struct channel *channel, kanal_str key)
{
    /* By id: another instance may take the channel's place. */
    uint64_t hash = 14695981039346656037u ^ lane_hash(channel->id);
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    struct recipient **slot = &o->recipients[hash & (o->recipient_slots - 1)];
    while (*slot && (!kanal_str_equal((*slot)->channel->id, channel->id) || !kanal_str_is(key, (*slot)->key)))
        slot = &(*slot)->next;
    return slot;
}

/* The operator's word, else the plugin's: as many a minute, a minute's at once. */
static void init_rate(struct recipient *recipient)
{
    const struct channel *channel = recipient->channel;
    const kanal_limits *limits = channel->plugin->descriptor.limits;
    double asked = channel->config->rate_per_recipient_second;
    uint32_t minute = limits && KANAL_HAS(limits, per_recipient_minute) ? limits->per_recipient_minute : 0;
    int64_t now = (int64_t)uv_now(channel->host->loop);
    if (asked > 0)
        rate_init(&recipient->rate, asked, asked, now);
    else
        rate_init(&recipient->rate, minute / 60.0, minute, now);
}

struct recipient *recipient_get(struct outbound *o, struct channel *channel, kanal_str key)
{
    struct recipient **slot = recipient_slot(o, channel, key);
    if (*slot)
        return *slot;
    struct recipient *recipient = calloc(1, sizeof *recipient);
    if (!recipient || !(recipient->key = kanal_str_dup(key))) {
        free(recipient);
        return NULL;
    }
    recipient->channel = channel;
    for (int i = 0; i < LANE_CLASSES; i++)
        recipient->waiting[i].last = &recipient->waiting[i].first;
    init_rate(recipient);
    o->recipient_count++;
    return *slot = recipient;
}

void recipient_push(struct recipient *recipient, struct job *job)
{
    struct recipient_queue *queue = &recipient->waiting[job->class];
    job->next_in_lane = NULL;
    queue->count++;
    *queue->last = job;
    queue->last = &job->next_in_lane;
}

struct job *recipient_next(struct recipient *recipient)
{
    int class = recipient->waiting[LANE_LIVE].first ? LANE_LIVE : LANE_BULK;
    struct recipient_queue *queue = &recipient->waiting[class];
    struct job *job = queue->first;
    recipient->current = job;
    if (!job)
        return NULL;
    queue->count--;
    queue->first = job->next_in_lane;
    if (!queue->first)
        queue->last = &queue->first;
    return job;
}

static void forget(struct outbound *o, struct recipient *recipient)
{
    *recipient_slot(o, recipient->channel, kanal_str_c(recipient->key)) = recipient->next;
    o->recipient_count--;
    free(recipient->key);
    free(recipient);
}

static int is_rested(const struct recipient *recipient, int64_t now)
{
    double missing = recipient->rate.burst - recipient->rate.tokens;
    return recipient->paused_until_ms <= now && !parked_has(recipient) &&
           (double)(now - recipient->rate.refilled_ms) * recipient->rate.per_second >= missing * 1000;
}

void recipient_drop(struct outbound *o, struct recipient *recipient)
{
    if (is_rested(recipient, outbound_loop_ms(o)))
        forget(o, recipient);
}

void recipients_sweep(struct outbound *o)
{
    int64_t now = outbound_loop_ms(o);
    for (size_t i = 0; i < o->recipient_slots; i++)
        for (struct recipient *recipient = o->recipients[i], *next; recipient; recipient = next) {
            next = recipient->next;
            if (!recipient->current && is_rested(recipient, now))
                forget(o, recipient);
        }
}

void recipients_grow(struct outbound *o)
{
    if (o->recipients && o->recipient_count < o->recipient_slots)
        return;
    size_t slots = o->recipient_slots ? o->recipient_slots * 2 : 1024;
    struct recipient **table = calloc(slots, sizeof *table), **old = o->recipients;
    size_t old_slots = o->recipient_slots;
    if (!table)
        return;
    o->recipients = table;
    o->recipient_slots = slots;
    for (size_t i = 0; old && i < old_slots; i++)
        while (old[i]) {
            struct recipient *recipient = old[i];
            old[i] = recipient->next;
            recipient->next = NULL;
            *recipient_slot(o, recipient->channel, kanal_str_c(recipient->key)) = recipient;
        }
    free(old);
}

void recipients_move(struct outbound *o, const struct channel *from, struct channel *to)
{
    for (size_t i = 0; i < o->recipient_slots; i++)
        for (struct recipient *recipient = o->recipients[i]; recipient; recipient = recipient->next)
            if (recipient->channel == from)
                recipient->channel = to;
}

void recipients_free(struct outbound *o)
{
    for (size_t i = 0; i < o->recipient_slots; i++)
        while (o->recipients[i]) {
            struct recipient *recipient = o->recipients[i];
            o->recipients[i] = recipient->next;
            free(recipient->key);
            free(recipient);
        }
    free(o->recipients);
    o->recipients = NULL;
    o->recipient_slots = 0;
}
