/* Lanes: per-recipient queues, turns, attempts, the clock. */
#include "event/address.h"
#include "kanal/sdk/time.h"
#include "outbound/attempts.h"
#include "outbound/cancel.h"
#include "outbound/ended.h"
#include "outbound/ledger.h"
#include "outbound/parked.h"
#include "outbound/route.h"

#define ATTEMPT_MS 60000
#define NOT_UP_MS 1000
#define UNRECORDED_MS 1000
#define YIELDING_MS 200    /* its lane is being given to another gateway, which may come to nothing */
#define WORKING_TICKS 200u /* of 100 ms: every 20 s the broker hears that what we hold is being worked on */
#define SWEEP_TICKS 50u

uint32_t lane_hash(kanal_str channel)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < channel.len; i++)
        hash = (hash ^ (unsigned char)channel.ptr[i]) * 16777619u;
    return hash;
}

uint32_t lane_shard(kanal_str channel)
{
    return lease_group_of(channel) % SHARDS; /* part of the stored subjects: never to be changed */
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

static void run_next(struct outbound *o, struct recipient *recipient)
{
    recipient->current = NULL;
    parked_refill(recipient);
    struct job *next = recipient_next(recipient);
    if (next)
        job_run(next);
    else
        recipient_drop(o, recipient);
}

void recipient_run(struct outbound *o, struct recipient *recipient)
{
    if (!recipient->current)
        run_next(o, recipient);
}

void job_settle(struct job *job, enum js_verdict verdict)
{
    struct js_pull *pull = job->shard->lanes[job->class].reader.pull;
    if (!pull || job->term != job->shard->term)
        return; /* another gateway's by now */
    if (job->parked) {
        parked_settle(job, verdict);
        return;
    }
    for (uint32_t i = 0; i <= (verdict == JS_WORKING ? 0 : job->repeats); i++)
        js_settle(pull, &job->token, verdict);
}

void job_discard(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    attempts_release(job);
    job_unlink(job);
    /* This may run inside deliver(), which reads the delivery until it returns. */
    job->next = o->spent;
    o->spent = job;
}

/* The command is done with: the next of the recipient has its turn. */
void job_end(struct job *job, enum js_verdict verdict)
{
    struct outbound *o = job->shard->outbound;
    struct recipient *recipient = job->recipient;
    job_settle(job, verdict);
    if (verdict == JS_ACK)
        ended_note(o, &job->key);
    job_discard(job);
    run_next(o, recipient);
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
    if (job->step > 1) {
        kanal_buffer_byte(&text, '~');
        kanal_buffer_uint(&text, job->step);
    }
    replay_append(&text, kanal_str_c(job->replay));
    if (ids_event(job->shard->outbound->host->envelope.ids, job->channel->id, KANAL_LIT("delivery"),
                  kanal_buffer_view(&text), &id) == 0)
        snprintf(job->idempotency_key, sizeof job->idempotency_key, "%s", id.text + 2);
    kanal_buffer_release(&text);
    job->delivery = (kanal_delivery){
        .struct_size = sizeof job->delivery,
        .part = job->part,
        .part_count = job->parts > 0 ? job->parts : 1,
        .attempt = job->attempt,
        .deadline_ms = host_now_ms() + ATTEMPT_MS,
        .type = kanal_str_c(job->verb),
        .command_id = job->command_id,
        .idempotency_key = kanal_str_c(job->idempotency_key),
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
    const struct adapted *adapted = &job->content.adapted;
    uint32_t first = job->content.is_mixed ? 1 : job->part;
    uint32_t last = job->content.is_mixed ? adapted->part_count : job->part;
    for (uint32_t i = first; job->content.is_adapted && job->attempt == 1 && i <= last; i++)
        offers_remember(job->shard->outbound->offers, &to, job->command_id, adapted, i);
}

static void on_answered(struct op *op, const void *answer)
{
    struct job *job = op->owner;
    struct channel *channel = job->channel;
    const kanal_result *result = answer;
    job_log(job, result && KANAL_HAS(result, reason) ? result : NULL, "interrupted");
    job->op = NULL;
    outcome_settle(job, answer);
    outlet_leave(channel);
}

/* Its attempt is recorded, or needs no record. 0: it could not begin. */
static int deliver(struct job *job)
{
    if (shard_is_held(job->shard)) /* else whoever has it now sends it */
        job->op = channel_deliver(job->channel, &job->delivery, on_answered, job);
    if (!job->op) { /* or the channel is not up: that is no attempt */
        attempts_end(job->shard->attempts, job);
        job->attempt--;
        job_wait(job, NOT_UP_MS);
        job->is_not_up = 1;
        return 0;
    }
    job->op->trace = job->trace.text;
    remember_offer(job);
    job->state = JOB_DELIVERING;
    job->due_ms = outbound_loop_ms(job->shard->outbound) + ATTEMPT_MS;
    return 1;
}

void job_recorded(struct job *job, kanal_status status)
{
    struct channel *channel = job->channel;
    int is_lost = !job->shard->attempts || job->term != job->shard->term;
    if (status == KANAL_OK && !is_lost && channel->state != CHANNEL_RETIRED) {
        if (deliver(job))
            return;
    } else {
        job->attempt--;
        job_wait(job, UNRECORDED_MS);
    }
    outlet_leave(channel);
}

static int has_target(const struct job *job)
{
    yyjson_val *target = kanal_json_at(job->command, "message");
    return !target || kanal_json_text_at(target, "external_id").len > 0;
}

/* It ended before anything was tried: told, and 1. */
static int ends_here(struct job *job)
{
    const struct cancels *cancels = job->shard->outbound->cancels;
    int is_new = job->attempt == 0 && job->part <= 1;
    if (is_new && cancels_have(cancels, job->message_key.text + 2))
        outcome_cancelled(job);
    else if (job->step > 0 && cancels_have(cancels, job->key.text + 2))
        job_end(job, JS_ACK); /* the route has gone on, and told so */
    else if (job->expires_ms > 0 && host_now_ms() > job->expires_ms)
        outcome_failed(job, "message.expired", "expired", KANAL_SCOPE_MESSAGE, (kanal_str){ 0 });
    else if (!has_target(job))
        outcome_failed(job, "message.failed", "message_not_found", KANAL_SCOPE_MESSAGE,
                       KANAL_LIT("name the message by its external_id"));
    else if (job->content.error) /* the plugin has changed since intake let it pass */
        outcome_failed(job, "message.failed", job->content.error, KANAL_SCOPE_MESSAGE,
                       KANAL_LIT("the channel cannot show it any more"));
    else
        return 0;
    return 1;
}

/* Paused, by the provider or the operator, or not up. */
static int waits_for_channel(struct job *job)
{
    const struct channel *channel = job->channel;
    int64_t wait = channel->paused_until_ms - outbound_loop_ms(job->shard->outbound);
    int is_open = shard_is_held(job->shard) && !job->shard->is_yielding &&
                  !channel_is_paused(channel, CHANNEL_PAUSE_OUT) && channel->state == CHANNEL_UP;
    if (wait <= 0 && is_open)
        return 0;
    job_wait(job, wait > 0 ? wait : NOT_UP_MS);
    job->is_not_up = wait <= 0;
    return 1;
}

/* A repeated request does no harm where the provider knows the key, and typing is nothing that stays. */
static int needs_record(const struct job *job)
{
    return !(job->channel->plugin->descriptor.caps & KANAL_CAP_IDEMPOTENT) &&
           strcmp(job->verb, "typing.start") != 0;
}

int job_enter(struct job *job)
{
    /* It may have stood in the queue for long. */
    if (ends_here(job) || waits_for_channel(job))
        return 0;
    job->attempt++;
    fill_delivery(job);
    if (!needs_record(job))
        return deliver(job);
    job->state = JOB_RECORDING;
    if (attempts_start(job->shard->attempts, job) == 0)
        return 1;
    job->attempt--;
    job_wait(job, UNRECORDED_MS);
    return 0;
}

/* What the log says of it, from before this gateway had the shard. */
static void go_on_from_log(struct job *job)
{
    int is_sent = job->recalled == RECALL_SENT;
    job->recalled = RECALL_NOTHING;
    if (is_sent)
        outcome_sent(job, kanal_buffer_view(&job->external_id));
    else
        outcome_unknown(job, "interrupted");
}

void job_run(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    struct recipient *recipient = job->recipient;
    job->state = JOB_QUEUED;
    if (o->draining)
        return; /* nothing new begins */
    if (job->shard->is_yielding && job->term == job->shard->term) {
        job_wait(job, YIELDING_MS);
        return;
    }
    /* The channel was removed; or the lane was lost while it was under way: whoever has it now goes on with it, this gateway perhaps. */
    if (job->channel->state == CHANNEL_RETIRED || job->term != job->shard->term) {
        job_end(job, JS_LATER);
        return;
    }
    if (ended_has(o, &job->key)) { /* it came again while we held it, and waited behind itself */
        job_end(job, JS_ACK);
        return;
    }
    if (job->recalled != RECALL_NOTHING) {
        go_on_from_log(job);
        return;
    }
    if (ends_here(job))
        return;
    if (waits_for_channel(job)) /* before anything of a rate is spent on it */
        return;
    int64_t now = outbound_loop_ms(o);
    int64_t wait = recipient->paused_until_ms - now;
    if (wait <= 0 && !rate_take(&recipient->rate, now))
        wait = rate_wait_ms(&recipient->rate, now);
    if (wait > 0)
        job_wait(job, wait);
    else
        outlet_enter(job);
}

void lanes_move(void *user, struct channel *from, struct channel *to)
{
    struct outbound *o = user;
    for (int i = 0; from->outlet && !to && i < LANE_CLASSES;
         i++) { /* nobody is there to go on with what is ready */
        from->outlet->ready[i].first = NULL;
        from->outlet->ready[i].last = &from->outlet->ready[i].first;
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
    if (!to) {
        for (size_t i = 0; i < SHARDS * LANE_CLASSES; i++)
            parking_let_go(o->shards[i / LANE_CLASSES].lanes[i % LANE_CLASSES].parking, from);
        return;
    }
    outlet_move(from, to);
    recipients_move(o, from, to);
}

/* ---- The clock ---- */

/* What is under way is waited for; what only waits for its turn comes again, here or at another gateway. */
int lane_is_under_way(const struct outbound *o, const struct shard *shard)
{
    for (const struct job *job = o->jobs; job; job = job->next)
        if ((!shard || job->shard == shard) &&
            (job->state == JOB_DELIVERING || job->state == JOB_REPORTING || job->state == JOB_RECORDING))
            return 1;
    return 0;
}

static int is_under_way(const struct outbound *o)
{
    return lane_is_under_way(o, NULL) || intake_under_way(o) > 0 || !shards_are_quiet(o);
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
        struct channel *channel = job->channel;
        job_log(job, NULL, "timeout");
        channel_forget(job->op);
        job->op = NULL;
        outcome_unknown(job, "timeout");
        outlet_leave(channel);
    }
}

static void tick_outlets(struct outbound *o)
{
    for (struct channel *channel = o->host->first_channel; channel; channel = channel->next)
        outlet_tick(channel);
}

void lanes_tick(struct outbound *o)
{
    jobs_free_spent(o);
    int64_t now = outbound_loop_ms(o);
    int working = o->ticks % WORKING_TICKS == 0;
    for (struct job *job = o->jobs, *next; job; job = next) {
        next = job->next;
        if (working)
            job_settle(job, JS_WORKING);
        if (job->state > JOB_READY && job->state != JOB_RECORDING && job->due_ms <= now)
            job_due(job);
    }
    if (!o->draining)
        tick_outlets(o);
    if (o->ticks % SWEEP_TICKS == 0)
        recipients_sweep(o);
    check_drained(o);
}

/* ---- From the stream ---- */

/* Without a readable command there is nothing to be done with it; intake has checked it, so this is a defect or a stranger's message. */
static int job_read(struct job *job, const struct lane_message *message)
{
    struct outbound *o = job->shard->outbound;
    kanal_str verb;
    job->channel = host_find(o->host, lane_channel(o, message->subject, &verb));
    job->document = kanal_json_parse(message->payload);
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
    replay_copy(message->replay, job->replay);
    struct report said = { .command_id = job->command_id,
                           .traceparent = kanal_json_text_at(job->command, "traceparent") };
    report_trace(o, &said, &job->trace);
    int64_t part = 0; /* of a replay, that failed */
    if (job->replay[0] && kanal_str_int(message->part, &part) == 0 && part > 1 && part <= job->parts)
        job->part = (uint32_t)part;
    kanal_time_parse_rfc3339(kanal_json_text_at(job->command, "expires"), &job->expires_ms);
    ledger_command_key(o, job->channel->id, verb, job->command_id, kanal_str_c(job->replay),
                       &job->message_key);
    job->step = route_step_read(message->step);
    job->key = job->message_key;
    if (job->step > 0)
        route_step_key(o, &job->message_key, job->step, &job->key);
    kanal_str key = job->address.len > 0 ? kanal_buffer_view(&job->address) : kanal_json_text_at(to, "chat");
    job->recipient = recipient_get(o, job->channel, key);
    return job->recipient ? 0 : -1;
}

/* The broker gives again what it has not heard of for a minute, because it was away: the one that we hold goes on. */
static struct job *find_held(const struct shard *shard, const struct js_delivered *delivered)
{
    struct job *job = delivered->deliveries > 1 ? shard->outbound->jobs : NULL;
    while (job && (job->shard != shard || job->term != shard->term ||
                   job->stream_sequence != delivered->stream_sequence))
        job = job->next;
    return job;
}

/* Another message of the lane is the same command. */
static int is_here(const struct job *job)
{
    const struct job *other = job->shard->outbound->jobs;
    while (other && strcmp(other->key.text, job->key.text) != 0)
        other = other->next;
    return other != NULL;
}

void lane_take(struct shard *shard, enum lane_class class, const struct js_delivered *delivered)
{
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
        js_settle(shard->lanes[class].reader.pull, &delivered->token, JS_NAK);
        return;
    }
    struct lane_message message = { .subject = delivered->subject,
                                    .payload = delivered->payload,
                                    .replay = broker_in_header(delivered->in, REPLAY_HEADER),
                                    .part = broker_in_header(delivered->in, PART_HEADER),
                                    .step = broker_in_header(delivered->in, STEP_HEADER) };
    job->class = class;
    job->term = shard->term;
    job->token = delivered->token;
    job->stream_sequence = delivered->stream_sequence;
    job->stream_ms = delivered->time_ms;
    if (job_read(job, &message) != 0) {
        stray_end(&shard->lanes[class], job->channel, job->command, delivered);
        job_free(job);
        return;
    }
    if (ended_has(o, &job->key) || (broker_in_header(delivered->in, AGAIN_HEADER).len > 0 && is_here(job))) {
        js_settle(shard->lanes[class].reader.pull, &delivered->token, JS_ACK);
        if (!job->recipient->current)
            recipient_drop(o, job->recipient);
        job_free(job);
        return;
    }
    attempts_recall(shard->attempts, job);
    job_link(job);
    struct recipient *recipient = job->recipient;
    if (!parked_take(job))
        recipient_push(recipient, job);
    recipient_run(o, recipient);
}

struct job *lane_read(struct shard *shard, const struct lane_message *message, int *ret_is_stray)
{
    recipients_grow(shard->outbound);
    struct job *job = shard->outbound->recipients ? job_new(shard) : NULL;
    *ret_is_stray = 0;
    if (job && job_read(job, message) != 0) {
        *ret_is_stray = 1;
        job_free(job);
        return NULL;
    }
    return job;
}

/* ---- The shard is another's ---- */

static void forget_waiting(struct recipient *recipient, const struct shard *shard)
{
    for (int i = 0; i < LANE_CLASSES; i++) {
        struct recipient_queue *queue = &recipient->waiting[i];
        struct job **link = &queue->first;
        while (*link)
            if ((*link)->shard == shard) {
                *link = (*link)->next_in_lane;
                queue->count--;
            } else {
                link = &(*link)->next_in_lane;
            }
        queue->last = link;
    }
}

void lanes_drop(struct shard *shard)
{
    struct outbound *o = shard->outbound;
    /* All jobs of a recipient are of one shard, its channel's. */
    for (struct job *job = o->jobs, *next; job; job = next) {
        next = job->next;
        if (job->shard != shard)
            continue;
        forget_waiting(job->recipient, shard);
        job->recorded = NULL;
        if (job->state == JOB_DELIVERING || job->state == JOB_REPORTING)
            continue; /* what becomes of it is still told */
        if (job->state == JOB_READY)
            outlet_forget(job);
        if (job->state == JOB_RECORDING) {
            attempts_forget(shard->attempts, job);
            job->channel->outlet->delivering--;
        }
        if (job->recipient->current == job)
            job->recipient->current = NULL;
        job_unlink(job);
        job->next = o->spent;
        o->spent = job;
    }
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
    ended_free(o);
    recipients_free(o);
    outlets_free(o->host->first_channel);
    outlets_free(o->host->retired);
}
