#include "host/host.h"
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
    if (publish->cause)
        channel_cause_stored(channel, publish->cause, status);
    if (op && !op->completed)
        op_complete(op, status);
    free(publish);
}

static int sizes_right(const kanal_event *const *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!events[i] || !KANAL_HAS(events[i], raw))
            return 0;
    return count > 0 && count <= EVENTS_PER_PUBLISH_MAX;
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
    if (waiting && waiting->kind != OP_HTTP)
        waiting = NULL;
    struct publish *publish = NULL;
    kanal_status status = !sizes_right(events, count)            ? KANAL_E_INVALID
                          : channel->ops > CHANNEL_OPS_MAX       ? KANAL_E_BUSY
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
    publisher_publish(channel->host->publisher, &channel->source, events, count, channel->config->raw_ms > 0,
                      on_stored, publish);
    return id;
}
