/* The extension kanal.lease/1 in a worker. held() is answered here, by the clock that all processes of the machine share: the core says until
 * when, with each renewal. What comes late makes it say no too early, never yes too long. */
#include <time.h>

#include "inside.h"
#include "kanal/sdk/str.h"

#define LEASES_MAX 16u /* as in the core */
#define NAME_MAX_BYTES 64u

uint64_t inside_boot_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct inside_op *find(const struct inside_channel *channel, kanal_op lease)
{
    struct inside_op *op = inside_op_find(channel->inside, channel, lease);
    return op && op->kind == INSIDE_LEASE ? op : NULL;
}

static int name_valid(kanal_str name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    if (!name.ptr || name.len == 0 || name.len > NAME_MAX_BYTES)
        return 0;
    for (size_t i = 0; i < name.len; i++)
        if (!memchr(letters, name.ptr[i], sizeof letters - 1))
            return 0;
    return 1;
}

static int is_wanted(const struct inside_channel *channel, kanal_str name)
{
    for (const struct inside_op *op = channel->ops; op; op = op->next)
        if (op->kind == INSIDE_LEASE && kanal_str_is(name, op->name))
            return 1;
    return 0;
}

static kanal_op lease_acquire(const kanal_host *host, kanal_str name, uint32_t ttl_ms)
{
    struct inside_channel *channel = host->impl;
    if (!channel->leases || !name_valid(name) || channel->lease_count >= LEASES_MAX ||
        is_wanted(channel, name))
        return 0;
    char *copy = calloc(1, name.len + 1);
    struct inside_op *op = copy ? inside_ask(host, INSIDE_LEASE, NULL) : NULL;
    if (!op) {
        free(copy);
        return 0;
    }
    memcpy(copy, name.ptr, name.len);
    op->name = copy;
    struct wire_lease frame = { .lease = op->number, .ttl_ms = ttl_ms, .name = name };
    inside_send(channel->inside, WIRE_LEASE_ACQUIRE, channel, &frame);
    return op->number;
}

static int32_t lease_held(const kanal_host *host, kanal_op lease)
{
    const struct inside_op *op = find(host->impl, lease);
    return op && op->until_ms != 0 && inside_boot_ms() < op->until_ms;
}

static void lease_release(const kanal_host *host, kanal_op lease)
{
    struct inside_channel *channel = host->impl;
    struct inside_op *op = find(channel, lease);
    if (!op)
        return;
    inside_send(channel->inside, WIRE_LEASE_RELEASE, channel, &(struct wire_lease){ .lease = lease });
    inside_op_free(op);
}

const kanal_lease_host inside_lease = {
    .struct_size = sizeof inside_lease, .acquire = lease_acquire, .held = lease_held, .release = lease_release
};

void inside_lease_frame(struct inside_channel *channel, enum wire_type type, const struct wire_lease *frame)
{
    struct inside_op *op = find(channel, frame->lease);
    if (!op || !channel->leases || !channel->instance)
        return; /* released meanwhile */
    op->until_ms = type == WIRE_LEASE_LOST ? 0 : frame->until_ms;
    if (type == WIRE_LEASE_RENEWED)
        return;
    inside_enter(channel, type);
    if (type == WIRE_LEASE_HELD)
        channel->leases->on_held(channel->instance, frame->lease);
    else
        channel->leases->on_lost(channel->instance, frame->lease);
    inside_leave(channel, type);
}
