/* Outcomes: what the provider's answer means, what is said of it, and what comes next. */
#include <openssl/rand.h>

#include "outbound/attempts.h"
#include "outbound/cancel.h"
#include "outbound/ledger.h"
#include "outbound/route.h"

#define ATTEMPTS_MAX 10u
#define BACKOFF_MS_MIN 1000u
#define BACKOFF_MS_MAX 300000u
#define STORE_AGAIN_MS 1000

static void keep_text(struct kanal_buffer *buffer, kanal_str text)
{
    kanal_buffer_clear(buffer);
    kanal_buffer_append(buffer, text.ptr, text.len < 1024 ? text.len : 1024);
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
        job->due_ms = outbound_loop_ms(o) + STORE_AGAIN_MS;
        return;
    }
    if (job->is_last)
        job_end(job, JS_ACK);
    else
        job_next_part(job);
}

/* For receipts, and for whoever takes the shard over. */
static void store_sent(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    int is_ours = job->shard->attempts && job->term == job->shard->term;
    if (job->report.external_id.len > 0) {
        job->storing++;
        ledger_sent(o, job, on_report_stored, job);
    }
    if (is_ours && (job->recorded || job->parts > 1)) {
        job->storing++;
        attempts_sent(job->shard->attempts, job, job->report.external_id, on_report_stored);
    }
}

void outcome_store(struct job *job)
{
    struct outbound *o = job->shard->outbound;
    job->state = JOB_REPORTING;
    job->due_ms = INT64_MAX;
    job->stored = KANAL_OK;
    job->storing = 1;
    if (job->is_over) {
        route_step_failed(job, on_report_stored);
        return;
    }
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
    if (job->is_sent)
        store_sent(job);
    report_event(o, &job->channel->source, &job->report, on_report_stored, job);
}

static struct report *new_report(struct job *job, const char *type)
{
    job->report = (struct report){ .type = type,
                                   .command_id = job->command_id,
                                   .reference = kanal_json_text_at(job->command, "reference"),
                                   .traceparent = kanal_str_c(job->trace.text),
                                   .address = kanal_buffer_view(&job->address),
                                   .chat = kanal_json_text_at(kanal_json_at(job->command, "to"), "chat"),
                                   .attempt = job->attempt,
                                   .replay = kanal_str_of(job->replay, strlen(job->replay)),
                                   .agent = kanal_json_at(job->command, "agent") };
    if (job->parts > 0) {
        job->report.part = job->part;
        job->report.parts = job->parts;
    }
    job->report.step = job->step;
    job->report.is_abandoned =
        job->step > 0 && cancels_have(job->shard->outbound->cancels, job->key.text + 2);
    job->is_dead = 0;
    job->is_over = 0;
    job->is_last = 1;
    job->is_sent = 0;
    return &job->report;
}

static void count_outcome(struct job *job, const char *outcome)
{
    kanal_str values[] = { job->channel->id, kanal_str_c(outcome) };
    metric_series(job->shard->outbound->deliveries, values)->value++;
}

void outcome_failed(struct job *job, const char *type, const char *code, int scope, kanal_str detail)
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
    job->is_over = job->step > 0 && !report->is_abandoned && strcmp(type, "message.failed") == 0;
    count_outcome(job, strchr(type, '.') + 1);
    outcome_store(job);
}

void outcome_sent(struct job *job, kanal_str external_id)
{
    if (external_id.ptr != job->external_id.data)
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
    job->is_sent = 1;
    outcome_store(job);
}

void outcome_cancelled(struct job *job)
{
    struct report *report = new_report(job, "message.cancelled");
    report->reason = "request";
    count_outcome(job, "cancelled");
    outcome_store(job);
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

static void retry(struct job *job, const kanal_result *result, const char *code, int scope)
{
    if (job->attempt >= ATTEMPTS_MAX) {
        outcome_failed(job, "message.failed", code, scope, KANAL_LIT("given up after the last attempt"));
        return;
    }
    int64_t delay = result && result->retry_after_ms > 0 ? (int64_t)result->retry_after_ms
                                                         : (int64_t)backoff_ms(job->attempt);
    int64_t until = outbound_loop_ms(job->shard->outbound) + delay;
    if (scope == KANAL_SCOPE_CHANNEL && result && result->retry_after_ms > 0)
        job->channel->paused_until_ms = until;
    if (scope == KANAL_SCOPE_RECIPIENT)
        job->recipient->paused_until_ms = until;
    if (strcmp(code, "rate_limited") == 0 && scope != KANAL_SCOPE_RECIPIENT)
        outlet_slow_down(job->channel);
    if (job->shard->attempts && job->term == job->shard->term)
        attempts_end(job->shard->attempts, job);
    count_outcome(job, "retry");
    job_wait(job, delay);
}

/* The request may have reached the provider. */
void outcome_unknown(struct job *job, const char *code)
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
        outcome_failed(job, "message.failed", code, KANAL_SCOPE_MESSAGE,
                       KANAL_LIT("it may have arrived; not tried again, as on_unknown says"));
        return;
    }
    struct report *report = new_report(job, "message.unknown");
    report->code = code;
    report->scope = KANAL_SCOPE_MESSAGE;
    report->next = next;
    job->is_dead = 1;
    count_outcome(job, "unknown");
    outcome_store(job);
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

void outcome_settle(struct job *job, const kanal_result *result)
{
    if (!result || !KANAL_HAS(result, reason)) {
        outcome_unknown(job, "interrupted"); /* the channel stopped with the request under way */
        return;
    }
    keep_text(&job->provider_code, result->provider_code);
    keep_text(&job->provider_message, result->reason);
    int scope = result->scope >= KANAL_SCOPE_MESSAGE && result->scope <= KANAL_SCOPE_CHANNEL
                    ? result->scope
                    : KANAL_SCOPE_MESSAGE;
    switch (result->outcome) {
    case KANAL_SENT:
        if (job->channel->is_refused)
            channel_set_health(job->channel, KANAL_OK, (kanal_str){ 0 });
        outcome_sent(job, result->external_id);
        break;
    case KANAL_RETRY:
        retry(job, result, known_code(result->code, "provider_error"), scope);
        break;
    case KANAL_UNKNOWN:
        outcome_unknown(job, known_code(result->code, "timeout"));
        break;
    default:
        if (scope == KANAL_SCOPE_CHANNEL) {
            channel_set_health(job->channel, KANAL_E_REJECTED, result->reason);
            job->channel->is_refused = 1; /* until the plugin or the next delivery says better */
        }
        outcome_failed(job, "message.failed", known_code(result->code, "provider_rejected"), scope,
                       (kanal_str){ 0 });
    }
}
