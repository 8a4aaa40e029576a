/* Calls into the plugin, its answers, and the completions of its own calls. */
#include "host/channel.h"
#include "host/handover.h"
#include "host/host.h"
#include "host/services/services.h"
#include "kanal/sdk/str.h"

#define RESPONSE_HEADERS_MAX 64u
#define CALL_DEADLINE_NS (1000 * UINT64_C(1000000))

const char channel_upgraded[] = "upgraded";

uint64_t channel_enter(void)
{
    return uv_hrtime();
}

void channel_leave(struct channel *channel, uint64_t entered_ns, const char *slot)
{
    uint64_t took_ns = uv_hrtime() - entered_ns;
    if (took_ns > CALL_DEADLINE_NS)
        log_write(channel->host->log, KANAL_LOG_WARN, "host", channel->id.ptr,
                  "%s() of plugin '%s' held the gateway up for %llu ms", slot, channel->plugin->descriptor.id,
                  (unsigned long long)(took_ns / 1000000));
}

/* ---- Completions of host calls ---- */

static const kanal_mail_result no_mail = { .struct_size = sizeof no_mail };

static void run_completion(struct lane_item *item)
{
    struct op *op = (struct op *)item;
    struct channel *channel = op->channel;
    uint64_t entered = channel_enter();
    channel->ops--;
    if (op->kind == OP_DONE && op->callback.done)
        op->callback.done(op->user, op->status);
    else if (op->kind == OP_VALUE && op->callback.value)
        op->callback.value(op->user, op->status,
                           op->status == KANAL_OK ? kanal_buffer_view(&op->value) : (kanal_str){ 0 },
                           op->revision);
    else if (op->kind == OP_RESPONSE && op->callback.response)
        op->callback.response(op->user, op->status, op->status == KANAL_OK ? op->response : NULL);
    else if (op->kind == OP_MAIL && op->callback.mail)
        op->callback.mail(op->user, op->status, op->mail ? op->mail : &no_mail);
    channel_leave(channel, entered, "a callback");
    op_free(channel->host->ops, op);
}

void op_complete(struct op *op, kanal_status status)
{
    op->status = status;
    op->completed = 1;
    op->cancel = NULL;
    op->work = NULL;
    op->item.run = run_completion;
    lane_push(&op->channel->lane, &op->item);
}

void op_complete_value(struct op *op, kanal_status status, kanal_str value, uint64_t revision)
{
    if (status == KANAL_OK) {
        kanal_buffer_clear(&op->value);
        kanal_buffer_str(&op->value, value);
        if (op->value.failed)
            status = KANAL_E_INTERNAL;
    }
    op->revision = revision;
    op_complete(op, status);
}

static void *place(char **at, size_t bytes)
{
    char *here = *at;
    *at += bytes;
    return here;
}

static kanal_str place_str(char **at, kanal_str text)
{
    char *here = place(at, text.len + 1);
    if (text.len > 0)
        memcpy(here, text.ptr, text.len);
    here[text.len] = 0;
    return kanal_str_of(text.ptr ? here : NULL, text.len);
}

kanal_http_response *response_copy(const kanal_http_response *response)
{
    size_t bytes =
        sizeof *response + response->header_count * sizeof *response->headers + response->body.len + 1;
    for (size_t i = 0; i < response->header_count; i++)
        bytes += response->headers[i].name.len + response->headers[i].value.len + 2;
    char *at = malloc(bytes);
    if (!at)
        return NULL;
    kanal_http_response *copy = place(&at, sizeof *copy);
    kanal_field *headers = place(&at, response->header_count * sizeof *headers);
    *copy = (kanal_http_response){ .struct_size = sizeof *copy,
                                   .code = response->code,
                                   .headers = headers,
                                   .header_count = response->header_count };
    for (size_t i = 0; i < response->header_count; i++) {
        headers[i].name = place_str(&at, response->headers[i].name);
        headers[i].value = place_str(&at, response->headers[i].value);
    }
    copy->body = place_str(&at, response->body);
    return copy;
}

void op_complete_response(struct op *op, kanal_status status, const kanal_http_response *response)
{
    if (status == KANAL_OK && !(op->response = response_copy(response)))
        status = KANAL_E_INTERNAL;
    op_complete(op, status);
}

struct op *channel_op(struct channel *channel, enum op_kind kind)
{
    struct op *op = op_new(channel->host->ops, channel, kind);
    if (op)
        channel->ops++;
    return op;
}

/* ---- on_http() ---- */

static void http_settle(struct op *op, const void *response)
{
    struct channel *channel = op->channel;
    channel->http--;
    op->answered(op, response);
    op_free(channel->host->ops, op);
}

/* A script on a page may read the refusal only under the same permission as the answer that it replaces. */
static size_t keep_cors(const struct op *op, kanal_field *headers)
{
    static const char *const names[] = { "access-control-allow-origin", "access-control-allow-credentials",
                                         "vary" };
    size_t count = 0;
    for (size_t i = 0; op->response && i < sizeof names / sizeof *names; i++) {
        kanal_str value = kanal_field_get(op->response->headers, op->response->header_count, names[i]);
        if (value.len > 0)
            headers[count++] = (kanal_field){ kanal_str_c(names[i]), value };
    }
    return count;
}

/* The plugin wanted to say yes, but what it published is not stored; or what it said is no answer. */
static void http_settle_failed(struct op *op)
{
    kanal_field headers[5] = { { KANAL_LIT("content-type"), KANAL_LIT("application/json") } };
    size_t count = 1 + keep_cors(op, headers + 1);
    kanal_http_response response = { .struct_size = sizeof response, .headers = headers };
    if (op->failed == KANAL_E_INVALID || op->failed == KANAL_E_DENIED || op->failed == KANAL_E_INTERNAL) {
        response.code = 500;
        response.body = KANAL_LIT("{\"error\":{\"code\":\"internal\",\"message\":\"the channel made an event "
                                  "or an answer that breaks the contract; see the gateway's log\"}}");
    } else if (op->failed == KANAL_E_TOO_LARGE) {
        response.code = 413;
        response.body = KANAL_LIT("{\"error\":{\"code\":\"too_large\",\"message\":\"the message is larger "
                                  "than the gateway can store\"}}");
    } else {
        response.code = 503;
        response.body = KANAL_LIT("{\"error\":{\"code\":\"not_stored\",\"message\":\"the message could not "
                                  "be stored; send it again\"}}");
        headers[count++] = (kanal_field){ KANAL_LIT("retry-after"), KANAL_LIT("5") };
    }
    response.header_count = count;
    http_settle(op, &response);
}

static void run_http(struct lane_item *item)
{
    struct op *op = (struct op *)item;
    struct channel *channel = op->channel;
    op->item.run = NULL;
    if (!channel->instance || (channel->state != CHANNEL_UP && channel->state != CHANNEL_STARTING)) {
        http_settle(op, NULL);
        return;
    }
    uint64_t entered = channel_enter();
    channel->plugin->descriptor.on_http(channel->instance, op->id, op->argument);
    channel_leave(channel, entered, "on_http");
}

struct op *channel_http(struct channel *channel, const kanal_http_request *request,
                        struct http_exchange *exchange, void (*answered)(struct op *, const void *),
                        void *owner)
{
    while (channel->successor)
        channel = channel->successor;
    if (channel->http >= CHANNEL_HTTP_MAX || channel_is_paused(channel, CHANNEL_PAUSE_IN) ||
        (channel->state != CHANNEL_UP && channel->state != CHANNEL_STARTING && !channel->handover))
        return NULL;
    struct op *op = op_new(channel->host->ops, channel, OP_HTTP);
    if (!op)
        return NULL;
    op->owner = owner;
    op->work = exchange;
    op->argument = request;
    op->answered = answered;
    op->item.run = run_http;
    channel->http++;
    if (!channel->handover || !handover_hold(channel->handover, op))
        lane_push(&channel->lane, &op->item);
    return op;
}

void channel_http_forget(struct op *op)
{
    struct channel *channel = op->channel;
    if (op->is_held)
        handover_drop(channel->handover, op);
    else if (op->item.run)
        lane_remove(&channel->lane, &op->item);
    channel->http--;
    op_free(channel->host->ops, op);
}

void channel_cause_stored(struct channel *channel, kanal_op cause, kanal_status status)
{
    struct op *op = op_find(channel->host->ops, channel, cause);
    if (!op || op->kind != OP_HTTP)
        return;
    if (status != KANAL_OK)
        op->failed = status;
    if (--op->waiting > 0 || !op->responded)
        return;
    if (op->failed != KANAL_OK)
        http_settle_failed(op);
    else
        http_settle(op, op->response);
}

static void count_dropped(struct channel *channel)
{
    metric_series(channel->host->dropped_answers, &channel->id)->value++;
}

int fields_valid(const kanal_field *fields, size_t count, size_t most)
{
    if (count > most || (count > 0 && !fields))
        return 0;
    for (size_t i = 0; i < count; i++)
        if (!text_valid(fields[i].name) || !text_valid(fields[i].value))
            return 0;
    return 1;
}

static int response_valid(const kanal_http_response *response)
{
    return response && KANAL_HAS(response, header_count) && response->code >= 200 && response->code <= 599 &&
           text_valid(response->body) &&
           fields_valid(response->headers, response->header_count, RESPONSE_HEADERS_MAX);
}

static void blame(const struct channel *channel, const char *what)
{
    log_write(channel->host->log, KANAL_LOG_ERROR, "host", channel->id.ptr, "plugin '%s': %s",
              channel->plugin->descriptor.id, what);
}

void table_respond(const kanal_host *host, kanal_op id, const kanal_http_response *response)
{
    struct channel *channel = host->impl;
    struct op *op = op_find(channel->host->ops, channel, id);
    if (!op || op->kind != OP_HTTP || op->responded) {
        count_dropped(channel);
        return;
    }
    op->responded = 1;
    if (!response_valid(response)) {
        blame(channel, "respond() was called with a code outside 200 to 599, a struct_size that is too "
                       "small, over 64 headers, or lengths without bytes");
        op->failed = KANAL_E_INVALID;
        http_settle_failed(op);
        return;
    }
    int accepted = response->code >= 200 && response->code < 300;
    if (!accepted || (op->waiting == 0 && op->failed == KANAL_OK)) {
        http_settle(op, response);
        return;
    }
    if (!(op->response = response_copy(response)))
        op->failed = KANAL_E_BUSY; /* no memory to keep the answer: the client gets 503 */
    if (op->waiting == 0)
        http_settle_failed(op);
}

/* ---- deliver() ---- */

static void run_deliver(struct lane_item *item)
{
    struct op *op = (struct op *)item;
    struct channel *channel = op->channel;
    op->item.run = NULL;
    uint64_t entered = channel_enter();
    channel->plugin->descriptor.deliver(channel->instance, op->id, op->argument);
    channel_leave(channel, entered, "deliver");
}

static struct op *call(struct channel *channel, enum op_kind kind, void (*run)(struct lane_item *),
                       const void *argument, void (*answered)(struct op *, const void *), void *owner)
{
    if (channel->state != CHANNEL_UP || channel->handover)
        return NULL;
    struct op *op = op_new(channel->host->ops, channel, kind);
    if (!op)
        return NULL;
    op->owner = owner;
    op->argument = argument;
    op->answered = answered;
    op->item.run = run;
    lane_push(&channel->lane, &op->item);
    return op;
}

struct op *channel_deliver(struct channel *channel, const kanal_delivery *delivery,
                           void (*answered)(struct op *, const void *), void *owner)
{
    if (!channel->plugin->descriptor.deliver || channel_is_paused(channel, CHANNEL_PAUSE_OUT))
        return NULL;
    return call(channel, OP_DELIVER, run_deliver, delivery, answered, owner);
}

void channel_forget(struct op *op)
{
    struct channel *channel = op->channel;
    if (op->item.run)
        lane_remove(&channel->lane, &op->item);
    op_free(channel->host->ops, op);
}

static void answer(const kanal_host *host, kanal_op id, enum op_kind kind, const void *value)
{
    struct channel *channel = host->impl;
    struct op *op = op_find(channel->host->ops, channel, id);
    if (!op || op->kind != kind) {
        count_dropped(channel);
        return;
    }
    op->answered(op, value);
    op_free(channel->host->ops, op);
}

static int result_valid(const kanal_result *result)
{
    return result && KANAL_HAS(result, reason) && text_valid(result->external_id) &&
           text_valid(result->code) && text_valid(result->provider_code) && text_valid(result->reason);
}

void table_delivered(const kanal_host *host, kanal_op id, const kanal_result *result)
{
    struct channel *channel = host->impl;
    const struct op *op = op_find(channel->host->ops, channel, id);
    if (op && op->kind == OP_DELIVER && !result_valid(result)) {
        blame(channel, "delivered() was called with a struct_size that is too small, or lengths without "
                       "bytes; the outcome counts as unknown");
        result = NULL;
    } else if (op && op->kind == OP_DELIVER && result->outcome == KANAL_SENT) {
        channel->last_out_ms = host_now_ms();
    }
    answer(host, id, OP_DELIVER, result);
}

/* ---- media() ---- */

static void run_media(struct lane_item *item)
{
    struct op *op = (struct op *)item;
    struct channel *channel = op->channel;
    struct kanal_buffer reference =
        op->value; /* the plugin's until media() returns, also after it has answered */
    op->value = (struct kanal_buffer){ 0 };
    op->item.run = NULL;
    uint64_t entered = channel_enter();
    channel->plugin->descriptor.media(channel->instance, op->id, kanal_buffer_view(&reference));
    channel_leave(channel, entered, "media");
    kanal_buffer_release(&reference);
}

struct op *channel_media(struct channel *channel, kanal_str reference,
                         void (*answered)(struct op *, const void *), void *owner)
{
    if (!channel->plugin->descriptor.media)
        return NULL;
    struct op *op = call(channel, OP_MEDIA, run_media, NULL, answered, owner);
    if (op)
        kanal_buffer_str(&op->value, reference);
    return op;
}

void table_locate(const kanal_host *host, kanal_op id, kanal_status status, const kanal_http_request *request)
{
    struct channel_location location = { .status = status, .request = status == KANAL_OK ? request : NULL };
    answer(host, id, OP_MEDIA, &location);
}

void table_finish(const kanal_host *host, kanal_op id, kanal_status status, kanal_str reason)
{
    struct channel_finish finish = { .status = status,
                                     .reason = text_valid(reason) ? reason : (kanal_str){ 0 } };
    answer(host, id, OP_FINISH, &finish);
}

struct op *channel_ask(struct channel *channel, void (*run)(struct lane_item *),
                       void (*answered)(struct op *, const void *))
{
    struct op *op = op_new(channel->host->ops, channel, OP_FINISH);
    if (!op)
        return NULL;
    op->answered = answered;
    op->item.run = run;
    lane_push(&channel->lane, &op->item);
    return op;
}

/* ---- The end ---- */

static void drop_op(void *user, struct op *op)
{
    struct channel *channel = user;
    if (op->is_held)
        return; /* the next instance's */
    if (op->completed || op->item.run)
        lane_remove(&channel->lane, &op->item);
    if (op->cancel)
        op->cancel(op);
    switch (op->kind) {
    case OP_HTTP:
        http_settle(op, NULL);
        return;
    case OP_DELIVER:
    case OP_MEDIA:
        op->answered(op, NULL);
        break;
    case OP_DONE:
    case OP_VALUE:
    case OP_RESPONSE:
    case OP_MAIL:
        channel->ops--;
        break;
    case OP_SOCKET:
        return; /* goes with its connection */
    case OP_FREE:
    case OP_FINISH:
    case OP_STREAM: /* cancel() has let go of what they stood for */
    case OP_LEASE:
    case OP_BLOB:
        break;
    }
    op_free(channel->host->ops, op);
}

struct loss {
    struct channel *channel;
    uint64_t loose_sends;
};

static void lose_op(void *user, struct op *op)
{
    const struct loss *loss = user;
    int may_have_left = op->sent > 0 || op->loose_before != loss->loose_sends;
    int is_called = !op->item.run; /* else it still waits in the lane */
    kanal_result result = { .struct_size = sizeof result,
                            .outcome = is_called && may_have_left ? KANAL_UNKNOWN : KANAL_RETRY,
                            .scope = KANAL_SCOPE_MESSAGE,
                            .code = KANAL_LIT("interrupted"),
                            .reason = KANAL_LIT("the channel's worker died") };
    if (op->is_held || (op->kind == OP_HTTP && op->responded))
        return;
    if (op->kind != OP_DELIVER) {
        drop_op(loss->channel, op);
        return;
    }
    if (!is_called)
        lane_remove(&loss->channel->lane, &op->item);
    op->answered(op, &result);
    op_free(loss->channel->host->ops, op);
}

void channel_lose_ops(struct channel *channel, uint64_t loose_sends)
{
    struct loss loss = { channel, loose_sends };
    op_each(channel->host->ops, channel, lose_op, &loss);
}

void channel_drop_ops(struct channel *channel)
{
    op_each(channel->host->ops, channel, drop_op, channel);
}
