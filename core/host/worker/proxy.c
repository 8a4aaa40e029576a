/* The slots of a plugin that runs in a worker: each makes a frame. */
#include "host/services/services.h"
#include "host/worker/worker.h"
#include "kanal/sdk/str.h"

/* ---- Instances ---- */

struct kanal_channel *instance_find(const struct worker *worker, uint32_t number)
{
    return number < worker->instance_room ? worker->instances[number] : NULL;
}

static struct kanal_channel *new_number(struct worker *worker)
{
    uint32_t room = worker->instance_room;
    if (room + 16 > WIRE_CHANNELS_MAX)
        return NULL;
    struct kanal_channel **instances =
        realloc(worker->instances, (room + 16) * sizeof(struct kanal_channel *));
    if (!instances)
        return NULL;
    worker->instances = instances;
    memset(instances + room, 0, 16 * sizeof(struct kanal_channel *));
    for (uint32_t i = 16; i-- > 0;) {
        struct kanal_channel *instance = calloc(1, sizeof *instance);
        if (!instance)
            continue;
        *instance = (struct kanal_channel){
            .worker = worker, .number = room + i, .is_free = 1, .next_free = worker->free_instances
        };
        instances[room + i] = instance;
        worker->free_instances = instance;
    }
    worker->instance_room = room + 16;
    return worker->free_instances;
}

static struct kanal_channel *instance_new(struct worker *worker, struct channel *channel)
{
    struct kanal_channel *instance = worker->free_instances;
    if (!instance && !(instance = new_number(worker)))
        return NULL;
    worker->free_instances = instance->next_free;
    *instance = (struct kanal_channel){ .worker = worker, .channel = channel, .number = instance->number };
    return instance;
}

static void unlink_parked(struct kanal_channel *instance)
{
    struct kanal_channel **link = &instance->worker->first_parked;
    while (*link && *link != instance)
        link = &(*link)->next_parked;
    if (*link)
        *link = instance->next_parked;
}

/* The channel is done with it; its lane belongs to the channel and goes on without the worker. */
static void let_go(struct kanal_channel *instance)
{
    struct channel *channel = instance->channel;
    tickets_drop(instance);
    if (instance->is_parked) {
        unlink_parked(instance);
        instance->is_parked = 0;
        lane_resume(&channel->lane);
    }
    instance->outstanding = 0;
    instance->channel = NULL;
}

/* The worker has said that it destroyed it: the number can be given again. */
void instance_gone(struct kanal_channel *instance)
{
    instance->is_free = 1;
    instance->next_free = instance->worker->free_instances;
    instance->worker->free_instances = instance;
}

void instances_free(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->instance_room; i++) {
        struct kanal_channel *instance = worker->instances[i];
        if (instance && instance->channel)
            let_go(instance);
        free(instance);
    }
    free(worker->instances);
    worker->instances = NULL;
    worker->free_instances = worker->first_parked = NULL;
    worker->instance_room = 0;
}

/* ---- Back-pressure ---- */

int worker_may_run(struct lane *lane)
{
    struct channel *channel = (struct channel *)(void *)((char *)lane - offsetof(struct channel, lane));
    struct kanal_channel *instance = channel->instance;
    if (!instance || (instance->outstanding < WORKER_CALLS_MOST &&
                      instance->worker->out.len - instance->worker->out_sent < WORKER_OUT_MOST))
        return 1;
    instance->is_parked = 1;
    instance->next_parked = instance->worker->first_parked;
    instance->worker->first_parked = instance;
    return 0;
}

int worker_is_done(const struct kanal_channel *instance)
{
    return instance->worker->state == WORKER_UP && instance->outstanding == 0;
}

/* ---- The slots ---- */

static kanal_channel *proxy_create(const kanal_host *host, const kanal_config *config)
{
    struct channel *channel = host->impl;
    struct kanal_channel *instance = instance_new(channel->worker, channel);
    struct wire_create create = { config->channel_id, config->settings, config->public_url };
    if (!instance)
        return NULL;
    if (worker_send(instance, WIRE_CREATE, &create) != 0) {
        let_go(instance);
        instance_gone(instance);
        return NULL;
    }
    return instance;
}

static void proxy_start(kanal_channel *instance, kanal_op op)
{
    worker_send(instance, WIRE_START, &(struct wire_call){ op });
}

static void proxy_stop(kanal_channel *instance, kanal_op op)
{
    worker_send(instance, WIRE_STOP, &(struct wire_call){ op });
}

static void proxy_destroy(kanal_channel *instance)
{
    worker_send(instance, WIRE_DESTROY, NULL);
    let_go(instance);
}

static void proxy_provision(kanal_channel *instance, kanal_op op, kanal_str public_url, int32_t wanted)
{
    struct wire_provision provision = { op, public_url, wanted };
    worker_send(instance, WIRE_PROVISION, &provision);
}

static void refuse(const kanal_host *host, kanal_op op, int code, kanal_str body)
{
    kanal_http_response response = { .struct_size = sizeof response, .code = code, .body = body };
    host->respond(host, op, &response);
}

static void proxy_on_http(kanal_channel *instance, kanal_op op, const kanal_http_request *request)
{
    int status = worker_send(instance, WIRE_HTTP, &(struct wire_http){ .op = op, .request = request });
    if (status != 0)
        refuse(&instance->channel->table, op, status == KANAL_E_TOO_LARGE ? 413 : 503,
               KANAL_LIT("the request does not fit into the channel's worker"));
}

static void proxy_deliver(kanal_channel *instance, kanal_op id, const kanal_delivery *delivery)
{
    struct channel *channel = instance->channel;
    struct op *op = op_find(channel->host->ops, channel, id);
    if (op)
        op->loose_before = instance->loose_sends;
    if (worker_send(instance, WIRE_DELIVER, &(struct wire_deliver){ id, delivery }) == 0)
        return;
    kanal_result result = { .struct_size = sizeof result,
                            .outcome = KANAL_FAILED,
                            .code = KANAL_LIT("payload_too_large"),
                            .reason = KANAL_LIT("the delivery does not fit into the channel's worker") };
    channel->table.delivered(&channel->table, id, &result);
}

static void proxy_media(kanal_channel *instance, kanal_op op, kanal_str reference)
{
    const kanal_host *host = &instance->channel->table;
    if (worker_send(instance, WIRE_MEDIA, &(struct wire_text){ op, reference }) != 0)
        host->locate(host, op, KANAL_E_TOO_LARGE, NULL);
}

/* ---- WebSocket connections ---- */

static void socket_opened(kanal_channel *instance, kanal_op connection)
{
    worker_send(instance, WIRE_SOCKET_OPENED, &(struct wire_socket){ .connection = connection });
}

static void socket_message(kanal_channel *instance, kanal_op connection, uint32_t type, kanal_str message)
{
    struct wire_socket frame = { connection, type, message };
    const kanal_websocket_host *sockets = extension_websocket();
    if (worker_send(instance, WIRE_SOCKET_MESSAGE, &frame) != 0)
        sockets->close(&instance->channel->table, connection, 1009, KANAL_LIT("the message is too large"));
}

static void socket_closed(kanal_channel *instance, kanal_op connection, uint32_t code, kanal_str reason)
{
    struct wire_socket frame = { connection, code,
                                 kanal_str_of(reason.ptr, reason.len < 512 ? reason.len : 512) };
    worker_send(instance, WIRE_SOCKET_CLOSED, &frame);
}

/* Whether the plugin has the other side is known in the worker. */
static const void *proxy_extension(kanal_channel *instance, const char *id)
{
    static const kanal_websocket_plugin sockets = { .struct_size = sizeof sockets,
                                                    .on_open = socket_opened,
                                                    .on_message = socket_message,
                                                    .on_close = socket_closed };
    (void)instance;
    return strcmp(id, KANAL_EXT_WEBSOCKET) == 0 ? &sockets : worker_proxy_extension(id);
}

void worker_proxy_slots(kanal_plugin *plugin, uint64_t slots)
{
    plugin->create = proxy_create;
    plugin->start = proxy_start;
    plugin->stop = proxy_stop;
    plugin->destroy = proxy_destroy;
    plugin->provision = slots & WIRE_SLOT_PROVISION ? proxy_provision : NULL;
    plugin->on_http = slots & WIRE_SLOT_ON_HTTP ? proxy_on_http : NULL;
    plugin->deliver = slots & WIRE_SLOT_DELIVER ? proxy_deliver : NULL;
    plugin->media = slots & WIRE_SLOT_MEDIA ? proxy_media : NULL;
    plugin->on_wake = NULL; /* woken channels run in the worker itself */
    plugin->extension = proxy_extension;
}
