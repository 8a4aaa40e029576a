/* Frames of the core become calls of the plugin's slots. */
#include <stdio.h>

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

/* The plugin's side of an extension, if it is whole: of its size, none of its members missing. */
static const void *side_of(struct inside_channel *channel, const char *id, size_t size)
{
    const kanal_plugin *plugin = &channel->inside->plugin;
    const uint64_t *table = plugin->extension ? plugin->extension(channel->instance, id) : NULL;
    void (*member)(void);
    int is_whole =
        table && *table >= size; /* each begins with its struct_size, and has nothing but slots after it */
    for (size_t at = sizeof *table; is_whole && at < size; at += sizeof member) {
        memcpy(&member, (const char *)table + at, sizeof member);
        is_whole = member != NULL;
    }
    if (table && !is_whole) {
        char text[128];
        int n = snprintf(text, sizeof text, "the plugin's table of %s lacks members, and is not used", id);
        inside_log(channel, KANAL_LOG_ERROR, kanal_str_of(text, (size_t)n));
    }
    return is_whole ? table : NULL;
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
    if (channel->instance) {
        channel->sockets = side_of(channel, KANAL_EXT_WEBSOCKET, sizeof *channel->sockets);
        channel->streams = side_of(channel, KANAL_EXT_STREAM, sizeof *channel->streams);
        channel->leases = side_of(channel, KANAL_EXT_LEASE, sizeof *channel->leases);
    }
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
    if (!take_op(channel, value->op, INSIDE_VALUE, &op))
        return;
    if (op.blob != 0)
        inside_blob_commit_ended(channel, &op);
    if (!op.callback.value)
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

static void run_mailed(struct inside_channel *channel, const struct wire_mailed *answer)
{
    struct inside_op op;
    if (!take_op(channel, answer->op, INSIDE_MAIL, &op) || !op.callback.mail)
        return;
    inside_enter(channel, WIRE_MAILED);
    op.callback.mail(op.user, answer->status, inside_mail_result(answer->result));
    inside_leave(channel, WIRE_MAILED);
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
    struct wire_on on;
    struct wire_mailed mailed;
    struct wire_lease lease;
    struct wire_count count;
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
    case WIRE_STREAM_OPENED:
    case WIRE_STREAM_DATA:
    case WIRE_STREAM_ENDED:
    case WIRE_STREAM_CLOSED:
        inside_stream_frame(channel, type, &frame->on);
        return 0;
    case WIRE_MAILED:
        run_mailed(channel, &frame->mailed);
        return 0;
    case WIRE_LEASE_HELD:
    case WIRE_LEASE_RENEWED:
    case WIRE_LEASE_LOST:
        inside_lease_frame(channel, type, &frame->lease);
        return 0;
    case WIRE_BLOB_GONE:
        inside_blob_gone(channel, frame->on.on);
        return 0;
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
    if (frame->type == WIRE_TAKEN || frame->type == WIRE_AREA)
        return inside_area_frame(in, frame->type, any.count.count);
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
