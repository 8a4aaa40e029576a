#include "quick_host.h"

#include <string.h>

static struct quick_host *of(const kanal_host *table)
{
    return table->impl;
}

static kanal_op queue(struct quick_host *q, struct quick_callback callback)
{
    if (q->count == QUICK_CALLBACKS) {
        q->wrong = "more callbacks at once than the bench holds";
        return 0;
    }
    q->queue[(q->first + q->count++) % QUICK_CALLBACKS] = callback;
    return ++q->last_op;
}

/* ---- Calls that are to be had ---- */

static void log_line(const kanal_host *table, kanal_op cause, int32_t level, kanal_str text)
{
    (void)cause;
    (void)text;
    if (level >= KANAL_LOG_WARN)
        of(table)->wrong = "the plugin logs a warning";
}

static int64_t now_ms(const kanal_host *table)
{
    return of(table)->now_ms;
}

static void random_bytes(const kanal_host *table, void *out, size_t len)
{
    unsigned char *bytes = out;
    for (size_t i = 0; i < len; i++) {
        of(table)->random = of(table)->random * UINT64_C(6364136223846793005) + 1;
        bytes[i] = (unsigned char)(of(table)->random >> 56);
    }
}

static void metric_add(const kanal_host *table, kanal_str name, double by, const kanal_field *labels,
                       size_t count)
{
    (void)table;
    (void)name;
    (void)by;
    (void)labels;
    (void)count;
}

static void health(const kanal_host *table, kanal_status status, kanal_str reason)
{
    (void)reason;
    if (status != KANAL_OK)
        of(table)->wrong = "the plugin says that it is ill";
}

static kanal_op verify(const kanal_host *table, kanal_str secret, kanal_str algorithm, kanal_str data,
                       kanal_str claimed, kanal_done_fn *done, void *user)
{
    (void)secret;
    (void)algorithm;
    (void)data;
    (void)claimed;
    return queue(of(table), (struct quick_callback){ .done = done, .user = user });
}

static kanal_op sign(const kanal_host *table, kanal_str secret, kanal_str algorithm, kanal_str data,
                     kanal_value_fn *value, void *user)
{
    static const char mac[] = "thirty-two bytes of a signature.";
    (void)secret;
    (void)algorithm;
    (void)data;
    return queue(of(table),
                 (struct quick_callback){ .value = value, .user = user, .bytes = kanal_str_of(mac, 32) });
}

static kanal_op state_get(const kanal_host *table, kanal_str key, kanal_value_fn *value, void *user)
{
    (void)key;
    return queue(of(table),
                 (struct quick_callback){ .value = value, .user = user, .status = KANAL_E_NOT_FOUND });
}

static kanal_op state_put(const kanal_host *table, kanal_str key, kanal_str bytes, uint64_t if_revision,
                          kanal_value_fn *value, void *user)
{
    (void)key;
    (void)bytes;
    (void)if_revision;
    return queue(of(table), (struct quick_callback){ .value = value, .user = user });
}

static kanal_op publish(const kanal_host *table, kanal_op cause, const kanal_event *const *events,
                        size_t count, kanal_done_fn *done, void *user)
{
    struct quick_host *q = of(table);
    (void)cause;
    for (size_t i = 0; i < count; i++)
        q->event_bytes += events[i]->data.len;
    q->events += count;
    return done ? queue(q, (struct quick_callback){ .done = done, .user = user }) : ++q->last_op;
}

static void respond(const kanal_host *table, kanal_op op, const kanal_http_response *response)
{
    (void)op;
    of(table)->answers++;
    of(table)->code = response->code;
}

/* ---- Calls that are not ---- */

static void wake(const kanal_host *table)
{
    of(table)->wrong = "wake() on the way in";
}

static void cancel(const kanal_host *table, kanal_op op)
{
    (void)op;
    of(table)->wrong = "cancel() on the way in";
}

static kanal_op timer(const kanal_host *table, uint32_t delay_ms, kanal_done_fn *done, void *user)
{
    (void)delay_ms;
    (void)done;
    (void)user;
    of(table)->wrong = "timer() on the way in";
    return 0;
}

static kanal_op http_send(const kanal_host *table, kanal_op cause, const kanal_http_request *request,
                          kanal_response_fn *response, void *user)
{
    (void)cause;
    (void)request;
    (void)response;
    (void)user;
    of(table)->wrong = "http_send() on the way in";
    return 0;
}

static void finish(const kanal_host *table, kanal_op op, kanal_status status, kanal_str reason)
{
    (void)op;
    (void)status;
    (void)reason;
    of(table)->wrong = "finish() on the way in";
}

static void delivered(const kanal_host *table, kanal_op op, const kanal_result *result)
{
    (void)op;
    (void)result;
    of(table)->wrong = "delivered() on the way in";
}

static void locate(const kanal_host *table, kanal_op op, kanal_status status,
                   const kanal_http_request *request)
{
    (void)op;
    (void)status;
    (void)request;
    of(table)->wrong = "locate() on the way in";
}

static const void *extension(const kanal_host *table, const char *id)
{
    (void)table;
    (void)id;
    return NULL;
}

/* ---- The host ---- */

void quick_host_init(struct quick_host *q)
{
    *q = (struct quick_host){ .last_op = 1u << 20 };
    q->table = (kanal_host){ .struct_size = sizeof q->table,
                             .abi_minor = KANAL_ABI_MINOR,
                             .impl = q,
                             .log = log_line,
                             .wake = wake,
                             .now_ms = now_ms,
                             .random = random_bytes,
                             .metric_add = metric_add,
                             .health = health,
                             .cancel = cancel,
                             .timer = timer,
                             .verify = verify,
                             .sign = sign,
                             .state_get = state_get,
                             .state_put = state_put,
                             .http_send = http_send,
                             .publish = publish,
                             .finish = finish,
                             .delivered = delivered,
                             .respond = respond,
                             .locate = locate,
                             .extension = extension };
}

void quick_host_begin(struct quick_host *q, struct fake_host *fake)
{
    quick_host_init(q);
    q->now_ms = fake_now(fake);
    q->given = fake_table(fake);
    q->saved = *q->given;
    *q->given = q->table;
}

void quick_host_end(struct quick_host *q)
{
    *q->given = q->saved;
}

static void run_callbacks(struct quick_host *q)
{
    while (q->count > 0) {
        const struct quick_callback callback = q->queue[q->first];
        q->first = (q->first + 1) % QUICK_CALLBACKS;
        q->count--;
        if (callback.done)
            callback.done(callback.user, callback.status);
        else if (callback.value)
            callback.value(callback.user, callback.status, callback.bytes, 1);
    }
}

static void ignore(void *user, kanal_status status)
{
    (void)user;
    (void)status;
}

/* What a plugin with one event asks of the host. */
static void bare_calls(const kanal_host *host, kanal_op op, const kanal_http_request *request)
{
    const kanal_event event = { .struct_size = sizeof event, .data = request->body };
    const kanal_event *const events[] = { &event };
    const kanal_http_response response = { .struct_size = sizeof response, .code = 200 };
    host->publish(host, op, events, 1, ignore, NULL);
    host->respond(host, op, &response);
}

void quick_host_request(struct quick_host *q, const kanal_plugin *plugin, kanal_channel *channel,
                        const kanal_http_request *request)
{
    const kanal_op op = ++q->last_op;
    q->requests++;
    if (plugin)
        plugin->on_http(channel, op, request);
    else
        bare_calls(&q->table, op, request);
    run_callbacks(q);
}
