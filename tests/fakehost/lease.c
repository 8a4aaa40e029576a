/* Extension kanal.lease/1: held as soon as wanted, unless the test says otherwise. */
#include "inside.h"

static struct lease *find(const struct fake_host *host, kanal_op op)
{
    struct lease *lease = host->leases;
    while (lease != NULL && lease->op != op)
        lease = lease->next;
    return lease;
}

static void queue(struct fake_host *host, kanal_op op)
{
    struct task *task = calloc(1, sizeof *task);
    if (task == NULL)
        abort();
    task->kind = TASK_LEASE;
    task->op = op;
    fake_ready(host, task, KANAL_OK);
}

static kanal_op acquire(const kanal_host *table, kanal_str name, uint32_t ttl_ms)
{
    struct fake_host *host = fake_of(table);
    (void)ttl_ms;
    if (host->stopped)
        return 0;
    if (host->lease_plugin == NULL)
        fake_fail(host, "acquire(), but the plugin has no table " KANAL_EXT_LEASE);
    if (name.len == 0 || name.len > 64)
        fake_fail(host, "acquire(): the name");
    for (const struct lease *lease = host->leases; lease != NULL; lease = lease->next)
        if (kanal_str_equal(lease->name, name))
            return 0;
    struct lease *lease = arena_zeroed(&host->kept, sizeof *lease);
    lease->op = fake_next_op(host);
    lease->name = arena_str(&host->kept, name);
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

const kanal_lease_host fake_lease_table = {
    .struct_size = sizeof fake_lease_table, .acquire = acquire, .held = held, .release = release
};

void fake_lease_run(struct fake_host *host, struct task *task)
{
    struct lease *lease = find(host, task->op);
    int is_held = !host->lease_elsewhere;
    if (lease == NULL || lease->told == is_held)
        return;
    lease->told = is_held;
    if (is_held)
        host->lease_plugin->on_held(host->channel, lease->op);
    else
        host->lease_plugin->on_lost(host->channel, lease->op);
}

void fake_lease_hold(struct fake_host *host, int is_held)
{
    host->lease_elsewhere = !is_held;
    for (const struct lease *lease = host->leases; lease != NULL; lease = lease->next)
        queue(host, lease->op);
    fake_run(host);
}
