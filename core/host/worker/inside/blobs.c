/* The extension kanal.blob/1 in a worker. */
#include "inside.h"

#define BLOB_MAX (16u * 1024 * 1024)

/* A request of this file or the next, as table.c makes them. */
static kanal_op ask(const kanal_host *host, enum wire_type type, void *frame, kanal_op *number_of_frame,
                    size_t bytes, kanal_value_fn *done, void *user)
{
    struct inside_channel *channel = host->impl;
    struct inside_op *op = channel->is_closed ? NULL : inside_op_new(channel, INSIDE_VALUE);
    if (!op)
        return 0;
    op->callback.value = done;
    op->user = user;
    *number_of_frame = op->number;
    kanal_op number = op->number;
    int status = bytes > BLOB_MAX                     ? KANAL_E_TOO_LARGE
                 : channel->op_count > INSIDE_OPS_MAX ? KANAL_E_BUSY
                                                      : inside_send(channel->inside, type, channel, frame);
    if (status != 0)
        inside_op_end(op, status);
    return number;
}

static kanal_op blob_put(const kanal_host *host, kanal_str content_type, kanal_str filename, kanal_str data,
                         kanal_value_fn *done, void *user)
{
    struct wire_blob frame = { 0, content_type, filename, data };
    return ask(host, WIRE_BLOB_PUT, &frame, &frame.op, data.ptr ? data.len : 0, done, user);
}

static kanal_op blob_url(const kanal_host *host, kanal_str reference, kanal_value_fn *done, void *user)
{
    struct wire_text frame = { 0, reference };
    return ask(host, WIRE_BLOB_URL, &frame, &frame.op, 0, done, user);
}

const kanal_blob_host inside_blob = { .struct_size = sizeof inside_blob, .put = blob_put, .url = blob_url };
