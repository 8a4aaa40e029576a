/* Parking: who is parked, for how long, and what comes after what. */
#include "outbound/attempts.h"
#include "outbound/parked_inside.h"

#include <stdio.h>

#define PARKED_MAX 4096u /* recipients of one class of a shard; those beyond wait in memory */
#define ROOM_MIN 16u     /* that many may always wait for a recipient that is not slow */
#define ROOM_SHARE 4u    /* else a quarter of what is free */
#define CROWDED 8u       /* less than an eighth is free: those who are slow get no room at all */
#define SLOW_MS 1000     /* so long under way */
#define ATTEMPT_MS 60000
#define STRANGERS_AT_ONCE 64u
#define RELIEVE_TICKS 10u

/* ---- Who there is ---- */

struct parking *parking_new(struct shard_lane *lane)
{
    struct parking *parking = calloc(1, sizeof *parking);
    if (!parking)
        return NULL;
    parking->lane = lane;
    parking->outbound = lane->shard->outbound;
    return parking;
}

static enum lane_class class_of(const struct parking *parking)
{
    return (enum lane_class)(parking->lane - parking->lane->shard->lanes);
}

static struct parked **slot_of(struct parking *parking, const char *hash)
{
    uint32_t number = 2166136261u;
    for (const char *c = hash; *c; c++)
        number = (number ^ (unsigned char)*c) * 16777619u;
    struct parked **slot = &parking->slots[number % 256];
    while (*slot && strcmp((*slot)->hash, hash) != 0)
        slot = &(*slot)->next_in_slot;
    return slot;
}

static struct parked *parked_new(struct parking *parking, const char *hash)
{
    struct parked **slot = slot_of(parking, hash);
    struct parked *p = *slot || parking->count >= PARKED_MAX ? NULL : calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->parking = parking;
    snprintf(p->hash, sizeof p->hash, "%s", hash);
    p->aside.last = &p->aside.first;
    p->next = 1;
    parking->count++;
    parking->strangers++;
    parking->outbound->recipients_parked->value++;
    return *slot = p;
}

static void detach(struct parked *p)
{
    if (!p->recipient)
        return;
    p->recipient->waiting[class_of(p->parking)].parked = NULL;
    p->recipient = NULL;
    p->parking->strangers++;
}

int parked_attach(struct parked *p, struct recipient *recipient)
{
    struct parked **place = &recipient->waiting[class_of(p->parking)].parked;
    if (*place && *place != p)
        return -1;
    if (!p->recipient)
        p->parking->strangers--;
    p->recipient = recipient;
    *place = p;
    return 0;
}

/* Out of the table. It lives on as long as an answer may come. */
static void parked_free(struct parked *p)
{
    struct parking *parking = p->parking;
    detach(p);
    *slot_of(parking, p->hash) = p->next_in_slot;
    parking->count--;
    parking->strangers--;
    parking->outbound->recipients_parked->value--;
    p->parking = NULL;
    parked_doomed_free(p);
    if (p->under_way == 0)
        free(p);
}

void parking_free(struct parking *parking)
{
    if (!parking)
        return;
    for (size_t i = 0; i < 256; i++)
        while (parking->slots[i])
            parked_free(parking->slots[i]);
    if (parking->alive)
        *parking->alive = 0;
    free(parking);
}

int parked_has(const struct recipient *recipient)
{
    for (int i = 0; i < LANE_CLASSES; i++)
        if (recipient->waiting[i].parked)
            return 1;
    return 0;
}

int parked_answered(struct parked *p)
{
    p->under_way--;
    if (p->parking)
        return 1;
    if (p->under_way == 0)
        free(p);
    return 0;
}

/* ---- What the former holder left ---- */

struct listing {
    struct parking *parking;
    int is_alive;
};

static void listed(struct listing *listing, kanal_status status)
{
    struct parking *parking = listing->parking;
    if (listing->is_alive) {
        parking->alive = NULL;
        parking->read_done(parking->read_user, status);
    }
    free(listing);
}

static void on_lane_subject(void *user, kanal_str subject, uint64_t messages)
{
    struct listing *listing = user;
    (void)subject;
    if (listing->is_alive && messages > 0)
        listing->parking->is_level = 0;
}

static void on_lane_listed(void *user, kanal_status status)
{
    listed(user, status);
}

static void on_subject(void *user, kanal_str subject, uint64_t messages)
{
    struct listing *listing = user;
    char hash[PARKED_HASH + 1] = "";
    if (!listing->is_alive || messages == 0 || subject.len < PARKED_HASH)
        return;
    memcpy(hash, subject.ptr + subject.len - PARKED_HASH, PARKED_HASH);
    parked_new(listing->parking,
               hash); /* beyond the bound: found by the next holder, or by its next command */
}

/* What waits in the lane, un-acknowledged, may be older than what is parked: then it comes first. An empty lane says nothing, so it is asked. */
static void on_subjects(void *user, kanal_status status)
{
    struct listing *listing = user;
    struct parking *parking = listing->parking;
    if (!listing->is_alive || status != KANAL_OK || parking->count == 0) {
        listed(listing, status);
        return;
    }
    struct outbound *o = parking->outbound;
    char filter[64];
    struct js_subjects fns = { .each = on_lane_subject, .done = on_lane_listed, .user = listing };
    parking->is_level = 1;
    snprintf(filter, sizeof filter, "%s.lanes.%s%u.>", o->prefix, class_of(parking) == LANE_BULK ? "b" : "",
             parking->lane->shard->index);
    js_stream_subjects(o->broker, o->lanes_stream, filter, &fns);
}

void parking_read(struct parking *parking, published_fn *read, void *user)
{
    struct outbound *o = parking->outbound;
    struct listing *listing = malloc(sizeof *listing);
    char filter[64];
    if (!listing) {
        read(user, KANAL_E_BUSY);
        return;
    }
    *listing = (struct listing){ .parking = parking, .is_alive = 1 };
    parking->alive = &listing->is_alive;
    parking->read_done = read;
    parking->read_user = user;
    struct js_subjects fns = { .each = on_subject, .done = on_subjects, .user = listing };
    snprintf(filter, sizeof filter, "%s.parked.%s%u.*", o->prefix, class_of(parking) == LANE_BULK ? "b" : "",
             parking->lane->shard->index);
    js_stream_subjects(o->broker, o->parked_stream, filter, &fns);
}

void parking_seen(struct parking *parking, uint64_t stream_sequence, int is_last)
{
    if (!parking)
        return;
    parking->is_level |= is_last;
    if (stream_sequence > parking->seen)
        parking->seen = stream_sequence;
}

int parking_is_unread(const struct parking *parking)
{
    for (size_t i = 0; i < 256 && parking->strangers > 0; i++)
        for (const struct parked *p = parking->slots[i]; p; p = p->next_in_slot)
            if (!p->recipient && p->tries == 0)
                return 1;
    return 0;
}

/* ---- How much may wait in memory ---- */

/* It waits for a retry, a pause or a rate, or for an answer that does not come soon. */
static int is_slow(const struct recipient *recipient)
{
    const struct job *job = recipient->current;
    if (!job)
        return 0;
    int64_t now = outbound_loop_ms(job->shard->outbound);
    return job->state == JOB_WAITING ||
           (job->state == JOB_DELIVERING && job->due_ms - ATTEMPT_MS + SLOW_MS < now);
}

static int is_crowded(const struct shard_lane *lane)
{
    return lane->held + LANE_WINDOW / CROWDED > LANE_WINDOW;
}

/* 1: one more may. */
static int has_room(const struct shard_lane *lane, const struct recipient *recipient)
{
    size_t count = recipient->waiting[lane - lane->shard->lanes].count;
    size_t share = lane->held < LANE_WINDOW ? (LANE_WINDOW - lane->held) / ROOM_SHARE : 0;
    if (!recipient->current)
        return 1;
    if (is_crowded(lane) && is_slow(recipient))
        return 0;
    return count < (share > ROOM_MIN ? share : ROOM_MIN);
}

/* ---- Setting aside ---- */

static void push(struct parked *p, struct job *job)
{
    job->next_in_lane = NULL;
    *p->aside.last = job;
    p->aside.last = &job->next_in_lane;
    p->aside.count++;
}

static struct job *pop(struct parked *p)
{
    struct job *job = p->aside.first;
    p->aside.first = job->next_in_lane;
    if (!p->aside.first)
        p->aside.last = &p->aside.first;
    p->aside.count--;
    return job;
}

/* The same message of the lane came once more, since its consumer was made anew: the one that we hold is acknowledged as this one. */
static int is_held(const struct job *job)
{
    for (struct job *other = job->shard->outbound->jobs; other; other = other->next)
        if (other != job && !other->parked && other->shard == job->shard && other->class == job->class &&
            other->term == job->term && other->stream_sequence == job->stream_sequence) {
            other->token = job->token;
            return 1;
        }
    return 0;
}

static int is_before(const struct job *job, const struct parked_point *point)
{
    return job->stream_sequence < point->sequence && job->stream_ms <= point->ms;
}

/* After a takeover: what is older than all that is parked goes first, what is parked already is done with in its lane. */
static void sort_out(struct parked *p)
{
    struct recipient_queue all = p->aside;
    if (p->last.sequence == 0 || p->storing > 0)
        return;
    p->aside = (struct recipient_queue){ .last = &p->aside.first };
    for (struct job *job = all.first, *next; job; job = next) {
        next = job->next_in_lane;
        if (is_before(job, &p->first)) {
            recipient_push(p->recipient, job);
        } else if (job->stream_sequence <= p->last.sequence && job->stream_ms <= p->last.ms) {
            job_settle(job, JS_ACK);
            job_discard(job);
        } else {
            push(p, job);
        }
    }
}

static int is_empty(const struct parked *p)
{
    return p->newest < p->next;
}

static int is_clear(struct parked *p)
{
    const struct parking *parking = p->parking;
    p->is_clear |= parking->is_level || parking->seen >= p->first.sequence;
    return p->is_clear;
}

/* Nothing of it is parked any more: what stands aside follows directly. 1: it is parked no longer, and p is gone. */
static int hand_over(struct parked *p)
{
    while (p->aside.first && p->recipient && has_room(p->parking->lane, p->recipient))
        recipient_push(p->recipient, pop(p));
    if (p->aside.first)
        return 0;
    parked_forget_progress(p, p->progress + 1);
    parked_free(p);
    return 1;
}

void parked_go_on(struct parked *p)
{
    struct outbound *o = p->parking->outbound;
    const struct shard *shard = p->parking->lane->shard;
    if (p->is_busy || p->due_ms > outbound_loop_ms(o) || o->draining || !shard_is_held(shard))
        return;
    if (!p->is_known) {
        if (p->storing == 0)
            parked_read_edges(p);
        return;
    }
    if (p->recipient)
        sort_out(p);
    parked_remove(p);
    if (is_empty(p) && p->unended == 0 && p->under_way == 0 && !p->doomed && hand_over(p))
        return;
    if (p->aside.first && p->storing == 0)
        parked_store(p);
    int wants = p->recipient ? p->recipient->waiting[class_of(p->parking)].count == 0 : p->unended == 0;
    if (!is_empty(p) && wants && is_clear(p))
        parked_load(p);
}

static struct parked *find(struct parking *parking, const struct job *job, int make)
{
    char subject[PARKED_SUBJECT];
    kanal_str recipient = kanal_str_c(job->recipient->key);
    if (parked_subject(parking->outbound, job->class, job->channel->id, recipient, subject) != 0)
        return NULL;
    const char *hash = subject + strlen(subject) - PARKED_HASH;
    struct parked *p = *slot_of(parking, hash);
    if (!p && make && (p = parked_new(parking, hash)))
        p->is_known = p->is_clear = 1;
    return p && parked_attach(p, job->recipient) == 0 ? p : NULL;
}

int parked_take(struct job *job)
{
    struct shard_lane *lane = &job->shard->lanes[job->class];
    struct parking *parking = lane->parking;
    struct parked *p = job->recipient->waiting[job->class].parked;
    if (!p && parking && parking->strangers > 0)
        p = find(parking, job, 0);
    if (!p && parking && !has_room(lane, job->recipient))
        p = find(parking, job, 1);
    if (!p)
        return 0;
    if (is_held(job)) {
        job_discard(job);
        return 1;
    }
    push(p, job);
    parked_go_on(p);
    return 1;
}

void parked_refill(struct recipient *recipient)
{
    for (int i = 0; i < LANE_CLASSES; i++)
        if (recipient->waiting[i].parked)
            parked_go_on(recipient->waiting[i].parked);
}

void parked_let_go(struct parked *p, int64_t delay_ms)
{
    struct recipient *recipient = p->recipient;
    p->due_ms = outbound_loop_ms(p->parking->outbound) + delay_ms;
    if (p->storing > 0) /* its jobs know the recipient: again when it is due */
        return;
    detach(p);
    while (p->aside.first) {
        struct job *job = pop(p);
        job_settle(job, JS_LATER);
        job_discard(job);
    }
    if (recipient && !recipient->current)
        recipient_drop(p->parking->outbound, recipient);
}

void parking_let_go(struct parking *parking, const struct channel *channel)
{
    for (size_t i = 0; parking && i < 256; i++)
        for (struct parked *p = parking->slots[i]; p; p = p->next_in_slot)
            if (p->recipient && p->recipient->channel == channel)
                parked_let_go(p, PARKED_ABSENT_MS);
}

void parked_settle(struct job *job, enum js_verdict verdict)
{
    struct parked *p = job->parked;
    if (verdict == JS_WORKING)
        return;
    p->unended--;
    if (verdict == JS_ACK) {
        parked_progress(p, job);
        return;
    }
    if (job->place.batch < p->next || (job->place.batch == p->next && job->place.index < p->next_index)) {
        p->next = job->place.batch;
        p->next_index = job->place.index;
    }
    parked_let_go(p, PARKED_ABSENT_MS);
}

/* ---- The clock ---- */

/* The lane is nearly full: those who are slow give up what waits behind them. */
static void relieve(struct parking *parking)
{
    struct outbound *o = parking->outbound;
    enum lane_class class = class_of(parking);
    for (struct job *job = o->jobs, *next; job; job = next) {
        next = job->next;
        struct recipient *recipient = job->recipient;
        struct recipient_queue *queue = &recipient->waiting[class];
        if (job->shard != parking->lane->shard || recipient->current != job || queue->parked ||
            !queue->first || queue->first->parked || queue->first->term != job->shard->term ||
            !is_slow(recipient))
            continue;
        struct parked *p = find(parking, queue->first, 1);
        if (!p || p->aside.first)
            continue;
        p->aside =
            (struct recipient_queue){ .first = queue->first, .last = queue->last, .count = queue->count };
        queue->first = NULL;
        queue->last = &queue->first;
        queue->count = 0;
        parked_go_on(p);
    }
}

void parking_tick(struct parking *parking)
{
    struct outbound *o = parking->outbound;
    int64_t now = outbound_loop_ms(o);
    size_t begun = 0;
    for (size_t i = 0; i < 256 && parking->count > 0; i++)
        for (struct parked *p = parking->slots[i]; p;) {
            struct recipient *recipient = p->recipient;
            if (p->ticked == o->ticks || p->is_busy || p->due_ms > now ||
                (!recipient && begun++ >= STRANGERS_AT_ONCE)) {
                p = p->next_in_slot;
                continue;
            }
            p->ticked = o->ticks;
            if (recipient && !recipient->current)
                recipient_run(o, recipient);
            else
                parked_go_on(p);
            p = parking->slots[i]; /* a delivery may have ended others */
        }
    if (o->ticks % RELIEVE_TICKS == 0 && is_crowded(parking->lane))
        relieve(parking);
}
