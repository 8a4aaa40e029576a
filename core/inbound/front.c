#include "inbound/front.h"

#include <stddef.h>

#include "host/services/services.h"
#include "inbound/internal.h"
#include "kanal/sdk/base64.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/url.h"

#define BODY_DEFAULT (1024u * 1024)
#define ANSWER_MS 30000u        /* a plugin's time for on_http() and media(), as plugin.h says */
#define SERVER_ANSWER_MS 35000u /* the server's default, which has the last word */

static const char *const by_code[] = { "channel", "code", NULL };

/* A request of a channel, from its headers to its answer; kept as the exchange's user. */
struct inbound {
    enum inbound_kind kind; /* first, as of every user of an exchange */
    struct waiter waiter;   /* for the plugin's answer */
    struct front *front;
    struct http_exchange *exchange;
    struct channel *channel;
    const kanal_route *route;
    struct op *op;
    kanal_http_request request;
    struct kanal_buffer url;
    struct trace trace; /* of what comes of it */
    struct inbound *prev, *next;
};

void front_count(struct front *front, const struct channel *channel, int code)
{
    char text[3] = { (char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10), (char)('0' + code % 10) };
    kanal_str values[] = { channel ? channel->id : KANAL_LIT("_"), kanal_str_of(text, sizeof text) };
    metric_series(front->requests, values)->value++;
}

void front_refuse(struct front *front, struct http_exchange *exchange, const struct channel *channel,
                  int code, const char *error, const char *message, const kanal_field *header)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, "error");
    kanal_json_object(&json);
    kanal_json_member_text(&json, "code", error);
    kanal_json_member_text(&json, "message", message);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    kanal_field headers[2] = { { KANAL_LIT("content-type"), KANAL_LIT("application/json") } };
    if (header)
        headers[1] = *header;
    front_count(front, channel, code);
    http_respond(exchange, code, headers, header ? 2 : 1, kanal_buffer_view(&body));
    kanal_buffer_release(&body);
}

static void inbound_link(struct inbound *in)
{
    struct front *front = in->front;
    in->next = front->inbounds;
    if (in->next)
        in->next->prev = in;
    front->inbounds = in;
}

static void inbound_unlink(struct inbound *in)
{
    overdue_unwatch(&in->waiter);
    if (in->prev)
        in->prev->next = in->next;
    else
        in->front->inbounds = in->next;
    if (in->next)
        in->next->prev = in->prev;
}

static void inbound_free(struct inbound *in)
{
    inbound_unlink(in);
    kanal_buffer_release(&in->url);
    free(in);
}

/* It was answered, perhaps from inside on_http(): there the plugin may read the request until it returns. */
static void inbound_answered(struct inbound *in)
{
    http_exchange_set_user(in->exchange, NULL);
    inbound_unlink(in);
    in->next = in->front->answered;
    in->front->answered = in;
}

static void free_answered(struct front *front)
{
    while (front->answered) {
        struct inbound *in = front->answered;
        front->answered = in->next;
        kanal_buffer_release(&in->url);
        free(in);
    }
}

/* ---- Finding the route ---- */

static int path_matches(const char *pattern, kanal_str path)
{
    size_t n = strlen(pattern);
    if (n > 1 && pattern[n - 1] == '*')
        return path.len >= n - 1 && memcmp(path.ptr, pattern, n - 1) == 0;
    return kanal_str_is(path, pattern);
}

static int method_matches(const char *wanted, kanal_str method)
{
    return kanal_str_is(method, wanted) || (kanal_str_is(method, "HEAD") && strcmp(wanted, "GET") == 0);
}

/* NULL: none; then ret_allow has the methods that the path knows, or is empty. */
static const kanal_route *find_route(const struct channel *channel, kanal_str method, kanal_str path,
                                     struct kanal_buffer *ret_allow)
{
    const kanal_plugin *plugin = &channel->plugin->descriptor;
    for (size_t i = 0; i < plugin->route_count; i++) {
        const kanal_route *route = &plugin->routes[i];
        if (!path_matches(route->path, path))
            continue;
        if (method_matches(route->method, method))
            return route;
        if (ret_allow->len > 0)
            kanal_buffer_text(ret_allow, ", ");
        kanal_buffer_text(ret_allow, route->method);
    }
    return NULL;
}

/* "/c/<channel-id>" and "/c/<channel-id>/…" */
static struct channel *find_channel(const struct host *host, kanal_str path, kanal_str *ret_rest)
{
    kanal_str rest = kanal_str_from(path, 3);
    size_t n = 0;
    while (n < rest.len && rest.ptr[n] != '/')
        n++;
    struct channel *channel = host_find(host, kanal_str_of(rest.ptr, n));
    *ret_rest = n < rest.len ? kanal_str_from(rest, n) : KANAL_LIT("/");
    return channel;
}

static int64_t begin_channel(struct front *front, struct http_exchange *exchange,
                             const struct http_request *request)
{
    struct kanal_buffer allow = { 0 };
    kanal_str path;
    struct channel *channel = find_channel(front->host, request->path, &path);
    if (!channel) {
        front_refuse(front, exchange, NULL, 404, "unknown_channel", "no channel of that id is configured",
                     NULL);
        return -1;
    }
    const kanal_route *route = find_route(channel, request->method, path, &allow);
    if (!route && allow.len > 0) {
        kanal_field header = { KANAL_LIT("allow"), kanal_buffer_view(&allow) };
        front_refuse(front, exchange, channel, 405, "wrong_method",
                     "this path takes other methods; the header Allow names them", &header);
    } else if (!route) {
        front_refuse(front, exchange, channel, 404, "unknown_path", "the channel has no such path", NULL);
    }
    kanal_buffer_release(&allow);
    struct inbound *in = route ? calloc(1, sizeof *in) : NULL;
    if (route && !in)
        front_refuse(front, exchange, channel, 503, "busy", "the gateway is out of memory", NULL);
    if (!in)
        return -1;
    *in = (struct inbound){
        .kind = INBOUND_CHANNEL, .front = front, .exchange = exchange, .channel = channel, .route = route
    };
    in->request.path = path;
    inbound_link(in);
    http_exchange_set_user(exchange, in);
    uint32_t limit = route->max_body ? route->max_body : BODY_DEFAULT;
    return limit < front->body_bytes ? limit : front->body_bytes;
}

static int64_t on_begin(void *user, struct http_exchange *exchange, const struct http_request *request)
{
    struct front *front = user;
    free_answered(front);
    http_exchange_set_user(exchange, NULL);
    if (kanal_str_starts(request->path, "/c/"))
        return begin_channel(front, exchange, request);
    if (kanal_str_starts(request->path, "/m/") &&
        (kanal_str_is(request->method, "GET") || kanal_str_is(request->method, "HEAD")))
        return 0;
    front_refuse(front, exchange, NULL, 404, "unknown_path", "channels are below /c/, media below /m/", NULL);
    return -1;
}

/* ---- Authenticity ---- */

static kanal_str claimed_value(const kanal_route *route, const struct http_request *request,
                               struct kanal_buffer *scratch)
{
    if (route->where == KANAL_IN_HEADER)
        return kanal_field_get(request->headers, request->header_count, route->name);
    if (kanal_form_get(request->query, route->name, scratch) == 0)
        return kanal_buffer_view(scratch);
    return (kanal_str){ 0 };
}

/* 0, or KANAL_E_NOT_FOUND: no such secret is configured; KANAL_E_REJECTED: wrong; KANAL_E_INVALID: absent or malformed. */
static int check_authenticity(const struct channel *channel, const kanal_route *route,
                              const struct http_request *request)
{
    if (!route->algorithm)
        return 0;
    struct kanal_buffer scratch = { 0 }, bytes = { 0 };
    kanal_str claimed = claimed_value(route, request, &scratch);
    int status = KANAL_E_INVALID;
    const char *prefix = route->prefix ? route->prefix : "";
    if (!claimed.ptr || !kanal_str_starts(claimed, prefix))
        goto out;
    claimed = kanal_str_from(claimed, strlen(prefix));
    if (route->encoding) {
        int bad = strcmp(route->encoding, "hex") == 0 ? kanal_hex_decode(&bytes, claimed)
                                                      : kanal_base64_decode(&bytes, claimed, 0);
        if (bad)
            goto out;
        claimed = kanal_buffer_view(&bytes);
    }
    status = check_signature(channel, kanal_str_c(route->secret), kanal_str_c(route->algorithm),
                             request->body, claimed);
out:
    kanal_buffer_release(&scratch);
    kanal_buffer_release(&bytes);
    return status;
}

/* ---- To the channel and back ---- */

static void on_answered(struct op *op, const void *answer)
{
    struct inbound *in = op->owner;
    const kanal_http_response *response = answer;
    inbound_answered(in);
    if (answer == channel_upgraded) {
        front_count(in->front, in->channel, 101);
    } else if (!response) {
        static const kanal_field retry = { { "retry-after", 11 }, { "5", 1 } };
        front_refuse(in->front, in->exchange, in->channel, 503, "channel_down",
                     "the channel is being stopped; send it again", &retry);
    } else {
        front_count(in->front, in->channel, response->code);
        http_respond(in->exchange, response->code, response->headers, response->header_count, response->body);
    }
}

/* What it has answered, but is not stored yet, has the broker's deadlines. */
static void on_late(struct waiter *waiter)
{
    struct inbound *in = (struct inbound *)((char *)waiter - offsetof(struct inbound, waiter));
    if (in->op->responded)
        return;
    http_exchange_set_user(in->exchange, NULL);
    front_refuse(in->front, in->exchange, in->channel, 504, "no_answer",
                 "the channel did not answer in time; it may have taken the request all the same", NULL);
    channel_http_forget(in->op);
    inbound_free(in);
}

static void public_url(struct inbound *in, const struct http_request *request)
{
    const struct host *host = in->front->host;
    kanal_buffer_str(&in->url, host->envelope.base_url);
    kanal_buffer_str(&in->url, request->target);
}

/* Whoever proved who they are may say what their request belongs to; anybody else could mix strangers' events into a trace. */
static void begin_trace(struct inbound *in, const struct http_request *request)
{
    kanal_str said = kanal_field_get(request->headers, request->header_count, "traceparent");
    if (!in->route->algorithm || trace_read(said, &in->trace) != 0)
        trace_begin(&in->front->host->traces, &in->trace);
}

static void run_channel(struct inbound *in, const struct http_request *request)
{
    struct front *front = in->front;
    struct channel *channel = in->channel;
    static const kanal_field retry = { { "retry-after", 11 }, { "5", 1 } };
    int status = check_authenticity(channel, in->route, request);
    if (status != 0) {
        if (status == KANAL_E_NOT_FOUND)
            log_write(front->host->log, KANAL_LOG_WARN, "http", channel->id.ptr,
                      "the secret '%s' is not configured: every request on %s is refused", in->route->secret,
                      in->route->path);
        front_refuse(front, in->exchange, channel, 401, "wrong_signature",
                     status == KANAL_E_INVALID ? "the signature or secret is missing or malformed"
                                               : "the signature or secret is wrong",
                     NULL);
        http_exchange_set_user(in->exchange, NULL);
        inbound_free(in);
        return;
    }
    public_url(in, request);
    begin_trace(in, request);
    kanal_str path = in->request.path;
    in->request = (kanal_http_request){ .struct_size = sizeof in->request,
                                        .method = request->method,
                                        .url = kanal_buffer_view(&in->url),
                                        .path = path,
                                        .query = request->query,
                                        .remote = request->remote,
                                        .body = request->body,
                                        .headers = request->headers,
                                        .header_count = request->header_count };
    in->op = channel_http(channel, &in->request, in->exchange, on_answered, in);
    if (in->op) {
        in->op->trace = in->trace.text;
        /* Of a channel that spools the payloads are kept, which go to disk with their events when the broker is away. */
        if (in->op->channel->config->raw_ms > 0 && !in->op->channel->config->spool)
            keep_request(in->op, &in->request);
        overdue_watch(front->overdue, &in->waiter, on_late);
        return;
    }
    int is_paused = channel_is_paused(channel, CHANNEL_PAUSE_IN), is_up = channel->state == CHANNEL_UP;
    front_refuse(front, in->exchange, channel, 503, is_up && !is_paused ? "busy" : "channel_down",
                 is_paused ? "the channel is paused"
                 : is_up   ? "too many requests of this channel are under way"
                           : "the channel is not up",
                 &retry);
    http_exchange_set_user(in->exchange, NULL);
    inbound_free(in);
}

static void on_run(void *user, struct http_exchange *exchange, const struct http_request *request)
{
    struct front *front = user;
    struct inbound *in = http_exchange_user(exchange);
    if (in)
        run_channel(in, request);
    else
        media_run(front, exchange, kanal_str_from(request->path, 3));
}

static void on_gone(void *user, struct http_exchange *exchange)
{
    (void)user;
    struct inbound *in = http_exchange_user(exchange);
    if (!in)
        return;
    if (in->kind == INBOUND_MEDIA) {
        media_gone(in);
        return;
    }
    if (in->op)
        channel_http_forget(in->op);
    inbound_free(in);
}

/* The plugin's time ends before the server's, so that the client reads a clear refusal. */
static uint32_t patience_ms(const struct http_limits *limits)
{
    uint64_t server_ms = limits->answer_timeout_ms ? limits->answer_timeout_ms : SERVER_ANSWER_MS;
    uint64_t ms = server_ms * ANSWER_MS / SERVER_ANSWER_MS;
    return ms < ANSWER_MS ? (uint32_t)ms : ANSWER_MS;
}

int front_new(struct front **ret_front, const struct front_options *options)
{
    static const struct http_handler handler = { .begin = on_begin, .run = on_run, .gone = on_gone };
    struct front *front = calloc(1, sizeof *front);
    if (!front)
        return KANAL_E_INTERNAL;
    front->host = options->host;
    front->body_bytes = options->body_bytes;
    front->requests = metrics_family(front->host->metrics, METRIC_COUNTER, "kanal_http_requests_total",
                                     "Requests by channel and answer.", by_code);
    int status = overdue_new(&front->overdue, front->host->loop, patience_ms(&options->server.limits));
    if (status == 0)
        status = http_server_new(&front->server, front->host->loop, &options->server, &handler, front);
    if (status != 0) {
        overdue_free(front->overdue);
        free(front);
        return status;
    }
    *ret_front = front;
    return 0;
}

uint16_t front_port(const struct front *front)
{
    return http_server_port(front->server);
}

void front_drain(struct front *front)
{
    http_server_drain(front->server);
}

size_t front_open(const struct front *front)
{
    return http_server_open(front->server);
}

static void drop_media(void *user, struct op *op)
{
    (void)user;
    if (op->kind == OP_MEDIA)
        media_drop(op);
}

void front_free(struct front *front)
{
    if (!front)
        return;
    op_each(front->host->ops, NULL, drop_media, NULL);
    for (struct inbound *in = front->inbounds, *next; in;
         in = next) { /* the gateway was told to end at once */
        next = in->next;
        if (in->op)
            channel_http_forget(in->op);
        inbound_free(in);
    }
    free_answered(front);
    http_server_free(front->server);
    overdue_free(front->overdue);
    free(front);
}
