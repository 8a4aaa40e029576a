/* A request is kept until its signature is known to be right: each v1 signature of it under the secret, then under the previous one. Only
 * then its body is read. */
#include "mapping.h"
#include "signature.h"
#include "webhook.h"

static const char *const secret_names[] = { IN_SECRET, IN_PREVIOUS_SECRET };
#define SECRET_COUNT (sizeof secret_names / sizeof secret_names[0])

struct job {
    kanal_channel *channel;
    struct kanal_reply reply;
    struct signature signature;   /* its views are not used */
    struct kanal_buffer text;     /* what is signed: id.timestamp.body */
    size_t id_len, body_at;       /* places in text */
    size_t next_secret, next_mac; /* what is tried */
    int has_secret;               /* one of them is configured */
};

/* ---- Jobs ---- */

static void job_free(struct job *job)
{
    kanal_channel *channel = job->channel;
    kanal_buffer_release(&job->text);
    free(job);
    kanal_calls_let_go(&channel->calls);
}

static void count(kanal_channel *channel, const char *outcome)
{
    const kanal_field label = { KANAL_LIT("outcome"), kanal_str_c(outcome) };
    channel->host->metric_add(channel->host, KANAL_LIT("webhooks_total"), 1, &label, 1);
}

static void refuse(kanal_channel *channel, const struct kanal_reply *reply, int32_t code, const char *name,
                   const char *message)
{
    count(channel, code == 503 ? "unavailable" : "refused");
    kanal_reply_error(reply, code, name, message, code == 503 ? 5 : 0);
}

static void unavailable(kanal_channel *channel, const struct kanal_reply *reply)
{
    refuse(channel, reply, 503, "unavailable", "this cannot be taken at the moment; try again");
}

/* ---- The rules ---- */

static void take_unmatched(struct job *job)
{
    kanal_channel *channel = job->channel;
    channel->host->log(channel->host, job->reply.op, KANAL_LOG_DEBUG,
                       KANAL_LIT("no rule of `events` holds for the payload"));
    if (channel->settings.refuses_unmatched) {
        refuse(channel, &job->reply, 422, "unmatched", "no rule of the channel holds for this payload");
    } else {
        count(channel, "unmatched");
        kanal_reply_json(&job->reply, 200, KANAL_LIT("{\"events\":0}"), 0);
    }
}

/* The 200 is held back by the host until all of them are stored. */
static void publish(struct job *job, const struct kanal_batch *batch, kanal_str body)
{
    const kanal_host *host = job->channel->host;
    struct kanal_buffer answer = { 0 };
    struct kanal_json json;
    if (kanal_batch_publish(batch, host, job->reply.op, body, NULL, NULL) == 0) {
        unavailable(job->channel, &job->reply);
        return;
    }
    count(job->channel, "accepted");
    kanal_json_init(&json, &answer);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "events", batch->count);
    kanal_json_object_end(&json);
    kanal_reply_json(&job->reply, 200, kanal_buffer_view(&answer), 0);
    kanal_buffer_release(&answer);
}

static void read_body(struct job *job)
{
    kanal_channel *channel = job->channel;
    kanal_str text = kanal_buffer_view(&job->text), body = kanal_str_from(text, job->body_at);
    struct kanal_buffer scratch = { 0 };
    struct kanal_batch batch = { 0 };
    char memory[KANAL_JSON_MEMORY];
    yyjson_doc *doc = kanal_json_parse_in(body, memory, sizeof memory);
    const char *fault = NULL;
    if (doc == NULL) {
        refuse(channel, &job->reply, 400, "malformed_body", "the body is no JSON");
    } else if ((fault = mapping_read(&batch, &channel->settings, kanal_str_of(text.ptr, job->id_len),
                                     yyjson_doc_get_root(doc), &scratch)) != NULL) {
        channel->host->log(channel->host, job->reply.op, KANAL_LOG_WARN, kanal_str_c(fault));
        refuse(channel, &job->reply, 422, "unmappable", fault);
    } else if (batch.count == 0) {
        take_unmatched(job);
    } else {
        publish(job, &batch, body);
    }
    yyjson_doc_free(doc);
    kanal_batch_release(&batch);
    kanal_buffer_release(&scratch);
    job_free(job);
}

/* ---- The signature ---- */

static void try_next(struct job *);

static void on_verified(void *user, kanal_status status)
{
    struct job *job = user;
    if (status == KANAL_OK) {
        read_body(job);
    } else if (status == KANAL_E_REJECTED) {
        job->has_secret = 1;
        try_next(job);
    } else if (status == KANAL_E_NOT_FOUND) { /* not configured: the previous one, mostly */
        job->next_mac = job->signature.count;
        try_next(job);
    } else {
        if (status == KANAL_E_INVALID)
            job->channel->host->log(job->channel->host, job->reply.op, KANAL_LOG_ERROR,
                                    KANAL_LIT("the secret is no base64 (whsec_…)"));
        unavailable(job->channel, &job->reply);
        job_free(job);
    }
}

static void try_next(struct job *job)
{
    kanal_channel *channel = job->channel;
    if (job->next_mac == job->signature.count) {
        job->next_mac = 0;
        job->next_secret++;
    }
    if (job->next_secret == SECRET_COUNT) {
        if (job->has_secret)
            refuse(channel, &job->reply, 401, "wrong_signature",
                   "no signature is one of the channel's secret");
        else
            refuse(channel, &job->reply, 503, "unavailable", "the channel has no secret to verify with");
        job_free(job);
        return;
    }
    kanal_str mac = kanal_str_of(job->signature.macs[job->next_mac++], SIGNATURE_BYTES);
    if (channel->host->verify(channel->host, kanal_str_c(secret_names[job->next_secret]),
                              KANAL_LIT(SIGNING_ALGORITHM), kanal_buffer_view(&job->text), mac, on_verified,
                              job) == 0)
        job_free(job);
}

static const char *find_fault(const kanal_channel *channel, const struct signature *signature)
{
    int64_t now_s = channel->host->now_ms(channel->host) / 1000;
    if (signature->time_s < now_s - channel->settings.tolerance_s)
        return "webhook-timestamp is too old";
    if (signature->time_s > now_s + channel->settings.tolerance_s)
        return "webhook-timestamp is in the future";
    return NULL;
}

void receive(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    struct kanal_reply reply;
    struct signature signature;
    kanal_reply_init(&reply, channel->host, op, request, NULL);
    const char *fault = signature_read(&signature, request->headers, request->header_count);
    if (fault == NULL)
        fault = find_fault(channel, &signature);
    if (fault != NULL) {
        refuse(channel, &reply, 401, "wrong_signature", fault);
        return;
    }
    struct job *job = channel->calls.stopping ? NULL : calloc(1, sizeof *job);
    if (job == NULL) {
        unavailable(channel, &reply);
        return;
    }
    job->channel = channel;
    job->reply = reply;
    job->signature = signature;
    job->id_len = signature.id.len;
    job->body_at = signature.id.len + signature.timestamp.len + 2;
    signature_begin(&job->text, signature.id, signature.timestamp, request->body);
    kanal_calls_hold(&channel->calls);
    if (job->text.failed) {
        unavailable(channel, &reply);
        job_free(job);
        return;
    }
    try_next(job);
}
