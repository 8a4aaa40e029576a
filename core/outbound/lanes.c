/* Lanes: per-recipient queues, attempts, backoff, outcomes. */
#include <openssl/rand.h>

#include "event/address.h"
#include "kanal/sdk/time.h"
#include "outbound/internal.h"

#define ATTEMPTS_MAX 10u
#define ATTEMPT_MS 60000
#define BACKOFF_MS_MIN 1000u
#define BACKOFF_MS_MAX 300000u
#define NOT_UP_MS 1000
#define STORE_AGAIN_MS 1000
#define ACK_WAIT_MS 60000
#define WORKING_TICKS 200u /* of 100 ms: every 20 s the broker hears that what we hold is being worked on */
#define LANE_WINDOW 1024u
#define SPARE_JOBS_MAX 256u

/* Deliveries of one channel under way at once: as many as the HTTP client opens connections to one host. What is beyond waits here, where its
 * deadline does not run yet and it costs nothing; in libcurl each waiting request is walked over whenever another ends. */
#define CHANNEL_PARALLEL 64u

enum job_state { JOB_QUEUED, JOB_READY, JOB_WAITING, JOB_DELIVERING, JOB_REPORTING };

struct job {
    struct job *next_in_lane;
    struct job *next_ready;  /* in its outlet */
    struct job *prev, *next; /* all jobs */
    struct shard *shard;
    struct js_token token;
    uint64_t stream_sequence;
    uint32_t repeats; /* it came again while we held it: the pull counts each */
    struct channel *channel;
    struct recipient *recipient;
    enum job_state state;
    int64_t due_ms; /* loop time: of waiting and reporting, when to go on; of delivering, the deadline */
    yyjson_doc *document;
    yyjson_val *command;
    char verb[65];
    struct kanal_buffer address, data;
    kanal_str command_id;
    struct part_range ranges[PARTS_MAX];
    uint32_t parts, part; /* part: from 1 */
    uint32_t attempt;
    int64_t expires_ms; /* wall clock; 0: never */
    char key[37];       /* idempotency key of the part */
    kanal_delivery delivery;
    struct op *op;
    struct report report; /* the outcome to be stored */
    struct kanal_buffer external_id, provider_code, provider_message;
    int is_dead; /* also a dead letter */
    int is_last; /* nothing follows: acknowledge when stored */
    size_t storing;
    kanal_status stored;
    uint64_t started_ns;
};

/* What a channel delivers, and what waits for its turn. */
struct outlet {
    uint32_t delivering;
    struct job *first, **last;
};

/* One recipient of one channel, while there is something for it. */
struct recipient {
    struct recipient *next; /* in its hash slot */
    struct channel *channel;
    char *key;
    struct job *first, **last;
};

static void run(struct job *job);

static int64_t loop_ms(const struct outbound *o)
{
    return (int64_t)uv_now(o->host->loop);
}

uint32_t lane_shard(kanal_str channel)
{
    uint32_t hash = 2166136261u; /* FNV-1a; part of the stored subjects: never to be changed */
    for (size_t i = 0; i < channel.len; i++)
        hash = (hash ^ (unsigned char)channel.ptr[i]) * 16777619u;
    return hash % SHARDS;
}

/* ---- Recipients ---- */

static struct recipient **recipient_slot(struct outbound *o, const struct channel *channel, kanal_str key)
{
    uint64_t hash = 14695981039346656037u ^ (uintptr_t)channel;
    for (size_t i = 0; i < key.len; i++)
        hash = (hash ^ (unsigned char)key.ptr[i]) * 1099511628211u;
    struct recipient **slot = &o->recipients[hash & (o->recipient_slots - 1)];
    while (*slot && ((*slot)->channel != channel || !kanal_str_is(key, (*slot)->key)))
        slot = &(*slot)->next;
    return slot;
}

static struct recipient *recipient_get(struct outbound *o, struct channel *channel, kanal_str key)
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
    recipient->last = &recipient->first;
    o->recipient_count++;
    return *slot = recipient;
}

static void recipient_drop(struct outbound *o, struct recipient *recipient)
{
    *recipient_slot(o, recipient->channel, kanal_str_c(recipient->key)) = recipient->next;
    o->recipient_count--;
    free(recipient->key);
    free(recipient);
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
        run(job);
    }
}

/* ---- Jobs ---- */

static void job_unlink(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    if (job->prev)
        job->prev->next = job->next;
    else
        o->jobs = job->next;
    if (job->next)
        job->next->prev = job->prev;
    o->job_count--;
}

/* A used one with its memory, as long as there is one: so many come and go that the allocator would be a large part of the cost. */
static struct job *job_new(struct shard *shard)
{
    struct outbound *o = shard->outbound;
    struct job *job = o->spare_jobs;
    if (!job)
        job = calloc(1, sizeof *job);
    else
        o->spare_jobs = job->next;
    if (!job)
        return NULL;
    o->spare_job_count -= o->spare_job_count > 0;
    *job = (struct job){ .shard = shard,
                         .address = job->address,
                         .data = job->data,
                         .external_id = job->external_id,
                         .provider_code = job->provider_code,
                         .provider_message = job->provider_message };
    return job;
}

static void job_release(struct job *job)
{
    kanal_buffer_release(&job->address);
    kanal_buffer_release(&job->data);
    kanal_buffer_release(&job->external_id);
    kanal_buffer_release(&job->provider_code);
    kanal_buffer_release(&job->provider_message);
    free(job);
}

static void job_free(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    yyjson_doc_free(job->document);
    if (o->spare_job_count >= SPARE_JOBS_MAX) {
        job_release(job);
        return;
    }
    outbound_buffer_clear(&job->address);
    outbound_buffer_clear(&job->data);
    outbound_buffer_clear(&job->external_id);
    outbound_buffer_clear(&job->provider_code);
    outbound_buffer_clear(&job->provider_message);
    job->next = o->spare_jobs;
    o->spare_jobs = job;
    o->spare_job_count++;
}

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
    if (!o->drained || (is_under_way(o) && loop_ms(o) < o->drain_until_ms))
        return;
    void (*drained)(void *) = o->drained;
    o->drained = NULL;
    drained(o->drained_user);
}

/* The command is done with: the next of the recipient has its turn. */
static void job_end(struct job *job, enum js_verdict verdict)
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
        run(next);
    else
        recipient_drop(o, recipient);
}

/* ---- Outcomes ---- */

static void keep_text(struct kanal_buffer *buffer, kanal_str text)
{
    kanal_buffer_clear(buffer);
    kanal_buffer_append(buffer, text.ptr, text.len < 1024 ? text.len : 1024);
}

static void next_part(struct job *job)
{
    job->part++;
    job->attempt = 0;
    job->state = JOB_QUEUED;
    run(job);
}

static void on_report_stored(void *user, kanal_status status)
{
    struct job *job = user;
    struct outbound *o = job->shard->outbound;
    int hopeless = status == KANAL_E_INVALID || status == KANAL_E_DENIED || status == KANAL_E_TOO_LARGE;
    if (status != KANAL_OK && !hopeless)
        job->stored = status;
    if (--job->storing > 0)
        return;
    if (job->stored != KANAL_OK) { /* what was sent must be told, however long the broker is away */
        job->due_ms = loop_ms(o) + STORE_AGAIN_MS;
        return;
    }
    if (job->is_last)
        job_end(job, JS_ACK);
    else
        next_part(job);
}

static void store_report(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    job->state = JOB_REPORTING;
    job->due_ms = INT64_MAX;
    job->stored = KANAL_OK;
    job->storing = 1;
    if (job->is_dead) {
        struct kanal_buffer subject = { 0 };
        kanal_buffer_text(&subject, o->prefix);
        kanal_buffer_text(&subject, ".commands.");
        kanal_buffer_str(&subject, job->channel->id);
        kanal_buffer_byte(&subject, '.');
        kanal_buffer_text(&subject, job->verb);
        struct dead_letter dead = { .channel = job->channel->id,
                                    .subject = kanal_buffer_view(&subject),
                                    .verb = kanal_str_c(job->verb),
                                    .command = job->command,
                                    .attempts = job->report.attempt,
                                    .report = &job->report };
        job->storing++;
        report_dead(o, &dead, on_report_stored, job);
        kanal_buffer_release(&subject);
    }
    report_event(o, &job->channel->source, &job->report, on_report_stored, job);
}

static struct report *new_report(struct job *job, const char *type)
{
    job->report = (struct report){ .type = type,
                                   .command_id = job->command_id,
                                   .reference = kanal_json_text_at(job->command, "reference"),
                                   .address = kanal_buffer_view(&job->address),
                                   .chat = job->delivery.chat,
                                   .attempt = job->attempt,
                                   .agent = kanal_json_at(job->command, "agent") };
    if (job->parts > 0) {
        job->report.part = job->part;
        job->report.parts = job->parts;
    }
    job->is_dead = 0;
    job->is_last = 1;
    return &job->report;
}

static void count_outcome(struct job *job, const char *outcome)
{
    kanal_str values[] = { job->channel->id, kanal_str_c(outcome) };
    metric_series(job->shard->outbound->deliveries, values)->value++;
}

static void end_failed(struct job *job, const char *type, const char *code, int scope, kanal_str detail)
{
    struct report *report = new_report(job, type);
    report->code = code;
    report->scope = scope;
    report->detail = detail;
    if (strcmp(type, "message.expired") == 0)
        report->expires = kanal_json_text_at(job->command, "expires");
    report->provider_code = kanal_buffer_view(&job->provider_code);
    report->provider_message = kanal_buffer_view(&job->provider_message);
    job->is_dead = 1;
    count_outcome(job, strchr(type, '.') + 1);
    store_report(job);
}

static void end_sent(struct job *job, kanal_str external_id)
{
    keep_text(&job->external_id, external_id);
    count_outcome(job, "sent");
    kanal_str verb = kanal_str_c(job->verb);
    if (!kanal_str_starts(verb, "message.") || kanal_str_is(verb, "message.read")) {
        job_end(job, JS_ACK); /* nothing of the customer's history: that it was done is no event */
        return;
    }
    struct report *report = new_report(job, "message.sent");
    report->external_id = kanal_buffer_view(&job->external_id);
    job->is_last = job->part >= job->parts;
    store_report(job);
}

/* Exponential, with full jitter above the first half, so that many that failed together do not come back together. */
static uint32_t backoff_ms(uint32_t attempt)
{
    uint32_t shift = attempt > 1 ? attempt - 1 : 0;
    uint32_t most = shift < 9 ? BACKOFF_MS_MIN << shift : BACKOFF_MS_MAX, random = 0;
    if (most > BACKOFF_MS_MAX)
        most = BACKOFF_MS_MAX;
    RAND_bytes((unsigned char *)&random, sizeof random);
    return most / 2 + random % (most / 2 + 1);
}

static void wait_ms(struct job *job, int64_t delay_ms)
{
    job->state = JOB_WAITING;
    job->due_ms = loop_ms(job->shard->outbound) + delay_ms;
}

static void retry(struct job *job, const kanal_result *result, const char *code, int scope)
{
    if (job->attempt >= ATTEMPTS_MAX) {
        end_failed(job, "message.failed", code, scope, KANAL_LIT("given up after the last attempt"));
        return;
    }
    int64_t delay = result && result->retry_after_ms > 0 ? (int64_t)result->retry_after_ms
                                                         : (int64_t)backoff_ms(job->attempt);
    if (scope == KANAL_SCOPE_CHANNEL && result && result->retry_after_ms > 0)
        job->channel->paused_until_ms = loop_ms(job->shard->outbound) + delay;
    count_outcome(job, "retry");
    wait_ms(job, delay);
}

/* The request may have reached the provider. */
static void unknown(struct job *job, const char *code)
{
    static const char *const policies[] = { "retry", "fail", "ask" };
    kanal_str said = kanal_json_text_at(job->command, "on_unknown");
    const char *next = policies[job->channel->config->on_unknown % 3];
    for (size_t i = 0; i < 3; i++)
        if (kanal_str_is(said, policies[i]))
            next = policies[i];
    /* Where the provider drops a repeated key there is nothing to fear. */
    if (strcmp(next, "retry") == 0 || (job->channel->plugin->descriptor.caps & KANAL_CAP_IDEMPOTENT)) {
        retry(job, NULL, code, KANAL_SCOPE_MESSAGE);
        return;
    }
    if (strcmp(next, "fail") == 0) {
        end_failed(job, "message.failed", code, KANAL_SCOPE_MESSAGE,
                   KANAL_LIT("it may have arrived; not tried again, as on_unknown says"));
        return;
    }
    struct report *report = new_report(job, "message.unknown");
    report->code = code;
    report->scope = KANAL_SCOPE_MESSAGE;
    report->next = next;
    job->is_dead = 1;
    count_outcome(job, "unknown");
    store_report(job);
}

/* A plugin's code, if the contract knows it; else what its outcome means in general. */
static const char *known_code(kanal_str code, const char *otherwise)
{
    static const char *const codes[] = { "recipient_unknown", "recipient_blocked",
                                         "opted_out",         "rate_limited",
                                         "invalid_content",   "unsupported_content",
                                         "payload_too_large", "media_unavailable",
                                         "window_closed",     "template_required",
                                         "auth_failed",       "provider_error",
                                         "provider_rejected", "message_not_found",
                                         "network",           "timeout",
                                         "interrupted",       "expired",
                                         "unsupported_verb",  "denied",
                                         "unavailable",       NULL };
    for (const char *const *known = codes; *known; known++)
        if (kanal_str_is(code, *known))
            return *known;
    return otherwise;
}

static void settle_answer(struct job *job, const kanal_result *result)
{
    if (!result || !KANAL_HAS(result, reason)) {
        unknown(job, "interrupted"); /* the channel stopped with the request under way */
        return;
    }
    keep_text(&job->provider_code, result->provider_code);
    keep_text(&job->provider_message, result->reason);
    int scope = result->scope >= KANAL_SCOPE_MESSAGE && result->scope <= KANAL_SCOPE_CHANNEL
                    ? result->scope
                    : KANAL_SCOPE_MESSAGE;
    switch (result->outcome) {
    case KANAL_SENT:
        end_sent(job, result->external_id);
        break;
    case KANAL_RETRY:
        retry(job, result, known_code(result->code, "provider_error"), scope);
        break;
    case KANAL_UNKNOWN:
        unknown(job, known_code(result->code, "timeout"));
        break;
    default:
        if (scope == KANAL_SCOPE_CHANNEL)
            channel_set_health(job->channel, KANAL_E_REJECTED, result->reason);
        end_failed(job, "message.failed", known_code(result->code, "provider_rejected"), scope,
                   (kanal_str){ 0 });
    }
}

static void on_answered(struct op *op, const void *answer)
{
    struct job *job = op->owner;
    struct outlet *outlet = job->channel->outlet;
    job->op = NULL;
    settle_answer(job, answer);
    outlet_go_on(outlet);
}

/* ---- Attempts ---- */

static void fill_delivery(struct job *job)
{
    yyjson_val *to = kanal_json_at(job->command, "to");
    yyjson_val *target = kanal_json_at(job->command, "message");
    if (!target)
        target = kanal_json_at(job->command, "reply_to");
    kanal_buffer_clear(&job->data);
    parts_write(job->command, job->parts > 0 ? &job->ranges[job->part - 1] : NULL, &job->data);
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

static void deliver(struct job *job)
{
    job->attempt++;
    fill_delivery(job);
    yyjson_val *target = kanal_json_at(job->command, "message");
    if (target && job->delivery.target_external_id.len == 0) {
        end_failed(job, "message.failed", "message_not_found", KANAL_SCOPE_MESSAGE,
                   KANAL_LIT("name the message by its external_id"));
        return;
    }
    job->op = channel_deliver(job->channel, &job->delivery, on_answered, job);
    if (!job->op) { /* not up: that is no attempt */
        job->attempt--;
        wait_ms(job, NOT_UP_MS);
        return;
    }
    job->channel->outlet->delivering++;
    job->state = JOB_DELIVERING;
    job->due_ms = loop_ms(job->shard->outbound) + ATTEMPT_MS;
}

static void run(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    if (o->draining) {
        job->state = JOB_QUEUED; /* nothing new begins */
        return;
    }
    if (job->expires_ms > 0 && host_now_ms() > job->expires_ms) {
        end_failed(job, "message.expired", "expired", KANAL_SCOPE_MESSAGE, (kanal_str){ 0 });
        return;
    }
    int64_t wait = job->channel->paused_until_ms - loop_ms(o);
    if (wait > 0)
        wait_ms(job, wait);
    else if (job->channel->outlet->delivering >= CHANNEL_PARALLEL)
        outlet_push(job->channel->outlet, job);
    else
        deliver(job);
}

static void job_due(struct job *job)
{
    if (job->state == JOB_REPORTING) {
        store_report(job);
    } else if (job->state == JOB_WAITING) {
        run(job);
    } else if (job->state == JOB_DELIVERING) {
        struct outlet *outlet = job->channel->outlet;
        channel_forget(job->op);
        job->op = NULL;
        unknown(job, "timeout");
        outlet_go_on(outlet);
    }
}

static void free_spent(struct outbound *o)
{
    while (o->spent) {
        struct job *job = o->spent;
        o->spent = job->next;
        job_free(job);
    }
}

void lanes_tick(struct outbound *o)
{
    free_spent(o);
    int64_t now = loop_ms(o);
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
    yyjson_val *content = kanal_json_at(job->command, "content");
    if (content)
        job->parts = parts_split(content, job->channel->plugin->descriptor.caps, job->ranges);
    job->part = 1;
    kanal_time_parse_rfc3339(kanal_json_text_at(job->command, "expires"), &job->expires_ms);
    kanal_str key = job->address.len > 0 ? kanal_buffer_view(&job->address) : kanal_json_text_at(to, "chat");
    job->recipient = recipient_get(o, job->channel, key);
    return job->recipient ? 0 : -1;
}

static void grow_recipients(struct outbound *o)
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
    free_spent(o); /* no plugin is being called while the broker's messages are read */
    grow_recipients(o);
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
    job->next = o->jobs;
    if (o->jobs)
        o->jobs->prev = job;
    o->jobs = job;
    o->job_count++;
    struct recipient *recipient = job->recipient;
    *recipient->last = job;
    recipient->last = &job->next_in_lane;
    if (recipient->first == job)
        run(job);
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

void lanes_free(struct outbound *o)
{
    for (struct job *job = o->jobs, *next; job; job = next) {
        next = job->next;
        if (job->op)
            channel_forget(job->op);
        job_free(job);
    }
    o->jobs = NULL;
    free_spent(o);
    for (size_t i = 0; i < o->recipient_slots; i++)
        while (o->recipients[i]) {
            struct recipient *recipient = o->recipients[i];
            o->recipients[i] = recipient->next;
            free(recipient->key);
            free(recipient);
        }
    free(o->recipients);
    for (struct job *job = o->spare_jobs, *next; job; job = next) {
        next = job->next;
        job_release(job);
    }
    for (struct channel *channel = o->host->first_channel; channel; channel = channel->next) {
        free(channel->outlet);
        channel->outlet = NULL;
    }
}
