/* Frames of a worker become calls of its channels' host tables. They are hostile: a frame may be well-formed and still name an instance
 * that is none, an operation of another channel, or more than there is. */
#include <stdio.h>

#include "host/services/services.h"
#include "host/worker/receive.h"
#include "kanal/sdk/str.h"

/* ---- Completions ---- */

void receive_on_done(void *user, kanal_status status)
{
    struct ticket *ticket = user;
    struct wire_done done = { .op = ticket->number, .status = status };
    if (ticket->is_quiet)
        worker_send_lazily(ticket->instance, WIRE_DONE, &done);
    else
        worker_send(ticket->instance, WIRE_DONE, &done);
    ticket_free(ticket);
}

void receive_on_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct ticket *ticket = user;
    struct wire_value answer = { ticket->number, status, value, revision };
    if (worker_send(ticket->instance, WIRE_VALUE, &answer) == KANAL_E_TOO_LARGE) {
        answer.status = KANAL_E_TOO_LARGE;
        answer.value = (kanal_str){ 0 };
        worker_send(ticket->instance, WIRE_VALUE, &answer);
    }
    ticket_free(ticket);
}

/* What ended so has not left this machine. */
int receive_has_stayed(kanal_status status)
{
    return status == KANAL_E_NETWORK || status == KANAL_E_TIMEOUT || status == KANAL_E_DENIED ||
           status == KANAL_E_INVALID || status == KANAL_E_NOT_FOUND || status == KANAL_E_BUSY;
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct ticket *ticket = user;
    struct kanal_channel *instance = ticket->instance;
    struct wire_response answer = { ticket->number, status, response };
    struct op *cause = op_find(instance->channel->host->ops, instance->channel, ticket->cause);
    if (cause && cause->sent > 0 && receive_has_stayed(status))
        cause->sent--;
    if (worker_send(instance, WIRE_RESPONSE, &answer) == KANAL_E_TOO_LARGE) {
        answer.status = KANAL_E_TOO_LARGE;
        answer.response = NULL;
        worker_send(instance, WIRE_RESPONSE, &answer);
    }
    ticket_free(ticket);
}

/* ---- Requests ---- */

/* The service gave its number; 0: the channel has stopped, and nothing is owed. */
void receive_made(struct ticket *ticket, kanal_op op)
{
    if (op == 0)
        ticket_free(ticket);
    else
        ticket->op = op;
}

/* A delivery that is cut off was perhaps sent if a request made for it has left; one that names no cause may be for any. */
void receive_note_request(struct ticket *ticket, kanal_op cause)
{
    struct channel *channel = ticket->instance->channel;
    struct op *op = op_find(channel->host->ops, channel, cause);
    if (!op) {
        ticket->instance->loose_sends++;
    } else if (op->kind == OP_DELIVER) {
        ticket->cause = cause;
        op->sent++;
    }
}

static int receive_request(struct kanal_channel *instance, enum wire_type type, const union asked *f)
{
    const kanal_host *host = &instance->channel->table;
    struct ticket *ticket =
        instance->channel->ops <= 2 * CHANNEL_OPS_MAX ? ticket_new(instance, f->call.op) : NULL;
    if (!ticket || f->call.op == 0)
        return KANAL_E_INVALID; /* a number that is in use, or more calls than a worker lets through */
    switch (type) {
    case WIRE_TIMER:
        receive_made(ticket, host->timer(host, f->timer.delay_ms, receive_on_done, ticket));
        break;
    case WIRE_VERIFY:
        receive_made(ticket, host->verify(host, f->sign.secret, f->sign.algorithm, f->sign.data,
                                          f->sign.claimed, receive_on_done, ticket));
        break;
    case WIRE_SIGN:
        receive_made(ticket, host->sign(host, f->sign.secret, f->sign.algorithm, f->sign.data,
                                        receive_on_value, ticket));
        break;
    case WIRE_STATE_GET:
        receive_made(ticket, host->state_get(host, f->state.key, receive_on_value, ticket));
        break;
    case WIRE_STATE_PUT:
        receive_made(ticket, host->state_put(host, f->state.key, f->state.value, f->state.revision,
                                             receive_on_value, ticket));
        break;
    case WIRE_HTTP_SEND:
        receive_note_request(ticket, f->http.cause);
        receive_made(ticket, host->http_send(host, f->http.cause, f->http.request, on_response, ticket));
        break;
    case WIRE_PUBLISH:
        ticket->is_quiet = f->publish.is_quiet != 0;
        receive_made(ticket, host->publish(host, f->publish.cause, f->publish.events, f->publish.count,
                                           receive_on_done, ticket));
        break;
    case WIRE_BLOB_PUT: {
        const kanal_blob_host *blobs = extension_blob();
        receive_made(ticket, blobs->put(host, f->blob.content_type, f->blob.filename, f->blob.data,
                                        receive_on_value, ticket));
        break;
    }
    case WIRE_BLOB_URL: {
        const kanal_blob_host *blobs = extension_blob();
        receive_made(ticket, blobs->url(host, f->text.text, receive_on_value, ticket));
        break;
    }
    default:
        return receive_extension(ticket, type, f);
    }
    return 0;
}

/* ---- WebSocket connections ---- */

static void tell_socket(struct kanal_channel *instance, enum wire_type type, kanal_op connection,
                        uint32_t number)
{
    worker_send(instance, type, &(struct wire_socket){ .connection = connection, .number = number });
}

static void receive_socket(struct kanal_channel *instance, enum wire_type type, const struct wire_socket *f)
{
    const kanal_websocket_host *sockets = extension_websocket();
    const kanal_host *host = &instance->channel->table;
    const struct op *op;
    switch (type) {
    case WIRE_SOCKET_ACCEPT:
        sockets->accept(host, f->connection, f->number);
        op = op_find(instance->channel->host->ops, instance->channel, f->connection);
        if (!op || op->kind != OP_SOCKET)
            tell_socket(instance, WIRE_SOCKET_GONE, f->connection, 1);
        break;
    case WIRE_SOCKET_SEND:
        instance->loose_sends++;
        if (sockets->send(host, f->connection, f->number, f->text))
            tell_socket(instance, WIRE_SOCKET_SENT, f->connection, (uint32_t)f->text.len);
        else
            tell_socket(instance, WIRE_SOCKET_GONE, f->connection, 0);
        break;
    default:
        sockets->close(host, f->connection, f->number, f->text);
    }
}

/* ---- The rest ---- */

static void receive_log(struct kanal_channel *instance, const struct wire_log *line)
{
    const kanal_host *host = &instance->channel->table;
    __atomic_add_fetch(&instance->channel->log_dropped, line->dropped, __ATOMIC_RELAXED);
    host->log(host, line->cause, line->level, line->text);
}

static int receive_ran(struct kanal_channel *instance, uint32_t count)
{
    if (count > instance->outstanding)
        return KANAL_E_INVALID;
    instance->outstanding -= count;
    return 0;
}

static void receive_cancel(struct kanal_channel *instance, kanal_op number)
{
    const struct ticket *ticket = ticket_find(instance, number);
    const kanal_host *host = &instance->channel->table;
    if (ticket && ticket->op)
        host->cancel(host, ticket->op);
}

static int receive_created(struct kanal_channel *instance, uint32_t is_there)
{
    if (is_there > 1)
        return KANAL_E_INVALID;
    if (!is_there)
        channel_refused(instance->channel);
    return 0;
}

static int receive_taken(struct worker *worker, const struct wire_frame *frame)
{
    struct wire_count taken;
    int status = wire_get(frame, &worker->workers->scratch, &taken);
    return status == 0 ? worker_process_taken(worker->process, taken.count) : status;
}

static int dispatch(struct kanal_channel *instance, enum wire_type type, const union asked *f)
{
    const kanal_host *host = &instance->channel->table;
    switch (type) {
    case WIRE_RAN:
        return receive_ran(instance, f->count.count);
    case WIRE_CREATED:
        return receive_created(instance, f->count.count);
    case WIRE_LOG:
        receive_log(instance, &f->log);
        return 0;
    case WIRE_METRIC:
        host->metric_add(host, f->metric.name, f->metric.by, f->metric.labels, f->metric.label_count);
        return 0;
    case WIRE_HEALTH:
        host->health(host, f->done.status, f->done.reason);
        return 0;
    case WIRE_LINK_OFFER:
        channel_offer_link(instance->channel, f->text.text);
        return 0;
    case WIRE_CANCEL:
        receive_cancel(instance, f->call.op);
        return 0;
    case WIRE_FINISH:
        host->finish(host, f->done.op, f->done.status, f->done.reason);
        return 0;
    case WIRE_DELIVERED:
        host->delivered(host, f->delivered.op, f->delivered.result);
        return 0;
    case WIRE_RESPOND:
        host->respond(host, f->response.op, f->response.response);
        return 0;
    case WIRE_LOCATE:
        host->locate(host, f->http.op, f->http.status, f->http.request);
        return 0;
    case WIRE_SOCKET_ACCEPT:
    case WIRE_SOCKET_SEND:
    case WIRE_SOCKET_CLOSE:
        receive_socket(instance, type, &f->socket);
        return 0;
    case WIRE_TIMER:
    case WIRE_VERIFY:
    case WIRE_SIGN:
    case WIRE_STATE_GET:
    case WIRE_STATE_PUT:
    case WIRE_HTTP_SEND:
    case WIRE_PUBLISH:
    case WIRE_BLOB_PUT:
    case WIRE_BLOB_URL:
    case WIRE_BLOB_OPEN:
    case WIRE_BLOB_APPEND:
    case WIRE_BLOB_COMMIT:
    case WIRE_STREAM_CONNECT:
    case WIRE_STREAM_LOGIN:
    case WIRE_STREAM_TLS:
    case WIRE_STREAM_WRITE:
    case WIRE_MAIL:
    case WIRE_LEASE_ACQUIRE:
        return receive_request(instance, type, f);
    case WIRE_STREAM_CREDIT:
    case WIRE_STREAM_SHUTDOWN:
    case WIRE_STREAM_CLOSE:
    case WIRE_LEASE_RELEASE:
    case WIRE_BLOB_DISCARD:
        receive_notice(instance, type, f);
        return 0;
    default:
        return KANAL_E_INVALID;
    }
}

int worker_receive(struct worker *worker, const struct wire_frame *frame)
{
    union asked asked;
    if (worker->state != WORKER_UP)
        return worker_receive_first(worker, frame);
    if (frame->type == WIRE_TAKEN)
        return receive_taken(worker, frame);
    struct kanal_channel *instance = instance_find(worker, frame->channel);
    if (!instance || instance->is_free) /* a number of nobody's: invented */
        return KANAL_E_INVALID;
    if (frame->type == WIRE_DESTROYED) {
        if (instance->channel || instance->is_free)
            return KANAL_E_INVALID;
        instance_gone(instance);
        return 0;
    }
    if (!instance->channel)
        return 0; /* it was said before the worker knew that the instance is destroyed */
    wire_scratch_clear(&worker->workers->scratch);
    int status = wire_get(frame, &worker->workers->scratch, &asked);
    return status == 0 ? dispatch(instance, frame->type, &asked) : status;
}
