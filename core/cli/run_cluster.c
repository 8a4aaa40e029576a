/* `kanal run`, the broker's side: streams, buckets, the salt; then commands are taken. */
#include "broker/kv.h"
#include "broker/topology.h"
#include "cli/cli.h"
#include "cli/run_inside.h"
#include "contract.h"
#include "kanal/sdk/str.h"

#define SETUP_AGAIN_MS 2000u

static void try_again(uv_timer_t *timer);

static void again_later(struct gateway *g)
{
    g->topology_under_way = 0;
    if (!g->stopping)
        uv_timer_start(&g->timer, try_again, SETUP_AGAIN_MS, 0);
}

static void wrong_salt(struct gateway *g)
{
    gateway_fail(g, 0, "identity.salt",
                 "the cluster was made with another salt; with this one every customer would be a stranger. "
                 "Configure the cluster's salt");
    g->code = CLI_CONFIG;
    gateway_stop(g);
}

static void on_salt_put(void *user, kanal_status status, kanal_str value, uint64_t revision);

static void tell_health(struct gateway *g)
{
    for (struct channel *channel = g->host->first_channel; channel; channel = channel->next)
        channel_tell_health(channel);
}

/* The contract is compiled only now: it takes a third of the time from exec to ready, and only commands are checked by it. */
static void take_commands(struct gateway *g)
{
    struct kanal_buffer error = { 0 };
    if (!g->contract &&
        json_schema_new(&g->contract, kanal_str_of((const char *)contract_schema, contract_schema_len),
                        &error) != 0) {
        g->code = gateway_fail(g, CLI_FAILED, "the contract", error.data ? error.data : "");
        gateway_stop(g);
    } else {
        outbound_start(g->outbound, g->contract);
    }
    kanal_buffer_release(&error);
}

static void on_salt(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct gateway *g = user;
    char print[33];
    (void)revision;
    ids_fingerprint(g->ids, print);
    if (g->stopping)
        return;
    if (status == KANAL_E_NOT_FOUND) {
        kv_put(g->broker, g->host->names.channels, KANAL_LIT("salt"), kanal_str_c(print), 0, on_salt_put, g);
    } else if (status != KANAL_OK) {
        again_later(g);
    } else if (!kanal_str_is(value, print)) {
        wrong_salt(g);
    } else {
        g->ready_broker = 1;
        log_write(g->log, KANAL_LOG_INFO, "run", NULL, "streams and buckets are there; commands are taken");
        take_commands(g);
        gateway_project_start(g);
        gateway_control_start(g);
        tell_health(g);
        detour_broker_up(g->detour);
    }
}

static void look_for_salt(struct gateway *g)
{
    kv_get(g->broker, g->host->names.channels, KANAL_LIT("salt"), on_salt, g);
}

static void on_salt_put(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    (void)value;
    (void)revision;
    (void)status; /* whoever was first, ours or another's, is what counts */
    look_for_salt(user);
}

static void on_different(void *user, const char *name, kanal_str reason)
{
    struct gateway *g = user;
    log_write(g->log, KANAL_LOG_ERROR, "broker", NULL, "%s is not as configured and was left as it is: %.*s",
              name, (int)reason.len, reason.ptr ? reason.ptr : "");
}

static void on_topology(void *user, kanal_status status, const char *name, kanal_str reason)
{
    struct gateway *g = user;
    if (status == KANAL_OK) {
        look_for_salt(g);
        return;
    }
    log_write(g->log, KANAL_LOG_ERROR, "broker", NULL, "%s cannot be made: %.*s (status %d; tried again)",
              name, (int)reason.len, reason.ptr ? reason.ptr : "", status);
    again_later(g);
}

void cluster_ensure(struct gateway *g)
{
    const struct config *c = g->setup.config;
    if (g->topology_under_way || g->ready_broker || g->stopping)
        return;
    g->topology_under_way = 1;
    struct topology_options options = { .prefix = c->broker.prefix,
                                        .replicas = c->broker.replicas,
                                        .duplicate_window_ms = c->broker.duplicate_window_ms,
                                        .events_ms = c->retention.events_ms,
                                        .activity_ms = c->retention.activity_ms,
                                        .raw_ms = c->retention.raw_ms,
                                        .dead_ms = c->retention.dead_ms,
                                        .media_ms = c->retention.media_ms,
                                        .facts_ms = c->retention.facts_ms,
                                        .log_ms = c->retention.log_ms };
    topology_ensure(g->broker, &options, on_different, on_topology, g);
}

static void try_again(uv_timer_t *timer)
{
    cluster_ensure(timer->data);
}

void cluster_broker_state(void *user, enum broker_state state, const char *reason)
{
    struct gateway *g = user;
    static const char *const words[] = { "connecting", "connected", "stalled: it does not answer",
                                         "away: reconnecting", "closed" };
    if (g->stopping)
        return;
    log_write(g->log, state == BROKER_UP ? KANAL_LOG_INFO : KANAL_LOG_WARN, "broker", NULL, "%s %s%s%s",
              words[state], state == BROKER_UP && g->broker ? broker_server(g->broker) : "",
              reason && *reason ? ": " : "", reason ? reason : "");
    if (state == BROKER_UP && g->outbound)
        cluster_ensure(g);
    if (state == BROKER_UP && g->ready_broker) {
        tell_health(g);
        detour_broker_up(g->detour);
    }
    if (state == BROKER_CLOSED) {
        g->code = CLI_BROKER;
        gateway_stop(g);
    }
}
