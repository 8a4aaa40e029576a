/* The extension kanal.websocket/1 in a worker. send() must say at once whether the connection still takes anything: so the state of each
 * connection is kept here, and the bytes that the core has not taken yet are counted. */
#include "inside.h"
#include "kanal/sdk/str.h"

#define WAITING_MAX (1024u * 1024) /* as in the core, for a client that is slow */
#define TRY_AGAIN_LATER 1013u

struct inside_connection {
    struct inside_connection *next; /* in its hash slot */
    struct inside_channel *channel;
    kanal_op number;
    size_t waiting; /* bytes sent that the core has not taken yet */
    int is_ending;
};

static struct inside_connection **slot_of(const struct inside *in, kanal_op number)
{
    struct inside_connection **slot =
        &in->connections[(number * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (in->connection_room - 1)];
    while (*slot && (*slot)->number != number)
        slot = &(*slot)->next;
    return slot;
}

static struct inside_connection *find(const struct inside_channel *channel, kanal_op number)
{
    const struct inside *in = channel->inside;
    struct inside_connection *connection = in->connection_room > 0 ? *slot_of(in, number) : NULL;
    return connection && connection->channel == channel ? connection : NULL;
}

static int grow(struct inside *in)
{
    if (in->connection_count < in->connection_room)
        return 0;
    size_t room = in->connection_room ? in->connection_room * 2 : 16, old_room = in->connection_room;
    struct inside_connection **table = calloc(room, sizeof *table), **old = in->connections;
    if (!table)
        return -1;
    in->connections = table;
    in->connection_room = room;
    for (size_t i = 0; i < old_room; i++)
        while (old[i]) {
            struct inside_connection *connection = old[i];
            old[i] = connection->next;
            connection->next = NULL;
            *slot_of(in, connection->number) = connection;
        }
    free(old);
    return 0;
}

static struct inside_connection *add(struct inside_channel *channel, kanal_op number)
{
    struct inside *in = channel->inside;
    struct inside_connection *connection = grow(in) == 0 ? calloc(1, sizeof *connection) : NULL;
    if (!connection)
        return NULL;
    *connection = (struct inside_connection){ .channel = channel, .number = number };
    *slot_of(in, number) = connection;
    in->connection_count++;
    return connection;
}

static void drop(struct inside_connection *connection)
{
    struct inside *in = connection->channel->inside;
    *slot_of(in, connection->number) = connection->next;
    in->connection_count--;
    free(connection);
}

/* ---- The host's table ---- */

static void refuse(const kanal_host *host, kanal_op request)
{
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = 500,
                                     .body = KANAL_LIT("this path is for WebSocket connections") };
    host->respond(host, request, &response);
}

static void socket_accept(const kanal_host *host, kanal_op request, uint32_t max_message)
{
    struct inside_channel *channel = host->impl;
    struct wire_socket frame = { .connection = request, .number = max_message };
    if (!channel->sockets || find(channel, request) || request == 0 || !add(channel, request))
        refuse(host, request);
    else
        inside_send(channel->inside, WIRE_SOCKET_ACCEPT, channel, &frame);
}

static void end(struct inside_connection *connection, uint32_t code, kanal_str reason)
{
    struct wire_socket frame = { connection->number, code, reason };
    connection->is_ending = 1;
    inside_send(connection->channel->inside, WIRE_SOCKET_CLOSE, connection->channel, &frame);
}

static int32_t socket_send(const kanal_host *host, kanal_op number, uint32_t type, kanal_str message)
{
    struct inside_channel *channel = host->impl;
    struct inside_connection *connection = find(channel, number);
    struct wire_socket frame = { number, type, message };
    if (!connection || connection->is_ending || (!message.ptr && message.len > 0))
        return 0;
    if (connection->waiting > WAITING_MAX ||
        inside_send(channel->inside, WIRE_SOCKET_SEND, channel, &frame) != 0) {
        end(connection, TRY_AGAIN_LATER, KANAL_LIT("too much waits for this client"));
        return 0;
    }
    connection->waiting += message.len;
    return 1;
}

static void socket_close(const kanal_host *host, kanal_op number, uint32_t code, kanal_str reason)
{
    struct inside_channel *channel = host->impl;
    struct inside_connection *connection = find(channel, number);
    if (reason.len > 123) /* what fits beside the code in a control frame (RFC 6455, 5.5) */
        reason.len = reason.ptr ? 123 : reason.len;
    if (connection && !connection->is_ending)
        end(connection, code, reason);
}

const kanal_websocket_host inside_websocket = { .struct_size = sizeof inside_websocket,
                                                .accept = socket_accept,
                                                .send = socket_send,
                                                .close = socket_close };

/* ---- From the core ---- */

static void run_event(struct inside_channel *channel, enum wire_type type, const struct wire_socket *frame)
{
    const kanal_websocket_plugin *sockets = channel->sockets;
    if (!sockets || !channel->instance)
        return;
    inside_enter(channel, type);
    if (type == WIRE_SOCKET_OPENED)
        sockets->on_open(channel->instance, frame->connection);
    else if (type == WIRE_SOCKET_MESSAGE)
        sockets->on_message(channel->instance, frame->connection, frame->number, frame->text);
    else
        sockets->on_close(channel->instance, frame->connection, frame->number, frame->text);
    inside_leave(channel, type);
}

int inside_socket_frame(struct inside_channel *channel, enum wire_type type, const struct wire_socket *frame)
{
    struct inside_connection *connection = find(channel, frame->connection);
    if (!connection)
        return 0;
    switch (type) {
    case WIRE_SOCKET_SENT:
        connection->waiting -= frame->number < connection->waiting ? frame->number : connection->waiting;
        break;
    case WIRE_SOCKET_GONE:
        if (frame->number) /* it never became one: nothing follows */
            drop(connection);
        else
            connection->is_ending = 1;
        break;
    case WIRE_SOCKET_CLOSED:
        drop(connection); /* before on_close(): what is sent in there is refused */
        run_event(channel, type, frame);
        break;
    default:
        run_event(channel, type, frame);
    }
    return 0;
}

void inside_sockets_drop(struct inside_channel *channel)
{
    struct inside *in = channel->inside;
    for (size_t i = 0; i < in->connection_room; i++)
        for (struct inside_connection **link = &in->connections[i]; *link;) {
            struct inside_connection *connection = *link;
            if (connection->channel != channel) {
                link = &connection->next;
                continue;
            }
            *link = connection->next;
            in->connection_count--;
            free(connection);
        }
}

void inside_sockets_release(struct inside *in)
{
    free(in->connections); /* they went with their channels */
}
