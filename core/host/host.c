#include "host/host.h"

#include <stdio.h>
#include <time.h>

#include "host/lease.h"
#include "host/services/services.h"
#include "kanal/sdk/str.h"
#include "mail/mail.h"
#include "net/tls.h"

#define STOP_REQUESTS_MS 5000

static const char *const by_channel[] = { "channel", NULL };
static const char *const by_channel_plugin[] = { "channel", "plugin", NULL };
static const char *const by_counter[] = { "channel", "name", "labels", NULL };

int64_t host_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_wake(struct lane_item *item)
{
    struct channel *channel = (struct channel *)(void *)((char *)item - offsetof(struct channel, wake));
    item->run = NULL;
    if (!channel->instance || !channel->plugin->descriptor.on_wake)
        return;
    uint64_t entered = channel_enter();
    channel->plugin->descriptor.on_wake(channel->instance);
    channel_leave(channel, entered, "on_wake");
}

static void on_wake(uv_async_t *async)
{
    struct host *host = async->data;
    for (struct channel *channel = host->first_channel; channel; channel = channel->next)
        if (__atomic_exchange_n(&channel->wake_pending, 0, __ATOMIC_ACQ_REL) && !channel->wake.run) {
            channel->wake.run = run_wake;
            lane_push(&channel->lane, &channel->wake);
        }
}

int host_new(struct host **ret_host, const struct host_options *options)
{
    struct host *host = calloc(1, sizeof *host);
    if (!host)
        return KANAL_E_INTERNAL;
    host->last_channel = &host->first_channel;
    host->loop = options->loop;
    host->log = options->log;
    host->metrics = options->metrics;
    host->broker = options->broker;
    host->http = options->http;
    host->public_url = options->public_url;
    host->ca_file = options->ca_file;
    host->envelope = (struct envelope_context){ .ids = options->ids,
                                                .prefix = kanal_str_c(options->prefix),
                                                .base_url = kanal_str_c(options->base_url) };
    snprintf(host->names.state, sizeof host->names.state, "%s_state", options->prefix);
    snprintf(host->names.channels, sizeof host->names.channels, "%s_channels", options->prefix);
    snprintf(host->names.sent, sizeof host->names.sent, "%s_sent", options->prefix);
    snprintf(host->names.leases, sizeof host->names.leases, "%s_leases", options->prefix);
    snprintf(host->names.media, sizeof host->names.media, "%s_media", options->prefix);
    host->plugin_counters = metrics_family(host->metrics, METRIC_COUNTER, "kanal_plugin_total",
                                           "What plugins count themselves.", by_counter);
    host->plugin_dropped = metrics_family(host->metrics, METRIC_COUNTER, "kanal_plugin_dropped_total",
                                          "Counts of plugins beyond 64 series a channel.", by_channel);
    host->dropped_answers = metrics_family(host->metrics, METRIC_COUNTER, "kanal_host_dropped_answers_total",
                                           "Late, repeated or invented answers of plugins.", by_channel);
    host->channel_up = metrics_family(host->metrics, METRIC_GAUGE, "kanal_channel_up",
                                      "1: the channel works.", by_channel_plugin);
    uv_async_init(host->loop, &host->wake, on_wake);
    uv_unref((uv_handle_t *)&host->wake);
    host->wake.data = host;
    if (op_table_new(&host->ops) != 0 || scheduler_new(&host->scheduler, host->loop) != 0 ||
        publisher_new(&host->publisher, host->broker, &host->envelope, host->log, host->metrics) != 0) {
        host_free(host);
        return KANAL_E_INTERNAL;
    }
    *ret_host = host;
    return 0;
}

static size_t slot_of(const struct host *host, kanal_str id)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < id.len; i++)
        hash = (hash ^ (unsigned char)id.ptr[i]) * 1099511628211u;
    return (size_t)(hash & (host->by_id_size - 1));
}

static void index_channel(struct host *host, struct channel *channel)
{
    size_t slot = slot_of(host, channel->id);
    while (host->by_id[slot])
        slot = (slot + 1) & (host->by_id_size - 1);
    host->by_id[slot] = channel;
}

static int grow_index(struct host *host)
{
    if (host->channel_count * 2 < host->by_id_size)
        return 0;
    size_t size = host->by_id_size ? host->by_id_size * 2 : 16;
    struct channel **table = calloc(size, sizeof *table);
    if (!table)
        return -1;
    free(host->by_id);
    host->by_id = table;
    host->by_id_size = size;
    for (struct channel *channel = host->first_channel; channel; channel = channel->next)
        index_channel(host, channel);
    return 0;
}

struct channel *host_add(struct host *host, const struct config_channel *config, struct plugin *plugin)
{
    struct channel *channel = grow_index(host) == 0 ? channel_new(host, config, plugin) : NULL;
    if (!channel)
        return NULL;
    *host->last_channel = channel;
    host->last_channel = &channel->next;
    host->channel_count++;
    index_channel(host, channel);
    return channel;
}

struct channel *host_find(const struct host *host, kanal_str id)
{
    if (host->by_id_size == 0)
        return NULL;
    for (size_t slot = slot_of(host, id); host->by_id[slot]; slot = (slot + 1) & (host->by_id_size - 1))
        if (kanal_str_equal(host->by_id[slot]->id, id))
            return host->by_id[slot];
    return NULL;
}

/* ---- Stopping ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_channel_stopped(struct channel *channel, void *user)
{
    struct host *host = user;
    (void)channel;
    if (--host->stopping.left == 0)
        host->stopping.done(host->stopping.user);
}

static void stop_channels(struct host *host)
{
    host->stopping.left = host->channel_count;
    if (host->channel_count == 0)
        host->stopping.done(host->stopping.user);
    for (struct channel *channel = host->first_channel; channel; channel = channel->next)
        channel_stop(channel, on_channel_stopped, host);
}

/* A request that waits for its events to be stored would be told 503 otherwise, and its provider send it again. */
static void on_stop_tick(uv_timer_t *timer)
{
    struct host *host = timer->data;
    size_t requests = 0;
    for (const struct channel *channel = host->first_channel; channel; channel = channel->next)
        requests += channel->http;
    if (requests > 0 && (int64_t)uv_now(host->loop) < host->stopping.until_ms)
        return;
    uv_close((uv_handle_t *)timer, on_timer_closed);
    host->stopping.timer = NULL;
    stop_channels(host);
}

void host_stop(struct host *host, void (*done)(void *user), void *user)
{
    host->stopping.done = done;
    host->stopping.user = user;
    host->stopping.until_ms = (int64_t)uv_now(host->loop) + STOP_REQUESTS_MS;
    host->stopping.timer = malloc(sizeof *host->stopping.timer);
    if (!host->stopping.timer) {
        stop_channels(host);
        return;
    }
    uv_timer_init(host->loop, host->stopping.timer);
    host->stopping.timer->data = host;
    uv_timer_start(host->stopping.timer, on_stop_tick, 0, 20);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void host_free(struct host *host)
{
    if (!host)
        return;
    if (host->stopping.timer)
        uv_close((uv_handle_t *)host->stopping.timer, on_timer_closed);
    while (host->first_channel) {
        struct channel *next = host->first_channel->next;
        channel_free(host->first_channel);
        host->first_channel = next;
    }
    free(host->by_id);
    publisher_free(host->publisher);
    scheduler_free(host->scheduler);
    op_table_free(host->ops);
    net_tls_free(host->tls);
    mail_free(host->mail);
    lease_book_free(host->leases);
    uv_close((uv_handle_t *)&host->wake, on_closed);
}
