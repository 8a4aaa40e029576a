/* A delivery becomes one POST, signed as Standard Webhooks has it. webhook-id is the idempotency key, so a receiver that follows the standard
 * takes a repeated one once. */
#include "signature.h"
#include "template.h"
#include "webhook.h"

#define TIMEOUT_MS 30000
#define ANSWER_BYTES_MAX (64u * 1024)
#define WORDS_MAX 256u
#define ID_MAX 64u

static const char *const secret_names[] = { OUT_SECRET, OUT_PREVIOUS_SECRET };
#define SECRET_COUNT (sizeof secret_names / sizeof secret_names[0])

struct job {
    kanal_channel *channel;
    kanal_op op;
    int64_t deadline_ms;
    char id[ID_MAX], timestamp[24];
    struct kanal_buffer text; /* what is signed: id.timestamp.body */
    size_t body_at;
    struct kanal_buffer signatures; /* "v1,…", separated by spaces */
    size_t next_secret;
};

/* ---- Answers ---- */

static void answer(struct job *job, const kanal_result *result)
{
    kanal_channel *channel = job->channel;
    channel->host->delivered(channel->host, job->op, result);
    kanal_buffer_release(&job->text);
    kanal_buffer_release(&job->signatures);
    free(job);
}

static void answer_failed(struct job *job, int32_t scope, const char *code, kanal_str reason)
{
    kanal_result result;
    kanal_result_set(&result, KANAL_FAILED, scope, code);
    result.reason = reason;
    answer(job, &result);
}

/* The first row that fits tells. 410 is how a receiver says that it wants no more (Standard Webhooks). */
static const struct row {
    int32_t from, to, outcome, scope;
    const char *code;
} rows[] = {
    { 200, 299, KANAL_SENT, 0, NULL },
    { 401, 403, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "auth_failed" },
    { 404, 404, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
    { 410, 410, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
    { 408, 408, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "timeout" },
    { 425, 425, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error" },
    { 413, 413, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "payload_too_large" },
    { 429, 429, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "rate_limited" },
    { 300, 399, KANAL_FAILED, KANAL_SCOPE_CHANNEL, "provider_rejected" },
    { 400, 499, KANAL_FAILED, KANAL_SCOPE_MESSAGE, "invalid_content" },
    { 503, 503, KANAL_RETRY, KANAL_SCOPE_CHANNEL, "provider_error" },
    { 0, INT32_MAX, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "provider_error" },
};

/* Where the operator says that the answer has the message's id; else ours. */
static void append_external_id(struct kanal_buffer *out, const struct job *job,
                               const kanal_http_response *response)
{
    const struct settings *settings = &job->channel->settings;
    yyjson_doc *doc = settings->external_id ? kanal_json_parse(response->body) : NULL;
    kanal_str pointer = kanal_json_text(settings->external_id);
    char scratch[24];
    kanal_str id = { NULL, 0 };
    if (doc != NULL)
        id = kanal_json_id(yyjson_doc_ptr_getn(doc, pointer.ptr, pointer.len), scratch);
    kanal_buffer_str(out, id.len > 0 && id.len <= 256 ? id : kanal_str_c(job->id));
    yyjson_doc_free(doc);
}

static void answer_response(struct job *job, const kanal_http_response *response)
{
    kanal_channel *channel = job->channel;
    const struct row *row = rows;
    struct kanal_buffer id = { 0 }, code = { 0 };
    kanal_result result;
    while (response->code < row->from || response->code > row->to)
        row++;
    kanal_result_set(&result, row->outcome, row->scope, row->code);
    kanal_buffer_int(&code, response->code);
    if (row->outcome == KANAL_SENT) {
        append_external_id(&id, job, response);
        result.external_id = kanal_buffer_view(&id);
        kanal_health_set(&channel->health, ILL_RECEIVER, KANAL_OK, kanal_str_of(NULL, 0));
    } else {
        result.provider_code = kanal_buffer_view(&code);
        result.reason =
            kanal_str_utf8(response->body) ? kanal_str_cut(response->body, WORDS_MAX) : kanal_str_of(NULL, 0);
        kanal_time_retry_after(kanal_field_get(response->headers, response->header_count, "retry-after"),
                               channel->host->now_ms(channel->host), &result.retry_after_ms);
    }
    if (row->outcome != KANAL_RETRY)
        result.retry_after_ms = 0;
    if (row->outcome == KANAL_FAILED && row->scope == KANAL_SCOPE_CHANNEL)
        kanal_health_set(
            &channel->health, ILL_RECEIVER, KANAL_E_DENIED,
            KANAL_LIT("the other system refuses what is sent: its address or a secret is wrong"));
    answer(job, &result);
    kanal_buffer_release(&id);
    kanal_buffer_release(&code);
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
    answer(job, &result);
}

/* ---- The request ---- */

static void post(struct job *job)
{
    kanal_channel *channel = job->channel;
    const struct settings *settings = &channel->settings;
    kanal_field headers[4 + HEADERS_MAX] = { { KANAL_LIT("content-type"), KANAL_LIT("application/json") },
                                             { KANAL_LIT("webhook-id"), kanal_str_c(job->id) },
                                             { KANAL_LIT("webhook-timestamp"), kanal_str_c(job->timestamp) },
                                             { KANAL_LIT("webhook-signature"),
                                               kanal_buffer_view(&job->signatures) } };
    const kanal_secret_use bearer = { .where = KANAL_IN_HEADER,
                                      .name = KANAL_LIT("authorization"),
                                      .prefix = KANAL_LIT("Bearer "),
                                      .secret = KANAL_LIT(OUT_TOKEN) };
    size_t count = 4;
    yyjson_obj_iter more = yyjson_obj_iter_with(settings->headers);
    yyjson_val *key;
    while (count < sizeof headers / sizeof headers[0] && (key = yyjson_obj_iter_next(&more)) != NULL)
        headers[count++] =
            (kanal_field){ kanal_json_text(key), kanal_json_text(yyjson_obj_iter_get_val(key)) };
    const kanal_http_request request = { .struct_size = sizeof request,
                                         .timeout_ms = kanal_call_timeout_ms(job->channel->host,
                                                                             job->deadline_ms, TIMEOUT_MS),
                                         .max_response = ANSWER_BYTES_MAX,
                                         .method = KANAL_LIT("POST"),
                                         .url = settings->url,
                                         .body = kanal_str_from(kanal_buffer_view(&job->text), job->body_at),
                                         .headers = headers,
                                         .header_count = count,
                                         .secrets = &bearer,
                                         .secret_count = settings->uses_bearer };
    if (kanal_calls_send(&channel->calls, job->op, &request, on_response, job) == NULL)
        answer_failed(job, KANAL_SCOPE_MESSAGE, "internal", KANAL_LIT("out of memory"));
}

/* ---- The signatures ---- */

static void sign_next(struct job *);

static void on_signed(void *user, kanal_status status, kanal_str mac, uint64_t revision)
{
    struct job *job = user;
    kanal_channel *channel = job->channel;
    int is_previous = job->next_secret == SECRET_COUNT;
    (void)revision;
    if (status == KANAL_OK) {
        kanal_buffer_text(&job->signatures, is_previous ? " v1," : "v1,");
        kanal_base64_encode(&job->signatures, mac, 0);
        sign_next(job);
    } else if (status == KANAL_E_NOT_FOUND && is_previous) {
        sign_next(job);
    } else if (status == KANAL_E_NOT_FOUND || status == KANAL_E_INVALID) {
        const char *words =
            status == KANAL_E_INVALID ? "out_secret is no base64 (whsec_…)" : "there is no out_secret";
        kanal_health_set(&channel->health, ILL_RECEIVER, KANAL_E_DENIED, kanal_str_c(words));
        answer_failed(job, KANAL_SCOPE_CHANNEL, "auth_failed", kanal_str_c(words));
    } else {
        kanal_result result;
        kanal_result_set(&result, KANAL_RETRY, KANAL_SCOPE_MESSAGE, "unavailable"); /* nothing was sent */
        answer(job, &result);
    }
    kanal_calls_let_go(&channel->calls);
}

static void sign_next(struct job *job)
{
    kanal_channel *channel = job->channel;
    if (job->next_secret == SECRET_COUNT) {
        post(job);
        return;
    }
    kanal_calls_hold(&channel->calls);
    channel->host->sign(channel->host, kanal_str_c(secret_names[job->next_secret++]),
                        KANAL_LIT(SIGNING_ALGORITHM), kanal_buffer_view(&job->text), on_signed, job);
}

/* ---- The body ---- */

/* The delivery as a document: what `body` points into, and what is sent without one. */
static void write_document(struct kanal_buffer *out, const kanal_channel *channel,
                           const kanal_delivery *wanted)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "type", wanted->type);
    kanal_json_member_time(&json, "timestamp", channel->host->now_ms(channel->host));
    kanal_json_member_str(&json, "id", wanted->idempotency_key);
    kanal_json_member_str(&json, "command_id", wanted->command_id);
    kanal_json_member_int(&json, "part", wanted->part);
    kanal_json_member_int(&json, "parts", wanted->part_count);
    kanal_member_text(&json, "address", wanted->address, 512);
    kanal_member_text(&json, "chat", wanted->chat, 512);
    kanal_member_text(&json, "target_external_id", wanted->target_external_id, 1024);
    kanal_json_key(&json, "data");
    kanal_json_raw(&json, wanted->data);
    kanal_json_object_end(&json);
}

/* The body behind what is signed. 0, or -1: out of memory, or more than a body may be. */
static int write_body(struct job *job, const kanal_delivery *wanted)
{
    const struct settings *settings = &job->channel->settings;
    struct kanal_buffer document = { 0 };
    size_t elements_left = TEMPLATE_ELEMENTS_MAX;
    write_document(&document, job->channel, wanted);
    if (settings->body == NULL) {
        kanal_buffer_str(&job->text, kanal_buffer_view(&document));
    } else {
        yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&document));
        const struct template_scope scope = { .root = yyjson_doc_get_root(doc),
                                              .default_country = settings->default_country,
                                              .is_free = 1,
                                              .elements_left = &elements_left };
        struct kanal_json json;
        kanal_json_init(&json, &job->text);
        template_write(&json, settings->body, &scope);
        yyjson_doc_free(doc);
    }
    int failed = job->text.failed || document.failed;
    kanal_buffer_release(&document);
    return failed ? -1 : 0;
}

static void refuse(const kanal_host *host, kanal_op op, const char *code, const char *reason)
{
    kanal_result result;
    kanal_result_set(&result, KANAL_FAILED, KANAL_SCOPE_CHANNEL, code);
    result.reason = kanal_str_c(reason);
    host->delivered(host, op, &result);
}

void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *wanted)
{
    const kanal_host *host = channel->host;
    struct kanal_buffer seconds = { 0 };
    if (channel->settings.url.len == 0) {
        refuse(host, op, "unsupported_verb", "the channel has no url: nothing goes out by it");
        return;
    }
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL) {
        refuse(host, op, "internal", "out of memory");
        return;
    }
    job->channel = channel;
    job->op = op;
    job->deadline_ms = wanted->deadline_ms;
    kanal_batch_text(job->id, sizeof job->id, wanted->idempotency_key); /* at most 36 characters */
    kanal_buffer_int(&seconds, host->now_ms(host) / 1000);
    kanal_batch_text(job->timestamp, sizeof job->timestamp, kanal_buffer_view(&seconds));
    kanal_buffer_release(&seconds);
    signature_begin(&job->text, kanal_str_c(job->id), kanal_str_c(job->timestamp), kanal_str_of(NULL, 0));
    job->body_at = job->text.len;
    if (write_body(job, wanted) != 0)
        answer_failed(job, KANAL_SCOPE_MESSAGE, "payload_too_large",
                      KANAL_LIT("the body would be over 512 KiB"));
    else
        sign_next(job);
}
