#include "outbound/outbound.h"

#include <stdio.h>

#include "broker/topology.h"
#include "outbound/cancel.h"
#include "outbound/internal.h"
#include "outbound/route.h"
#include "outbound/schedule.h"

#define TICK_MS 100u
#define ZONEINFO "/usr/share/zoneinfo" /* Debian's tzdata */

static const char *const by_result[] = { "channel", "result", NULL };
static const char *const by_outcome[] = { "channel", "outcome", NULL };
static const char *const by_channel[] = { "channel", NULL };
static const char *const by_code[] = { "channel", "code", NULL };

static void on_tick(uv_timer_t *timer)
{
    struct outbound *o = timer->data;
    o->ticks++;
    intake_tick(o);
    shards_tick(o);
    lanes_tick(o);
}

static void on_turn(uv_check_t *turn)
{
    shards_flush(turn->data);
}

static void on_cancelled(struct outbound *o, const char *key)
{
    schedule_cancel(o->schedule, key); /* what stands in a lane is looked at before it is sent */
}

/* Of configured words, NULL-ended. */
static yyjson_doc *list_of(const char *const *words)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &text);
    kanal_json_array(&json);
    for (; words && *words; words++)
        kanal_json_str(&json, kanal_str_c(*words));
    kanal_json_array_end(&json);
    yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    return doc;
}

static void release(struct outbound *o)
{
    zones_free(o->zones);
    yyjson_doc_free(o->required_consent);
    schedule_free(o->schedule);
    cancels_free(o->cancels);
    offers_free(o->offers);
    free(o->clock);
    free(o->turn);
    free(o);
}

int outbound_new(struct outbound **ret_outbound, const struct outbound_options *options)
{
    struct outbound *o = calloc(1, sizeof *o);
    if (!o)
        return KANAL_E_INTERNAL;
    o->clock = malloc(sizeof *o->clock);
    o->turn = malloc(sizeof *o->turn);
    o->schedule = schedule_new(o);
    o->cancels = cancels_new(o, on_cancelled);
    o->offers = offers_new(options->host, options->prefix);
    o->zones = zones_new(ZONEINFO);
    o->required_consent = list_of(options->require_consent);
    if (!o->zones || !o->required_consent || !o->clock || !o->turn || !o->schedule || !o->cancels ||
        !o->offers) {
        release(o);
        return KANAL_E_INTERNAL;
    }
    if (options->timezone && !zones_find(o->zones, kanal_str_c(options->timezone)) &&
        strcmp(options->timezone, "UTC") != 0)
        log_write(options->host->log, KANAL_LOG_WARN, "routing", NULL,
                  "routing.timezone: %s has no zone of the name %s (is tzdata installed?); UTC counts",
                  ZONEINFO, options->timezone);
    struct metrics *metrics = options->host->metrics;
    o->host = options->host;
    o->broker = options->host->broker;
    o->replica = options->replica;
    o->make_link = options->make_link;
    o->make_link_user = options->make_link_user;
    o->reach = options->reach;
    o->timezone = options->timezone ? options->timezone : "UTC";
    snprintf(o->prefix, sizeof o->prefix, "%s", options->prefix);
    topology_stream_name(o->prefix, "COMMANDS", o->commands_stream);
    topology_stream_name(o->prefix, "LANES", o->lanes_stream);
    topology_stream_name(o->prefix, "ATTEMPTS", o->attempts_stream);
    topology_stream_name(o->prefix, "SCHEDULED", o->scheduled_stream);
    topology_stream_name(o->prefix, "PARKED", o->parked_stream);
    topology_stream_name(o->prefix, "EVENTS", o->events_stream);
    o->commands = metrics_family(metrics, METRIC_COUNTER, "kanal_commands_total",
                                 "Commands taken in, or why they were refused.", by_result);
    o->deliveries = metrics_family(metrics, METRIC_COUNTER, "kanal_deliveries_total",
                                   "Outcomes of attempts at a provider message.", by_outcome);
    o->dead = metrics_family(metrics, METRIC_COUNTER, "kanal_dead_letters_total",
                             "Commands that ended as dead letters.", by_code);
    o->parked = metrics_family(metrics, METRIC_COUNTER, "kanal_commands_parked_total",
                               "Commands set aside, because too many wait for their recipient.", by_channel);
    o->recipients_parked = metric_series(metrics_family(metrics, METRIC_GAUGE, "kanal_recipients_parked",
                                                        "Recipients with commands that are set aside.", NULL),
                                         NULL);
    o->log_lost = metrics_family(metrics, METRIC_COUNTER, "kanal_message_log_lost_total",
                                 "Records of the log of messages that could not be stored.", NULL);
    uv_timer_init(o->host->loop, o->clock);
    uv_check_init(o->host->loop, o->turn);
    o->clock->data = o->turn->data = o;
    o->host->moved = lanes_move;
    o->host->moved_user = o;
    route_listen(o);
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
    uv_check_start(o->turn, on_turn);
    uv_unref((uv_handle_t *)o->turn);
    offers_start(o->offers);
    cancels_start(o->cancels);
    intake_start(o);
    shards_start(o);
    if (lease_share(o->host) != 0)
        log_write(o->host->log, KANAL_LOG_ERROR, "outbound", NULL,
                  "out of memory: this gateway does not share its work with others");
}

void outbound_drain(struct outbound *o, uint32_t timeout_ms, void (*drained)(void *user), void *user)
{
    o->draining = 1;
    lease_share_end(o->host);
    o->drained = drained;
    o->drained_user = user;
    o->drain_until_ms = (int64_t)uv_now(o->host->loop) + timeout_ms;
    reader_pause(&o->intake.reader, 1);
    shards_pause(o);
    if (!o->started)
        uv_timer_start(o->clock, on_tick, TICK_MS, TICK_MS);
}

void outbound_leave(struct outbound *o)
{
    if (!o->started)
        return;
    intake_leave(o);
    shards_leave(o);
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
    o->host->routes = (struct host_routes){ 0 };
    outbound_leave(o);
    messages_free_all(o);
    lanes_free(o);
    intake_free_all(o);
    uv_close((uv_handle_t *)o->clock, on_closed);
    uv_close((uv_handle_t *)o->turn, on_closed);
    o->clock = NULL;
    o->turn = NULL;
    release(o);
}
