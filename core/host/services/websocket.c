/* WebSocket connections of a channel. An on_http() op becomes the connection's op and keeps its number. */
#include "host/host.h"
#include "host/services/services.h"
#include "http/server.h"
#include "kanal/sdk/str.h"

#define MESSAGE_DEFAULT (64u * 1024)
#define QUEUED_MAX 256u /* messages that wait for the lane; a faster client is closed */

/* One thing that happened on a connection, on its way into the lane. */
struct happening {
    struct lane_item item; /* first */
    struct channel *channel;
    kanal_op connection;
    enum {
        OPENED,
        MESSAGE,
        CLOSED,
        STOPPED
    } what; /* STOPPED: the channel stops and hears of the end early */
    uint32_t type, code;
    size_t len;
    char bytes[];
};

static void run_happening(struct lane_item *item)
{
    struct happening *h = (struct happening *)item;
    struct channel *channel = h->channel;
    struct op *op = op_find(channel->host->ops, channel, h->connection);
    kanal_str bytes = kanal_str_of(h->bytes, h->len);
    uint64_t entered = channel_enter();
    if (op && op->waiting > 0)
        op->waiting--;
    if (op && !op->responded && channel->instance && channel->sockets) {
        if (h->what == OPENED)
            channel->sockets->on_open(channel->instance, h->connection);
        else if (h->what == MESSAGE)
            channel->sockets->on_message(channel->instance, h->connection, h->type, bytes);
        else
            channel->sockets->on_close(channel->instance, h->connection, h->code, bytes);
        op->responded |=
            h->what == CLOSED || h->what == STOPPED; /* on_close() comes once, and nothing after it */
    }
    channel_leave(channel, entered, "a WebSocket callback");
    if (h->what == CLOSED)
        op_free(channel->host->ops, op_find(channel->host->ops, channel, h->connection));
    free(h);
}

static int queue(struct op *op, int what, uint32_t type, uint32_t code, kanal_str bytes)
{
    struct happening *h = malloc(sizeof *h + bytes.len);
    if (!h)
        return -1;
    *h = (struct happening){ .item.run = run_happening,
                             .channel = op->channel,
                             .connection = op->id,
                             .what = what,
                             .type = type,
                             .code = code,
                             .len = bytes.len };
    if (bytes.len > 0)
        memcpy(h->bytes, bytes.ptr, bytes.len);
    op->waiting++;
    lane_push(&op->channel->lane, &h->item);
    return 0;
}

static void on_open(void *user, struct http_socket *socket)
{
    (void)socket;
    queue(user, OPENED, 0, 0, (kanal_str){ 0 });
}

static void on_message(void *user, struct http_socket *socket, int is_text, kanal_str message)
{
    struct op *op = user;
    if (op->waiting > QUEUED_MAX ||
        queue(op, MESSAGE, is_text ? KANAL_WS_TEXT : KANAL_WS_BINARY, 0, message) != 0)
        http_socket_close(socket, 1013, KANAL_LIT("too many messages"));
}

static void on_close(void *user, struct http_socket *socket, uint16_t code, kanal_str reason)
{
    struct op *op = user;
    (void)socket;
    op->work = NULL;
    if (queue(op, CLOSED, 0, code, reason) != 0)
        op_free(op->channel->host->ops, op);
}

static const struct http_socket_events socket_events = { .open = on_open,
                                                         .message = on_message,
                                                         .close = on_close };

/* accept() of what cannot become a connection is an answer all the same: the client must not wait for the deadline. */
static void refuse(const kanal_host *host, kanal_op request, int code, const char *text)
{
    kanal_field upgrade = { KANAL_LIT("upgrade"), KANAL_LIT("websocket") };
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = code,
                                     .body = kanal_str_c(text),
                                     .headers = &upgrade,
                                     .header_count = code == 426 };
    host->respond(host, request, &response);
}

static void socket_accept(const kanal_host *host, kanal_op request, uint32_t max_message)
{
    struct channel *channel = host->impl;
    struct op *op = op_find(channel->host->ops, channel, request);
    struct http_exchange *exchange = op && op->kind == OP_HTTP && !op->responded ? op->work : NULL;
    if (!exchange || !channel->sockets || !http_exchange_request(exchange)->is_websocket) {
        refuse(host, request, exchange && channel->sockets ? 426 : 500,
               "this path is for WebSocket connections");
        return;
    }
    if (channel->state != CHANNEL_UP && channel->state != CHANNEL_STARTING) {
        refuse(host, request, 503, "the channel is being stopped"); /* its connections were closed already */
        return;
    }
    op->answered(op, channel_upgraded);
    channel->http--;
    op->kind = OP_SOCKET;
    op->owner = NULL;
    op->waiting = 0;
    op->work = http_upgrade(exchange, max_message ? max_message : MESSAGE_DEFAULT, &socket_events, op);
    if (!op->work && queue(op, CLOSED, 0, 1006, (kanal_str){ 0 }) != 0)
        op_free(channel->host->ops, op);
}

static struct op *find(const kanal_host *host, kanal_op connection)
{
    struct channel *channel = host->impl;
    struct op *op = op_find(channel->host->ops, channel, connection);
    return op && op->kind == OP_SOCKET && op->work ? op : NULL;
}

static int32_t socket_send(const kanal_host *host, kanal_op connection, uint32_t type, kanal_str message)
{
    struct op *op = find(host, connection);
    return op && text_valid(message) && http_socket_send(op->work, type == KANAL_WS_TEXT, message) == 0;
}

/* What may stand in a close frame (RFC 6455, 7.4). */
static int code_valid(uint32_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static void socket_close(const kanal_host *host, kanal_op connection, uint32_t code, kanal_str reason)
{
    struct op *op = find(host, connection);
    if (op)
        http_socket_close(op->work, code_valid(code) ? (uint16_t)code : 1011,
                          text_valid(reason) ? reason : (kanal_str){ 0 });
}

static void close_one(void *user, struct op *op)
{
    (void)user;
    if (op->kind != OP_SOCKET || !op->work)
        return;
    queue(op, STOPPED, 0, 1001, (kanal_str){ 0 });
    http_socket_close(op->work, 1001, KANAL_LIT("the gateway is going away"));
}

void websocket_close_all(struct channel *channel)
{
    op_each(channel->host->ops, channel, close_one, NULL);
}

static void lose_one(void *user, struct op *op)
{
    (void)user;
    if (op->kind != OP_SOCKET)
        return;
    op->responded = 1; /* the next instance never heard of it */
    if (op->work)
        http_socket_close(op->work, 1012, KANAL_LIT("the channel is starting again"));
}

void websocket_lose_all(struct channel *channel)
{
    op_each(channel->host->ops, channel, lose_one, NULL);
}

void websocket_drop_queued(struct channel *channel)
{
    for (struct lane_item *item = channel->lane.first, *next; item; item = next) {
        next = item->next;
        if (item->run == run_happening && lane_remove(&channel->lane, item))
            free(item);
    }
}

const void *extension_websocket(void)
{
    static const kanal_websocket_host table = {
        .struct_size = sizeof table, .accept = socket_accept, .send = socket_send, .close = socket_close
    };
    return &table;
}
