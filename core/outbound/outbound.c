#include "outbound/outbound.h"

#include <stdio.h>

#include "broker/topology.h"
#include "outbound/internal.h"

#define TICK_MS 100u
#define CONSUMER_TICKS 20u

static const char *const by_result[] = { "channel", "result", NULL };
static const char *const by_outcome[] = { "channel", "outcome", NULL };
static const char *const by_code[] = { "channel", "code", NULL };

static void on_tick(uv_timer_t *timer)
{
    struct outbound *o = timer->data;
    lanes_tick(o);
    if (o->draining || o->ticks % CONSUMER_TICKS != 0)
        return;
    if (o->intake_unmade)
        intake_start(o);
    lanes_start_again(o);
}

int outbound_new(struct outbound **ret_outbound, const struct outbound_options *options)
{
    struct outbound *o = calloc(1, sizeof *o);
    if (!o || !(o->clock = malloc(sizeof *o->clock)) ||
        !(o->offers = offers_new(options->host, options->prefix))) {
        if (o)
            free(o->clock);
        free(o);
        return KANAL_E_INTERNAL;
    }
    struct metrics *metrics = options->host->metrics;
    o->host = options->host;
    o->broker = options->host->broker;
    snprintf(o->prefix, sizeof o->prefix, "%s", options->prefix);
    topology_stream_name(o->prefix, "COMMANDS", o->commands_stream);
    topology_stream_name(o->prefix, "LANES", o->lanes_stream);
    o->commands = metrics_family(metrics, METRIC_COUNTER, "kanal_commands_total",
                                 "Commands taken in, or why they were refused.", by_result);
    o->deliveries = metrics_family(metrics, METRIC_COUNTER, "kanal_deliveries_total",
                                   "Outcomes of attempts at a provider message.", by_outcome);
    o->dead = metrics_family(metrics, METRIC_COUNTER, "kanal_dead_letters_total",
                             "Commands that ended as dead letters.", by_code);
    uv_timer_init(o->host->loop, o->clock);
    o->clock->data = o;
    o->host->moved = lanes_move;
    o->host->moved_user = o;
    *ret_outbound = o;
    return 0;
}

void outbound_start(struct outbound *o, const struct json_schema *contract)
{
    if (o->started)
        return;
    o->started = 1;
    o->contract = contract;
    uv_timer_start(o->clock, on_tick, TICK_MS, TICK_MS);
    offers_start(o->offers);
    lanes_start(o);
    intake_start(o);
}

void outbound_drain(struct outbound *o, uint32_t timeout_ms, void (*drained)(void *user), void *user)
{
    o->draining = 1;
    o->drained = drained;
    o->drained_user = user;
    o->drain_until_ms = (int64_t)uv_now(o->host->loop) + timeout_ms;
    if (o->intake)
        js_pull_pause(o->intake);
    for (size_t i = 0; i < SHARDS; i++)
        if (o->shards[i].pull)
            js_pull_pause(o->shards[i].pull);
    if (!o->started)
        uv_timer_start(o->clock, on_tick, TICK_MS, TICK_MS);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void outbound_free(struct outbound *o)
{
    if (!o)
        return;
    o->host->moved = NULL;
    lanes_free(o);
    intake_free_all(o);
    offers_free(o->offers);
    js_pull_stop(o->intake);
    for (size_t i = 0; i < SHARDS; i++)
        js_pull_stop(o->shards[i].pull);
    uv_close((uv_handle_t *)o->clock, on_closed);
    free(o);
}
