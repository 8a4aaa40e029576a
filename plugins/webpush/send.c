/* A delivery: the visitor's subscription is looked up, the payload encrypted for it, the push service's token found or made, and the request sent
 * (RFC 8030). What a push service answers is never held against the channel: a visitor chose the endpoint. */
#include <stdio.h>
#include "payload.h"
#include "webpush.h"

#define TIMEOUT_MS 30000
#define ANSWER_BYTES_MAX 8192u
#define WORDS_MAX 200u
#define ID_MAX 64u

struct job {
    kanal_channel *channel;
    kanal_op op;
    int64_t deadline_ms;
    char visitor[KANAL_VISITOR_ID_LEN + 1], id[ID_MAX];
    struct subscription subscription;
    uint64_t revision; /* of the kept subscription */
    struct push_options options;
    struct kanal_buffer payload, body; /* plain; encrypted */
};

/* ---- Answers ---- */

static void answer(struct job *job, const kanal_result *result)
{
    kanal_channel *channel = job->channel;
    channel->host->delivered(channel->host, job->op, result);
    kanal_buffer_release(&job->payload);
    kanal_buffer_release(&job->body);
    free(job);
    kanal_calls_let_go(&channel->calls);
}

static void answer_with(struct job *job, int32_t outcome, int32_t scope, const char *code, const char *reason)
{
    kanal_result result;
    kanal_result_set(&result, outcome, scope, code);
    result.reason = kanal_str_c(reason);
    answer(job, &result);
}

/* The first row that fits tells. */
static const struct row {
    int32_t from, to, outcome, scope;
    const char *code;
} rows[] = {
    { 200, 299, KANAL_SENT, 0, NULL },
    { 404, 404, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown" },
    { 410, 410, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "opted_out" },
    { 413, 413, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 401, 403, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "auth_failed" },
    { 429, 429, KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "rate_limited" },
    { 300, 499, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "provider_rejected" },
    { 0, INT32_MAX, KANAL_RETRY, KANAL_SCOPE_RECIPIENT, "provider_error" },
};

/* ---- A subscription that is no more ---- */

struct ending {
    kanal_channel *channel;
    char visitor[KANAL_VISITOR_ID_LEN + 1];
    uint64_t revision;
};

static void ending_free(struct ending *ending)
{
    kanal_channel *channel = ending->channel;
    free(ending);
    kanal_calls_let_go(&channel->calls);
}

static void on_forgotten(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct ending *ending = user;
    (void)value;
    (void)revision;
    if (status != KANAL_OK && status != KANAL_E_REJECTED) /* rejected: it was renewed meanwhile */
        say(ending->channel, 0, KANAL_LOG_WARN,
            "a subscription that has ended is still kept; the next message will try again",
            kanal_str_of(NULL, 0));
    ending_free(ending);
}

/* Forgotten only when it is told: else nobody would ever hear of it. */
static void on_told(void *user, kanal_status status)
{
    struct ending *ending = user;
    const kanal_host *host = ending->channel->host;
    char key[STATE_KEY_BYTES];
    subscription_key(key, ending->visitor);
    if (status != KANAL_OK || host->state_put(host, kanal_str_c(key), KANAL_LIT(SUBSCRIPTION_ENDED),
                                              ending->revision, on_forgotten, ending) == 0)
        ending_free(ending);
}

static void end_subscription(const struct job *job)
{
    kanal_channel *channel = job->channel;
    struct ending *ending = malloc(sizeof *ending);
    if (ending == NULL)
        return;
    ending->channel = channel;
    ending->revision = job->revision;
    memcpy(ending->visitor, job->visitor, sizeof ending->visitor);
    kanal_calls_hold(&channel->calls);
    if (publish_consent(channel, 0, job->visitor, 0, "provider", &job->subscription, job->revision, on_told,
                        ending) == 0)
        ending_free(ending);
}

/* ---- The push service's answer ---- */

static void answer_response(struct job *job, const kanal_http_response *response)
{
    const struct row *row = rows;
    kanal_result result;
    char code[16];
    while (response->code < row->from || response->code > row->to)
        row++;
    snprintf(code, sizeof code, "%d", response->code);
    kanal_result_set(&result, row->outcome, row->scope, row->code);
    if (row->outcome == KANAL_SENT) {
        result.external_id = kanal_str_c(job->id);
    } else {
        result.provider_code = kanal_str_c(code);
        result.reason =
            kanal_str_utf8(response->body) ? kanal_str_cut(response->body, WORDS_MAX) : kanal_str_of(NULL, 0);
    }
    if (row->outcome == KANAL_RETRY)
        kanal_time_retry_after(kanal_field_get(response->headers, response->header_count, "retry-after"),
                               job->channel->host->now_ms(job->channel->host), &result.retry_after_ms);
    if (response->code == 404 || response->code == 410)
        end_subscription(job);
    answer(job, &result);
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct job *job = user;
    kanal_result result;
    if (response != NULL) {
        answer_response(job, response);
        return;
    }
    kanal_result_of_status(&result, status, job->channel->calls.stopping ? KANAL_EXCHANGE_STOPPING : 0);
    if (result.scope == KANAL_SCOPE_CHANNEL)
        result.scope = KANAL_SCOPE_RECIPIENT;
    if (status == KANAL_E_DENIED)
        result.reason = KANAL_LIT("the push service is not granted in the channel's `egress`");
    answer(job, &result);
}

/* ---- The request ---- */

static void on_header(void *user, kanal_status status, const char *authorization)
{
    struct job *job = user;
    char ttl[24];
    if (authorization == NULL) {
        int is_ours = status == KANAL_E_NOT_FOUND || status == KANAL_E_INVALID;
        answer_with(job, is_ours ? KANAL_FAILED : KANAL_RETRY,
                    is_ours ? KANAL_SCOPE_CHANNEL : KANAL_SCOPE_MESSAGE,
                    is_ours ? "auth_failed" : "unavailable", "the secret `vapid` could not sign");
        return;
    }
    snprintf(ttl, sizeof ttl, "%lld", (long long)job->options.ttl_s);
    kanal_field headers[6] = { { KANAL_LIT("authorization"), kanal_str_c(authorization) },
                               { KANAL_LIT("content-encoding"), KANAL_LIT("aes128gcm") },
                               { KANAL_LIT("content-type"), KANAL_LIT("application/octet-stream") },
                               { KANAL_LIT("ttl"), kanal_str_c(ttl) } };
    size_t count = 4;
    if (job->options.urgency[0] != 0)
        headers[count++] = (kanal_field){ KANAL_LIT("urgency"), kanal_str_c(job->options.urgency) };
    if (job->options.topic[0] != 0)
        headers[count++] = (kanal_field){ KANAL_LIT("topic"), kanal_str_c(job->options.topic) };
    const kanal_http_request request = { .struct_size = sizeof request,
                                         .timeout_ms = kanal_call_timeout_ms(job->channel->host,
                                                                             job->deadline_ms, TIMEOUT_MS),
                                         .max_response = ANSWER_BYTES_MAX,
                                         .method = KANAL_LIT("POST"),
                                         .url = kanal_str_c(job->subscription.endpoint),
                                         .body = kanal_buffer_view(&job->body),
                                         .headers = headers,
                                         .header_count = count };
    if (kanal_calls_send(&job->channel->calls, job->op, &request, on_response, job) == NULL)
        answer_with(job, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "unavailable", "out of memory");
}

static kanal_status encrypt(struct job *job)
{
    const kanal_host *host = job->channel->host;
    unsigned char salt[SALT_BYTES];
    EVP_PKEY *own = encrypt_new_key();
    host->random(host, salt, sizeof salt);
    kanal_status status = encrypt_message(
        &job->body, kanal_str_of(job->subscription.public_key, PUBLIC_KEY_BYTES),
        kanal_str_of(job->subscription.auth, AUTH_BYTES), own, salt, kanal_buffer_view(&job->payload));
    EVP_PKEY_free(own);
    return status;
}

/* ---- The subscription ---- */

static void on_found(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct job *job = user;
    kanal_channel *channel = job->channel;
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    const char *fault = subscription_read(&job->subscription, &channel->settings, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    job->revision = revision;
    if (status == KANAL_E_NOT_FOUND || (status == KANAL_OK && kanal_str_is(value, SUBSCRIPTION_ENDED))) {
        answer_with(job, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown",
                    "the visitor has no subscription");
    } else if (status != KANAL_OK) {
        answer_with(job, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "unavailable",
                    "the subscription could not be looked up");
    } else if (fault != NULL) {
        answer_with(job, KANAL_FAILED, KANAL_SCOPE_RECIPIENT, "recipient_unknown", fault);
    } else if ((status = encrypt(job)) != KANAL_OK) {
        int is_large = status == KANAL_E_TOO_LARGE;
        answer_with(job, KANAL_FAILED, KANAL_SCOPE_MESSAGE, is_large ? "payload_too_large" : "internal",
                    is_large ? "a push message holds 3,993 bytes" : "it could not be encrypted");
    } else {
        vapid_header(channel, kanal_str_c(job->subscription.endpoint), on_header, job);
    }
}

/* The delivery, or NULL with *ret_code and *ret_reason saying why not. */
static struct job *job_new(kanal_channel *channel, kanal_op op, const kanal_delivery *wanted,
                           const char **ret_code, const char **ret_reason)
{
    kanal_str visitor = kanal_str_starts(wanted->address, "visitor:") ? kanal_str_from(wanted->address, 8)
                                                                      : kanal_str_of(NULL, 0);
    struct job *job = calloc(1, sizeof *job);
    *ret_code = "internal";
    *ret_reason = "out of memory";
    if (job == NULL)
        return NULL;
    job->channel = channel;
    job->op = op;
    job->deadline_ms = wanted->deadline_ms;
    kanal_batch_text(job->id, sizeof job->id, wanted->idempotency_key);
    *ret_code = "recipient_unknown";
    *ret_reason = "an address of this channel is visitor:ID";
    if (kanal_visitor_is_id(visitor)) {
        kanal_batch_text(job->visitor, sizeof job->visitor, visitor);
        yyjson_doc *doc = kanal_json_parse(wanted->data);
        *ret_code = "unsupported_content";
        *ret_reason = payload_write(&job->payload, &job->options, &channel->settings, kanal_str_c(job->id),
                                    yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
    }
    if (*ret_reason == NULL)
        return job;
    kanal_buffer_release(&job->payload);
    free(job);
    return NULL;
}

void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    const kanal_host *host = channel->host;
    const char *code, *reason;
    char key[STATE_KEY_BYTES];
    struct job *job = job_new(channel, op, wanted, &code, &reason);
    if (job == NULL) {
        kanal_result result;
        kanal_result_set(&result, KANAL_FAILED,
                         strcmp(code, "recipient_unknown") == 0 ? KANAL_SCOPE_RECIPIENT : KANAL_SCOPE_MESSAGE,
                         code);
        result.reason = kanal_str_c(reason);
        host->delivered(host, op, &result);
        return;
    }
    kanal_calls_hold(&channel->calls);
    subscription_key(key, job->visitor);
    host->state_get(host, kanal_str_c(key), on_found, job);
}
