#include "broker/kv.h"
#include "event/media_url.h"
#include "host/host.h"
#include "host/services/services.h"
#include "kanal/sdk/str.h"

#define BLOB_MAX (16u * 1024 * 1024)
#define FILENAME_MAX_BYTES 512u

/* Both become headers of the answer to whoever fetches the blob. */
int blob_info_valid(kanal_str content_type, kanal_str filename)
{
    return text_valid(content_type) && (content_type.len == 0 || media_type_valid(content_type)) &&
           text_valid(filename) && filename.len <= FILENAME_MAX_BYTES;
}

static void on_put(void *user, kanal_status status, kanal_str reason)
{
    struct op *op = op_link_take(user);
    (void)reason;
    if (!op)
        return;
    /* The reference was written into the op's buffer before. */
    op_complete(op, op->value.failed && status == KANAL_OK ? KANAL_E_INTERNAL : status);
}

kanal_op blob_put(const kanal_host *host, kanal_str content_type, kanal_str filename, kanal_str data,
                  kanal_value_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct op *op = channel_op(channel, OP_VALUE);
    if (!op)
        return 0;
    op->callback.value = done;
    op->user = user;
    kanal_op id = op->id;
    struct id name;
    struct op_link *link = NULL;
    if (!blob_info_valid(content_type, filename) || !text_valid(data)) {
        op_complete(op, KANAL_E_INVALID);
    } else if (data.len > BLOB_MAX) {
        op_complete(op, KANAL_E_TOO_LARGE);
    } else if (channel->ops > CHANNEL_OPS_MAX || ids_random("b_", &name) != 0 ||
               !(link = op_link_new(channel->host->ops, op))) {
        op_complete(op, KANAL_E_BUSY);
    } else {
        struct object_info info = { .name = kanal_str_of(name.text, ID_LEN),
                                    .content_type = content_type,
                                    .filename = filename };
        kanal_buffer_text(&op->value, "blob:");
        kanal_buffer_append(&op->value, name.text, ID_LEN);
        object_put(channel->host->broker, channel->host->names.media, &info, data, on_put, link);
    }
    return id;
}

kanal_op blob_url(const kanal_host *host, kanal_str reference, kanal_value_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct host *h = channel->host;
    struct op *op = channel_op(channel, OP_VALUE);
    if (!op)
        return 0;
    op->callback.value = done;
    op->user = user;
    kanal_op id = op->id;
    kanal_status status = !text_valid(reference)           ? KANAL_E_INVALID
                          : channel->ops > CHANNEL_OPS_MAX ? KANAL_E_BUSY
                                                           : KANAL_OK;
    if (status == KANAL_OK)
        status = media_url_write(h->envelope.ids, h->envelope.base_url, channel->id, reference,
                                 (kanal_str){ 0 }, host_now_ms() + MEDIA_URL_LIFE_MS, &op->value);
    op_complete(op, status);
    return id;
}

const void *extension_blob(void)
{
    static const kanal_blob_host table = { .struct_size = sizeof table, .put = blob_put, .url = blob_url };
    return &table;
}
