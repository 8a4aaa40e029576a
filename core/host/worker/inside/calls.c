/* Frames of the core become calls of the plugin's slots. */
#include "inside.h"
#include "kanal/sdk/str.h"

struct inside_channel *inside_find(const struct inside *in, uint32_t number)
{
    return number < in->channel_room ? in->channels[number] : NULL;
}

/* ---- Life ---- */

static int make_room(struct inside *in, uint32_t number)
{
    if (number < in->channel_room)
        return 0;
    size_t room = in->channel_room ? in->channel_room : 16;
    while (room <= number)
        room *= 2;
    struct inside_channel **channels = realloc(in->channels, room * sizeof(struct inside_channel *));
    if (!channels)
        return KANAL_E_INTERNAL;
    memset(channels + in->channel_room, 0, (room - in->channel_room) * sizeof(struct inside_channel *));
    in->channels = channels;
    in->channel_room = room;
    return 0;
}

/* The plugin's side of the extension, if it is whole. */
static const kanal_websocket_plugin *sockets_of(struct inside_channel *channel)
{
    const kanal_plugin *plugin = &channel->inside->plugin;
    const kanal_websocket_plugin *sockets =
        plugin->extension ? plugin->extension(channel->instance, KANAL_EXT_WEBSOCKET) : NULL;
    if (!sockets || (sockets->struct_size >= sizeof *sockets && sockets->on_open && sockets->on_message &&
                     sockets->on_close))
        return sockets;
    inside_log(channel, KANAL_LOG_ERROR,
               KANAL_LIT("the plugin's table of " KANAL_EXT_WEBSOCKET " lacks members, and is not used"));
    return NULL;
}

static int run_create(struct inside *in, uint32_t number, const struct wire_create *create)
{
    if (number >= WIRE_CHANNELS_MAX || inside_find(in, number) || make_room(in, number) != 0)
        return KANAL_E_INVALID;
    struct inside_channel *channel = calloc(1, sizeof *channel + create->channel_id.len + 1);
    if (!channel)
        return KANAL_E_INTERNAL;
    channel->inside = in;
    channel->number = number;
    memcpy(channel->id, create->channel_id.ptr ? create->channel_id.ptr : "", create->channel_id.len);
    inside_table_init(&channel->table, channel);
    in->channels[number] = channel;
    kanal_config config = { .struct_size = sizeof config,
                            .channel_id = kanal_str_c(channel->id),
                            .settings = create->settings,
                            .public_url = create->public_url };
    inside_enter(channel, WIRE_CREATE);
    channel->instance = in->plugin.create(&channel->table, &config);
    if (channel->instance)
        channel->sockets = sockets_of(channel);
    inside_leave(channel, WIRE_CREATE);
    struct wire_count created = { channel->instance != NULL };
    inside_send(in, WIRE_CREATED, channel, &created);
    return 0;
}

static void forget_ran(struct inside *in, const struct inside_channel *channel)
{
    struct inside_channel **link = &in->first_ran;
    while (*link && *link != channel)
        link = &(*link)->next_ran;
    if (*link)
        *link = channel->next_ran;
}

static void free_channel(struct inside_channel *channel)
{
    struct inside *in = channel->inside;
    inside_ops_drop(channel);
    inside_sockets_drop(channel);
    forget_ran(in, channel);
    in->channels[channel->number] = NULL;
    free(channel);
}

static void run_destroy(struct inside_channel *channel)
{
    channel->is_closed = 1;
    inside_ops_drop(channel);
    if (channel->instance) {
        inside_enter(channel, WIRE_DESTROY);
        channel->inside->plugin.destroy(channel->instance);
        inside_leave(channel, WIRE_DESTROY);
    }
    inside_send(channel->inside, WIRE_DESTROYED, channel, NULL);
    free_channel(channel);
}

void inside_free_channels(struct inside *in)
{
    for (size_t i = 0; i < in->channel_room; i++)
        if (in->channels[i])
            free_channel(in->channels[i]);
    free(in->channels);
}

/* ---- Completions ---- */

/* Takes the operation out and brings a copy of it: the callback may ask again at once. 0: nobody waits. */
static int take_op(struct inside_channel *channel, kanal_op number, enum inside_kind kind,
                   struct inside_op *ret_op)
{
    struct inside_op *op = inside_op_find(channel->inside, channel, number);
    if (!op || op->kind != kind)
        return 0;
    *ret_op = *op;
    inside_op_free(op);
    return 1;
}

static void run_done(struct inside_channel *channel, const struct wire_done *done)
{
    struct inside_op op;
    if (!take_op(channel, done->op, INSIDE_DONE, &op) || !op.callback.done)
        return;
    inside_enter(channel, WIRE_DONE);
    op.callback.done(op.user, done->status);
    inside_leave(channel, WIRE_DONE);
}

static void run_value(struct inside_channel *channel, const struct wire_value *value)
{
    struct inside_op op;
    if (!take_op(channel, value->op, INSIDE_VALUE, &op) || !op.callback.value)
        return;
    inside_enter(channel, WIRE_VALUE);
    op.callback.value(op.user, value->status, value->value, value->revision);
    inside_leave(channel, WIRE_VALUE);
}

static void run_response(struct inside_channel *channel, const struct wire_response *answer)
{
    struct inside_op op;
    if (!take_op(channel, answer->op, INSIDE_RESPONSE, &op) || !op.callback.response)
        return;
    inside_enter(channel, WIRE_RESPONSE);
    op.callback.response(op.user, answer->status, answer->response);
    inside_leave(channel, WIRE_RESPONSE);
}

/* ---- Calls ---- */

union any_frame {
    struct wire_hello hello;
    struct wire_create create;
    struct wire_call call;
    struct wire_provision provision;
    struct wire_http http;
    struct wire_deliver deliver;
    struct wire_text text;
    struct wire_done done;
    struct wire_value value;
    struct wire_response response;
    struct wire_socket socket;
};

static int run_slot(struct inside_channel *channel, enum wire_type type, const union any_frame *frame)
{
    const kanal_plugin *plugin = &channel->inside->plugin;
    kanal_channel *instance = channel->instance;
    if (!instance)
        return 0; /* create() refused; the core did not know yet */
    if ((type == WIRE_HTTP && (!plugin->on_http || !frame->http.request)) ||
        (type == WIRE_DELIVER && (!plugin->deliver || !frame->deliver.delivery)) ||
        (type == WIRE_MEDIA && !plugin->media) || (type == WIRE_PROVISION && !plugin->provision))
        return KANAL_E_INVALID;
    inside_enter(channel, type);
    switch (type) {
    case WIRE_START:
        plugin->start(instance, frame->call.op);
        break;
    case WIRE_STOP:
        plugin->stop(instance, frame->call.op);
        break;
    case WIRE_PROVISION:
        plugin->provision(instance, frame->provision.op, frame->provision.public_url,
                          frame->provision.wanted);
        break;
    case WIRE_HTTP:
        plugin->on_http(instance, frame->http.op, frame->http.request);
        break;
    case WIRE_DELIVER:
        plugin->deliver(instance, frame->deliver.op, frame->deliver.delivery);
        break;
    default:
        plugin->media(instance, frame->text.op, frame->text.text);
    }
    inside_leave(channel, type);
    return 0;
}

static int run_frame(struct inside_channel *channel, enum wire_type type, const union any_frame *frame)
{
    switch (type) {
    case WIRE_START:
    case WIRE_STOP:
    case WIRE_PROVISION:
    case WIRE_HTTP:
    case WIRE_DELIVER:
    case WIRE_MEDIA:
        return run_slot(channel, type, frame);
    case WIRE_DONE:
        run_done(channel, &frame->done);
        return 0;
    case WIRE_VALUE:
        run_value(channel, &frame->value);
        return 0;
    case WIRE_RESPONSE:
        run_response(channel, &frame->response);
        return 0;
    case WIRE_SOCKET_OPENED:
    case WIRE_SOCKET_MESSAGE:
    case WIRE_SOCKET_CLOSED:
    case WIRE_SOCKET_SENT:
    case WIRE_SOCKET_GONE:
        return inside_socket_frame(channel, type, &frame->socket);
    default:
        return KANAL_E_INVALID;
    }
}

static int check_hello(const struct wire_hello *hello)
{
    return hello->magic == WIRE_MAGIC && hello->version == WIRE_VERSION && hello->abi_major == KANAL_ABI_MAJOR
               ? 0
               : KANAL_E_INVALID;
}

int inside_dispatch(struct inside *in, const struct wire_frame *frame)
{
    union any_frame any;
    wire_scratch_clear(&in->scratch);
    int status = wire_get(frame, &in->scratch, &any);
    if (status != 0)
        return status;
    if (frame->type == WIRE_HELLO)
        return check_hello(&any.hello);
    in->frames++;
    if (frame->type == WIRE_CREATE)
        return run_create(in, frame->channel, &any.create);
    struct inside_channel *channel = inside_find(in, frame->channel);
    if (!channel)
        return KANAL_E_INVALID;
    if (frame->type == WIRE_DESTROY) {
        run_destroy(channel);
        return 0;
    }
    channel->ran++;
    if (!channel->has_ran) {
        channel->has_ran = 1;
        channel->next_ran = in->first_ran;
        in->first_ran = channel;
    }
    return run_frame(channel, frame->type, &any);
}

void inside_run_woken(struct inside *in)
{
    if (!__atomic_exchange_n(&in->is_woken, 0, __ATOMIC_ACQ_REL))
        return;
    for (size_t i = 0; i < in->channel_room; i++) {
        struct inside_channel *channel = in->channels[i];
        if (!channel || !__atomic_exchange_n(&channel->is_woken, 0, __ATOMIC_ACQ_REL) || !channel->instance ||
            !in->plugin.on_wake)
            continue;
        inside_enter(channel, WIRE_WAKE);
        in->plugin.on_wake(channel->instance);
        inside_leave(channel, WIRE_WAKE);
    }
}
