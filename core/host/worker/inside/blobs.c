/* The extensions kanal.blob/1 and /2 in a worker. */
#include "event/media_url.h"
#include "inside.h"
#include "kanal/sdk/str.h"

#define BLOB_MAX (16u * 1024 * 1024)
#define PIECE_MAX (1024u * 1024)
#define BLOBS_MAX 8u
#define FILENAME_MAX_BYTES 512u
#define IDLE_MS (11u * 60u * 1000u) /* the core has thrown it away a minute ago */

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

/* ---- Piece by piece ---- */

static struct inside_op *find(const struct inside_channel *channel, kanal_op blob)
{
    struct inside_op *op = inside_op_find(channel->inside, channel, blob);
    return op && op->kind == INSIDE_BLOB ? op : NULL;
}

/* Those that a plugin forgot do not count for ever. */
static size_t open_blobs(struct inside_channel *channel)
{
    size_t count = 0;
    uint64_t now = inside_boot_ms();
    for (struct inside_op *op = channel->ops, *next; op; op = next) {
        next = op->next;
        if (op->kind == INSIDE_BLOB && op->until_ms < now) {
            inside_send(channel->inside, WIRE_BLOB_DISCARD, channel, &(struct wire_on){ .on = op->number });
            inside_op_free(op);
        } else {
            count += op->kind == INSIDE_BLOB && !op->is_over;
        }
    }
    return count;
}

static kanal_op blob_open(const kanal_host *host, kanal_str content_type, kanal_str filename)
{
    struct inside_channel *channel = host->impl;
    if ((!content_type.ptr && content_type.len > 0) ||
        (content_type.len > 0 && !media_type_valid(content_type)) || (!filename.ptr && filename.len > 0) ||
        filename.len > FILENAME_MAX_BYTES || open_blobs(channel) >= BLOBS_MAX)
        return 0;
    struct inside_op *op = inside_ask(host, INSIDE_BLOB, NULL);
    if (!op)
        return 0;
    op->until_ms = inside_boot_ms() + IDLE_MS;
    kanal_op number = op->number;
    struct wire_blob frame = { number, content_type, filename, { 0 } };
    if (inside_send(channel->inside, WIRE_BLOB_OPEN, channel, &frame) == 0)
        return number;
    inside_op_free(op);
    return 0;
}

static kanal_op blob_append(const kanal_host *host, kanal_op blob, kanal_str piece, kanal_done_fn *done,
                            void *user)
{
    const struct inside_channel *channel = host->impl;
    struct inside_op *op = inside_ask(host, INSIDE_DONE, user), *to = find(channel, blob);
    if (!op)
        return 0;
    op->callback.done = done;
    kanal_op number = op->number;
    int status = !to || to->is_over ? KANAL_E_NOT_FOUND : piece.len > PIECE_MAX ? KANAL_E_INVALID : 0;
    if (status != 0) {
        inside_op_end(op, status);
        return number;
    }
    to->until_ms = inside_boot_ms() + IDLE_MS;
    return inside_asked(op, WIRE_BLOB_APPEND, &(struct wire_on){ .op = number, .on = blob, .text = piece });
}

static kanal_op blob_commit(const kanal_host *host, kanal_op blob, kanal_value_fn *done, void *user)
{
    const struct inside_channel *channel = host->impl;
    struct inside_op *op = inside_ask(host, INSIDE_VALUE, user), *of = find(channel, blob);
    if (!op)
        return 0;
    op->callback.value = done;
    kanal_op number = op->number;
    if (!of || of->is_over) {
        inside_op_end(op, KANAL_E_NOT_FOUND);
        return number;
    }
    op->blob = blob;
    of->is_over = 1;
    return inside_asked(op, WIRE_BLOB_COMMIT, &(struct wire_on){ .op = number, .on = blob });
}

static void blob_discard(const kanal_host *host, kanal_op blob)
{
    struct inside_channel *channel = host->impl;
    struct inside_op *op = find(channel, blob);
    if (!op || op->is_over)
        return;
    inside_send(channel->inside, WIRE_BLOB_DISCARD, channel, &(struct wire_on){ .on = blob });
    inside_op_free(op);
}

const kanal_blob2_host inside_blob2 = { .struct_size = sizeof inside_blob2,
                                        .put = blob_put,
                                        .url = blob_url,
                                        .open = blob_open,
                                        .append = blob_append,
                                        .commit = blob_commit,
                                        .discard = blob_discard };

void inside_blob_gone(struct inside_channel *channel, kanal_op blob)
{
    struct inside_op *op = find(channel, blob);
    if (op)
        inside_op_free(op);
}

/* A commit() that did not use the number up leaves the blob as it was. */
void inside_blob_commit_ended(struct inside_channel *channel, const struct inside_op *commit)
{
    struct inside_op *op = find(channel, commit->blob);
    if (op)
        op->is_over = 0;
}
