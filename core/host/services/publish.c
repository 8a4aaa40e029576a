#include "host/host.h"
#include "host/receipts.h"
#include "host/services/services.h"
#include "kanal/sdk/str.h"

#define EVENTS_PER_PUBLISH_MAX 256u

/* Outlives the op: the cause must hear of the end even if nobody waits for the op. */
struct publish {
    struct channel *channel;
    kanal_op op, cause;
};

static void on_stored(void *user, kanal_status status)
{
    struct publish *publish = user;
    struct channel *channel = publish->channel;
    struct op *op = op_find(channel->host->ops, channel, publish->op);
    if (status == KANAL_OK)
        channel->last_in_ms = host_now_ms();
    if (publish->cause)
        channel_cause_stored(channel, publish->cause, status);
    if (op && !op->completed)
        op_complete(op, status);
    free(publish);
}

static int event_valid(const kanal_event *event)
{
    return event && KANAL_HAS(event, raw) && text_valid(event->type) && text_valid(event->dedupe) &&
           text_valid(event->external_id) && text_valid(event->command_id) && text_valid(event->address) &&
           text_valid(event->chat) && text_valid(event->data) && text_valid(event->raw);
}

static int all_valid(const kanal_event *const *events, size_t count)
{
    if (!events || count == 0 || count > EVENTS_PER_PUBLISH_MAX)
        return 0;
    for (size_t i = 0; i < count; i++)
        if (!event_valid(events[i]))
            return 0;
    return 1;
}

kanal_op service_publish(const kanal_host *host, kanal_op cause, const kanal_event *const *events,
                         size_t count, kanal_done_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct op *op = channel_op(channel, OP_DONE);
    if (!op)
        return 0;
    op->callback.done = done;
    op->user = user;
    kanal_op id = op->id;
    struct op *waiting = cause ? op_find(channel->host->ops, channel, cause) : NULL;
    const char *trace = waiting ? waiting->trace : NULL;
    if (waiting && waiting->kind != OP_HTTP)
        waiting = NULL;
    struct publish *publish = NULL;
    kanal_status status = !all_valid(events, count)        ? KANAL_E_INVALID
                          : channel->ops > CHANNEL_OPS_MAX ? KANAL_E_BUSY
                          : !waiting && channel_is_paused(channel, CHANNEL_PAUSE_IN)
                              ? KANAL_E_NETWORK /* as if the broker were away: its source keeps it */
                          : !(publish = malloc(sizeof *publish)) ? KANAL_E_BUSY
                                                                 : KANAL_OK;
    if (status != KANAL_OK) {
        if (waiting)
            waiting->failed = status;
        op_complete(op, status);
        return id;
    }
    *publish = (struct publish){ .channel = channel, .op = id, .cause = waiting ? cause : 0 };
    if (waiting)
        waiting->waiting++;
    struct envelope_source source = channel->source;
    struct trace begun;
    if (!trace)
        trace_begin(&channel->host->traces, &begun);
    source.traceparent = kanal_str_c(trace ? trace : begun.text);
    /* Of a request that it names as its cause, the whole is kept already, unless the channel spools. */
    int keeps = channel->config->raw_ms > 0 && (!waiting || channel->config->spool);
    receipts_publish(channel, &source, events, count, keeps, on_stored, publish);
    return id;
}
