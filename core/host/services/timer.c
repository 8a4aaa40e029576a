#include "host/host.h"
#include "host/services/services.h"

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void stop(struct op *op)
{
    uv_close(op->work, on_closed);
    op->work = NULL;
}

static void on_due(uv_timer_t *timer)
{
    struct op *op = timer->data;
    stop(op);
    op_complete(op, KANAL_OK);
}

kanal_op service_timer(const kanal_host *host, uint32_t delay_ms, kanal_done_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct op *op = channel_op(channel, OP_DONE);
    if (!op)
        return 0;
    op->callback.done = done;
    op->user = user;
    kanal_op id = op->id;
    uv_timer_t *timer = channel->ops <= CHANNEL_OPS_MAX ? malloc(sizeof *timer) : NULL;
    if (!timer) {
        op_complete(op, KANAL_E_BUSY);
        return id;
    }
    uv_timer_init(channel->host->loop, timer);
    timer->data = op;
    op->work = timer;
    op->cancel = stop;
    uv_update_time(channel->host->loop); /* a long turn must not make it early */
    uv_timer_start(timer, on_due, delay_ms, 0);
    return id;
}
