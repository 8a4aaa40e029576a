/* A request is kept until its key is known: as the server's, then as the pages'. Only then its body is read, because the key says which
 * identifiers are proved; and a stranger's body is never read at all. */
#include "calls.h"
#include "events.h"

#define EVENTS_PER_PUBLISH 256u /* as many as the host takes at once */
#define ID_LEN 26u              /* 130 bits in base32 */

struct job {
    kanal_channel *channel;
    struct kanal_reply reply;
    char kind[16];
    struct kanal_buffer body, key, user_agent, remote;
};

/* ---- Jobs ---- */

static void job_free(struct job *job)
{
    kanal_channel *channel = job->channel;
    kanal_buffer_release(&job->body);
    kanal_buffer_release(&job->key);
    kanal_buffer_release(&job->user_agent);
    kanal_buffer_release(&job->remote);
    free(job);
    kanal_calls_let_go(&channel->calls);
}

/* A host call that gave no op will not call back (the channel has stopped). */
static void job_wait(struct job *job, kanal_op op)
{
    if (op == 0)
        job_free(job);
}

static void job_fail(struct job *job)
{
    answer_unavailable(job->channel, &job->reply);
    job_free(job);
}

static void job_refuse(struct job *job, int32_t code, const char *name, const char *message)
{
    count_outcome(job->channel, "refused");
    kanal_reply_error(&job->reply, code, name, message, 0);
    job_free(job);
}

/* ---- Third: the events ---- */

/* For a call without messageId: then nobody can tell a repetition. */
static kanal_str new_id(const kanal_host *host, char out[ID_LEN])
{
    static const char digits[33] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[ID_LEN];
    host->random(host, bytes, sizeof bytes);
    for (size_t i = 0; i < ID_LEN; i++)
        out[i] = digits[bytes[i] & 31];
    return kanal_str_of(out, ID_LEN);
}

static void publish_some(struct job *job, const struct calls *calls, size_t from, size_t count)
{
    const kanal_host *host = job->channel->host;
    kanal_event events[EVENTS_PER_PUBLISH];
    const kanal_event *pointers[EVENTS_PER_PUBLISH];
    char ids[EVENTS_PER_PUBLISH][ID_LEN];
    for (size_t i = 0; i < count; i++) {
        const struct call_event *event = &calls->events[from + i];
        events[i] = (kanal_event){ .struct_size = sizeof events[i],
                                   .time_ms = event->time_ms,
                                   .type = kanal_str_c(event->type),
                                   .dedupe = event->dedupe.len > 0 ? event->dedupe : new_id(host, ids[i]),
                                   .address = calls_piece(calls, event->address_at, event->address_len),
                                   .data = calls_piece(calls, event->data_at, event->data_len) };
        pointers[i] = &events[i];
    }
    if (from == 0 && calls->count == 1)
        events[0].raw = kanal_buffer_view(&job->body);
    host->publish(host, job->reply.op, pointers, count, NULL, NULL);
}

static void answer_accepted(struct job *job, const struct calls *calls)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    if (calls->rejected_count == 0) {
        kanal_reply_json(&job->reply, 200, KANAL_LIT("{\"success\":true}"), 0);
        return;
    }
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_bool(&json, "success", 1);
    kanal_json_member_int(&json, "accepted", (int64_t)calls->count);
    kanal_json_key(&json, "rejected");
    kanal_json_raw(&json, kanal_buffer_view(&calls->rejected));
    kanal_json_object_end(&json);
    kanal_reply_json(&job->reply, 200, kanal_buffer_view(&body), 0);
    kanal_buffer_release(&body);
}

static void tell_rejected(struct job *job, const struct calls *calls)
{
    const kanal_host *host = job->channel->host;
    struct kanal_buffer line = { 0 };
    host->metric_add(host, KANAL_LIT("calls_rejected"), (double)calls->rejected_count, NULL, 0);
    kanal_buffer_text(&line, "calls were rejected: ");
    kanal_buffer_str(
        &line, kanal_str_of(calls->rejected.data, calls->rejected.len < 512 ? calls->rejected.len : 512));
    host->log(host, job->reply.op, KANAL_LOG_WARN, kanal_buffer_view(&line));
    kanal_buffer_release(&line);
}

/* The 200 is held back by the host until all of them are stored. */
static void accept(struct job *job, const struct calls *calls)
{
    for (size_t from = 0; from < calls->count; from += EVENTS_PER_PUBLISH) {
        size_t left = calls->count - from;
        publish_some(job, calls, from, left < EVENTS_PER_PUBLISH ? left : EVENTS_PER_PUBLISH);
    }
    if (calls->rejected_count > 0)
        tell_rejected(job, calls);
    count_outcome(job->channel, "accepted");
    answer_accepted(job, calls);
}

static void read_body(struct job *job, int is_trusted)
{
    kanal_channel *channel = job->channel;
    const struct intake intake = { .settings = &channel->settings,
                                   .is_trusted = is_trusted,
                                   .now_ms = channel->host->now_ms(channel->host),
                                   .body_bytes = job->body.len,
                                   .user_agent = kanal_buffer_view(&job->user_agent),
                                   .ip = kanal_buffer_view(&job->remote) };
    char memory[KANAL_JSON_MEMORY];
    struct calls calls = { 0 };
    yyjson_doc *doc = kanal_json_parse_in(kanal_buffer_view(&job->body), memory, sizeof memory);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *fault = yyjson_is_obj(root) ? calls_read(&calls, &intake, kanal_str_c(job->kind), root)
                                            : "the body is no JSON object";
    if (calls.has_failed) {
        job_fail(job);
    } else if (fault != NULL) {
        if (calls.rejected_count > 0)
            tell_rejected(job, &calls);
        job_refuse(job, 400, "invalid_call", fault);
    } else {
        accept(job, &calls);
        job_free(job);
    }
    calls_release(&calls);
    yyjson_doc_free(doc);
}

/* ---- Second: whose key ---- */

static void on_page_key(void *user, kanal_status status)
{
    struct job *job = user;
    kanal_channel *channel = job->channel;
    uint32_t wait_ms = 0;
    if (status == KANAL_E_REJECTED) {
        job_refuse(job, 401, "wrong_key", "this is no write key of the channel");
    } else if (status != KANAL_OK) {
        job_fail(job);
    } else if (channel->settings.rate_per_minute > 0 &&
               !kanal_rate_take(&channel->rate, 'p', kanal_buffer_view(&job->remote),
                                channel->host->now_ms(channel->host), channel->settings.rate_per_minute,
                                channel->settings.rate_burst, &wait_ms)) {
        count_outcome(channel, "limited");
        kanal_reply_error(&job->reply, 429, "rate_limited", "too many requests from this network address",
                          (wait_ms + 999) / 1000);
        job_free(job);
    } else {
        read_body(job, 0);
    }
}

static void on_server_key(void *user, kanal_status status)
{
    struct job *job = user;
    const kanal_host *host = job->channel->host;
    if (status == KANAL_OK)
        read_body(job, 1);
    else if (status == KANAL_E_REJECTED || status == KANAL_E_NOT_FOUND)
        job_wait(job, host->verify(host, KANAL_LIT(PAGE_KEY), KANAL_LIT("equal"), kanal_str_of(NULL, 0),
                                   kanal_buffer_view(&job->key), on_page_key, job));
    else
        job_fail(job);
}

/* ---- First: the key that is shown ---- */

/* "Basic " and base64 of "KEY:". */
static void read_authorization(struct kanal_buffer *out, kanal_str header)
{
    if (header.len < 6 || !kanal_str_equal_nocase(kanal_str_of(header.ptr, 6), KANAL_LIT("Basic ")) ||
        kanal_base64_decode(out, kanal_str_from(header, 6), KANAL_BASE64_UNPADDED) != KANAL_OK)
        return;
    const char *colon = out->len > 0 ? memchr(out->data, ':', out->len) : NULL;
    if (colon != NULL)
        out->len = (size_t)(colon - out->data);
}

/* A beacon has no header: the key stands in the body. */
static void read_body_key(struct kanal_buffer *out, kanal_str body)
{
    yyjson_doc *doc = kanal_json_parse(body);
    kanal_buffer_str(out, kanal_json_text_at(yyjson_doc_get_root(doc), "writeKey"));
    yyjson_doc_free(doc);
}

static int is_kind(kanal_str kind)
{
    static const char *const kinds[] = { "identify", "track", "page",   "screen", "group",
                                         "alias",    "batch", "import", "i",      "t",
                                         "p",        "s",     "g",      "a",      "b" };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kanal_str_is(kind, kinds[i]))
            return 1;
    }
    return 0;
}

/* A reason to refuse the request unread, or NULL. */
static const char *find_fault(const kanal_http_request *request, kanal_str kind, int32_t *ret_code)
{
    int is_batch = kanal_str_is(kind, "batch") || kanal_str_is(kind, "b") || kanal_str_is(kind, "import");
    kanal_str encoding = kanal_field_get(request->headers, request->header_count, "content-encoding");
    *ret_code = 400;
    if (encoding.len > 0 && !kanal_str_equal_nocase(encoding, KANAL_LIT("identity"))) {
        *ret_code = 415;
        return "compressed bodies are not taken";
    }
    if (!is_batch && request->body.len > CALL_BYTES_MAX)
        return "an event is over 32 KB";
    return request->body.len > BATCH_BYTES_MAX ? "the batch is over 500 KB" : NULL;
}

static struct job *job_new(kanal_channel *channel, const struct kanal_reply *reply,
                           const kanal_http_request *request, kanal_str kind)
{
    struct job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return NULL;
    job->channel = channel;
    job->reply = *reply;
    kanal_calls_hold(&channel->calls);
    memcpy(job->kind, kind.ptr, kind.len); /* is_kind(): at most eight letters */
    kanal_buffer_str(&job->body, request->body);
    kanal_buffer_str(&job->remote, request->remote);
    kanal_buffer_str(&job->user_agent,
                     kanal_field_get(request->headers, request->header_count, "user-agent"));
    read_authorization(&job->key, kanal_field_get(request->headers, request->header_count, "authorization"));
    if (job->key.len == 0)
        read_body_key(&job->key, request->body);
    return job;
}

void take(kanal_channel *channel, const struct kanal_reply *reply, const kanal_http_request *request,
          kanal_str kind)
{
    const kanal_host *host = channel->host;
    int32_t code;
    if (!is_kind(kind)) {
        kanal_reply_error(reply, 404, "unknown_path", "identify, track, page, screen, group, alias or batch",
                          0);
        return;
    }
    const char *fault = find_fault(request, kind, &code);
    if (fault != NULL) {
        count_outcome(channel, "refused");
        kanal_reply_error(reply, code, code == 415 ? "unsupported_encoding" : "too_large", fault, 0);
        return;
    }
    struct job *job = job_new(channel, reply, request, kind);
    if (job == NULL)
        answer_unavailable(channel, reply);
    else if (job->body.failed || job->key.failed)
        job_fail(job);
    else if (job->key.len == 0)
        job_refuse(job, 401, "wrong_key",
                   "a write key is required: Basic authorization, or writeKey in the body");
    else
        job_wait(job, host->verify(host, KANAL_LIT(SERVER_KEY), KANAL_LIT("equal"), kanal_str_of(NULL, 0),
                                   kanal_buffer_view(&job->key), on_server_key, job));
}
