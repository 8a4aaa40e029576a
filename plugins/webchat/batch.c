/* batch.c - runs the jobs of a visitor, a batch at a time. See channel.h. */
#include <stdlib.h>
#include "channel.h"

#define CONFLICTS_MAX 6

struct outgoing { /* one event and what it borrows */
    kanal_event event;
    struct kanal_buffer dedupe, data;
    char *external_id, *command_id;
};

struct batch {
    struct visitor *visitor;
    struct job *jobs;
    struct history history;
    uint64_t revision;
    uint32_t conflicts, verifying, changed;
    int32_t failed; /* an event or a change could not be made: out of memory */
    kanal_op op;    /* the host call under way */
    struct outgoing *events;
    size_t event_count, event_capacity;
    struct kanal_buffer address, document;
    char key[sizeof STATE_KEY_PREFIX + SESSION_VISITOR_LEN];
};

static void batch_start(struct visitor *);
static void batch_load(struct batch *);

/* ---- Events ---- */

static void events_clear(struct batch *batch)
{
    for (size_t i = 0; i < batch->event_count; i++) {
        struct outgoing *out = &batch->events[i];

        kanal_buffer_release(&out->dedupe);
        kanal_buffer_release(&out->data);
        free(out->external_id);
        free(out->command_id);
    }
    batch->event_count = 0;
}

static struct outgoing *events_more(struct batch *batch)
{
    if (batch->event_count == batch->event_capacity) {
        size_t wanted = batch->event_capacity ? batch->event_capacity * 2 : 8;
        struct outgoing *grown = reallocarray(batch->events, wanted, sizeof *grown);

        if (!grown)
            return NULL;
        batch->events = grown;
        batch->event_capacity = wanted;
    }
    memset(&batch->events[batch->event_count], 0, sizeof *batch->events);
    return &batch->events[batch->event_count++];
}

static char *optional_dup(struct batch *batch, kanal_str text)
{
    char *copy = text.ptr ? kanal_str_dup(text) : NULL;

    if (text.ptr && !copy)
        batch->failed = 1;
    return copy;
}

void batch_event_add(struct batch *batch, const struct batch_event *event, struct kanal_buffer *data)
{
    struct outgoing *out = events_more(batch);

    if (!out) {
        batch->failed = 1;
        kanal_buffer_release(data);
        return;
    }
    out->data = *data;
    kanal_buffer_init(data);
    kanal_buffer_text(&out->dedupe, event->dedupe_prefix);
    kanal_buffer_text(&out->dedupe, batch->visitor->id);
    kanal_buffer_byte(&out->dedupe, ':');
    kanal_buffer_str(&out->dedupe, event->dedupe);
    out->external_id = optional_dup(batch, event->external_id);
    out->command_id = optional_dup(batch, event->command_id);
    out->event.struct_size = sizeof out->event;
    out->event.time_ms = event->time_ms;
    out->event.type = kanal_str_c(event->type);
    out->event.external_id = kanal_str_c(out->external_id);
    out->event.command_id = kanal_str_c(out->command_id);
    batch->failed |= out->dedupe.failed || out->data.failed;
}

struct history *batch_history(struct batch *batch)
{
    return &batch->history;
}

void batch_changed(struct batch *batch)
{
    batch->changed = 1;
}

void batch_failed(struct batch *batch)
{
    batch->failed = 1;
}

/* ---- The end ---- */

static void batch_free(struct batch *batch)
{
    events_clear(batch);
    free(batch->events);
    history_release(&batch->history);
    kanal_buffer_release(&batch->address);
    kanal_buffer_release(&batch->document);
    free(batch);
}

static void jobs_answer(struct visitor *visitor, struct job *jobs, kanal_status status)
{
    for (struct job *job = jobs, *next; job; job = next) {
        next = job->next;
        if (job->kind->is_delivery)
            visitor->delivery_jobs--;
        else
            visitor->client_jobs--;
        job->kind->done(job, status);
        free(job->claim);
        job->kind->free(job);
    }
}

static void batch_end(struct batch *batch, kanal_status status)
{
    struct visitor *visitor = batch->visitor;
    struct kanal_channel *channel = visitor->channel;

    jobs_answer(visitor, batch->jobs, status); /* while visitor->batch is set: what they add waits */
    batch_free(batch);
    visitor->batch = NULL;
    visitor->idle_ms = channel_now_ms(channel);
    if (channel->stopping)
        job_fail_all(visitor, KANAL_E_CANCELLED);
    else if (visitor->first)
        batch_start(visitor);
}

void job_fail_all(struct visitor *visitor, kanal_status status)
{
    struct job *jobs = visitor->first;

    visitor->first = NULL;
    visitor->last = &visitor->first;
    jobs_answer(visitor, jobs, status);
}

void batch_cancel(struct visitor *visitor)
{
    const kanal_host *host = visitor->channel->host;

    if (visitor->batch && visitor->batch->op)
        host->cancel(host, visitor->batch->op);
}

/* ---- Store ---- */

static void on_stored(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct batch *batch = user;
    struct kanal_channel *channel = batch->visitor->channel;

    (void)value;
    (void)revision;
    batch->op = 0;
    if (status == KANAL_E_REJECTED && ++batch->conflicts <= CONFLICTS_MAX && !channel->stopping)
        batch_load(batch);
    else
        batch_end(batch, status == KANAL_E_REJECTED ? KANAL_E_BUSY : status);
    channel_call_end(channel);
}

static void batch_store(struct batch *batch)
{
    struct kanal_channel *channel = batch->visitor->channel;

    if (!batch->changed) {
        batch_end(batch, KANAL_OK);
        return;
    }
    history_trim(&batch->history, channel->settings.history_messages, HISTORY_BYTES);
    kanal_buffer_clear(&batch->document);
    history_write(&batch->history, &batch->document);
    if (batch->document.failed) {
        batch_end(batch, KANAL_E_BUSY);
        return;
    }
    channel_call_begin(channel);
    batch->op =
        channel->host->state_put(channel->host, kanal_str_c(batch->key), kanal_buffer_view(&batch->document),
                                 batch->revision, on_stored, batch);
}

/* ---- Publish ---- */

static void on_published(void *user, kanal_status status)
{
    struct batch *batch = user;
    struct kanal_channel *channel = batch->visitor->channel;

    batch->op = 0;
    if (status == KANAL_OK)
        batch_store(batch);
    else
        batch_end(batch, status);
    channel_call_end(channel);
}

static void batch_publish(struct batch *batch)
{
    struct kanal_channel *channel = batch->visitor->channel;
    const kanal_event **list = calloc(batch->event_count, sizeof *list);

    if (!list) {
        batch_end(batch, KANAL_E_BUSY);
        return;
    }
    for (size_t i = 0; i < batch->event_count; i++) {
        struct outgoing *out = &batch->events[i];

        out->event.dedupe = kanal_buffer_view(&out->dedupe);
        out->event.data = kanal_buffer_view(&out->data);
        out->event.address = kanal_buffer_view(&batch->address);
        out->event.chat = kanal_str_c(batch->visitor->id);
        list[i] = &out->event;
    }
    channel_call_begin(channel);
    batch->op = channel->host->publish(channel->host, 0, list, batch->event_count, on_published, batch);
    free(list);
}

/* ---- Load and apply ---- */

static void batch_apply(struct batch *batch)
{
    for (struct job *job = batch->jobs; job; job = job->next)
        job->kind->apply(job, batch);
    if (batch->failed)
        batch_end(batch, KANAL_E_BUSY);
    else if (batch->event_count > 0)
        batch_publish(batch);
    else
        batch_store(batch);
}

static void on_loaded(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct batch *batch = user;
    struct kanal_channel *channel = batch->visitor->channel;

    batch->op = 0;
    batch->revision = status == KANAL_OK ? revision : 0;
    if (status == KANAL_OK && history_load(&batch->history, value) != KANAL_OK)
        channel->host->log(channel->host, 0, KANAL_LOG_WARN,
                           KANAL_LIT("a visitor's stored history is damaged; it starts anew"));
    if (status == KANAL_OK || status == KANAL_E_NOT_FOUND)
        batch_apply(batch);
    else
        batch_end(batch, status);
    channel_call_end(channel);
}

static void batch_load(struct batch *batch)
{
    struct kanal_channel *channel = batch->visitor->channel;

    events_clear(batch);
    history_release(&batch->history);
    batch->changed = 0;
    channel_call_begin(channel);
    batch->op = channel->host->state_get(channel->host, kanal_str_c(batch->key), on_loaded, batch);
}

/* ---- Verify ---- */

struct verification {
    struct batch *batch;
    struct job *job;
};

static void on_verified(void *user, kanal_status status)
{
    struct verification *verification = user;
    struct batch *batch = verification->batch;
    struct kanal_channel *channel = batch->visitor->channel;

    verification->job->verified = status;
    free(verification);
    if (--batch->verifying == 0)
        batch_load(batch);
    channel_call_end(channel);
}

/* Starts the host's check of a job's claim; a job without memory for it counts as not verified, for now. */
static void job_verify(struct batch *batch, struct job *job)
{
    struct kanal_channel *channel = batch->visitor->channel;
    struct verification *verification = malloc(sizeof *verification);

    job->verified = KANAL_E_BUSY;
    if (!verification)
        return;
    verification->batch = batch;
    verification->job = job;
    batch->verifying++;
    channel_call_begin(channel);
    channel->host->verify(channel->host, KANAL_LIT(SESSION_SECRET), KANAL_LIT("hmac-sha256"),
                          job->claim->signed_text, kanal_str_of(job->claim->mac, SESSION_MAC_BYTES),
                          on_verified, verification);
}

/* ---- Begin ---- */

static struct job *jobs_take(struct visitor *visitor)
{
    struct job *first = visitor->first, *last = first;

    for (uint32_t count = 1; count < BATCH_JOBS_MAX && last->next; count++)
        last = last->next;
    visitor->first = last->next;
    if (!visitor->first)
        visitor->last = &visitor->first;
    last->next = NULL;
    return first;
}

static void batch_start(struct visitor *visitor)
{
    struct batch *batch = calloc(1, sizeof *batch);

    if (!batch) {
        job_fail_all(visitor, KANAL_E_BUSY);
        return;
    }
    visitor->batch = batch;
    batch->visitor = visitor;
    batch->jobs = jobs_take(visitor);
    history_init(&batch->history);
    kanal_buffer_text(&batch->address, SESSION_ADDRESS_PREFIX);
    kanal_buffer_text(&batch->address, visitor->id);
    memcpy(batch->key, STATE_KEY_PREFIX, sizeof STATE_KEY_PREFIX - 1);
    memcpy(batch->key + sizeof STATE_KEY_PREFIX - 1, visitor->id, sizeof visitor->id);
    for (struct job *job = batch->jobs; job; job = job->next) {
        if (job->claim)
            job_verify(batch, job);
    }
    if (batch->verifying == 0)
        batch_load(batch);
}

kanal_status job_add(struct visitor *visitor, struct job *job)
{
    uint32_t *waiting = job->kind->is_delivery ? &visitor->delivery_jobs : &visitor->client_jobs;

    if (*waiting >= (job->kind->is_delivery ? DELIVERY_JOBS_MAX : CLIENT_JOBS_MAX) ||
        visitor->channel->stopping)
        return KANAL_E_BUSY;
    ++*waiting;
    job->visitor = visitor;
    job->next = NULL;
    *visitor->last = job;
    visitor->last = &job->next;
    if (!visitor->batch)
        batch_start(visitor);
    return KANAL_OK;
}
