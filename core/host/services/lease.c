/* kanal.lease/1: a channel's leases. The group that is held, and when, is host/lease.c's. */
#include "host/lease.h"

#include "host/host.h"
#include "host/services/services.h"
#include "host/worker/worker.h"
#include "kanal/ext/lease.h"
#include "kanal/sdk/str.h"

#define LEASES_MAX 16u
#define NAME_MAX_BYTES 64u

struct wanted {
    struct lease_member member; /* first */
    struct op *op;
    uint64_t told; /* the term that on_held() was called for; 0: none */
    size_t name_len;
    char name[NAME_MAX_BYTES];
};

static void run_changed(struct lane_item *item)
{
    struct op *op = (struct op *)item;
    struct channel *channel = op->channel;
    struct wanted *w = op->work;
    uint64_t term = lease_term(&w->member);
    kanal_op id = op->id;
    op->item.run = NULL;
    uint64_t entered = channel_enter();
    if (w->told != 0 && w->told == term && channel->plugin->worker)
        worker_lease_renewed(channel->instance, id, lease_until_ms(&w->member));
    if (w->told != 0 && w->told != term) {
        w->told = 0;
        channel->leases->on_lost(channel->instance, id);
    }
    op = op_find(channel->host->ops, channel, id); /* it may have been released inside */
    w = op ? op->work : NULL;
    if (w && w->told == 0 && (w->told = lease_term(&w->member)) != 0)
        channel->leases->on_held(channel->instance, id);
    channel_leave(channel, entered, "a lease's callback");
}

static void on_changed(struct lease_member *member)
{
    struct op *op = ((struct wanted *)member)->op;
    if (op->item.run)
        return;
    op->item.run = run_changed;
    lane_push(&op->channel->lane, &op->item);
}

/* Held still, it needs no time: its channel's deliveries have ended with the lane. Lost: the plugin has heard of it, and a worker has worked it off. */
static int is_quiet(const struct lease_member *member)
{
    const struct wanted *w = (const struct wanted *)member;
    const struct channel *channel = w->op->channel;
    if (lease_term(member) != 0)
        return 1;
    return w->told == 0 && !w->op->item.run &&
           (!channel->plugin->worker || !channel->instance || worker_is_done(channel->instance));
}

static void let_go(struct op *op)
{
    struct wanted *w = op->work;
    op->work = NULL;
    op->cancel = NULL;
    op->channel->lease_count--;
    lease_leave(&w->member);
    free(w);
}

static int name_valid(kanal_str name)
{
    if (!text_valid(name) || name.len == 0 || name.len > NAME_MAX_BYTES)
        return 0;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
              c == '-'))
            return 0;
    }
    return 1;
}

struct search {
    kanal_str name;
    int found;
};

static void compare(void *user, struct op *op)
{
    struct search *search = user;
    const struct wanted *w = op->kind == OP_LEASE ? op->work : NULL;
    search->found |= w && kanal_str_equal(search->name, kanal_str_of(w->name, w->name_len));
}

static int is_wanted(struct channel *channel, kanal_str name)
{
    struct search search = { .name = name };
    if (channel->lease_count > 0)
        op_each(channel->host->ops, channel, compare, &search);
    return search.found;
}

static kanal_op lease_acquire(const kanal_host *host, kanal_str name, uint32_t ttl_ms)
{
    struct channel *channel = host->impl;
    if (channel->closed || !channel->leases || !name_valid(name) || channel->lease_count >= LEASES_MAX ||
        is_wanted(channel, name))
        return 0;
    struct wanted *w = calloc(1, sizeof *w);
    struct op *op = w ? op_new(channel->host->ops, channel, OP_LEASE) : NULL;
    if (!op) {
        free(w);
        return 0;
    }
    uint32_t ttl = ttl_ms ? ttl_ms : LEASE_TTL_DEFAULT_MS;
    w->op = op;
    w->member.ttl_ms = ttl < LEASE_TTL_MIN_MS   ? LEASE_TTL_MIN_MS
                       : ttl > LEASE_TTL_MAX_MS ? LEASE_TTL_MAX_MS
                                                : ttl;
    w->member.changed = on_changed;
    w->member.is_quiet = is_quiet;
    w->member.renewed = channel->plugin->worker ? on_changed : NULL; /* held() is answered in the worker */
    w->name_len = name.len;
    memcpy(w->name, name.ptr, name.len);
    op->work = w;
    op->cancel = let_go;
    channel->lease_count++;
    if (lease_join(channel->host, channel->source.plugin, channel->id, &w->member) != 0) {
        let_go(op);
        op_free(channel->host->ops, op);
        return 0;
    }
    /* The group may be held already: this one hears of it all the same. */
    on_changed(&w->member);
    return op->id;
}

static struct op *find(const kanal_host *host, kanal_op lease)
{
    struct channel *channel = host->impl;
    struct op *op = op_find(channel->host->ops, channel, lease);
    return op && op->kind == OP_LEASE && op->work ? op : NULL;
}

uint64_t lease_until(struct channel *channel, kanal_op lease)
{
    const struct op *op = find(&channel->table, lease);
    const struct wanted *w = op ? op->work : NULL;
    return w ? lease_until_ms(&w->member) : 0;
}

static int32_t lease_held(const kanal_host *host, kanal_op lease)
{
    const struct op *op = find(host, lease);
    const struct wanted *w = op ? op->work : NULL;
    return w && w->told != 0 && lease_term(&w->member) == w->told;
}

static void lease_release(const kanal_host *host, kanal_op lease)
{
    struct channel *channel = host->impl;
    struct op *op = find(host, lease);
    if (!op)
        return;
    if (op->item.run)
        lane_remove(&channel->lane, &op->item);
    let_go(op);
    op_free(channel->host->ops, op);
}

const void *extension_lease(void)
{
    static const kanal_lease_host table = {
        .struct_size = sizeof table, .acquire = lease_acquire, .held = lease_held, .release = lease_release
    };
    return &table;
}
