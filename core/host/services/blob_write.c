/* kanal.blob/2: blobs that are written piece by piece. */
#include "broker/kv.h"
#include "host/host.h"
#include "host/services/services.h"
#include "kanal/sdk/str.h"

#define BLOBS_MAX 8u
#define PIECE_MAX (1024u * 1024)
#define SIZE_MAX_BYTES (64u * 1024 * 1024)
#define WAITING_FULL (2u * 1024 * 1024) /* over this a piece is not taken */
#define WAITING_GO (1024u * 1024)       /* below this the next one is asked for */
#define ASKED_MAX 64u
#define IDLE_MS (10u * 60 * 1000)

struct writer {
    uv_timer_t idle;
    struct op *op; /* OP_BLOB; NULL once committed */
    struct object_write *write;
    uint64_t size;
    int lost;
    kanal_op asked[ASKED_MAX]; /* append() calls whose callbacks wait for room */
    size_t asked_count;
    struct op_link *commit; /* the commit() */
    struct id name;
};

static void on_idle_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void writer_free(struct writer *w)
{
    object_write_abandon(w->write);
    w->write = NULL;
    uv_close((uv_handle_t *)&w->idle, on_idle_closed);
}

static void let_go(struct op *op)
{
    struct writer *w = op->work;
    op->work = NULL;
    op->cancel = NULL;
    op->channel->blob_count--;
    w->op = NULL;
    writer_free(w);
}

static void discard(struct op *op)
{
    struct channel *channel = op->channel;
    let_go(op);
    op_free(channel->host->ops, op);
}

/* Who waits may go on. */
static void answer_asked(struct writer *w, kanal_status status)
{
    for (size_t i = 0; w->op && i < w->asked_count; i++) {
        struct op *op = op_find(w->op->channel->host->ops, w->op->channel, w->asked[i]);
        if (op && !op->completed)
            op_complete(op, status);
    }
    w->asked_count = 0;
}

static void on_room(void *user)
{
    struct writer *w = user;
    kanal_status status = object_write_status(w->write);
    if (w->asked_count > 0 && (status != KANAL_OK || object_write_waiting(w->write) < WAITING_GO))
        answer_asked(w, status);
}

static void on_committed(void *user, kanal_status status, kanal_str reason)
{
    struct writer *w = user;
    struct op *op = op_link_take(w->commit);
    (void)reason;
    w->write = NULL;
    if (op) {
        kanal_buffer_text(&op->value, "blob:");
        kanal_buffer_append(&op->value, w->name.text, ID_LEN);
        op_complete(op, status == KANAL_OK && op->value.failed ? KANAL_E_INTERNAL : status);
    }
    writer_free(w);
}

static void on_idle(uv_timer_t *timer)
{
    struct writer *w = timer->data;
    answer_asked(w, KANAL_E_TIMEOUT);
    discard(w->op);
}

static kanal_op blob_open(const kanal_host *host, kanal_str content_type, kanal_str filename)
{
    struct channel *channel = host->impl;
    struct host *h = channel->host;
    if (channel->closed || channel->blob_count >= BLOBS_MAX || !blob_info_valid(content_type, filename))
        return 0;
    struct writer *w = calloc(1, sizeof *w);
    struct op *op = w && ids_random("b_", &w->name) == 0 ? op_new(h->ops, channel, OP_BLOB) : NULL;
    struct object_info info = { .content_type = content_type, .filename = filename };
    if (op) {
        info.name = kanal_str_of(w->name.text, ID_LEN);
        if (object_write_start(h->broker, h->names.media, &info, on_room, on_committed, w, &w->write) != 0)
            w->write = NULL;
    }
    if (!op || !w->write) {
        op_free(h->ops, op);
        free(w);
        return 0;
    }
    uv_timer_init(h->loop, &w->idle);
    uv_unref((uv_handle_t *)&w->idle);
    w->idle.data = w;
    w->op = op;
    op->work = w;
    op->cancel = let_go;
    channel->blob_count++;
    uv_timer_start(&w->idle, on_idle, IDLE_MS, 0);
    return op->id;
}

static struct writer *find(const kanal_host *host, kanal_op blob)
{
    struct channel *channel = host->impl;
    const struct op *op = op_find(channel->host->ops, channel, blob);
    return op && op->kind == OP_BLOB ? op->work : NULL;
}

/* Takes the piece, or says why not. */
static kanal_status append(struct writer *w, kanal_str piece)
{
    if (!text_valid(piece) || piece.len == 0 || piece.len > PIECE_MAX)
        return KANAL_E_INVALID;
    if (w->lost || w->size + piece.len > SIZE_MAX_BYTES) {
        w->lost = 1;
        return KANAL_E_TOO_LARGE;
    }
    if (w->asked_count == ASKED_MAX || object_write_waiting(w->write) >= WAITING_FULL)
        return KANAL_E_BUSY;
    w->size += piece.len;
    uv_timer_start(&w->idle, on_idle, IDLE_MS, 0);
    return object_write_piece(w->write, piece);
}

static kanal_op blob_append(const kanal_host *host, kanal_op blob, kanal_str piece, kanal_done_fn *done,
                            void *user)
{
    struct channel *channel = host->impl;
    struct writer *w = find(host, blob);
    struct op *op = channel->closed ? NULL : channel_op(channel, OP_DONE);
    if (!op)
        return 0;
    op->callback.done = done;
    op->user = user;
    kanal_op id = op->id;
    kanal_status status = !w                               ? KANAL_E_NOT_FOUND
                          : channel->ops > CHANNEL_OPS_MAX ? KANAL_E_BUSY
                                                           : append(w, piece);
    if (status == KANAL_OK && object_write_waiting(w->write) >= WAITING_GO)
        w->asked[w->asked_count++] = id;
    else
        op_complete(op, status);
    return id;
}

static kanal_op blob_commit(const kanal_host *host, kanal_op blob, kanal_value_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct writer *w = find(host, blob);
    struct op *op = channel->closed ? NULL : channel_op(channel, OP_VALUE);
    if (!op)
        return 0;
    op->callback.value = done;
    op->user = user;
    kanal_op id = op->id;
    kanal_status status = !w        ? KANAL_E_NOT_FOUND
                          : w->lost ? KANAL_E_TOO_LARGE
                                    : object_write_status(w->write);
    if (status == KANAL_OK &&
        (channel->ops > CHANNEL_OPS_MAX || !(w->commit = op_link_new(channel->host->ops, op))))
        status = KANAL_E_BUSY;
    if (status != KANAL_OK) {
        op_complete(op, status);
        return id;
    }
    struct op *blob_op = w->op;
    answer_asked(w, KANAL_OK);
    w->op = NULL;
    blob_op->work = NULL;
    blob_op->cancel = NULL;
    channel->blob_count--;
    op_free(channel->host->ops, blob_op);
    uv_timer_stop(&w->idle);
    object_write_commit(w->write);
    return id;
}

static void blob_discard(const kanal_host *host, kanal_op blob)
{
    struct writer *w = find(host, blob);
    if (!w)
        return;
    answer_asked(w, KANAL_E_CANCELLED);
    discard(w->op);
}

const void *extension_blob2(void)
{
    static const kanal_blob2_host table = { .struct_size = sizeof table,
                                            .put = blob_put,
                                            .url = blob_url,
                                            .open = blob_open,
                                            .append = blob_append,
                                            .commit = blob_commit,
                                            .discard = blob_discard };
    return &table;
}
