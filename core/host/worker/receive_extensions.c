/* Frames of a worker about streams, mail, leases and blobs in pieces. What stays has a ticket for as long as it stays: it says which number
 * the worker gave it, and the core's operation points back at the ticket (op->user). */
#include "host/lease.h"
#include "host/services/services.h"
#include "host/worker/receive.h"
#include "kanal/sdk/str.h"

#define STREAMS_MOST 64u /* the worker answers for more of them itself */

static struct op *op_of(const struct ticket *ticket)
{
    struct channel *channel = ticket->instance->channel;
    return op_find(channel->host->ops, channel, ticket->op);
}

/* The core's number of what the worker names; 0: nothing. */
static kanal_op named(const struct kanal_channel *instance, kanal_op number)
{
    const struct ticket *ticket = ticket_find(instance, number);
    return ticket ? ticket->op : 0;
}

/* 1: the ticket stands for this operation now, until it is over. */
static int stays(struct ticket *ticket, kanal_op id)
{
    ticket->op = id;
    struct op *op = id ? op_of(ticket) : NULL;
    if (op)
        op->user = ticket;
    return ticket->stays = op != NULL;
}

/* ---- Streams ---- */

static int begin_stream(struct ticket *ticket, enum wire_type type, const union asked *f)
{
    const kanal_host *host = &ticket->instance->channel->table;
    const kanal_stream_host *streams = extension_stream();
    const kanal_transfer_host *transfer = extension_transfer();
    struct wire_on closed = { .on = ticket->number, .number = (uint32_t)KANAL_E_INTERNAL };
    if (ticket->instance->channel->stream_count >= STREAMS_MOST)
        return KANAL_E_INVALID;
    if (!stays(ticket, type == WIRE_STREAM_CONNECT
                           ? streams->connect(host, f->connect.target)
                           : transfer->login(host, f->login.login, f->login.idle_ms, f->login.credit))) {
        worker_send(ticket->instance, WIRE_STREAM_CLOSED, &closed);
        ticket_free(ticket);
    }
    return 0;
}

static void write_stream(struct ticket *ticket, const struct wire_write *f)
{
    const kanal_host *host = &ticket->instance->channel->table;
    const kanal_stream_host *streams = extension_stream();
    ticket->instance->loose_sends++; /* for which delivery is the plugin's to know */
    receive_made(ticket, streams->write(host, named(ticket->instance, f->stream), f->data, f->secrets,
                                        f->secret_count, receive_on_done, ticket));
}

/* ---- Mail ---- */

static void on_mailed(void *user, kanal_status status, const kanal_mail_result *result)
{
    struct ticket *ticket = user;
    struct kanal_channel *instance = ticket->instance;
    struct wire_mailed answer = { ticket->number, status, result };
    struct op *cause = op_find(instance->channel->host->ops, instance->channel, ticket->cause);
    if (cause && cause->sent > 0 && (receive_has_stayed(status) || status == KANAL_E_REJECTED))
        cause->sent--;
    if (worker_send(instance, WIRE_MAILED, &answer) == KANAL_E_TOO_LARGE) {
        answer.result = NULL; /* the status is what matters */
        worker_send(instance, WIRE_MAILED, &answer);
    }
    ticket_free(ticket);
}

/* ---- Blobs ---- */

static void blob_over(struct ticket *blob)
{
    worker_send(blob->instance, WIRE_BLOB_GONE, &(struct wire_on){ .on = blob->number });
    ticket_free(blob);
}

static void commit_blob(struct ticket *ticket, kanal_op number)
{
    struct kanal_channel *instance = ticket->instance;
    const kanal_blob2_host *blobs = extension_blob2();
    struct ticket *blob = number != ticket->number ? ticket_find(instance, number) : NULL;
    receive_made(ticket,
                 blobs->commit(&instance->channel->table, blob ? blob->op : 0, receive_on_value, ticket));
    if (blob && blob->stays && !op_of(blob))
        blob_over(blob);
}

/* ---- By type ---- */

int receive_extension(struct ticket *ticket, enum wire_type type, const union asked *f)
{
    struct kanal_channel *instance = ticket->instance;
    const kanal_host *host = &instance->channel->table;
    const kanal_stream_host *streams = extension_stream();
    const kanal_transfer_host *transfer = extension_transfer();
    const kanal_lease_host *leases = extension_lease();
    const kanal_blob2_host *blobs = extension_blob2();
    switch (type) {
    case WIRE_STREAM_CONNECT:
    case WIRE_STREAM_LOGIN:
        return begin_stream(ticket, type, f);
    case WIRE_STREAM_TLS:
        receive_made(ticket, streams->start_tls(host, named(instance, f->on.on), receive_on_done, ticket));
        return 0;
    case WIRE_STREAM_WRITE:
        write_stream(ticket, &f->write);
        return 0;
    case WIRE_MAIL:
        receive_note_request(ticket, f->mail.cause);
        receive_made(ticket, transfer->mail(host, f->mail.cause, f->mail.mail, on_mailed, ticket));
        return 0;
    case WIRE_LEASE_ACQUIRE: /* what is wrong with it the worker has found before */
        return stays(ticket, leases->acquire(host, f->lease.name, f->lease.ttl_ms)) ? 0 : KANAL_E_INVALID;
    case WIRE_BLOB_OPEN:
        if (!stays(ticket, blobs->open(host, f->blob.content_type, f->blob.filename)))
            blob_over(ticket);
        return 0;
    case WIRE_BLOB_APPEND:
        receive_made(ticket,
                     blobs->append(host, named(instance, f->on.on), f->on.text, receive_on_done, ticket));
        return 0;
    case WIRE_BLOB_COMMIT:
        commit_blob(ticket, f->on.on);
        return 0;
    default:
        return KANAL_E_INVALID;
    }
}

void receive_notice(struct kanal_channel *instance, enum wire_type type, const union asked *f)
{
    const kanal_host *host = &instance->channel->table;
    const kanal_stream_host *streams = extension_stream();
    const kanal_lease_host *leases = extension_lease();
    const kanal_blob2_host *blobs = extension_blob2();
    struct ticket *ticket = ticket_find(instance, type == WIRE_LEASE_RELEASE ? f->lease.lease : f->on.on);
    const struct op *op = ticket ? op_of(ticket) : NULL;
    if (!ticket || !ticket->stays)
        return;
    switch (type) {
    case WIRE_STREAM_CREDIT:
        streams->credit(host, ticket->op, f->on.number);
        break;
    case WIRE_STREAM_SHUTDOWN:
        streams->shutdown(host, ticket->op);
        break;
    case WIRE_STREAM_CLOSE:
        streams->close(host, ticket->op);
        break;
    case WIRE_LEASE_RELEASE:
        if (!op || op->kind != OP_LEASE)
            break;
        leases->release(host, ticket->op);
        ticket_free(ticket);
        break;
    default: /* BLOB_DISCARD; one that was left alone for too long is gone already */
        if (op && op->kind != OP_BLOB)
            break;
        blobs->discard(host, ticket->op);
        ticket_free(ticket);
    }
}
