/* postbox - a channel for Kanal: a shop's own app.
 *
 * In:  the app's server posts what a customer wrote to /c/CHANNEL/, signed with a shared secret.
 * Out: what is sent to the customer is posted to API_URL/messages, with a bearer token.
 *
 * README.md says how it is set up. Every call and its rules: kanal/plugin.h. */
#include "kanal/sdk/sdk.h"

#define NAME "postbox"
#define VERSION "0.1.0"
#define TEXT_BYTES_MAX 4096u
#define ID_BYTES_MAX 64u
#define NAME_BYTES_MAX 256u /* what the contract lets a name have */

/* One delivery that waits for the app's server. */
struct job {
    struct job *next;
    struct kanal_channel *channel;
    kanal_op op;   /* of deliver(): the answer that is owed */
    kanal_op call; /* of http_send(): what stop() cancels */
};

struct kanal_channel {
    const kanal_host *host;
    char *api_url;
    struct job *jobs;
    kanal_op stopping; /* of stop(), while jobs are still open; else 0 */
};

/* ---- Life ---- */

static void destroy(kanal_channel *channel)
{
    if (!channel)
        return;
    free(channel->api_url);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    yyjson_doc *settings = kanal_json_parse(config->settings); /* valid by settings_schema */
    if (channel) {
        channel->host = host;
        channel->api_url = kanal_str_dup(kanal_json_text_at(yyjson_doc_get_root(settings), "api_url"));
    }
    yyjson_doc_free(settings);
    if (channel && channel->api_url)
        return channel;
    host->log(host, 0, KANAL_LOG_ERROR, KANAL_LIT("out of memory"));
    destroy(channel);
    return NULL;
}

static void start(kanal_channel *channel, kanal_op op) /* nothing to open */
{
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void finish_stop(kanal_channel *channel)
{
    kanal_op op = channel->stopping;
    if (!op || channel->jobs)
        return;
    channel->stopping = 0;
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    channel->stopping = op;
    for (struct job *job = channel->jobs; job; job = job->next)
        channel->host->cancel(channel->host, job->call); /* each callback still comes, later */
    finish_stop(channel);
}

/* ---- In: POST / {"id": "7", "from": "anna", "name": "Anna", "text": "hi"} ---- */

static void respond(kanal_channel *channel, kanal_op op, int32_t code, kanal_str body)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    const kanal_http_response response = {
        .struct_size = sizeof response, .code = code, .body = body, .headers = &type, .header_count = 1
    };
    channel->host->respond(channel->host, op, &response);
}

/* "anna k" -> "postbox:anna%20k": an address is a URI with percent-encoded parts. */
static void write_address(struct kanal_buffer *out, kanal_str customer)
{
    kanal_buffer_text(out, NAME ":");
    kanal_url_encode(out, customer);
}

static void write_data(struct kanal_buffer *out, kanal_str name, kanal_str text)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    if (name.len > 0 && name.len <= NAME_BYTES_MAX) {
        kanal_json_key(&json, "customer");
        kanal_json_object(&json);
        kanal_json_member_str(&json, "name", name);
        kanal_json_object_end(&json);
    }
    kanal_json_key(&json, "message");
    kanal_json_object(&json);
    kanal_json_key(&json, "content");
    kanal_json_array(&json);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "type", "text");
    kanal_json_member_str(&json, "text", text);
    kanal_json_object_end(&json);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
}

static void publish(kanal_channel *channel, kanal_op cause, yyjson_val *said, kanal_str id, kanal_str from)
{
    struct kanal_buffer address = { 0 }, data = { 0 };
    write_address(&address, from);
    write_data(&data, kanal_json_text_at(said, "name"), kanal_json_text_at(said, "text"));
    const kanal_event event = { .struct_size = sizeof event,
                                .type = KANAL_LIT("message.received"),
                                .dedupe = id, /* posted again, it is the same event */
                                .external_id = id,
                                .address = kanal_buffer_view(&address),
                                .data = kanal_buffer_view(&data) };
    const kanal_event *const events[] = { &event };
    channel->host->publish(channel->host, cause, events, 1, NULL, NULL);
    kanal_buffer_release(&address);
    kanal_buffer_release(&data);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    yyjson_doc *doc = kanal_json_parse(request->body); /* the getters take anything, also NULL */
    yyjson_val *said = yyjson_doc_get_root(doc);
    char number[24];
    kanal_str id = kanal_json_id_at(said, "id", number), from = kanal_json_text_at(said, "from");
    kanal_str text = kanal_json_text_at(said, "text");
    if (id.len == 0 || id.len > ID_BYTES_MAX || from.len == 0 || from.len > ID_BYTES_MAX || text.len == 0 ||
        text.len > TEXT_BYTES_MAX) {
        respond(channel, op, 400,
                KANAL_LIT("{\"error\":\"expected id and from (1 to 64 bytes) and text (1 to 4096)\"}"));
    } else {
        publish(channel, op, said, id, from);
        respond(channel, op, 200, KANAL_LIT("{\"ok\":true}")); /* held back until the event is stored */
    }
    yyjson_doc_free(doc);
}

/* ---- Out: POST API_URL/messages {"to": "anna", "text": "…"} -> {"id": "…"} ---- */

/* What the app's server said, as an outcome. A result that is neither sent nor retried needs a code of the contract. */
static void judge(kanal_result *result, const kanal_host *host, const kanal_http_response *response)
{
    if (response->code >= 200 && response->code < 300) {
        result->outcome = KANAL_SENT;
    } else if (response->code == 429 || response->code >= 500) {
        result->outcome = KANAL_RETRY;
        result->scope = response->code == 429 ? KANAL_SCOPE_CHANNEL : KANAL_SCOPE_MESSAGE;
        result->code = response->code == 429 ? KANAL_LIT("rate_limited") : KANAL_LIT("provider_error");
        kanal_time_retry_after(kanal_field_get(response->headers, response->header_count, "retry-after"),
                               host->now_ms(host), &result->retry_after_ms);
    } else if (response->code == 401 || response->code == 403) {
        result->outcome = KANAL_FAILED;
        result->scope = KANAL_SCOPE_CHANNEL;
        result->code = KANAL_LIT("auth_failed");
        host->health(host, KANAL_E_DENIED, KANAL_LIT("the app's server refuses the token"));
    } else {
        result->outcome = KANAL_FAILED;
        result->code =
            response->code == 404 ? KANAL_LIT("recipient_unknown") : KANAL_LIT("provider_rejected");
    }
}

/* The host could not bring an answer. */
static void judge_failure(kanal_result *result, kanal_status status)
{
    if (status == KANAL_E_MAYBE || status == KANAL_E_TOO_LARGE) { /* it may have been taken */
        result->outcome = KANAL_UNKNOWN;
        result->code = KANAL_LIT("timeout");
    } else if (status == KANAL_E_CANCELLED) {
        result->outcome = KANAL_UNKNOWN;
        result->code = KANAL_LIT("interrupted");
    } else { /* nothing left this machine */
        result->outcome = KANAL_RETRY;
        result->code = KANAL_LIT("network");
    }
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct job *job = user;
    struct kanal_channel *channel = job->channel;
    struct job **at = &channel->jobs;
    kanal_result result = { .struct_size = sizeof result };
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(response->body) : NULL;
    char number[24];
    if (status == KANAL_OK)
        judge(&result, channel->host, response);
    else
        judge_failure(&result, status);
    if (result.outcome == KANAL_SENT) {
        result.external_id = kanal_json_id_at(yyjson_doc_get_root(doc), "id", number);
        channel->host->health(channel->host, KANAL_OK, kanal_str_of(NULL, 0));
    }
    channel->host->delivered(channel->host, job->op, &result);
    yyjson_doc_free(doc);
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    free(job);
    finish_stop(channel);
}

static void refuse(kanal_channel *channel, kanal_op op, int32_t outcome, kanal_str code)
{
    const kanal_result result = { .struct_size = sizeof result, .outcome = outcome, .code = code };
    channel->host->delivered(channel->host, op, &result);
}

static void post(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery, kanal_str text)
{
    struct job *job = calloc(1, sizeof *job);
    struct kanal_buffer url = { 0 }, body = { 0 }, customer = { 0 };
    struct kanal_json json;
    const kanal_secret_use token = { .where = KANAL_IN_HEADER,
                                     .name = KANAL_LIT("authorization"),
                                     .prefix = KANAL_LIT("Bearer "),
                                     .secret = KANAL_LIT("token") };
    const kanal_field headers[] = { { KANAL_LIT("content-type"), KANAL_LIT("application/json") },
                                    { KANAL_LIT("idempotency-key"), delivery->idempotency_key } };
    kanal_url_decode(&customer, kanal_str_from(delivery->address, strlen(NAME ":")), 0);
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "to", kanal_buffer_view(&customer));
    kanal_json_member_str(&json, "text", text);
    kanal_json_object_end(&json);
    kanal_buffer_text(&url, channel->api_url);
    kanal_buffer_text(&url, "/messages");
    const kanal_http_request request = { .struct_size = sizeof request,
                                         .method = KANAL_LIT("POST"),
                                         .url = kanal_buffer_view(&url),
                                         .body = kanal_buffer_view(&body),
                                         .headers = headers,
                                         .header_count = 2,
                                         .secrets = &token,
                                         .secret_count = 1 };
    if (!job || url.failed || body.failed) {
        refuse(channel, op, KANAL_RETRY, KANAL_LIT("internal"));
        free(job);
    } else {
        *job = (struct job){ .next = channel->jobs, .channel = channel, .op = op };
        channel->jobs = job;
        job->call = channel->host->http_send(channel->host, op, &request, on_response, job);
    }
    kanal_buffer_release(&url);
    kanal_buffer_release(&body);
    kanal_buffer_release(&customer);
}

/* The core has already made everything into what `caps` and `limits` say: one text. */
static void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    yyjson_doc *doc = kanal_json_parse(delivery->data);
    yyjson_val *part = yyjson_arr_get_first(kanal_json_at(yyjson_doc_get_root(doc), "content"));
    kanal_str text = kanal_json_text_at(part, "text");
    if (!kanal_str_is(delivery->type, "message.send"))
        refuse(channel, op, KANAL_FAILED, KANAL_LIT("unsupported_verb"));
    else if (!kanal_str_starts(delivery->address, NAME ":"))
        refuse(channel, op, KANAL_FAILED, KANAL_LIT("recipient_unknown"));
    else if (text.len == 0)
        refuse(channel, op, KANAL_FAILED, KANAL_LIT("unsupported_content"));
    else
        post(channel, op, delivery, text);
    yyjson_doc_free(doc);
}

/* ---- What the host reads before it calls anything ---- */

static const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"api_url\"],\"properties\":{"
    "\"api_url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https?://[^?#]*[^/"
    "?#]$\",\"maxLength\":512,"
    "\"description\":\"Base URL of the app's server, without a slash at its end.\"}}}";

const kanal_plugin *kanal_plugin_v1(void)
{
    static const kanal_limits limits = { .struct_size = sizeof limits, .text_bytes = TEXT_BYTES_MAX };
    static const char *const egress[] = { "${setting:api_url}", NULL };
    static const kanal_secret secrets[] = {
        { "token", "What the app's server wants as bearer token", KANAL_SECRET_REQUIRED },
        { "webhook", "What the app's server signs its requests with: 32 random bytes or more",
          KANAL_SECRET_REQUIRED },
    };
    static const kanal_route routes[] = {
        { .method = "POST",
          .path = "/",
          .algorithm = "hmac-sha256",
          .name = "x-signature",
          .prefix = "sha256=",
          .encoding = "hex",
          .secret = "webhook",
          .where = KANAL_IN_HEADER,
          .max_body = 65536 },
    };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = NAME,
        .name = "Postbox",
        .version = VERSION,
        .caps = KANAL_CAP_TEXT | KANAL_CAP_IDEMPOTENT,
        .limits = &limits,
        .egress = egress,
        .routes = routes,
        .route_count = sizeof routes / sizeof *routes,
        .secrets = secrets,
        .secret_count = sizeof secrets / sizeof *secrets,
        .settings_schema = settings_schema,
        .create = create,
        .start = start,
        .on_http = on_http,
        .deliver = deliver,
        .stop = stop,
        .destroy = destroy,
    };
    return &plugin;
}
