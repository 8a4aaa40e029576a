/* kanal.stream/1: byte streams of a channel. */
#include "host/services/stream.h"

#include <stdio.h>

#include "host/host.h"
#include "host/services/egress.h"
#include "host/services/services.h"
#include "kanal/ext/stream.h"
#include "net/dial.h"
#include "net/tls.h"

#define STREAMS_MAX 64u
#define CONNECT_DEFAULT_MS 15000u
#define CONNECT_MAX_MS 60000u
#define CREDIT_DEFAULT (64u * 1024)
#define CREDIT_MAX (1024u * 1024)
#define QUEUED_MAX (1024u * 1024)
#define IN_LANE_MAX 256u /* pieces that wait for the lane, however small */

struct connection {
    struct op *op;
    struct net_stream *stream;
    void *maker;
    void (*abort)(void *maker);
    uint32_t idle_ms, credit;
    uint32_t timeout_ms;
    uint64_t started_ms;
    uint32_t in_lane; /* pieces */
    int open, ended, restricted, use_tls;
    char host[256];
    kanal_op securing; /* start_tls() under way */
    kanal_status status;
    char reason[NET_REASON_MAX];
};

enum happened { OPENED, DATA, END };

struct happening {
    struct lane_item item; /* first */
    struct channel *channel;
    kanal_op stream;
    enum happened what;
    size_t len;
    char bytes[];
};

int stream_is_over(const struct connection *c)
{
    return c->ended;
}

/* ---- Into the lane ---- */

static void run_happening(struct lane_item *item)
{
    struct happening *h = (struct happening *)item;
    struct channel *channel = h->channel;
    struct op *op = op_find(channel->host->ops, channel, h->stream);
    struct connection *c = op ? op->work : NULL;
    if (c) {
        c->in_lane--;
        uint64_t entered = channel_enter();
        if (h->what == OPENED)
            channel->streams->on_open(channel->instance, h->stream);
        else if (h->what == DATA)
            channel->streams->on_data(channel->instance, h->stream, kanal_str_of(h->bytes, h->len));
        else
            channel->streams->on_end(channel->instance, h->stream);
        channel_leave(channel, entered, "a stream's callback");
        op = op_find(channel->host->ops, channel, h->stream);
        c = op ? op->work : NULL;
        if (c && c->stream && c->in_lane == IN_LANE_MAX / 2)
            net_stream_resume(c->stream);
    }
    free(h);
}

static void queue(struct connection *c, enum happened what, kanal_str bytes)
{
    struct happening *h = malloc(sizeof *h + bytes.len);
    if (!h) {
        stream_end(c, KANAL_E_INTERNAL, "out of memory");
        return;
    }
    *h = (struct happening){ .item.run = run_happening,
                             .channel = c->op->channel,
                             .stream = c->op->id,
                             .what = what,
                             .len = bytes.len };
    if (bytes.len > 0)
        memcpy(h->bytes, bytes.ptr, bytes.len);
    c->in_lane++;
    lane_push(&c->op->channel->lane, &h->item);
}

static void let_go(struct connection *c)
{
    if (c->abort)
        c->abort(c->maker);
    c->abort = NULL;
    net_stream_free(c->stream);
    c->stream = NULL;
}

static void run_close(struct lane_item *item)
{
    struct op *op = (struct op *)item;
    struct channel *channel = op->channel;
    struct connection *c = op->work;
    uint64_t entered = channel_enter();
    op->item.run = NULL;
    op->work = NULL; /* what the plugin still calls with it finds nothing */
    op->cancel = NULL;
    channel->stream_count--;
    channel->streams->on_close(channel->instance, op->id, c->status, kanal_str_c(c->reason));
    channel_leave(channel, entered, "on_close");
    free(c);
    op_free(channel->host->ops, op);
}

void stream_end(struct connection *c, kanal_status status, const char *reason)
{
    if (c->ended)
        return;
    c->ended = 1;
    c->open = 0;
    c->status = status;
    snprintf(c->reason, sizeof c->reason, "%s", reason);
    let_go(c);
    c->op->item.run = run_close;
    lane_push(&c->op->channel->lane, &c->op->item);
}

/* The channel has stopped: nothing is told any more. */
static void drop(struct op *op)
{
    struct connection *c = op->work;
    op->work = NULL;
    op->cancel = NULL;
    if (!c)
        return;
    op->channel->stream_count--;
    let_go(c);
    free(c);
}

void stream_drop_queued(struct channel *channel)
{
    for (struct lane_item *item = channel->lane.first, *next; item; item = next) {
        next = item->next;
        if (item->run == run_happening && lane_remove(&channel->lane, item))
            free(item);
    }
}

/* ---- What the connection tells ---- */

static size_t on_room(void *user)
{
    const struct connection *c = user;
    return c->open && c->in_lane < IN_LANE_MAX ? c->credit : 0;
}

static void on_data(void *user, kanal_str bytes)
{
    struct connection *c = user;
    c->credit -= (uint32_t)bytes.len;
    queue(c, DATA, bytes);
}

static void on_end(void *user)
{
    queue(user, END, (kanal_str){ 0 });
}

static void on_close(void *user, kanal_status status, const char *reason)
{
    stream_end(user, status, reason);
}

static const struct net_stream_events events = {
    .room = on_room, .data = on_data, .end = on_end, .close = on_close
};

static void opened(struct connection *c)
{
    c->open = 1;
    queue(c, OPENED, (kanal_str){ 0 });
    if (c->stream)
        net_stream_resume(c->stream);
}

static void on_secured_first(void *user, kanal_status status, const char *reason)
{
    struct connection *c = user;
    if (status == KANAL_OK)
        opened(c);
    else
        stream_end(c, status, reason);
}

struct connection *stream_begin(struct channel *channel, uint32_t idle_ms, uint32_t credit, kanal_op *ret_id)
{
    if (channel->closed || !channel->streams)
        return NULL;
    struct connection *c = calloc(1, sizeof *c);
    struct op *op = c ? op_new(channel->host->ops, channel, OP_STREAM) : NULL;
    if (!op) {
        free(c);
        return NULL;
    }
    c->op = op;
    c->idle_ms = idle_ms;
    c->credit = credit == 0 ? CREDIT_DEFAULT : credit < CREDIT_MAX ? credit : CREDIT_MAX;
    op->work = c;
    op->cancel = drop;
    channel->stream_count++;
    *ret_id = op->id;
    if (channel->stream_count > STREAMS_MAX)
        stream_end(c, KANAL_E_BUSY, "the channel has 64 streams already");
    return c;
}

void stream_made_by(struct connection *c, void *maker, void (*abort)(void *maker))
{
    c->maker = maker;
    c->abort = abort;
}

void stream_restrict(struct connection *c)
{
    c->restricted = 1;
}

void stream_ready(struct connection *c, int fd, const struct net_transport *transport, void *impl,
                  uint32_t handshake_ms)
{
    struct net_stream_options options = { .loop = c->op->channel->host->loop,
                                          .fd = fd,
                                          .transport = transport,
                                          .impl = impl,
                                          .idle_ms = c->idle_ms,
                                          .events = &events,
                                          .user = c };
    c->abort = NULL;
    if (net_stream_new(&c->stream, &options) != 0) {
        transport->release(impl);
        stream_end(c, KANAL_E_INTERNAL, "out of memory");
    } else if (handshake_ms == 0) {
        opened(c);
    } else if (net_stream_secure(c->stream, handshake_ms, on_secured_first, c) != 0) {
        stream_end(c, KANAL_E_INTERNAL, "TLS cannot begin");
    }
}

/* ---- connect() ---- */

void *place_gate(struct channel *channel, const char *host, uint32_t port, char reason[NET_REASON_MAX])
{
    char number[12];
    snprintf(number, sizeof number, "%u", (unsigned)port);
    struct kanal_url url = { .scheme = KANAL_LIT("tcp"),
                             .host = kanal_str_c(host),
                             .port = kanal_str_c(number) };
    void *gate = egress_gate_of_port(channel, &url);
    if (gate)
        return gate;
    snprintf(reason, NET_REASON_MAX,
             "'%.128s:%u' is not granted: add it, with the port, to the channel's egress", host,
             (unsigned)port);
    return NULL;
}

static struct net_tls *tls_of(struct host *host)
{
    /* Reading the system's authorities takes some milliseconds and a megabyte: not before somebody needs them. */
    if (!host->tls)
        net_tls_new(&host->tls, host->ca_file);
    return host->tls;
}

static void on_dialled(void *user, kanal_status status, int fd, const char *reason)
{
    struct connection *c = user;
    struct host *host = c->op->channel->host;
    uint64_t took_ms = uv_now(host->loop) - c->started_ms;
    uint32_t left_ms = took_ms < c->timeout_ms ? c->timeout_ms - (uint32_t)took_ms : 1;
    c->abort = NULL;
    if (status != KANAL_OK) {
        stream_end(c, status, reason);
        return;
    }
    struct net_socket *socket = net_socket_new(fd, c->host, tls_of(host));
    if (socket) {
        stream_ready(c, fd, &net_socket_transport, socket, c->use_tls ? left_ms : 0);
    } else {
        close(fd);
        stream_end(c, KANAL_E_INTERNAL, "out of memory");
    }
}

static void abort_dial(void *maker)
{
    net_dial_cancel(maker);
}

static kanal_status target_check(struct channel *channel, const kanal_stream_target *target, char host[256],
                                 void **ret_gate, char reason[NET_REASON_MAX])
{
    if (!target || !text_valid(target->host) || target->host.len == 0 || target->host.len > 255 ||
        memchr(target->host.ptr, 0, target->host.len) || target->port == 0 || target->port > 65535 ||
        (target->flags & ~KANAL_STREAM_TLS)) {
        snprintf(reason, NET_REASON_MAX, "the target has no host, no port, or unknown flags");
        return KANAL_E_INVALID;
    }
    memcpy(host, target->host.ptr, target->host.len);
    host[target->host.len] = 0;
    *ret_gate = place_gate(channel, host, target->port, reason);
    return *ret_gate ? KANAL_OK : KANAL_E_DENIED;
}

static kanal_op stream_connect(const kanal_host *host, const kanal_stream_target *target)
{
    struct channel *channel = host->impl;
    char reason[NET_REASON_MAX] = "";
    kanal_op id = 0;
    struct connection *c =
        stream_begin(channel, target ? target->idle_timeout_ms : 0, target ? target->credit : 0, &id);
    if (!c || c->ended)
        return id;
    void *gate = NULL;
    kanal_status status = target_check(channel, target, c->host, &gate, reason);
    if (status != KANAL_OK) {
        log_write(channel->host->log, KANAL_LOG_WARN, "stream", channel->id.ptr, "a stream was refused: %s",
                  reason);
        stream_end(c, status, reason);
        return id;
    }
    uint32_t timeout = target->connect_timeout_ms ? target->connect_timeout_ms : CONNECT_DEFAULT_MS;
    c->timeout_ms = timeout < CONNECT_MAX_MS ? timeout : CONNECT_MAX_MS;
    c->started_ms = uv_now(channel->host->loop);
    c->use_tls = (target->flags & KANAL_STREAM_TLS) != 0;
    struct net_dial_options options = { .loop = channel->host->loop,
                                        .host = c->host,
                                        .port = target->port,
                                        .timeout_ms = c->timeout_ms,
                                        .allow = egress_allow,
                                        .allow_user = gate };
    struct net_dial *dial = NULL;
    if (net_dial_start(&dial, &options, on_dialled, c) != 0)
        stream_end(c, KANAL_E_INTERNAL, "out of memory");
    else
        stream_made_by(c, dial, abort_dial);
    return id;
}

/* ---- On an open stream ---- */

static struct connection *find(const kanal_host *host, kanal_op stream)
{
    struct channel *channel = host->impl;
    struct op *op = op_find(channel->host->ops, channel, stream);
    struct connection *c = op && op->kind == OP_STREAM ? op->work : NULL;
    return c && c->open ? c : NULL;
}

static void on_secured(void *user, kanal_status status, const char *reason)
{
    struct connection *c = user;
    struct channel *channel = c->op->channel;
    struct op *op = op_find(channel->host->ops, channel, c->securing);
    c->securing = 0;
    if (op && !op->completed)
        op_complete(op, status);
    if (status != KANAL_OK)
        stream_end(c, status, reason);
}

static kanal_op stream_start_tls(const kanal_host *host, kanal_op stream, kanal_done_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct connection *c = find(host, stream);
    struct op *op = channel->closed ? NULL : channel_op(channel, OP_DONE);
    if (!op)
        return 0;
    op->callback.done = done;
    op->user = user;
    kanal_op id = op->id;
    if (!c) {
        op_complete(op, KANAL_E_NOT_FOUND);
    } else if (c->restricted || c->securing) {
        op_complete(op, KANAL_E_INVALID);
    } else if (c->in_lane > 0) {
        op_complete(op, KANAL_E_REJECTED);
        stream_end(c, KANAL_E_REJECTED, "the peer sent more in plain text before TLS began");
    } else {
        c->securing = id;
        if (net_stream_secure(c->stream, CONNECT_DEFAULT_MS, on_secured, c) != 0) {
            c->securing = 0;
            op_complete(op, KANAL_E_INVALID);
        }
    }
    return id;
}

static void on_written(void *user, kanal_status status)
{
    struct op *op = op_link_take(user);
    if (op)
        op_complete(op, status);
}

static kanal_op stream_write(const kanal_host *host, kanal_op stream, kanal_str data,
                             const kanal_stream_secret *secrets, size_t secret_count, kanal_done_fn *done,
                             void *user)
{
    struct channel *channel = host->impl;
    struct connection *c = find(host, stream);
    struct op *op = channel->closed ? NULL : channel_op(channel, OP_DONE);
    if (!op)
        return 0;
    op->callback.done = done;
    op->user = user;
    kanal_op id = op->id;
    struct kanal_buffer bytes = { 0 };
    struct op_link *link = NULL;
    kanal_status status = !c                               ? KANAL_E_NOT_FOUND
                          : !text_valid(data)              ? KANAL_E_INVALID
                          : channel->ops > CHANNEL_OPS_MAX ? KANAL_E_BUSY
                          : data.len > QUEUED_MAX          ? KANAL_E_TOO_LARGE
                          : secret_count > 0 && c->restricted
                              ? KANAL_E_INVALID
                              : stream_compose(channel, data, secrets, secret_count, &bytes);
    if (status == KANAL_OK && !(link = op_link_new(channel->host->ops, op)))
        status = KANAL_E_BUSY;
    if (status == KANAL_OK)
        status = net_stream_write(c->stream, &bytes, QUEUED_MAX, on_written, link);
    if (status != KANAL_OK) {
        free(link);
        if (bytes.data)
            explicit_bzero(bytes.data, bytes.capacity);
        kanal_buffer_release(&bytes);
        op_complete(op, status);
    }
    return id;
}

static void stream_credit(const kanal_host *host, kanal_op stream, uint32_t bytes)
{
    struct connection *c = find(host, stream);
    if (!c)
        return;
    c->credit = bytes < CREDIT_MAX - c->credit ? c->credit + bytes : CREDIT_MAX;
    net_stream_resume(c->stream);
}

static void stream_shutdown(const kanal_host *host, kanal_op stream)
{
    struct connection *c = find(host, stream);
    if (c && !c->restricted)
        net_stream_shutdown(c->stream);
}

static void stream_close(const kanal_host *host, kanal_op stream)
{
    struct channel *channel = host->impl;
    struct op *op = op_find(channel->host->ops, channel, stream);
    if (op && op->kind == OP_STREAM && op->work)
        stream_end(op->work, KANAL_E_CANCELLED, "closed by the channel");
}

const void *extension_stream(void)
{
    static const kanal_stream_host table = { .struct_size = sizeof table,
                                             .connect = stream_connect,
                                             .start_tls = stream_start_tls,
                                             .write = stream_write,
                                             .credit = stream_credit,
                                             .shutdown = stream_shutdown,
                                             .close = stream_close };
    return &table;
}
