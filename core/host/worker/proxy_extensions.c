/* The plugin's sides of streams and leases, of a plugin in a worker: each call makes a frame. */
#include "host/services/services.h"
#include "host/worker/worker.h"
#include "kanal/sdk/str.h"

#define REASON_MOST 1024u

/* The ticket of a stream or a lease (receive_extensions.c); NULL: it has none, which is nothing that a worker does. */
static struct ticket *ticket_of(const kanal_channel *instance, kanal_op id)
{
    const struct op *op = op_find(instance->channel->host->ops, instance->channel, id);
    return op && (op->kind == OP_STREAM || op->kind == OP_LEASE) ? op->user : NULL;
}

/* ---- Streams ---- */

static void tell(kanal_channel *instance, kanal_op stream, enum wire_type type, kanal_str bytes)
{
    const struct ticket *ticket = ticket_of(instance, stream);
    if (ticket)
        worker_send(instance, type, &(struct wire_on){ .on = ticket->number, .text = bytes });
}

static void stream_opened(kanal_channel *instance, kanal_op stream)
{
    tell(instance, stream, WIRE_STREAM_OPENED, (kanal_str){ 0 });
}

static void stream_data(kanal_channel *instance, kanal_op stream, kanal_str bytes)
{
    tell(instance, stream, WIRE_STREAM_DATA, bytes);
}

static void stream_ended(kanal_channel *instance, kanal_op stream)
{
    tell(instance, stream, WIRE_STREAM_ENDED, (kanal_str){ 0 });
}

static void stream_closed(kanal_channel *instance, kanal_op stream, kanal_status status, kanal_str reason)
{
    struct ticket *ticket = ticket_of(instance, stream);
    if (!ticket)
        return;
    reason.len = reason.len < REASON_MOST ? reason.len : REASON_MOST;
    worker_send(instance, WIRE_STREAM_CLOSED,
                &(struct wire_on){ .on = ticket->number, .number = (uint32_t)status, .text = reason });
    ticket_free(ticket);
}

/* ---- Leases ---- */

static void lease_held(kanal_channel *instance, kanal_op lease)
{
    const struct ticket *ticket = ticket_of(instance, lease);
    struct wire_lease frame = { .until_ms = lease_until(instance->channel, lease) };
    if (!ticket)
        return;
    frame.lease = ticket->number;
    worker_send(instance, WIRE_LEASE_HELD, &frame);
}

static void lease_lost(kanal_channel *instance, kanal_op lease)
{
    const struct ticket *ticket = ticket_of(instance, lease);
    if (ticket)
        worker_send(instance, WIRE_LEASE_LOST, &(struct wire_lease){ .lease = ticket->number });
}

void worker_lease_renewed(kanal_channel *instance, kanal_op lease, uint64_t until_ms)
{
    const struct ticket *ticket = ticket_of(instance, lease);
    struct wire_lease frame = { .until_ms = until_ms };
    if (!ticket)
        return;
    frame.lease = ticket->number;
    worker_send(instance, WIRE_LEASE_RENEWED, &frame);
}

const void *worker_proxy_extension(const char *id)
{
    static const kanal_stream_plugin streams = { .struct_size = sizeof streams,
                                                 .on_open = stream_opened,
                                                 .on_data = stream_data,
                                                 .on_end = stream_ended,
                                                 .on_close = stream_closed };
    static const kanal_lease_plugin leases = { .struct_size = sizeof leases,
                                               .on_held = lease_held,
                                               .on_lost = lease_lost };
    return strcmp(id, KANAL_EXT_STREAM) == 0  ? (const void *)&streams
           : strcmp(id, KANAL_EXT_LEASE) == 0 ? (const void *)&leases
                                              : NULL;
}
