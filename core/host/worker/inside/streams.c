/* The extensions kanal.stream/1 and kanal.transfer/1 in a worker. The connections are the core's: here are their numbers, so that connect()
 * can give one at once. */
#include "inside.h"
#include "kanal/sdk/str.h"

#define STREAMS_MAX 64u /* as in the core */
#define WRITE_MAX (1024u * 1024)
#define MAIL_MAX (16u * 1024 * 1024)

static struct inside_op *find(const struct inside_channel *channel, kanal_op stream)
{
    struct inside_op *op = inside_op_find(channel->inside, channel, stream);
    return op && op->kind == INSIDE_STREAM ? op : NULL;
}

/* ---- connect(), login() ---- */

static struct inside_op *begin(const kanal_host *host)
{
    const struct inside_channel *channel = host->impl;
    return channel->streams ? inside_ask(host, INSIDE_STREAM, NULL) : NULL;
}

static kanal_op asked(struct inside_op *op, enum wire_type type, const void *frame)
{
    kanal_op number = op->number;
    if (op->channel->stream_count <= STREAMS_MAX)
        return inside_asked(op, type, frame);
    inside_op_end(op, KANAL_E_BUSY);
    return number;
}

static kanal_op stream_connect(const kanal_host *host, const kanal_stream_target *target)
{
    struct inside_op *op = begin(host);
    return op ? asked(op, WIRE_STREAM_CONNECT, &(struct wire_connect){ op->number, target }) : 0;
}

static kanal_op transfer_login(const kanal_host *host, const kanal_login *login, uint32_t idle_ms,
                               uint32_t credit)
{
    struct inside_op *op = begin(host);
    return op ? asked(op, WIRE_STREAM_LOGIN, &(struct wire_login){ op->number, login, idle_ms, credit }) : 0;
}

void inside_stream_refused(struct inside_channel *channel, kanal_op stream, kanal_status status)
{
    if (channel->streams && channel->instance)
        channel->streams->on_close(channel->instance, stream, status,
                                   status == KANAL_E_BUSY ? KANAL_LIT("the channel has 64 streams already")
                                                          : KANAL_LIT("its target is too long"));
}

/* ---- On an open stream ---- */

static kanal_op stream_start_tls(const kanal_host *host, kanal_op stream, kanal_done_fn *done, void *user)
{
    struct inside_op *op = inside_ask(host, INSIDE_DONE, user);
    if (!op)
        return 0;
    op->callback.done = done;
    return inside_asked(op, WIRE_STREAM_TLS, &(struct wire_on){ .op = op->number, .on = stream });
}

static kanal_op stream_write(const kanal_host *host, kanal_op stream, kanal_str data,
                             const kanal_stream_secret *secrets, size_t secret_count, kanal_done_fn *done,
                             void *user)
{
    const struct inside_channel *channel = host->impl;
    struct inside_op *op = inside_ask(host, INSIDE_DONE, user);
    if (!op)
        return 0;
    op->callback.done = done;
    kanal_op number = op->number;
    int status = !find(channel, stream)             ? KANAL_E_NOT_FOUND
                 : data.ptr && data.len > WRITE_MAX ? KANAL_E_TOO_LARGE
                                                    : 0;
    if (status == 0)
        return inside_asked(op, WIRE_STREAM_WRITE,
                            &(struct wire_write){ number, stream, data, secrets, secret_count });
    inside_op_end(op, status);
    return number;
}

static void say(const kanal_host *host, kanal_op stream, enum wire_type type, uint32_t number)
{
    struct inside_channel *channel = host->impl;
    if (find(channel, stream))
        inside_send(channel->inside, type, channel, &(struct wire_on){ .on = stream, .number = number });
}

static void stream_credit(const kanal_host *host, kanal_op stream, uint32_t bytes)
{
    say(host, stream, WIRE_STREAM_CREDIT, bytes);
}

static void stream_shutdown(const kanal_host *host, kanal_op stream)
{
    say(host, stream, WIRE_STREAM_SHUTDOWN, 0);
}

static void stream_close(const kanal_host *host, kanal_op stream)
{
    say(host, stream, WIRE_STREAM_CLOSE, 0);
}

const kanal_stream_host inside_stream = { .struct_size = sizeof inside_stream,
                                          .connect = stream_connect,
                                          .start_tls = stream_start_tls,
                                          .write = stream_write,
                                          .credit = stream_credit,
                                          .shutdown = stream_shutdown,
                                          .close = stream_close };

/* ---- From the core ---- */

void inside_stream_frame(struct inside_channel *channel, enum wire_type type, const struct wire_on *frame)
{
    struct inside_op *op = find(channel, frame->on);
    const kanal_stream_plugin *streams = channel->streams;
    if (!op || !channel->instance)
        return;
    if (type == WIRE_STREAM_CLOSED)
        inside_op_free(op); /* before on_close(): what is written in there finds nothing */
    inside_enter(channel, type);
    if (type == WIRE_STREAM_OPENED)
        streams->on_open(channel->instance, frame->on);
    else if (type == WIRE_STREAM_DATA)
        streams->on_data(channel->instance, frame->on, frame->text);
    else if (type == WIRE_STREAM_ENDED)
        streams->on_end(channel->instance, frame->on);
    else
        streams->on_close(channel->instance, frame->on, (kanal_status)frame->number, frame->text);
    inside_leave(channel, type);
}

/* ---- Mail ---- */

const kanal_mail_result *inside_mail_result(const kanal_mail_result *result)
{
    static const kanal_mail_result none = { .struct_size = sizeof none };
    return result ? result : &none;
}

/* What the core takes; beyond it a frame is not made at all. */
static int mail_check(const kanal_mail *mail)
{
    size_t bytes = 0;
    if (!mail || !KANAL_HAS(mail, piece_count) || !mail->pieces || mail->piece_count > 64)
        return 0; /* the core says what is wrong */
    for (size_t i = 0; i < mail->piece_count; i++) {
        kanal_str data = mail->pieces[i].data;
        if (data.ptr && (data.len > MAIL_MAX || (bytes += data.len) > MAIL_MAX))
            return KANAL_E_TOO_LARGE;
    }
    return 0;
}

static kanal_op transfer_mail(const kanal_host *host, kanal_op cause, const kanal_mail *mail,
                              kanal_mail_fn *done, void *user)
{
    struct inside_op *op = inside_ask(host, INSIDE_MAIL, user);
    int status = mail_check(mail);
    if (!op)
        return 0;
    op->callback.mail = done;
    kanal_op number = op->number;
    if (status == 0)
        return inside_asked(op, WIRE_MAIL, &(struct wire_mail){ number, cause, mail });
    inside_op_end(op, status);
    return number;
}

const kanal_transfer_host inside_transfer = { .struct_size = sizeof inside_transfer,
                                              .mail = transfer_mail,
                                              .login = transfer_login };
