#include "ops/admin.h"

#include "host/channel_status.h"
#include "host/worker/worker.h"
#include "kanal/sdk/json.h"

struct admin {
    struct host *host;
    struct http_server *server;
    int ready;
    struct metric *pending, *broker_up;
};

static void respond(struct http_exchange *exchange, int code, kanal_str type, kanal_str body)
{
    kanal_field headers[] = { { KANAL_LIT("content-type"), type },
                              { KANAL_LIT("cache-control"), KANAL_LIT("no-store") } };
    http_respond(exchange, code, headers, 2, body);
}

static const char *broker_state_name(enum broker_state state)
{
    static const char *const names[] = { "connecting", "up", "stalled", "down", "closed" };
    return names[state];
}

static void write_spool(struct kanal_json *json, const struct host_spool *spool)
{
    if (!spool->is_open && !spool->trouble[0])
        return;
    kanal_json_key(json, "spool");
    kanal_json_object(json);
    kanal_json_member_int(json, "events", (int64_t)spool->events);
    kanal_json_member_int(json, "bytes", (int64_t)spool->bytes);
    if (spool->oldest_ms > 0)
        kanal_json_member_time(json, "oldest", spool->oldest_ms);
    if (spool->trouble[0])
        kanal_json_member_text(json, "reason", spool->trouble);
    kanal_json_object_end(json);
}

static void write_projector(struct kanal_json *json, const struct host_projector *projector)
{
    if (!projector->is_enabled)
        return;
    kanal_json_key(json, "projector");
    kanal_json_object(json);
    kanal_json_member_bool(json, "held", projector->is_held);
    if (projector->is_held) {
        kanal_json_member_int(json, "lag_messages", (int64_t)projector->lag);
        kanal_json_member_double(json, "lag_seconds", projector->behind_s);
    }
    kanal_json_member_text(json, "rebuild", projector->rebuild);
    if (projector->trouble[0])
        kanal_json_member_text(json, "reason", projector->trouble);
    kanal_json_object_end(json);
}

static void respond_channels(struct admin *admin, struct http_exchange *exchange)
{
    const struct host *host = admin->host;
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, "broker");
    kanal_json_object(&json);
    kanal_json_member_text(&json, "state", broker_state_name(broker_get_state(host->broker)));
    kanal_json_member_text(&json, "server", broker_server(host->broker));
    kanal_json_object_end(&json);
    write_spool(&json, &host->spool);
    write_projector(&json, &host->projector);
    kanal_json_key(&json, "channels");
    kanal_json_array(&json);
    for (const struct channel *channel = host->first_channel; channel; channel = channel->next)
        channel_write(&json, channel);
    kanal_json_array_end(&json);
    kanal_json_object_end(&json);
    kanal_buffer_byte(&body, '\n');
    respond(exchange, 200, KANAL_LIT("application/json"), kanal_buffer_view(&body));
    kanal_buffer_release(&body);
}

static void respond_metrics(struct admin *admin, struct http_exchange *exchange)
{
    struct kanal_buffer body = { 0 };
    admin->broker_up->value = broker_get_state(admin->host->broker) == BROKER_UP;
    admin->pending->value = (double)broker_pending(admin->host->broker);
    metrics_write(admin->host->metrics, &body);
    respond(exchange, 200, KANAL_LIT("text/plain; version=0.0.4"), kanal_buffer_view(&body));
    kanal_buffer_release(&body);
}

static int64_t on_begin(void *user, struct http_exchange *exchange, const struct http_request *request)
{
    (void)user;
    if (kanal_str_is(request->method, "GET") || kanal_str_is(request->method, "HEAD"))
        return 0;
    kanal_field allow = { KANAL_LIT("allow"), KANAL_LIT("GET") };
    http_respond(exchange, 405, &allow, 1, KANAL_LIT("only GET\n"));
    return -1;
}

static void on_run(void *user, struct http_exchange *exchange, const struct http_request *request)
{
    struct admin *admin = user;
    if (kanal_str_is(request->path, "/livez"))
        respond(exchange, 200, KANAL_LIT("text/plain"), KANAL_LIT("ok\n"));
    else if (kanal_str_is(request->path, "/readyz"))
        respond(exchange, admin->ready ? 200 : 503, KANAL_LIT("text/plain"),
                admin->ready ? KANAL_LIT("ok\n") : KANAL_LIT("starting or stopping\n"));
    else if (kanal_str_is(request->path, "/channels"))
        respond_channels(admin, exchange);
    else if (kanal_str_is(request->path, "/metrics"))
        respond_metrics(admin, exchange);
    else
        respond(exchange, 404, KANAL_LIT("text/plain"),
                KANAL_LIT("there are /livez, /readyz, /channels and /metrics\n"));
}

static void on_gone(void *user, struct http_exchange *exchange)
{
    (void)user;
    (void)exchange;
}

int admin_new(struct admin **ret_admin, struct host *host, const char *listen)
{
    static const struct http_handler handler = { .begin = on_begin, .run = on_run, .gone = on_gone };
    struct http_server_options options = { .listen = listen };
    struct admin *admin = calloc(1, sizeof *admin);
    if (!admin)
        return KANAL_E_INTERNAL;
    admin->host = host;
    admin->broker_up = metric_series(
        metrics_family(host->metrics, METRIC_GAUGE, "kanal_broker_up", "1: connected and answering.", NULL),
        NULL);
    admin->pending =
        metric_series(metrics_family(host->metrics, METRIC_GAUGE, "kanal_broker_requests_pending",
                                     "Requests to the broker that wait for an answer.", NULL),
                      NULL);
    int status = http_server_new(&admin->server, host->loop, &options, &handler, admin);
    if (status != 0) {
        free(admin);
        return status;
    }
    *ret_admin = admin;
    return 0;
}

uint16_t admin_port(const struct admin *admin)
{
    return http_server_port(admin->server);
}

void admin_set_ready(struct admin *admin, int ready)
{
    admin->ready = ready;
}

void admin_free(struct admin *admin)
{
    if (!admin)
        return;
    http_server_free(admin->server);
    free(admin);
}
