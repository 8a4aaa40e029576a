#include "host/host.h"
#include "host/receipts.h"

#include <stdio.h>
#include <time.h>

#include "host/handover.h"
#include "host/lease.h"
#include "host/services/services.h"
#include "host/worker/worker.h"
#include "kanal/sdk/str.h"
#include "mail/mail.h"
#include "net/tls.h"

#define STOP_REQUESTS_MS 5000
#define START_AT_ONCE 256u
#define START_ANYWAY 8u
#define START_TICK_MS 4u

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
    trace_source_init(&host->traces);
    host->loop = options->loop;
    host->log = options->log;
    host->metrics = options->metrics;
    host->broker = options->broker;
    host->http = options->http;
    host->public_url = options->public_url;
    host->ca_file = options->ca_file;
    host->instance = options->instance;
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
        workers_new(&host->workers, host) != 0 ||
        publisher_new(&host->publisher, host->broker, &host->envelope, host->log, host->metrics) != 0) {
        host_free(host);
        return KANAL_E_INTERNAL;
    }
    scheduler_after(host->scheduler, workers_flush, host->workers);
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

/* ---- Changes ---- */

void host_replace(struct host *host, struct channel *channel, struct channel *next)
{
    struct channel **link = &host->first_channel;
    size_t slot = slot_of(host, channel->id);
    while (*link != channel)
        link = &(*link)->next;
    next->next = channel->next;
    next->spooled = channel->spooled;
    *link = next;
    if (host->start.next == channel)
        host->start.next = next;
    if (host->last_channel == &channel->next)
        host->last_channel = &next->next;
    while (host->by_id[slot] != channel)
        slot = (slot + 1) & (host->by_id_size - 1);
    host->by_id[slot] = next;
    channel->next = NULL;
    if (host->moved)
        host->moved(host->moved_user, channel, next);
}

static void take_out(struct host *host, struct channel *channel)
{
    struct channel **link = &host->first_channel;
    while (*link && *link != channel)
        link = &(*link)->next;
    if (!*link)
        return; /* replaced, or never in it */
    *link = channel->next;
    if (host->start.next == channel)
        host->start.next = channel->next;
    if (host->last_channel == &channel->next)
        host->last_channel = link;
    host->channel_count--;
    memset(host->by_id, 0, host->by_id_size * sizeof(struct channel *));
    for (struct channel *other = host->first_channel; other; other = other->next)
        index_channel(host, other);
    metrics_forget(host->metrics, channel->id);
    if (host->moved)
        host->moved(host->moved_user, channel, NULL);
}

void host_retire(struct host *host, struct channel *channel, struct channel *successor)
{
    take_out(host, channel);
    channel_timer(channel, 0, NULL);
    channel->state = CHANNEL_RETIRED;
    channel->successor = successor;
    if (channel->plugin->worker)
        worker_leave(channel);
    channel->next = host->retired;
    host->retired = channel;
}

/* ---- Starting ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void end_start(struct host *host)
{
    host->start.next = NULL;
    if (host->start.timer)
        uv_close((uv_handle_t *)host->start.timer, on_timer_closed);
    host->start.timer = NULL;
}

/* Some more, even if none of those that were started has come up: providers that do not answer keep nobody else waiting. */
static void start_some(uv_timer_t *timer)
{
    struct host *host = timer->data;
    size_t some = host->starting < START_AT_ONCE ? START_AT_ONCE - host->starting : START_ANYWAY;
    for (; some > 0 && host->start.next; some--) {
        struct channel *channel = host->start.next;
        host->start.next = channel->next;
        if (channel->state == CHANNEL_NEW) /* else it came, or was changed, meanwhile */
            channel_start(channel);
    }
    if (!host->start.next)
        end_start(host);
}

void host_start(struct host *host)
{
    host->start.next = host->first_channel;
    host->start.timer = malloc(sizeof *host->start.timer);
    if (!host->start.timer) {
        for (struct channel *channel = host->first_channel; channel; channel = channel->next)
            channel_start(channel);
        return;
    }
    uv_timer_init(host->loop, host->start.timer);
    host->start.timer->data = host;
    uv_timer_start(host->start.timer, start_some, START_TICK_MS, START_TICK_MS);
    start_some(host->start.timer);
}

/* ---- Stopping ---- */

static void on_channel_stopped(struct channel *channel, void *user)
{
    struct host *host = user;
    (void)channel;
    if (--host->stopping.left == 0)
        workers_stop(host->workers, host->stopping.done, host->stopping.user);
}

/* Two of one id may be there for the moment: both stop. */
static void abort_handover(struct host *host, struct channel *channel)
{
    struct channel *next = channel->handover ? handover_abort(channel->handover) : NULL;
    if (!next)
        return;
    next->next = host->retired;
    host->retired = next;
    host->stopping.left++;
    channel_stop(next, on_channel_stopped, host);
}

static void stop_channels(struct host *host)
{
    host->stopping.left = host->channel_count;
    for (struct channel *channel = host->first_channel; channel; channel = channel->next)
        abort_handover(host, channel);
    if (host->channel_count == 0)
        workers_stop(host->workers, host->stopping.done, host->stopping.user);
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
    end_start(host);
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

static void free_channels(struct channel *channel)
{
    while (channel) {
        struct channel *next = channel->next;
        handover_free(channel->handover);
        channel_free(channel);
        channel = next;
    }
}

void host_free(struct host *host)
{
    if (!host)
        return;
    end_start(host);
    if (host->stopping.timer)
        uv_close((uv_handle_t *)host->stopping.timer, on_timer_closed);
    receipts_free(host->receipts);
    host->receipts = NULL;
    free_channels(host->first_channel);
    free_channels(host->retired);
    workers_free(host->workers);
    free(host->by_id);
    publisher_free(host->publisher);
    scheduler_free(host->scheduler);
    op_table_free(host->ops);
    net_tls_free(host->tls);
    mail_free(host->mail);
    lease_book_free(host->leases);
    uv_close((uv_handle_t *)&host->wake, on_closed);
}
