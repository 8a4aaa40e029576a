/* tiny.h - a small channel that does everything right: it takes messages, hands messages to a provider, remembers the last id. Each
 * file beside this one makes one thing wrong, by defining a hook before it includes this; good.c defines none. */
#include "kanal/sdk/sdk.h"

/* ---- Hooks: what they are when nothing is wrong ---- */

#ifndef TINY_VERSION
#define TINY_VERSION "1.0.0"
#endif
#ifndef TINY_CAPS
#define TINY_CAPS KANAL_CAP_TEXT
#endif
#ifndef TINY_SCHEMA_END
#define TINY_SCHEMA_END ",\"additionalProperties\":false}"
#endif
#ifndef TINY_SECRET
#define TINY_SECRET "token"
#endif
#ifndef TINY_PATH
#define TINY_PATH "/send"
#endif
#ifndef TINY_ORIGIN
#define TINY_ORIGIN "https://api.example.com"
#endif
#ifndef TINY_MEMBERS /* of the channel */
#define TINY_MEMBERS
#endif
#ifndef TINY_IN_CREATE
#define TINY_IN_CREATE(channel, config)
#endif
#ifndef TINY_IN_DESTROY
#define TINY_IN_DESTROY(channel)
#endif
#ifndef TINY_IN_DELIVER
#define TINY_IN_DELIVER(channel, op, delivery)
#endif
#ifndef TINY_IN_HTTP
#define TINY_IN_HTTP(channel, op, request)
#endif
#ifndef TINY_IN_START
#define TINY_IN_START(channel)
#endif
#ifndef TINY_ON_STATE
#define TINY_ON_STATE(channel, status, value)
#endif
#ifndef TINY_ON_RESPONSE
#define TINY_ON_RESPONSE(job, status, response)
#endif
#ifndef TINY_AFTER_ANSWER
#define TINY_AFTER_ANSWER(job, result)
#endif
#ifndef TINY_DEDUPE
#define TINY_DEDUPE(channel, id) (id)
#endif
#ifndef TINY_PART_TYPE
#define TINY_PART_TYPE "text"
#endif
#ifndef TINY_RESULT
#define TINY_RESULT(result)
#endif
#ifndef TINY_STOPS_AT_ONCE
#define TINY_STOPS_AT_ONCE 0
#endif
#ifndef TINY_FINISHES_STOP
#define TINY_FINISHES_STOP 1
#endif
#ifndef TINY_ANSWERS
#define TINY_ANSWERS 1
#endif

/* ---- The channel ---- */

struct job {
    struct kanal_channel *channel;
    struct job *next;
    kanal_op op, call;
    int is_start;
    struct kanal_buffer text;
};

struct kanal_channel {
    const kanal_host *host;
    struct job *jobs;
    kanal_op stop;
    TINY_MEMBERS
};

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    (void)config;
    if (channel)
        channel->host = host;
    TINY_IN_CREATE(channel, config);
    return channel;
}

static void destroy(kanal_channel *channel)
{
    TINY_IN_DESTROY(channel);
    free(channel);
}

static void maybe_stopped(kanal_channel *channel)
{
    kanal_op stop = channel->stop;
    if (!stop || channel->jobs)
        return;
    channel->stop = 0;
    if (TINY_FINISHES_STOP)
        channel->host->finish(channel->host, stop, KANAL_OK, kanal_str_of(NULL, 0));
}

static void job_end(struct job *job)
{
    struct kanal_channel *channel = job->channel;
    struct job **at = &channel->jobs;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    kanal_buffer_release(&job->text);
    free(job);
    maybe_stopped(channel);
}

/* ---- Out ---- */

static void fill_result(kanal_result *result, kanal_status status, const kanal_http_response *response)
{
    if (status == KANAL_OK && response->code < 300) {
        result->outcome = KANAL_SENT;
    } else if (status == KANAL_E_MAYBE || status == KANAL_E_TOO_LARGE) {
        result->outcome = KANAL_UNKNOWN;
        result->code = KANAL_LIT("timeout");
    } else if (status != KANAL_OK || response->code == 429 || response->code >= 500) {
        result->outcome = KANAL_RETRY;
        result->code = status == KANAL_OK ? KANAL_LIT("provider_error") : KANAL_LIT("network");
        if (status == KANAL_OK)
            kanal_time_retry_after(kanal_field_get(response->headers, response->header_count, "retry-after"),
                                   0, &result->retry_after_ms);
    } else {
        result->outcome = KANAL_FAILED;
        result->code = KANAL_LIT("provider_rejected");
    }
}

static void answer(struct job *job, kanal_status status, const kanal_http_response *response)
{
    kanal_result result = { .struct_size = sizeof result };
    fill_result(&result, status, response);
    TINY_RESULT(result);
    if (TINY_ANSWERS)
        job->channel->host->delivered(job->channel->host, job->op, &result);
    TINY_AFTER_ANSWER(job, result);
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct job *job = user;
    TINY_ON_RESPONSE(job, status, response);
    if (job->is_start)
        job->channel->host->finish(job->channel->host, job->op,
                                   status == KANAL_E_CANCELLED ? status : KANAL_OK, kanal_str_of(NULL, 0));
    else
        answer(job, status, response);
    job_end(job);
}

static void ask(kanal_channel *channel, kanal_op op, const char *method, const char *url, kanal_str body,
                int is_start)
{
    struct job *job = calloc(1, sizeof *job);
    const kanal_secret_use secret = { .where = KANAL_IN_HEADER,
                                      .name = KANAL_LIT("authorization"),
                                      .prefix = KANAL_LIT("Bearer "),
                                      .secret = KANAL_LIT(TINY_SECRET) };
    const kanal_http_request request = { .struct_size = sizeof request,
                                         .method = kanal_str_c(method),
                                         .url = kanal_str_c(url),
                                         .body = body,
                                         .secrets = &secret,
                                         .secret_count = 1 };
    job->channel = channel;
    job->op = op;
    job->is_start = is_start;
    job->next = channel->jobs;
    channel->jobs = job;
    job->call = channel->host->http_send(channel->host, op, &request, on_response, job);
}

static void refuse(kanal_channel *channel, kanal_op op, kanal_str code)
{
    const kanal_result result = { .struct_size = sizeof result, .outcome = KANAL_FAILED, .code = code };
    channel->host->delivered(channel->host, op, &result);
}

static void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    TINY_IN_DELIVER(channel, op, delivery);
    yyjson_doc *doc = kanal_json_parse(delivery->data);
    kanal_str text =
        kanal_json_text_at(yyjson_arr_get_first(kanal_json_at(yyjson_doc_get_root(doc), "content")), "text");
    if (!kanal_str_is(delivery->type, "message.send"))
        refuse(channel, op, KANAL_LIT("unsupported_verb"));
    else if (!kanal_str_starts(delivery->address, "tiny:"))
        refuse(channel, op, KANAL_LIT("recipient_unknown"));
    else if (text.len == 0)
        refuse(channel, op, KANAL_LIT("unsupported_content"));
    else
        ask(channel, op, "POST", TINY_ORIGIN TINY_PATH, text, 0);
    yyjson_doc_free(doc);
}

/* ---- In ---- */

static void respond(kanal_channel *channel, kanal_op op, int32_t code)
{
    const kanal_http_response response = { .struct_size = sizeof response, .code = code };
    channel->host->respond(channel->host, op, &response);
}

static void on_state(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    kanal_channel *channel = user;
    (void)channel;
    (void)status;
    (void)value;
    (void)revision;
    TINY_ON_STATE(channel, status, value);
}

static void publish(kanal_channel *channel, kanal_op op, kanal_str from, kanal_str text, kanal_str id)
{
    struct kanal_buffer address = { 0 }, data = { 0 };
    struct kanal_json json;
    kanal_buffer_text(&address, "tiny:");
    kanal_url_encode(&address, from);
    kanal_json_init(&json, &data);
    kanal_buffer_text(&data, "{\"message\":{\"content\":[{\"type\":\"" TINY_PART_TYPE "\",\"text\":");
    kanal_json_str(&json, text);
    kanal_buffer_text(&data, "}]}}");
    const kanal_event event = { .struct_size = sizeof event,
                                .type = KANAL_LIT("message.received"),
                                .dedupe = TINY_DEDUPE(channel, id),
                                .external_id = id,
                                .address = kanal_buffer_view(&address),
                                .data = kanal_buffer_view(&data) };
    const kanal_event *const events[] = { &event };
    channel->host->publish(channel->host, op, events, 1, NULL, NULL);
    kanal_buffer_release(&address);
    kanal_buffer_release(&data);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    TINY_IN_HTTP(channel, op, request);
    yyjson_doc *doc = kanal_json_parse(request->body);
    yyjson_val *root = yyjson_doc_get_root(doc);
    kanal_str from = kanal_json_text_at(root, "from"), text = kanal_json_text_at(root, "text");
    kanal_str id = kanal_json_text_at(root, "id");
    if (from.len == 0 || from.len > 64 || text.len == 0 || id.len == 0 || id.len > 64) {
        respond(channel, op, 400);
    } else {
        publish(channel, op, from, text, id);
        channel->host->state_put(channel->host, KANAL_LIT("last"), id, UINT64_MAX, on_state, channel);
        respond(channel, op, 200);
    }
    yyjson_doc_free(doc);
}

/* ---- Life ---- */

static void start(kanal_channel *channel, kanal_op op)
{
    TINY_IN_START(channel);
    ask(channel, op, "GET", TINY_ORIGIN "/me", kanal_str_of(NULL, 0), 1);
}

static void stop(kanal_channel *channel, kanal_op op)
{
    channel->stop = op;
    if (TINY_STOPS_AT_ONCE) {
        channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
        return;
    }
    for (struct job *job = channel->jobs; job; job = job->next)
        channel->host->cancel(channel->host, job->call);
    maybe_stopped(channel);
}

const kanal_plugin *kanal_plugin_v1(void)
{
    static const char *const egress[] = { "api.example.com", NULL };
    static const kanal_secret secrets[] = { { "token", "The provider's token", KANAL_SECRET_REQUIRED } };
    static const kanal_route routes[] = { { .method = "POST", .path = "/", .max_body = 65536 } };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "tiny",
        .name = "Tiny",
        .version = TINY_VERSION,
        .caps = TINY_CAPS,
        .egress = egress,
        .routes = routes,
        .route_count = 1,
        .secrets = secrets,
        .secret_count = 1,
        .settings_schema = "{\"type\":\"object\"" TINY_SCHEMA_END,
        .create = create,
        .start = start,
        .on_http = on_http,
        .deliver = deliver,
        .stop = stop,
        .destroy = destroy,
    };
    return &plugin;
}
