/* A channel's own keys: "<channel-id>.<key>" in the bucket <prefix>_state. */
#include "broker/kv.h"
#include "host/host.h"
#include "host/services/services.h"
#include "kanal/sdk/str.h"

#define KEY_MAX 128u
#define VALUE_MAX (256u * 1024)

static int key_valid(kanal_str key)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_=-";
    if (!key.ptr || key.len == 0 || key.len > KEY_MAX)
        return 0;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        int separator = c == '.' || c == '/';
        if (separator && (i == 0 || i + 1 == key.len || key.ptr[i - 1] == '.' || key.ptr[i - 1] == '/'))
            return 0;
        if (!separator && (c == 0 || !strchr(allowed, c)))
            return 0;
    }
    return 1;
}

static void on_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct op *op = op_link_take(user);
    if (op)
        op_complete_value(op, status, value, revision);
}

/* "<channel-id>.<key>" into the op's buffer. */
static kanal_str full_key(struct op *op, kanal_str key)
{
    kanal_buffer_str(&op->value, op->channel->id);
    kanal_buffer_byte(&op->value, '.');
    kanal_buffer_str(&op->value, key);
    return kanal_buffer_view(&op->value);
}

static struct op *begin(struct channel *channel, kanal_value_fn *done, void *user, kanal_op *ret_id)
{
    struct op *op = channel_op(channel, OP_VALUE);
    if (op) {
        op->callback.value = done;
        op->user = user;
        *ret_id = op->id;
    }
    return op;
}

kanal_op service_state_get(const kanal_host *host, kanal_str key, kanal_value_fn *done, void *user)
{
    struct channel *channel = host->impl;
    kanal_op id = 0;
    struct op *op = begin(channel, done, user, &id);
    if (!op)
        return 0;
    struct op_link *link = NULL;
    if (!key_valid(key))
        op_complete(op, KANAL_E_INVALID);
    else if (channel->ops > CHANNEL_OPS_MAX || !(link = op_link_new(channel->host->ops, op)))
        op_complete(op, KANAL_E_BUSY);
    else
        kv_get(channel->host->broker, channel->host->names.state, full_key(op, key), on_value, link);
    return id;
}

kanal_op service_state_put(const kanal_host *host, kanal_str key, kanal_str value, uint64_t if_revision,
                           kanal_value_fn *done, void *user)
{
    struct channel *channel = host->impl;
    struct host *h = channel->host;
    kanal_op id = 0;
    struct op *op = begin(channel, done, user, &id);
    if (!op)
        return 0;
    struct op_link *link = NULL;
    if (!key_valid(key) || !text_valid(value))
        op_complete(op, KANAL_E_INVALID);
    else if (value.len > VALUE_MAX)
        op_complete(op, KANAL_E_TOO_LARGE);
    else if (channel->ops > CHANNEL_OPS_MAX || !(link = op_link_new(h->ops, op)))
        op_complete(op, KANAL_E_BUSY);
    else if (value.len == 0)
        kv_delete(h->broker, h->names.state, full_key(op, key), if_revision, on_value, link);
    else
        kv_put(h->broker, h->names.state, full_key(op, key), value, if_revision, on_value, link);
    return id;
}
