/* Extension kanal.lease/1: held as soon as wanted, unless the test says otherwise. */
#include "inside.h"

static struct lease *find(const struct fake_host *host, kanal_op op)
{
    struct lease *lease = host->leases;
    while (lease != NULL && lease->op != op)
        lease = lease->next;
    return lease;
}

static void run(struct fake_host *host, struct task *task)
{
    struct lease *lease = find(host, task->op);
    int is_held = !host->lease_elsewhere;
    if (lease == NULL || lease->told == is_held)
        return;
    lease->told = is_held;
    host->where = is_held ? "lease on_held()" : "lease on_lost()";
    if (is_held)
        host->lease_plugin->on_held(host->channel, lease->op);
    else
        host->lease_plugin->on_lost(host->channel, lease->op);
}

static void queue(struct fake_host *host, kanal_op op)
{
    fake_ready(host, fake_extension_task(host, run, 0, op), KANAL_OK);
}

static kanal_op acquire(const kanal_host *table, kanal_str name, uint32_t ttl_ms)
{
    struct fake_host *host = fake_of(table);
    (void)ttl_ms;
    fake_check_lane(host, "lease acquire");
    if (host->stopped)
        return 0;
    if (host->creating)
        fake_fail(host, "create() may only log and ask for extensions, and calls lease acquire()");
    if (host->lease_plugin == NULL)
        fake_fail(host, "acquire(), but the plugin has no table " KANAL_EXT_LEASE);
    if (name.len == 0 || name.len > 64)
        fake_fail(host, "acquire(): the name");
    for (const struct lease *lease = host->leases; lease != NULL; lease = lease->next)
        if (kanal_str_equal(lease->name, name))
            return 0;
    struct lease *lease = fake_arena_zeroed(&host->kept, sizeof *lease);
    lease->op = fake_next_op(host);
    lease->name = fake_arena_str(&host->kept, name);
    lease->next = host->leases;
    host->leases = lease;
    queue(host, lease->op);
    return lease->op;
}

static int32_t held(const kanal_host *table, kanal_op op)
{
    struct fake_host *host = fake_of(table);
    const struct lease *lease = find(host, op);
    return lease != NULL && lease->told && !host->lease_elsewhere;
}

static void release(const kanal_host *table, kanal_op op)
{
    struct fake_host *host = fake_of(table);
    for (struct lease **at = &host->leases; *at != NULL; at = &(*at)->next)
        if ((*at)->op == op) {
            *at = (*at)->next;
            return;
        }
    fake_fail(host, "release() of what is no lease");
}

static const kanal_lease_host table_of_host = {
    .struct_size = sizeof table_of_host, .acquire = acquire, .held = held, .release = release
};

static void attach(struct fake_host *host)
{
    if (host->plugin->extension != NULL)
        host->lease_plugin = host->plugin->extension(host->channel, KANAL_EXT_LEASE);
}

const struct fake_extension fake_extension_lease = { .id = KANAL_EXT_LEASE,
                                                     .table = &table_of_host,
                                                     .attach = attach };

void fake_lease_hold(struct fake_host *host, int is_held)
{
    host->lease_elsewhere = !is_held;
    for (const struct lease *lease = host->leases; lease != NULL; lease = lease->next)
        queue(host, lease->op);
    fake_run(host);
}
