#include "api/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uv.h>

#include "kanal/sdk/json.h"
#include "kanal/sdk/time.h"

#define REPLY_MAX 256u
#define VIOLATIONS_MAX 64u
#define BODY_MAX (256u * 1024)
#define VERBS 3u
#define SUBJECTS_MAX 96u
#define DROP_TOLD_MS 60000

enum verb { PING, INFO, STATS };

struct api_request {
    struct api *api;
    struct api_request *prev, *next;
    struct endpoint *endpoint;
    char reply[REPLY_MAX];
    uint64_t started_ns;
};

struct endpoint {
    struct endpoint *next;
    struct api *api;
    const struct api_endpoint *what;
    void *user; /* of its handler */
    struct broker_subscription *subscription;
    char subject[SUBJECTS_MAX];
    uint64_t requests, errors, took_ns;
    char last_error[128];
};

/* One of the nine $SRV subscriptions. */
struct listener {
    struct api *api;
    enum verb verb;
    struct broker_subscription *subscription;
};

struct api {
    struct broker *broker;
    struct log *log;
    const char *prefix, *version, *instance_id;
    int64_t started_ms;
    struct endpoint *endpoints, **last_endpoint;
    struct listener listeners[VERBS * 3];
    struct api_request *requests; /* not answered yet */
    struct metric_family *counted;
    struct metric *dropped;
    int64_t drop_told_ms; /* a log line a minute */
};

static const char *const verb_names[VERBS] = { "PING", "INFO", "STATS" };

int api_reply_allowed(kanal_str subject)
{
    /* _R_.: how a server rewrites the reply of a service that another account imports. */
    return kanal_str_starts(subject, "_INBOX.") || kanal_str_starts(subject, "_R_.");
}

/* ---- Answers ---- */

static void send_answer(struct api *api, const char *reply, kanal_str body, const kanal_field *headers,
                        size_t header_count)
{
    struct broker_out out = {
        .subject = kanal_str_c(reply), .payload = body, .headers = headers, .header_count = header_count
    };
    broker_publish(api->broker, &out); /* who asked sees a timeout if the broker is away, and asks again */
}

static void end_request(struct api_request *request, const char *error)
{
    struct api *api = request->api;
    struct endpoint *endpoint = request->endpoint;
    kanal_str values[] = { kanal_str_c(endpoint->what->name), kanal_str_c(error ? error : "ok") };
    metric_series(api->counted, values)->value++;
    endpoint->took_ns += uv_hrtime() - request->started_ns;
    if (error) {
        endpoint->errors++;
        snprintf(endpoint->last_error, sizeof endpoint->last_error, "%s", error);
    }
    if (request->prev)
        request->prev->next = request->next;
    else
        api->requests = request->next;
    if (request->next)
        request->next->prev = request->prev;
    free(request);
}

void api_answer(struct api_request *request, kanal_str body)
{
    kanal_field type = { KANAL_LIT("Content-Type"), KANAL_LIT("application/json") };
    send_answer(request->api, request->reply, body, &type, 1);
    end_request(request, NULL);
}

/* A header's value is one line. */
static kanal_str first_line(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\r' || text.ptr[i] == '\n' || text.ptr[i] == '\0')
            return kanal_str_of(text.ptr, i);
    return text;
}

void api_refuse(struct api_request *request, int status, const char *code, kanal_str message,
                kanal_str violations)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    char number[12];
    snprintf(number, sizeof number, "%d", status);
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, "error");
    kanal_json_object(&json);
    kanal_json_member_text(&json, "code", code);
    kanal_json_member_str(&json, "detail", message);
    if (violations.len > 2) { /* more than "[]" */
        kanal_json_key(&json, "errors");
        kanal_json_raw(&json, violations);
    }
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    kanal_field headers[] = { { KANAL_LIT("Content-Type"), KANAL_LIT("application/json") },
                              { KANAL_LIT("Nats-Service-Error"), first_line(message) },
                              { KANAL_LIT("Nats-Service-Error-Code"), kanal_str_c(number) } };
    send_answer(request->api, request->reply, kanal_buffer_view(&body), headers, 3);
    end_request(request, code);
    kanal_buffer_release(&body);
}

struct violations {
    struct kanal_json json;
    uint32_t count;
};

static void on_violation(void *user, kanal_str pointer, kanal_str member, kanal_str message)
{
    struct violations *v = user;
    struct kanal_buffer place = { 0 };
    if (v->count++ >= VIOLATIONS_MAX)
        return;
    kanal_buffer_str(&place, pointer);
    if (member.len > 0) {
        kanal_buffer_byte(&place, '/');
        kanal_buffer_str(&place, member);
    }
    kanal_json_object(&v->json);
    kanal_json_member_str(&v->json, "pointer", place.len > 0 ? kanal_buffer_view(&place) : KANAL_LIT(""));
    kanal_json_member_str(&v->json, "message", message);
    kanal_json_object_end(&v->json);
    kanal_buffer_release(&place);
}

int api_is_valid(struct api_request *request, const struct json_schema *contract, const char *definition,
                 yyjson_val *body)
{
    struct kanal_buffer wrong = { 0 };
    struct violations violations = { 0 };
    if (!contract) {
        api_refuse(request, 503, "unavailable", KANAL_LIT("the gateway is starting"), (kanal_str){ 0 });
        return 0;
    }
    kanal_json_init(&violations.json, &wrong);
    kanal_json_array(&violations.json);
    size_t count = json_schema_check_at(contract, definition, body, on_violation, &violations);
    kanal_json_array_end(&violations.json);
    if (count > 0)
        api_refuse(request, 400, "invalid_request", KANAL_LIT("the request breaks the contract"),
                   kanal_buffer_view(&wrong));
    kanal_buffer_release(&wrong);
    return count == 0;
}

yyjson_doc *api_read_body(struct api_request *request, kanal_str body)
{
    yyjson_doc *document =
        body.len <= BODY_MAX ? kanal_json_parse(body.len > 0 ? body : KANAL_LIT("{}")) : NULL;
    if (yyjson_is_obj(yyjson_doc_get_root(document)))
        return document;
    yyjson_doc_free(document);
    api_refuse(request, 400, "invalid_request",
               KANAL_LIT("the request must be a JSON object of at most 256 KiB"), (kanal_str){ 0 });
    return NULL;
}

void api_unavailable(struct api_request *request, kanal_status status)
{
    api_refuse(request, 503, "unavailable",
               status == KANAL_E_BUSY ? KANAL_LIT("the gateway or the broker is too busy for this now")
                                      : KANAL_LIT("the broker cannot be asked now; it is safe to try again"),
               (kanal_str){ 0 });
}

/* ---- Requests ---- */

static int may_answer(struct api *api, const struct broker_in *in)
{
    if (in->reply.len > 0 && in->reply.len < REPLY_MAX && api_reply_allowed(in->reply))
        return 1;
    int64_t now = (int64_t)(uv_hrtime() / 1000000);
    api->dropped->value++;
    if (api->drop_told_ms > 0 && now - api->drop_told_ms < DROP_TOLD_MS)
        return 0;
    api->drop_told_ms = now;
    log_write(api->log, KANAL_LOG_WARN, "api", NULL,
              "a request to %.*s names no inbox for its answer: dropped", (int)in->subject.len,
              in->subject.ptr);
    return 0;
}

static void on_request(void *user, const struct broker_in *in)
{
    struct endpoint *endpoint = user;
    struct api *api = endpoint->api;
    if (!may_answer(api, in))
        return;
    struct api_request *request = calloc(1, sizeof *request);
    if (!request)
        return; /* who asked sees a timeout */
    request->api = api;
    request->endpoint = endpoint;
    request->started_ns = uv_hrtime();
    memcpy(request->reply, in->reply.ptr, in->reply.len);
    request->next = api->requests;
    if (request->next)
        request->next->prev = request;
    api->requests = request;
    endpoint->requests++;
    endpoint->what->handle(endpoint->user, request, in->payload);
}

/* ---- $SRV ---- */

static void write_head(const struct api *api, struct kanal_json *json, const char *type)
{
    kanal_json_member_text(json, "name", api->prefix);
    kanal_json_member_text(json, "id", api->instance_id);
    kanal_json_member_text(json, "version", api->version);
    kanal_json_key(json, "metadata");
    kanal_json_object(json);
    kanal_json_object_end(json);
    kanal_json_member_text(json, "type", type);
}

static void write_endpoint(const struct endpoint *endpoint, struct kanal_json *json, enum verb verb)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "name", endpoint->what->name);
    kanal_json_member_text(json, "subject", endpoint->subject);
    kanal_json_member_text(json, "queue_group", "q");
    if (verb == INFO) {
        kanal_json_key(json, "metadata");
        kanal_json_object(json);
        kanal_json_member_text(json, "description", endpoint->what->description);
        kanal_json_object_end(json);
    } else {
        uint64_t average = endpoint->requests > 0 ? endpoint->took_ns / endpoint->requests : 0;
        kanal_json_member_int(json, "num_requests", (int64_t)endpoint->requests);
        kanal_json_member_int(json, "num_errors", (int64_t)endpoint->errors);
        kanal_json_member_text(json, "last_error", endpoint->last_error);
        kanal_json_member_int(json, "processing_time", (int64_t)endpoint->took_ns);
        kanal_json_member_int(json, "average_processing_time", (int64_t)average);
    }
    kanal_json_object_end(json);
}

static void write_info(const struct api *api, struct kanal_json *json)
{
    kanal_json_member_text(json, "description", "Kanal, the omnichannel gateway");
    kanal_json_key(json, "subjects"); /* older clients read these */
    kanal_json_array(json);
    for (const struct endpoint *endpoint = api->endpoints; endpoint; endpoint = endpoint->next)
        kanal_json_str(json, kanal_str_c(endpoint->subject));
    kanal_json_array_end(json);
}

static void on_service(void *user, const struct broker_in *in)
{
    static const char *const types[VERBS] = { "io.nats.micro.v1.ping_response",
                                              "io.nats.micro.v1.info_response",
                                              "io.nats.micro.v1.stats_response" };
    const struct listener *listener = user;
    struct api *api = listener->api;
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    if (!may_answer(api, in))
        return;
    char reply[REPLY_MAX] = "";
    memcpy(reply, in->reply.ptr, in->reply.len);
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    write_head(api, &json, types[listener->verb]);
    if (listener->verb == INFO)
        write_info(api, &json);
    if (listener->verb == STATS)
        kanal_json_member_time(&json, "started", api->started_ms);
    if (listener->verb != PING) {
        kanal_json_key(&json, "endpoints");
        kanal_json_array(&json);
        for (const struct endpoint *endpoint = api->endpoints; endpoint; endpoint = endpoint->next)
            write_endpoint(endpoint, &json, listener->verb);
        kanal_json_array_end(&json);
    }
    kanal_json_object_end(&json);
    send_answer(api, reply, kanal_buffer_view(&body), NULL, 0);
    kanal_buffer_release(&body);
}

/* ---- Life ---- */

static int subscribe_service(struct api *api)
{
    const char *const names[] = { NULL, api->prefix, api->prefix };
    for (size_t i = 0; i < VERBS * 3; i++) {
        struct listener *listener = &api->listeners[i];
        enum verb verb = (enum verb)(i / 3);
        char subject[SUBJECTS_MAX];
        const char *name = names[i % 3];
        snprintf(subject, sizeof subject, "$SRV.%s%s%s%s%s", verb_names[verb], name ? "." : "",
                 name ? name : "", i % 3 == 2 ? "." : "", i % 3 == 2 ? api->instance_id : "");
        listener->api = api;
        listener->verb = verb;
        int status =
            broker_subscribe(api->broker, subject, NULL, on_service, listener, &listener->subscription);
        if (status != 0)
            return status;
    }
    return 0;
}

int api_add(struct api *api, const struct api_endpoint *endpoints, size_t count, void *user)
{
    for (size_t i = 0; i < count; i++) {
        struct endpoint *endpoint = calloc(1, sizeof *endpoint);
        if (!endpoint)
            return KANAL_E_INTERNAL;
        endpoint->api = api;
        endpoint->what = &endpoints[i];
        endpoint->user = user;
        snprintf(endpoint->subject, sizeof endpoint->subject, "%s.api.%s", api->prefix, endpoints[i].name);
        *api->last_endpoint = endpoint;
        api->last_endpoint = &endpoint->next;
        int status = broker_subscribe(api->broker, endpoint->subject, "q", on_request, endpoint,
                                      &endpoint->subscription);
        if (status != 0)
            return status;
    }
    return 0;
}

int api_new(struct api **ret_api, const struct api_options *options)
{
    static const char *const by_endpoint[] = { "endpoint", "result", NULL };
    struct api *api = calloc(1, sizeof *api);
    struct timespec now;
    if (!api)
        return KANAL_E_INTERNAL;
    clock_gettime(CLOCK_REALTIME, &now);
    api->broker = options->broker;
    api->log = options->log;
    api->prefix = options->prefix;
    api->version = options->version;
    api->instance_id = options->instance_id;
    api->started_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    api->last_endpoint = &api->endpoints;
    api->counted = metrics_family(options->metrics, METRIC_COUNTER, "kanal_api_requests_total",
                                  "Requests to the API, by how they were answered.", by_endpoint);
    api->dropped =
        metric_series(metrics_family(options->metrics, METRIC_COUNTER, "kanal_api_dropped_total",
                                     "Requests whose reply subject is no inbox: not answered.", NULL),
                      NULL);
    if (subscribe_service(api) != 0) {
        api_free(api);
        return KANAL_E_INTERNAL;
    }
    *ret_api = api;
    return 0;
}

void api_free(struct api *api)
{
    if (!api)
        return;
    while (api->endpoints) {
        struct endpoint *endpoint = api->endpoints;
        api->endpoints = endpoint->next;
        if (endpoint->subscription)
            broker_unsubscribe(endpoint->subscription);
        free(endpoint);
    }
    for (size_t i = 0; i < VERBS * 3; i++)
        if (api->listeners[i].subscription)
            broker_unsubscribe(api->listeners[i].subscription);
    while (api->requests) {
        struct api_request *next = api->requests->next;
        free(api->requests);
        api->requests = next;
    }
    free(api);
}
