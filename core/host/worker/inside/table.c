/* The host table of a channel in a worker: what needs no answer of the core is answered here, everything else becomes a frame. */
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "inside.h"
#include "kanal/sdk/str.h"

#define LOG_TEXT_MAX 1024u
#define LOG_LINES_PER_SECOND 200u /* the core's own limit is lower: this one keeps the socket free */
#define REASON_MAX 1024u

static struct inside_channel *of(const kanal_host *host)
{
    return host->impl;
}

static kanal_str cut(kanal_str text, size_t most)
{
    return text.ptr ? kanal_str_of(text.ptr, text.len < most ? text.len : most) : text;
}

/* ---- Answered at once ---- */

static int log_allowed(struct inside_channel *channel)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_sec != channel->log_second) {
        channel->log_second = now.tv_sec;
        channel->log_lines = 0;
    }
    if (++channel->log_lines <= LOG_LINES_PER_SECOND)
        return 1;
    channel->log_dropped++;
    return 0;
}

static void put_log(struct inside_channel *channel, kanal_op cause, int32_t level, kanal_str text)
{
    struct inside *in = channel->inside;
    pthread_mutex_lock(&in->out_lock);
    /* Of a thread of the plugin's own nobody may block: what does not fit any more is counted. */
    if (in->out.len - in->out_sent > 2 * INSIDE_OUT_MOST) {
        channel->log_dropped++;
    } else if (log_allowed(channel)) {
        struct wire_log line = {
            .cause = cause, .level = level, .dropped = channel->log_dropped, .text = cut(text, LOG_TEXT_MAX)
        };
        channel->log_dropped = 0;
        wire_put(&in->out, WIRE_LOG, channel->number, &line);
    }
    pthread_mutex_unlock(&in->out_lock);
    if (!pthread_equal(pthread_self(), in->lane))
        inside_wake(in);
}

void inside_log(struct inside_channel *channel, int level, kanal_str text)
{
    put_log(channel, 0, level, text);
}

static void table_log(const kanal_host *host, kanal_op cause, int32_t level, kanal_str text)
{
    if (text.ptr || text.len == 0)
        put_log(of(host), cause, level, text);
}

static void table_wake(const kanal_host *host)
{
    struct inside_channel *channel = of(host);
    if (!__atomic_exchange_n(&channel->is_woken, 1, __ATOMIC_ACQ_REL)) {
        __atomic_store_n(&channel->inside->is_woken, 1, __ATOMIC_RELEASE);
        inside_wake(channel->inside);
    }
}

static int64_t table_now_ms(const kanal_host *host)
{
    struct timespec now;
    (void)host;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void table_random(const kanal_host *host, void *out, size_t len)
{
    (void)host;
    for (size_t have = 0; out && have < len;) {
        ssize_t n = getrandom((char *)out + have, len - have, 0);
        if (n < 0 && errno != EINTR)
            break; /* does not occur on Linux once the system is up */
        have += n > 0 ? (size_t)n : 0;
    }
}

static void table_metric_add(const kanal_host *host, kanal_str name, double by, const kanal_field *labels,
                             size_t count)
{
    struct wire_metric metric = { .name = name, .by = by, .labels = labels, .label_count = count };
    inside_send(of(host)->inside, WIRE_METRIC, of(host), &metric);
}

static void table_health(const kanal_host *host, kanal_status status, kanal_str reason)
{
    struct wire_done health = { .status = status, .reason = cut(reason, REASON_MAX) };
    inside_send(of(host)->inside, WIRE_HEALTH, of(host), &health);
}

static void table_cancel(const kanal_host *host, kanal_op number)
{
    struct wire_call call = { number };
    if (inside_op_find(of(host)->inside, of(host), number))
        inside_send(of(host)->inside, WIRE_CANCEL, of(host), &call);
}

/* ---- Requests ---- */

struct inside_op *inside_ask(const kanal_host *host, enum inside_kind kind, void *user)
{
    struct inside_op *op = of(host)->is_closed ? NULL : inside_op_new(of(host), kind);
    if (op)
        op->user = user;
    return op;
}

kanal_op inside_asked(struct inside_op *op, enum wire_type type, const void *frame)
{
    struct inside_channel *channel = op->channel;
    kanal_op number = op->number;
    int status = channel->op_count > INSIDE_OPS_MAX ? KANAL_E_BUSY
                                                    : inside_send(channel->inside, type, channel, frame);
    if (status != 0)
        inside_op_end(op, status);
    return number;
}

static kanal_op table_timer(const kanal_host *host, uint32_t delay_ms, kanal_done_fn *done, void *user)
{
    struct inside_op *op = inside_ask(host, INSIDE_DONE, user);
    if (!op)
        return 0;
    op->callback.done = done;
    return inside_asked(op, WIRE_TIMER, &(struct wire_timer){ op->number, delay_ms });
}

static kanal_op table_verify(const kanal_host *host, kanal_str secret, kanal_str algorithm, kanal_str data,
                             kanal_str claimed, kanal_done_fn *done, void *user)
{
    struct inside_op *op = inside_ask(host, INSIDE_DONE, user);
    if (!op)
        return 0;
    op->callback.done = done;
    return inside_asked(op, WIRE_VERIFY, &(struct wire_sign){ op->number, secret, algorithm, data, claimed });
}

static kanal_op table_sign(const kanal_host *host, kanal_str secret, kanal_str algorithm, kanal_str data,
                           kanal_value_fn *done, void *user)
{
    struct inside_op *op = inside_ask(host, INSIDE_VALUE, user);
    if (!op)
        return 0;
    op->callback.value = done;
    return inside_asked(op, WIRE_SIGN, &(struct wire_sign){ op->number, secret, algorithm, data, { 0 } });
}

static kanal_op table_state_get(const kanal_host *host, kanal_str key, kanal_value_fn *done, void *user)
{
    struct inside_op *op = inside_ask(host, INSIDE_VALUE, user);
    if (!op)
        return 0;
    op->callback.value = done;
    return inside_asked(op, WIRE_STATE_GET, &(struct wire_state){ .op = op->number, .key = key });
}

static kanal_op table_state_put(const kanal_host *host, kanal_str key, kanal_str value, uint64_t if_revision,
                                kanal_value_fn *done, void *user)
{
    struct inside_op *op = inside_ask(host, INSIDE_VALUE, user);
    if (!op)
        return 0;
    op->callback.value = done;
    return inside_asked(op, WIRE_STATE_PUT, &(struct wire_state){ op->number, key, value, if_revision });
}

static kanal_op table_http_send(const kanal_host *host, kanal_op cause, const kanal_http_request *request,
                                kanal_response_fn *done, void *user)
{
    struct inside_op *op = inside_ask(host, INSIDE_RESPONSE, user);
    if (!op)
        return 0;
    op->callback.response = done;
    return inside_asked(op, WIRE_HTTP_SEND,
                        &(struct wire_http){ .op = op->number, .cause = cause, .request = request });
}

static kanal_op table_publish(const kanal_host *host, kanal_op cause, const kanal_event *const *events,
                              size_t count, kanal_done_fn *done, void *user)
{
    struct inside_op *op = inside_ask(host, INSIDE_DONE, user);
    if (!op)
        return 0;
    op->callback.done = done;
    return inside_asked(op, WIRE_PUBLISH,
                        &(struct wire_publish){ op->number, cause, events, count, done == NULL });
}

/* ---- Answers ---- */

static void table_finish(const kanal_host *host, kanal_op op, kanal_status status, kanal_str reason)
{
    struct wire_done done = { op, status, cut(reason, REASON_MAX) };
    inside_send(of(host)->inside, WIRE_FINISH, of(host), &done);
}

/* What does not fit into a frame is no answer: the core judges it as one that a plugin made wrongly. */
static void table_delivered(const kanal_host *host, kanal_op op, const kanal_result *result)
{
    struct wire_delivered delivered = { op, result };
    if (inside_send(of(host)->inside, WIRE_DELIVERED, of(host), &delivered) != 0) {
        delivered.result = NULL;
        inside_send(of(host)->inside, WIRE_DELIVERED, of(host), &delivered);
    }
}

static void table_respond(const kanal_host *host, kanal_op op, const kanal_http_response *response)
{
    struct wire_response answer = { op, KANAL_OK, response };
    if (inside_send(of(host)->inside, WIRE_RESPOND, of(host), &answer) != 0) {
        answer.response = NULL;
        inside_send(of(host)->inside, WIRE_RESPOND, of(host), &answer);
    }
}

static void table_locate(const kanal_host *host, kanal_op op, kanal_status status,
                         const kanal_http_request *request)
{
    struct wire_http located = { .op = op, .status = status, .request = request };
    if (inside_send(of(host)->inside, WIRE_LOCATE, of(host), &located) != 0) {
        located.status = KANAL_E_TOO_LARGE;
        located.request = NULL;
        inside_send(of(host)->inside, WIRE_LOCATE, of(host), &located);
    }
}

static const void *table_extension(const kanal_host *host, const char *id)
{
    (void)host;
    if (!id)
        return NULL;
    if (strcmp(id, KANAL_EXT_BLOB) == 0)
        return &inside_blob;
    if (strcmp(id, KANAL_EXT_WEBSOCKET) == 0)
        return &inside_websocket;
    if (strcmp(id, KANAL_EXT_BLOB_2) == 0)
        return &inside_blob2;
    if (strcmp(id, KANAL_EXT_STREAM) == 0)
        return &inside_stream;
    if (strcmp(id, KANAL_EXT_TRANSFER) == 0)
        return &inside_transfer;
    if (strcmp(id, KANAL_EXT_LEASE) == 0)
        return &inside_lease;
    if (strcmp(id, KANAL_EXT_LINK) == 0)
        return &inside_link;
    return NULL;
}

void inside_table_init(kanal_host *table, struct inside_channel *channel)
{
    *table = (kanal_host){
        .struct_size = sizeof *table,
        .abi_minor = KANAL_ABI_MINOR,
        .impl = channel,
        .log = table_log,
        .wake = table_wake,
        .now_ms = table_now_ms,
        .random = table_random,
        .metric_add = table_metric_add,
        .health = table_health,
        .cancel = table_cancel,
        .timer = table_timer,
        .verify = table_verify,
        .sign = table_sign,
        .state_get = table_state_get,
        .state_put = table_state_put,
        .http_send = table_http_send,
        .publish = table_publish,
        .finish = table_finish,
        .delivered = table_delivered,
        .respond = table_respond,
        .locate = table_locate,
        .extension = table_extension,
    };
}
