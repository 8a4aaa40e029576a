/* Lanes: per-recipient queues, turns of a channel, attempts, the clock. */
#include "event/address.h"
#include "kanal/sdk/time.h"
#include "outbound/job.h"

#define ATTEMPT_MS 60000
#define NOT_UP_MS 1000
#define ACK_WAIT_MS 60000
#define WORKING_TICKS 200u /* of 100 ms: every 20 s the broker hears that what we hold is being worked on */
#define LANE_WINDOW 1024u

/* Deliveries of one channel under way at once: as many as the HTTP client opens connections to one host. What is beyond waits here, where its
 * deadline does not run yet and it costs nothing; in libcurl each waiting request is walked over whenever another ends. */
#define CHANNEL_PARALLEL 64u

uint32_t lane_hash(kanal_str channel)
{
    uint32_t hash = 2166136261u; /* FNV-1a; part of the stored subjects: never to be changed */
    for (size_t i = 0; i < channel.len; i++)
        hash = (hash ^ (unsigned char)channel.ptr[i]) * 16777619u;
    return hash;
}

uint32_t lane_shard(kanal_str channel)
{
    return lane_hash(channel) % SHARDS;
}

/* ---- Outlets ---- */

static struct outlet *outlet_get(struct channel *channel)
{
    struct outlet *outlet = channel->outlet;
    if (!outlet && (outlet = calloc(1, sizeof *outlet))) {
        outlet->last = &outlet->first;
        channel->outlet = outlet;
    }
    return outlet;
}

static void outlet_push(struct outlet *outlet, struct job *job)
{
    job->state = JOB_READY;
    job->next_ready = NULL;
    *outlet->last = job;
    outlet->last = &job->next_ready;
}

/* A delivery of the channel has ended: others have their turn. */
static void outlet_go_on(struct outlet *outlet)
{
    outlet->delivering--;
    while (outlet->first && outlet->delivering < CHANNEL_PARALLEL) {
        struct job *job = outlet->first;
        outlet->first = job->next_ready;
        if (!outlet->first)
            outlet->last = &outlet->first;
        job->state = JOB_QUEUED;
        job_run(job);
    }
}

/* ---- Turns ---- */

void job_wait(struct job *job, int64_t delay_ms)
{
    job->state = JOB_WAITING;
    job->is_not_up = 0;
    job->due_ms = outbound_loop_ms(job->shard->outbound) + delay_ms;
}

void job_next_part(struct job *job)
{
    job->part++;
    job->attempt = 0;
    job->state = JOB_QUEUED;
    job_run(job);
}

/* The command is done with: the next of the recipient has its turn. */
void job_end(struct job *job, enum js_verdict verdict)
{
    struct outbound *o = job->shard->outbound;
    struct recipient *recipient = job->recipient;
    struct job *next = job->next_in_lane;
    for (uint32_t i = 0; i <= job->repeats; i++)
        js_settle(job->shard->pull, &job->token, verdict);
    job_unlink(job);
    /* This may run inside deliver(), which reads the delivery until it returns. */
    job->next = o->spent;
    o->spent = job;
    recipient->first = next;
    if (next)
        job_run(next);
    else
        recipient_drop(o, recipient);
}

/* ---- Attempts ---- */

static void fill_delivery(struct job *job)
{
    yyjson_val *to = kanal_json_at(job->command, "to");
    yyjson_val *target = kanal_json_at(job->command, "message");
    if (!target)
        target = kanal_json_at(job->command, "reply_to");
    kanal_buffer_clear(&job->data);
    parts_write(&job->content, job->part, job->command, &job->data);
    struct id id;
    struct kanal_buffer text = { 0 };
    kanal_buffer_str(&text, job->command_id);
    kanal_buffer_byte(&text, '#');
    kanal_buffer_uint(&text, job->part);
    if (ids_event(job->shard->outbound->host->envelope.ids, job->channel->id, KANAL_LIT("delivery"),
                  kanal_buffer_view(&text), &id) == 0)
        snprintf(job->key, sizeof job->key, "%s", id.text + 2);
    kanal_buffer_release(&text);
    job->delivery = (kanal_delivery){
        .struct_size = sizeof job->delivery,
        .part = job->part,
        .part_count = job->parts > 0 ? job->parts : 1,
        .attempt = job->attempt,
        .deadline_ms = host_now_ms() + ATTEMPT_MS,
        .type = kanal_str_c(job->verb),
        .command_id = job->command_id,
        .idempotency_key = kanal_str_c(job->key),
        .address = kanal_buffer_view(&job->address),
        .chat = kanal_json_text_at(to, "chat"),
        .target_external_id = kanal_json_text_at(target, "external_id"),
        .data = kanal_buffer_view(&job->data),
    };
}

/* Before it leaves: the customer may answer at once. */
static void remember_offer(const struct job *job)
{
    struct offer_to to = { .channel = job->channel->id,
                           .address = kanal_buffer_view(&job->address),
                           .chat = job->delivery.chat };
    if (job->content.is_adapted && job->attempt == 1)
        offers_remember(job->shard->outbound->offers, &to, job->command_id, &job->content.adapted, job->part);
}

static void on_answered(struct op *op, const void *answer)
{
    struct job *job = op->owner;
    struct outlet *outlet = job->channel->outlet;
    job->op = NULL;
    outcome_settle(job, answer);
    outlet_go_on(outlet);
}

static void deliver(struct job *job)
{
    job->attempt++;
    fill_delivery(job);
    yyjson_val *target = kanal_json_at(job->command, "message");
    if (target && job->delivery.target_external_id.len == 0) {
        outcome_failed(job, "message.failed", "message_not_found", KANAL_SCOPE_MESSAGE,
                       KANAL_LIT("name the message by its external_id"));
        return;
    }
    if (job->content.error) { /* the plugin has changed since intake let it pass */
        outcome_failed(job, "message.failed", job->content.error, KANAL_SCOPE_MESSAGE,
                       KANAL_LIT("the channel cannot show it any more"));
        return;
    }
    job->op = channel_deliver(job->channel, &job->delivery, on_answered, job);
    if (!job->op) { /* not up: that is no attempt */
        job->attempt--;
        job_wait(job, NOT_UP_MS);
        job->is_not_up = 1;
        return;
    }
    remember_offer(job);
    job->channel->outlet->delivering++;
    job->state = JOB_DELIVERING;
    job->due_ms = outbound_loop_ms(job->shard->outbound) + ATTEMPT_MS;
}

void job_run(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    if (o->draining) {
        job->state = JOB_QUEUED; /* nothing new begins */
        return;
    }
    if (job->channel->state == CHANNEL_RETIRED) { /* removed */
        job_end(job, JS_LATER);
        return;
    }
    if (job->expires_ms > 0 && host_now_ms() > job->expires_ms) {
        outcome_failed(job, "message.expired", "expired", KANAL_SCOPE_MESSAGE, (kanal_str){ 0 });
        return;
    }
    int64_t wait = job->channel->paused_until_ms - outbound_loop_ms(o);
    if (wait > 0)
        job_wait(job, wait);
    else if (job->channel->outlet->delivering >= CHANNEL_PARALLEL)
        outlet_push(job->channel->outlet, job);
    else
        deliver(job);
}

void lanes_move(void *user, struct channel *from, struct channel *to)
{
    struct outbound *o = user;
    if (from->outlet && !to) { /* nobody is there to go on with what is ready */
        from->outlet->first = NULL;
        from->outlet->last = &from->outlet->first;
    }
    for (struct job *job = o->jobs; job; job = job->next) {
        if (job->channel != from)
            continue;
        job->channel = to ? to : from;
        if (job->state == JOB_READY && !to)
            job_wait(job, 0);
        else if (job->state == JOB_WAITING && (!to || job->is_not_up))
            job->due_ms = outbound_loop_ms(o);
    }
    if (!to)
        return;
    to->outlet = from->outlet;
    from->outlet = NULL;
    recipients_move(o, from, to);
}

/* ---- The clock ---- */

/* What is under way is waited for; what only waits for its turn comes again, here or at another gateway. */
static int is_under_way(const struct outbound *o)
{
    for (const struct job *job = o->jobs; job; job = job->next)
        if (job->state == JOB_DELIVERING || job->state == JOB_REPORTING)
            return 1;
    return o->intake_pending > 0;
}

static void check_drained(struct outbound *o)
{
    if (!o->drained || (is_under_way(o) && outbound_loop_ms(o) < o->drain_until_ms))
        return;
    void (*drained)(void *) = o->drained;
    o->drained = NULL;
    drained(o->drained_user);
}

static void job_due(struct job *job)
{
    if (job->state == JOB_REPORTING) {
        outcome_store(job);
    } else if (job->state == JOB_WAITING) {
        job_run(job);
    } else if (job->state == JOB_DELIVERING) {
        struct outlet *outlet = job->channel->outlet;
        channel_forget(job->op);
        job->op = NULL;
        outcome_unknown(job, "timeout");
        outlet_go_on(outlet);
    }
}

void lanes_tick(struct outbound *o)
{
    jobs_free_spent(o);
    int64_t now = outbound_loop_ms(o);
    int working = ++o->ticks % WORKING_TICKS == 0;
    for (struct job *job = o->jobs, *next; job; job = next) {
        next = job->next;
        if (working)
            js_settle(job->shard->pull, &job->token, JS_WORKING);
        if (job->state > JOB_READY && job->due_ms <= now)
            job_due(job);
    }
    check_drained(o);
}

/* ---- From the stream ---- */

/* Without a readable command there is nothing to be done with it; intake has checked it, so this is a defect or a stranger's message. */
static int job_read(struct job *job, const struct js_delivered *delivered)
{
    struct outbound *o = job->shard->outbound;
    kanal_str verb;
    job->channel = host_find(o->host, lane_channel(o, delivered->subject, &verb));
    job->document = kanal_json_parse(delivered->payload);
    job->command = yyjson_doc_get_root(job->document);
    job->command_id = kanal_json_text_at(job->command, "id");
    if (!job->channel || !outlet_get(job->channel) || job->command_id.len == 0 || verb.len == 0 ||
        verb.len >= sizeof job->verb)
        return -1;
    memcpy(job->verb, verb.ptr, verb.len);
    yyjson_val *to = kanal_json_at(job->command, "to");
    kanal_str address = kanal_json_text_at(to, "address");
    if (address.len > 0 && address_normalise(address, &job->address) != 0)
        return -1;
    struct adapt_target target = outbound_target(job->channel);
    parts_make(&job->content, job->command, verb, &target);
    job->parts = job->content.count;
    job->part = 1;
    kanal_time_parse_rfc3339(kanal_json_text_at(job->command, "expires"), &job->expires_ms);
    kanal_str key = job->address.len > 0 ? kanal_buffer_view(&job->address) : kanal_json_text_at(to, "chat");
    job->recipient = recipient_get(o, job->channel, key);
    return job->recipient ? 0 : -1;
}

/* The broker gives again what it has not heard of for a minute, because it was away: the one that we hold goes on. */
static struct job *find_held(const struct shard *shard, const struct js_delivered *delivered)
{
    struct job *job = delivered->deliveries > 1 ? shard->outbound->jobs : NULL;
    while (job && (job->shard != shard || job->stream_sequence != delivered->stream_sequence))
        job = job->next;
    return job;
}

static void on_message(void *user, const struct js_delivered *delivered)
{
    struct shard *shard = user;
    struct outbound *o = shard->outbound;
    struct job *held = find_held(shard, delivered);
    if (held) {
        held->token = delivered->token;
        held->repeats++;
        return;
    }
    jobs_free_spent(o); /* no plugin is being called while the broker's messages are read */
    recipients_grow(o);
    struct job *job = o->recipients ? job_new(shard) : NULL;
    if (!job) {
        js_settle(shard->pull, &delivered->token, JS_NAK);
        return;
    }
    job->token = delivered->token;
    job->stream_sequence = delivered->stream_sequence;
    if (job_read(job, delivered) != 0) {
        stray_end(shard, job->channel, job->command, delivered);
        job_free(job);
        return;
    }
    job_link(job);
    struct recipient *recipient = job->recipient;
    *recipient->last = job;
    recipient->last = &job->next_in_lane;
    if (recipient->first == job)
        job_run(job);
}

static void on_error(void *user, kanal_str reason)
{
    struct shard *shard = user;
    log_write(shard->outbound->host->log, KANAL_LOG_WARN, "lanes", NULL,
              "%s cannot be read: %.*s (tried again)", shard->durable, (int)reason.len, reason.ptr);
}

static void on_consumer(void *user, kanal_status status, kanal_str reason)
{
    struct shard *shard = user;
    struct outbound *o = shard->outbound;
    if (status != KANAL_OK)
        log_write(o->host->log, KANAL_LOG_ERROR, "lanes", NULL,
                  "the consumer %s cannot be made: %.*s (status %d; tried again)", shard->durable,
                  (int)reason.len, reason.ptr ? reason.ptr : "", status);
    shard->unmade = status != KANAL_OK;
    struct js_pull_options options = {
        .stream = o->lanes_stream, .durable = shard->durable, .batch = 256, .window = LANE_WINDOW
    };
    if (!shard->pull && !o->draining)
        js_pull_start(o->broker, &options, on_message, on_error, shard, &shard->pull);
}

static void ensure_consumer(struct outbound *o, uint32_t index)
{
    struct shard *shard = &o->shards[index];
    char filter[64];
    snprintf(filter, sizeof filter, "%s.lanes.%u.>", o->prefix, index);
    struct js_consumer consumer = { .stream = o->lanes_stream,
                                    .durable = shard->durable,
                                    .filter = filter,
                                    .ack_wait_ms = ACK_WAIT_MS,
                                    .max_ack_pending = 2 * LANE_WINDOW };
    shard->unmade = 0; /* until the answer */
    js_consumer_ensure(o->broker, &consumer, 0, on_consumer, shard);
}

void lanes_start(struct outbound *o)
{
    for (uint32_t i = 0; i < SHARDS; i++) {
        o->shards[i].outbound = o;
        snprintf(o->shards[i].durable, sizeof o->shards[i].durable, "lane-%u", i);
        ensure_consumer(o, i);
    }
}

void lanes_start_again(struct outbound *o)
{
    for (uint32_t i = 0; i < SHARDS; i++)
        if (o->shards[i].unmade)
            ensure_consumer(o, i);
}

static void outlets_free(struct channel *channel)
{
    for (; channel; channel = channel->next) {
        free(channel->outlet);
        channel->outlet = NULL;
    }
}

void lanes_free(struct outbound *o)
{
    jobs_free_all(o);
    recipients_free(o);
    outlets_free(o->host->first_channel);
    outlets_free(o->host->retired);
}
