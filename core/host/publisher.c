#include "host/publisher.h"

#include "broker/jetstream.h"
#include "host/host.h"
#include "kanal/sdk/str.h"

#define PUBLISH_TIMEOUT_MS 5000u

/* What one publish() waits for. */
struct batch {
    struct publisher *publisher;
    published_fn *done;
    void *user;
    size_t waiting;
    kanal_status status;
    int is_events; /* everything of it goes to the stream of events */
    struct batch *next_free;
    struct metric *latency;
    uint64_t started_ns;
};

struct publisher {
    struct broker *broker;
    const struct envelope_context *context;
    struct log *log;
    struct envelope envelope; /* reused */
    struct kanal_buffer scratch;
    struct publisher_detour detour; /* take NULL: none */
    struct batch *free;
    size_t pending;
    uint64_t events_seen;
    struct metric_family *events, *refused, *failed, *seconds;
    struct metric *store_seconds;
    struct {                 /* the last series counted: most events are of one kind */
        const char *channel; /* a channel's id stays where it is; the sources are often on the stack */
        const struct event_type *type;
        struct metric *metric;
    } last;
};

int publisher_new(struct publisher **ret_publisher, struct broker *broker,
                  const struct envelope_context *context, struct log *log, struct metrics *metrics)
{
    static const char *const by_type[] = { "channel", "type", NULL };
    static const char *const by_reason[] = { "channel", "reason", NULL };
    static const char *const by_cause[] = { "cause", NULL };
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        return KANAL_E_INTERNAL;
    p->broker = broker;
    p->context = context;
    p->log = log;
    p->events = metrics_family(metrics, METRIC_COUNTER, "kanal_events_published_total",
                               "Events handed to the broker.", by_type);
    p->refused = metrics_family(metrics, METRIC_COUNTER, "kanal_events_refused_total",
                                "Events that broke the contract.", by_reason);
    p->failed = metrics_family(metrics, METRIC_COUNTER, "kanal_events_store_failed_total",
                               "Events that the broker did not confirm.", by_cause);
    p->seconds = metrics_family(metrics, METRIC_HISTOGRAM, "kanal_events_store_seconds",
                                "From publish to the broker's confirmation.", NULL);
    p->store_seconds = metric_series(p->seconds, NULL);
    *ret_publisher = p;
    return 0;
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    while (p->free) {
        struct batch *next = p->free->next_free;
        free(p->free);
        p->free = next;
    }
    envelope_release(&p->envelope);
    kanal_buffer_release(&p->scratch);
    free(p);
}

size_t publisher_pending(const struct publisher *p)
{
    return p->pending;
}

uint64_t publisher_events_seen(const struct publisher *p)
{
    return p->events_seen;
}

static struct batch *batch_new(struct publisher *p, published_fn *done, void *user)
{
    struct batch *batch = p->free;
    if (batch)
        p->free = batch->next_free;
    else if (!(batch = malloc(sizeof *batch)))
        return NULL;
    *batch = (struct batch){ .publisher = p, .done = done, .user = user, .started_ns = uv_hrtime() };
    p->pending++;
    return batch;
}

static void batch_finish(struct batch *batch)
{
    struct publisher *p = batch->publisher;
    published_fn *done = batch->done;
    void *user = batch->user;
    kanal_status status = batch->status;
    metric_observe(p->seconds, p->store_seconds, (double)(uv_hrtime() - batch->started_ns) / 1e9);
    batch->next_free = p->free;
    p->free = batch;
    p->pending--;
    if (done)
        done(user, status);
}

static void on_ack(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct batch *batch = user;
    struct publisher *p = batch->publisher;
    if (ack && batch->is_events && ack->sequence > p->events_seen) /* a duplicate is as good as stored */
        p->events_seen = ack->sequence;
    if (status != KANAL_OK) {
        kanal_str values[] = { status == KANAL_E_REJECTED ? KANAL_LIT("refused") : KANAL_LIT("no_answer") };
        metric_series(p->failed, values)->value++;
        if (status == KANAL_E_REJECTED)
            log_write(p->log, KANAL_LOG_ERROR, "broker", NULL, "the broker refused an event: %.*s",
                      (int)reason.len, reason.ptr);
        /* A refusal (stream full, no stream) may be mended by the operator: to the source it is a broker that is away. */
        batch->status = status == KANAL_E_REJECTED ? KANAL_E_NETWORK : status;
    }
    if (--batch->waiting == 0)
        batch_finish(batch);
}

/* An event that is not kept, or a batch that went wrong before anything was sent: the answer still comes later. */
static void on_nothing(void *user, kanal_status status, const struct broker_in *in)
{
    (void)in;
    (void)status;
    struct batch *batch = user;
    if (--batch->waiting == 0)
        batch_finish(batch);
}

static void answer_later(struct batch *batch)
{
    /* An empty subject is refused by the broker module in the next turn, which is all that is wanted. */
    batch->waiting++;
    broker_request(batch->publisher->broker, &(struct broker_out){ 0 }, 0, on_nothing, batch);
}

static void count(struct publisher *p, const struct envelope_source *source)
{
    if (p->last.channel != source->channel.ptr || p->last.type != p->envelope.type) {
        kanal_str values[] = { source->channel, kanal_str_c(p->envelope.type->name) };
        p->last.channel = source->channel.ptr;
        p->last.type = p->envelope.type;
        p->last.metric = metric_series(p->events, values);
    }
    p->last.metric->value++;
}

static void store_raw(struct publisher *p, const struct envelope_source *source, const kanal_event *event,
                      struct batch *batch)
{
    struct kanal_buffer *subject = &p->scratch;
    kanal_buffer_clear(subject);
    kanal_buffer_str(subject, p->context->prefix);
    kanal_buffer_text(subject, ".raw.");
    kanal_buffer_str(subject, source->channel);
    struct broker_out out = { .subject = kanal_buffer_view(subject), .payload = event->raw };
    batch->waiting++;
    batch->is_events = 0;
    js_publish(p->broker, &out, kanal_str_of(p->envelope.id.text, ID_LEN), JS_ANY_SEQUENCE,
               PUBLISH_TIMEOUT_MS, on_ack, batch);
}

static void store(struct publisher *p, struct batch *batch)
{
    struct broker_out out = { .subject = kanal_buffer_view(&p->envelope.subject),
                              .payload = kanal_buffer_view(&p->envelope.json) };
    if (p->envelope.type->class == EVENT_LIVE) {
        broker_publish(p->broker, &out); /* not kept: nobody waits for it */
        return;
    }
    batch->waiting++;
    batch->is_events = p->envelope.type->class == EVENT_STORED && batch->waiting == 1;
    js_publish(p->broker, &out, kanal_str_of(p->envelope.id.text, ID_LEN), JS_ANY_SEQUENCE,
               PUBLISH_TIMEOUT_MS, on_ack, batch);
}

/* All or nothing: an event that is wrong stops the batch before any is sent. */
static kanal_status check_all(struct publisher *p, const struct envelope_source *source,
                              const kanal_event *const *events, size_t count, int64_t now_ms)
{
    uint64_t limit = broker_max_payload(p->broker);
    for (size_t i = 0; i < count; i++) {
        kanal_status status = envelope_write(&p->envelope, p->context, source, events[i], now_ms);
        if (status == 0 && limit > 0 && p->envelope.json.len + 512 > limit) {
            p->envelope.error = "it is larger than the broker's max_payload";
            status = KANAL_E_TOO_LARGE;
        }
        if (status == 0)
            continue;
        kanal_str values[] = { source->channel, kanal_str_c(p->envelope.error) };
        metric_series(p->refused, values)->value++;
        log_write(p->log, KANAL_LOG_ERROR, "event", source->channel.ptr,
                  "event %zu of %zu, type '%.*s', dedupe key '%.*s': %s", i + 1, count,
                  (int)(events[i]->type.len < 64 ? events[i]->type.len : 64), events[i]->type.ptr,
                  (int)(events[i]->dedupe.len < 128 ? events[i]->dedupe.len : 128), events[i]->dedupe.ptr,
                  p->envelope.error);
        return status;
    }
    return KANAL_OK;
}

void publisher_set_detour(struct publisher *p, const struct publisher_detour *detour)
{
    p->detour = *detour;
}

static void on_detour_ended(void *user, kanal_status status)
{
    struct batch *batch = user;
    if (status != KANAL_OK)
        batch->status = status;
    if (--batch->waiting == 0)
        batch_finish(batch);
}

static void take_detour(struct publisher *p, const struct envelope_source *source,
                        const kanal_event *const *events, size_t event_count, int keep_raw,
                        struct batch *batch, int64_t now_ms)
{
    struct parcel *parcel = parcel_new(source, event_count);
    kanal_status status = parcel ? KANAL_OK : KANAL_E_BUSY;
    for (size_t i = 0; status == KANAL_OK && i < event_count; i++) {
        if (event_count > 1 && envelope_write(&p->envelope, p->context, source, events[i], now_ms) != 0)
            status = KANAL_E_BUSY;
        else if (p->envelope.type->class == EVENT_LIVE)
            store(p, batch);
        else
            status = parcel_add(parcel, &p->envelope, source, events[i], keep_raw);
        if (status == KANAL_OK)
            count(p, source);
    }
    batch->status = status;
    if (status != KANAL_OK || parcel->count == 0) {
        parcel_free(parcel);
        return;
    }
    batch->waiting++;
    p->detour.take(p->detour.user, parcel, on_detour_ended, batch);
}

void publisher_publish(struct publisher *p, const struct envelope_source *source,
                       const kanal_event *const *events, size_t event_count, int keep_raw, published_fn *done,
                       void *user)
{
    struct batch *batch = batch_new(p, done, user);
    if (!batch) { /* the one answer that comes at once: there is no memory for a later one */
        if (done)
            done(user, KANAL_E_BUSY);
        return;
    }
    int64_t now_ms = host_now_ms();
    batch->status = check_all(p, source, events, event_count, now_ms);
    int is_straight = batch->status != KANAL_OK || !p->detour.take ||
                      !p->detour.wants(p->detour.user, source, events, event_count, now_ms);
    if (!is_straight)
        take_detour(p, source, events, event_count, keep_raw, batch, now_ms);
    for (size_t i = 0; is_straight && batch->status == KANAL_OK && i < event_count; i++) {
        /* One event, the common case, was written by the check just now. */
        if (event_count > 1 && envelope_write(&p->envelope, p->context, source, events[i], now_ms) != 0) {
            batch->status = KANAL_E_BUSY; /* out of memory: what was checked can be written otherwise */
            break;
        }
        store(p, batch);
        count(p, source);
        if (keep_raw && events[i]->raw.len > 0)
            store_raw(p, source, events[i], batch);
    }
    if (batch->waiting == 0)
        answer_later(batch);
}
