/* The log of messages: what a provider was asked and answered for an attempt that did not simply go well, or for every one, as the channel
 * says. One record an attempt, in <prefix>.log.<hash of the command's id>. Nobody waits for it: a message is worth more than its trace. */
#include <stdio.h>

#include "host/exchange.h"
#include "outbound/job.h"

#define LOG_TIMEOUT_MS 5000u

void log_subject(const char *prefix, kanal_str command_id, char ret_subject[64])
{
    uint32_t hash = lane_hash(command_id);
    snprintf(ret_subject, 64, "%s.log.%04x", prefix, (hash ^ hash >> 16) & 0xffffu);
}

static void on_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct outbound *o = user;
    (void)ack;
    (void)reason;
    if (status != KANAL_OK)
        metric_series(o->log_lost, NULL)->value++;
}

static void write_outcome(const struct job *job, const kanal_result *result, const char *code,
                          struct kanal_buffer *out)
{
    static const char *const outcomes[] = { "", "sent", "retry", "failed", "unknown" };
    uint32_t outcome = result && result->outcome >= KANAL_SENT && result->outcome <= KANAL_UNKNOWN
                           ? (uint32_t)result->outcome
                           : KANAL_UNKNOWN;
    kanal_str details[] = { result ? result->code : kanal_str_c(code), { 0 }, { 0 } };
    if (result) {
        details[1] = result->provider_code;
        details[2] = result->reason;
    }
    kanal_buffer_text(out, job->verb);
    kanal_buffer_text(out, ": ");
    kanal_buffer_text(out, outcomes[outcome]);
    for (size_t i = 0; i < 3; i++) {
        if (details[i].len == 0)
            continue;
        kanal_buffer_text(out, ", ");
        kanal_buffer_append(out, details[i].ptr, details[i].len < 512 ? details[i].len : 512);
    }
}

static void write_record(const struct job *job, const struct exchanges *exchanges, kanal_str outcome,
                         struct kanal_buffer *out)
{
    const struct outbound *o = job->shard->outbound;
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "id", job->command_id);
    kanal_json_member_str(&json, "channel", job->channel->id);
    kanal_json_member_text(&json, "traceparent", job->trace.text);
    kanal_json_key(&json, "entries");
    kanal_json_array(&json);
    exchanges_write(exchanges, job->channel, job->part, job->attempt, o->replica, &json);
    kanal_json_object(&json);
    kanal_json_member_time(&json, "time", host_now_ms());
    kanal_json_member_text(&json, "kind", "attempt");
    kanal_json_member_int(&json, "part", job->part);
    kanal_json_member_int(&json, "attempt", job->attempt);
    kanal_json_member_text(&json, "replica", o->replica);
    kanal_json_member_str(&json, "text", outcome);
    kanal_json_object_end(&json);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
}

static int is_wanted(const struct job *job, const kanal_result *result)
{
    int went_well = result && result->outcome == KANAL_SENT && job->attempt <= 1 && job->replay[0] == '\0';
    int mode = job->channel->config->log;
    return mode == CONFIG_LOG_ALL || (mode == CONFIG_LOG_FAILED && !went_well);
}

void job_log(struct job *job, const kanal_result *result, const char *code)
{
    struct outbound *o = job->shard->outbound;
    struct exchanges *exchanges = job->op ? exchanges_take(job->op) : NULL;
    if (is_wanted(job, result)) {
        struct kanal_buffer record = { 0 }, outcome = { 0 };
        char subject[64];
        write_outcome(job, result, code, &outcome);
        write_record(job, exchanges, kanal_buffer_view(&outcome), &record);
        log_subject(o->prefix, job->command_id, subject);
        struct broker_out out = { .subject = kanal_str_c(subject), .payload = kanal_buffer_view(&record) };
        if (!record.failed && !outcome.failed)
            js_publish(o->broker, &out, (kanal_str){ 0 }, JS_ANY_SEQUENCE, LOG_TIMEOUT_MS, on_stored, o);
        kanal_buffer_release(&record);
        kanal_buffer_release(&outcome);
    }
    exchanges_free(exchanges);
}
