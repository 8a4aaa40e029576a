/* kanal/ext/lease.h - extension "kanal.lease/1": what must run only once across all replicas of the gateway: polling a
 * provider, holding the one connection that an account allows.
 *
 * A lease is wanted by each replica and held by one at a time. It stays with its holder while that lives, reaches the broker and has the
 * channel's commands; these go to another replica when one comes or goes, so that all share the work, and the lease follows: on_lost() then
 * comes although nothing is wrong, and the other one has it as soon as that has returned. A holder that does not live or reach the broker: another
 * replica has it within a ttl and some seconds, and the holder has stopped before that, by its own clock, also when the broker or the process
 * itself stood still.
 *
 * The core keeps leases in groups (a hash of the channel's id, 64 groups a plugin): five thousand channels must not mean five
 * thousand renewals. So leases of channels of one group always change hands together. */
#ifndef KANAL_EXT_LEASE_H
#define KANAL_EXT_LEASE_H
#include "../plugin.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_EXT_LEASE "kanal.lease/1"

/* The host's table: kanal_host.extension(). Frozen. */
typedef struct kanal_lease_host {
    uint64_t struct_size;
    /* [lane] Wants a lease: its number. on_held() follows when it is this replica's turn, perhaps never. name: 1 to 64 of
     * [A-Za-z0-9_-], unique in the channel while it is wanted. ttl_ms: 0: 9 s; 3 s to 10 s; the shortest of its group holds for all.
     * 0: a wrong or doubled name, over 16 in the channel, or after finish() of stop(). */
    kanal_op (*acquire)(const kanal_host *, kanal_str name, uint32_t ttl_ms);
    /* [lane] 1 while it is certainly held: counted from when the last renewal was sent, so also right after this process was
     * stopped for a while, when on_lost() has not come yet. Ask right before each thing that must happen only once. Answered at
     * once, by a clock of this machine. */
    int32_t (*held)(const kanal_host *, kanal_op lease);
    /* [lane] Does not want it any more; nothing follows. When the whole group does not, another replica may have it at once. */
    void (*release)(const kanal_host *, kanal_op lease);
} kanal_lease_host;

/* The plugin's table: kanal_plugin.extension(). Frozen. */
typedef struct kanal_lease_plugin {
    uint64_t struct_size;
    /* [lane] In turn: held, lost, held … A lost lease is still wanted, and may come back. Those that are left when stop() is
     * finished are released by the host. */
    void (*on_held)(kanal_channel *, kanal_op lease);
    /* Stop now: cancel what is under way. */
    void (*on_lost)(kanal_channel *, kanal_op lease);
} kanal_lease_plugin;

#ifdef __cplusplus
}
#endif
#endif
