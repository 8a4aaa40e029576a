#include "inbound/detour.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/topology.h"
#include "inbound/detour_inside.h"
#include "kanal/sdk/str.h"

#define PUBLISH_MS 5000u
#define FINDS_MOST 1024u /* of a share under way; more are refused as busy */
struct leg {             /* one event of a trip */
    struct spool_event row;
    int is_stored, has_raw_failed;
    struct trip *trip;
};

struct follower {
    struct follower *next;
    struct trip *trip;
};

/* One batch on its way: looked up, then after those before it, then sent or spooled; whole. */
struct trip {
    struct trip *next, *prev;
    struct detour *detour;
    struct parcel *parcel;
    published_fn *done;
    void *user;
    struct follower *followers;
    struct spool_event **rows; /* those that go to the spool */
    size_t waiting;            /* for answers of the broker */
    size_t blockers;           /* trips before it */
    kanal_status status;
    size_t count;
    struct leg legs[];
};

static void depart(struct trip *trip);

/* ---- Which ones ---- */

static int is_held_up(const struct detour *d, const kanal_event *event, kanal_str channel)
{
    return (event->chat.len > 0 && keys_find(d->keys, key_number('c', channel, event->chat))) ||
           (event->address.len > 0 && keys_find(d->keys, key_number('a', channel, event->address)));
}

static int wants(void *user, const struct envelope_source *source, const kanal_event *const *events,
                 size_t count, int64_t now_ms)
{
    struct detour *d = user;
    /* Most of the core's own say what it has just done; nobody says that again a day later. */
    int is_said_once = source->is_core && !source->is_said_again;
    if (!source->is_core && source->spools)
        return 1;
    int64_t half_ms = d->half_ms[EVENT_STORED];
    for (size_t i = 0; i < count; i++)
        if ((!is_said_once && late_is(events[i]->time_ms, half_ms, now_ms)) ||
            (keys_count(d->keys) > 0 && is_held_up(d, events[i], source->channel)))
            return 1;
    return 0;
}

/* ---- Order ---- */

static int follow(struct trip *trip, struct trip *before)
{
    struct follower *follower = malloc(sizeof *follower);
    if (!follower)
        return -1;
    *follower = (struct follower){ before->followers, trip };
    before->followers = follower;
    trip->blockers++;
    return 0;
}

static int queue_up(struct trip *trip)
{
    struct detour *d = trip->detour;
    for (size_t i = 0; i < trip->count * 2; i++) {
        uint64_t number = trip->legs[i / 2].row.keys[i % 2];
        struct key *key = number ? keys_get(d->keys, number) : NULL;
        if (number && (!key || (key->last && key->last != trip && follow(trip, key->last) != 0)))
            return -1;
        if (key)
            key->last = trip;
    }
    return 0;
}

static void leave_queue(struct trip *trip)
{
    struct detour *d = trip->detour;
    for (size_t i = 0; i < trip->count * 2; i++) {
        uint64_t number = trip->legs[i / 2].row.keys[i % 2];
        struct key *key = number ? keys_find(d->keys, number) : NULL;
        if (key && key->last == trip) {
            key->last = NULL;
            keys_settle(d->keys, key);
        }
    }
}

static int is_behind_spooled(const struct trip *trip)
{
    for (size_t i = 0; i < trip->count * 2; i++) {
        uint64_t number = trip->legs[i / 2].row.keys[i % 2];
        const struct key *key = number ? keys_find(trip->detour->keys, number) : NULL;
        if (key && key->rows > 0)
            return 1;
    }
    return 0;
}

static void release_followers(struct trip *trip)
{
    for (struct follower *follower = trip->followers, *next; follower; follower = next) {
        struct trip *behind = follower->trip;
        next = follower->next;
        free(follower);
        if (--behind->blockers == 0 && behind->waiting == 0)
            depart(behind);
    }
}

/* ---- The end ---- */

static void trip_free(struct trip *trip)
{
    parcel_free(trip->parcel);
    free(trip->rows);
    free(trip);
}

static void arrive(struct trip *trip, kanal_status status)
{
    struct detour *d = trip->detour;
    if (trip->prev)
        trip->prev->next = trip->next;
    else
        d->first = trip->next;
    if (trip->next)
        trip->next->prev = trip->prev;
    leave_queue(trip);
    trip->done(trip->user, status);
    release_followers(trip);
    trip_free(trip);
}

static void on_turn_over(void *user, kanal_status status, const struct broker_in *in)
{
    struct trip *trip = user;
    (void)status, (void)in;
    arrive(trip, trip->status);
}

/* What is known at once is told later. */
static void arrive_later(struct trip *trip, kanal_status status)
{
    trip->status = status;
    trip->waiting = 1;
    broker_request(trip->detour->host->broker, &(struct broker_out){ 0 }, 0, on_turn_over, trip);
}

/* ---- To the disk ---- */

static void on_spooled(void *user, kanal_status status)
{
    struct trip *trip = user;
    struct detour *d = trip->detour;
    trip->waiting = 0;
    for (size_t i = 0; status == KANAL_OK && i < trip->count; i++) {
        const struct spool_event *row = &trip->legs[i].row;
        if (row->seq == 0) /* was there already, or never went there */
            continue;
        d->spooled->value++;
        detour_spool_count(d, row->channel, row->keys, 1);
    }
    if (status != KANAL_OK)
        d->refused->value++;
    detour_spool_show(d);
    arrive(trip, status == KANAL_OK ? KANAL_OK
                                    : KANAL_E_BUSY); /* to the source a full disk is a gateway that is busy */
    drain_poke(d);
}

static int is_settled(const struct leg *leg)
{
    return leg->is_stored && !leg->has_raw_failed;
}

static void to_spool(struct trip *trip)
{
    struct detour *d = trip->detour;
    size_t count = 0;
    if (!d->spool && !d->cannot[0]) /* of a channel that was added at run time: once */
        (void)detour_spool_open(d, d->cannot);
    trip->rows = calloc(trip->count, sizeof *trip->rows);
    for (size_t i = 0; trip->rows && i < trip->count; i++)
        if (!is_settled(&trip->legs[i]))
            trip->rows[count++] = &trip->legs[i].row;
    trip->waiting = 1;
    if (!d->spool || !trip->rows || spool_append(d->spool, trip->rows, count, on_spooled, trip) != KANAL_OK) {
        d->refused->value++;
        arrive_later(trip, KANAL_E_BUSY);
    }
}

/* ---- To the broker ---- */

static int is_away(kanal_status status)
{
    return status != KANAL_E_INVALID && status != KANAL_E_TOO_LARGE && status != KANAL_E_CANCELLED;
}

static void on_answer(struct trip *trip, kanal_status status)
{
    if (status != KANAL_OK)
        trip->status = status == KANAL_E_REJECTED ? KANAL_E_NETWORK : status;
    if (--trip->waiting > 0)
        return;
    if (trip->status == KANAL_OK || !trip->parcel->may_spool || !is_away(trip->status))
        arrive(trip, trip->status);
    else
        to_spool(trip);
}

static void tell_failed(struct detour *d, kanal_status status, kanal_str reason)
{
    kanal_str values[] = { status == KANAL_E_REJECTED ? KANAL_LIT("refused") : KANAL_LIT("no_answer") };
    metric_series(d->failed, values)->value++;
    if (status == KANAL_E_REJECTED)
        log_write(d->host->log, KANAL_LOG_ERROR, "broker", NULL, "the broker refused an event: %.*s",
                  (int)reason.len, reason.ptr);
}

static void on_ack(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct leg *leg = user;
    (void)ack;
    if (status != KANAL_OK)
        tell_failed(leg->trip->detour, status, reason);
    leg->is_stored = status == KANAL_OK;
    on_answer(leg->trip, status);
}

static void on_raw_ack(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct leg *leg = user;
    (void)ack, (void)reason;
    leg->has_raw_failed = status != KANAL_OK; /* then the event once more, too: a duplicate by then */
    on_answer(leg->trip, status);
}

static void raw_subject(struct detour *d, kanal_str channel, struct kanal_buffer *out)
{
    kanal_buffer_text(out, d->prefix);
    kanal_buffer_text(out, ".raw.");
    kanal_buffer_str(out, channel);
}

size_t detour_send(struct detour *d, const struct spool_event *event, js_ack_fn *fn, js_ack_fn *raw_fn,
                   void *user)
{
    struct broker_out out = { .subject = event->subject, .payload = event->json };
    js_publish(d->host->broker, &out, event->id, JS_ANY_SEQUENCE, PUBLISH_MS, fn, user);
    if (!event->raw.ptr)
        return 1;
    struct kanal_buffer subject = { 0 };
    raw_subject(d, event->channel, &subject);
    out = (struct broker_out){ .subject = kanal_buffer_view(&subject), .payload = event->raw };
    js_publish(d->host->broker, &out, event->id, JS_ANY_SEQUENCE, PUBLISH_MS, raw_fn, user);
    kanal_buffer_release(&subject);
    return 2;
}

static void send_all(struct trip *trip)
{
    for (size_t i = 0; i < trip->count; i++)
        if (!trip->legs[i].is_stored)
            trip->waiting +=
                detour_send(trip->detour, &trip->legs[i].row, on_ack, on_raw_ack, &trip->legs[i]);
}

/* Looked up, and nothing is before it. */
static void depart(struct trip *trip)
{
    struct detour *d = trip->detour;
    int is_up = broker_get_state(d->host->broker) == BROKER_UP;
    size_t left = 0;
    if (d->is_ending)
        return; /* detour_free() tells it */
    for (size_t i = 0; i < trip->count; i++)
        left += !trip->legs[i].is_stored;
    if (left == 0 && trip->status == KANAL_OK) {
        arrive_later(trip, KANAL_OK);
        return;
    }
    /* The core's own go behind, too, so that no answer is stored before its question. */
    int must_spool =
        trip->parcel->may_spool && (is_behind_spooled(trip) || (!trip->parcel->is_core && !is_up));
    if (must_spool || (trip->status != KANAL_OK && trip->parcel->may_spool && is_away(trip->status)))
        to_spool(trip);
    else if (trip->status != KANAL_OK)
        arrive_later(trip, trip->status);
    else
        send_all(trip);
}

/* ---- Late ones ---- */

static uint32_t *finds_of(struct trip *trip)
{
    return &trip->detour
                ->finds[key_number('f', trip->parcel->events[0]->channel, (kanal_str){ 0 }) % FIND_SHARES];
}

static void on_found(void *user, kanal_status status, uint32_t requests)
{
    struct leg *leg = user;
    struct trip *trip = leg->trip;
    (void)requests;
    --*finds_of(trip);
    late_count(trip->detour, status);
    if (status == KANAL_OK)
        leg->is_stored = 1;
    else if (status != KANAL_E_NOT_FOUND && status != KANAL_E_TOO_LARGE)
        trip->status = status == KANAL_E_REJECTED ? KANAL_E_NETWORK : status;
    if (--trip->waiting == 0 && trip->blockers == 0)
        depart(trip);
}

static void look_up(struct trip *trip)
{
    struct detour *d = trip->detour;
    int is_up = broker_get_state(d->host->broker) == BROKER_UP;
    for (size_t i = 0; i < trip->count; i++) {
        struct leg *leg = &trip->legs[i];
        if (!leg->row.is_late)
            continue;
        if (!is_up || *finds_of(trip) >= FINDS_MOST) {
            trip->status = is_up ? KANAL_E_BUSY : KANAL_E_NETWORK;
            continue;
        }
        trip->waiting++;
        ++*finds_of(trip);
        late_find(d, &leg->row, on_found, leg);
    }
}

/* ---- The beginning ---- */

static void leg_init(struct leg *leg, struct trip *trip, const struct parcel_event *event, int64_t now_ms)
{
    int64_t half_ms = trip->detour->half_ms[event->class];
    leg->trip = trip;
    leg->row = (struct spool_event){
        .id = event->id,
        .channel = event->channel,
        .subject = event->subject,
        .json = event->json,
        .raw = event->raw,
        .created_ms = now_ms,
        .since_ms = late_since(event->time_ms, half_ms, now_ms, (int32_t)event->class),
        .keys = { event->chat.len > 0 ? key_number('c', event->channel, event->chat) : 0,
                  event->address.len > 0 ? key_number('a', event->channel, event->address) : 0 },
        .class = (int32_t)event->class,
        .is_late = (!trip->parcel->is_core || trip->parcel->is_said_again) &&
                   late_is(event->time_ms, half_ms, now_ms)
    };
}

static void take(void *user, struct parcel *parcel, published_fn *done, void *done_user)
{
    struct detour *d = user;
    int64_t now_ms = host_now_ms();
    struct trip *trip = calloc(1, sizeof *trip + parcel->count * sizeof *trip->legs);
    if (!trip) {
        parcel_free(parcel);
        done(done_user, KANAL_E_BUSY); /* no memory for a later one */
        return;
    }
    trip->detour = d;
    trip->parcel = parcel;
    trip->done = done;
    trip->user = done_user;
    trip->count = parcel->count;
    for (size_t i = 0; i < parcel->count; i++)
        leg_init(&trip->legs[i], trip, parcel->events[i], now_ms);
    if ((trip->next = d->first))
        trip->next->prev = trip;
    d->first = trip;
    if (queue_up(trip) != 0)
        trip->status = KANAL_E_BUSY;
    else
        look_up(trip);
    if (trip->waiting == 0 && trip->blockers == 0)
        depart(trip);
}

/* ---- Life ---- */

static void on_timer(uv_timer_t *timer)
{
    struct detour *d = timer->data;
    late_learn(d);
    detour_spool_tick(d);
    drain_poke(d);
}

int detour_new(struct detour **ret_detour, const struct detour_options *options,
               char reason[STORE_REASON_BYTES])
{
    struct detour *d = calloc(1, sizeof *d);
    if (!d || keys_new(&d->keys) != 0 || !(d->timer = malloc(sizeof *d->timer))) {
        if (d)
            keys_free(d->keys);
        free(d);
        snprintf(reason, STORE_REASON_BYTES, "out of memory");
        return KANAL_E_INTERNAL;
    }
    d->host = options->host;
    d->window_ms = options->window_ms;
    d->max_bytes = options->max_bytes;
    d->max_events = options->max_events;
    snprintf(d->prefix, sizeof d->prefix, "%s", options->prefix);
    snprintf(d->directory, sizeof d->directory, "%.400s/spool", options->data_dir);
    topology_stream_name(options->prefix, "EVENTS", d->streams[EVENT_STORED]);
    topology_stream_name(options->prefix, "ACTIVITY", d->streams[EVENT_ACTIVITY]);
    late_learn(d);
    detour_metrics_init(d);
    uv_timer_init(d->host->loop, d->timer);
    d->timer->data = d;
    uv_timer_start(d->timer, on_timer, 1000, 1000);
    uv_unref((uv_handle_t *)d->timer);
    int status = detour_spool_is_wanted(d) ? detour_spool_open(d, reason) : 0;
    if (status != 0) {
        detour_free(d);
        return status;
    }
    publisher_set_detour(d->host->publisher, &(struct publisher_detour){ wants, take, d });
    *ret_detour = d;
    return 0;
}

void detour_broker_up(struct detour *d)
{
    late_learn(d);
    d->drain.is_ready = 1;
    d->drain.again_ms = 0;
    drain_poke(d);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void detour_free(struct detour *d)
{
    if (!d)
        return;
    publisher_set_detour(d->host->publisher, &(struct publisher_detour){ 0 });
    d->is_ending = 1;
    spool_free(d->spool); /* tells those whose events it has */
    d->spool = NULL;
    for (struct trip *trip = d->first, *next; trip; trip = next) {
        next = trip->next;
        arrive(trip, KANAL_E_CANCELLED);
    }
    drain_release(&d->drain);
    keys_free(d->keys);
    uv_close((uv_handle_t *)d->timer, on_timer_closed);
    free(d);
}
