#include "host/channel.h"
#include "host/channel_health.h"

#include <stdio.h>

#include "host/host.h"
#include "host/provision.h"
#include "host/services/egress.h"
#include "host/services/services.h"
#include "host/table.h"
#include "host/worker/worker.h"
#include "kanal/sdk/json.h"

#define START_MS 30000u
#define STOP_MS 10000u
#define RETRY_MS_MIN 1000u
#define RETRY_MS_MAX 60000u

static void stopped(struct channel *channel);
static void destroy(struct channel *channel);

const char *channel_state_name(enum channel_state state)
{
    static const char *const names[] = { "new",    "starting", "up",     "stopping", "stopped",
                                         "failed", "down",     "paused", "retired" };
    return names[state];
}

static void set_state(struct channel *channel, enum channel_state state)
{
    channel->host->starting -= channel->state == CHANNEL_STARTING;
    channel->host->starting += state == CHANNEL_STARTING;
    channel->state = state;
    channel->since_ms = host_now_ms();
}

/* ---- The timer ---- */

static void on_timer(uv_timer_t *timer)
{
    struct channel *channel = timer->data;
    void (*due)(struct channel *) = channel->on_timer;
    channel->on_timer = NULL;
    if (due)
        due(channel);
}

void channel_timer(struct channel *channel, uint32_t delay_ms, void (*due)(struct channel *))
{
    channel->on_timer = due;
    if (due)
        uv_timer_start(channel->timer, on_timer, delay_ms, 0);
    else
        uv_timer_stop(channel->timer);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

/* ---- Making and freeing ---- */

struct channel *channel_new(struct host *host, const struct config_channel *config, struct plugin *plugin)
{
    struct channel *channel = calloc(1, sizeof *channel);
    uv_timer_t *timer = calloc(1, sizeof *timer), *tell_timer = calloc(1, sizeof *tell_timer);
    if (!channel || !timer || !tell_timer) {
        free(channel);
        free(timer);
        free(tell_timer);
        return NULL;
    }
    channel->host = host;
    channel->config = config;
    channel->plugin = plugin;
    channel->id = kanal_str_c(config->id);
    channel->source = (struct envelope_source){ .channel = channel->id,
                                                .plugin = kanal_str_c(plugin->descriptor.id),
                                                .spools = config->spool };
    channel->since_ms = host_now_ms();
    uv_timer_init(host->loop, timer);
    timer->data = channel;
    channel->timer = timer;
    uv_timer_init(host->loop, tell_timer);
    tell_timer->data = channel;
    channel->tell_timer = tell_timer;
    lane_init(&channel->lane, host->scheduler);
    channel->lane.may_run = plugin->worker ? worker_may_run : NULL;
    if (egress_init(channel) != 0) {
        channel_free(channel);
        return NULL;
    }
    return channel;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    if (channel->instance) /* the gateway was told to end at once */
        destroy(channel);
    websocket_drop_queued(channel);
    stream_drop_queued(channel);
    lane_release(&channel->lane);
    for (char **pattern = channel->egress; pattern && *pattern; pattern++)
        free(*pattern);
    free(channel->egress);
    free(channel->link_template);
    uv_close((uv_handle_t *)channel->timer, on_timer_closed);
    uv_close((uv_handle_t *)channel->tell_timer, on_timer_closed);
    free(channel);
}

kanal_str channel_secret(const struct channel *channel, kanal_str name)
{
    for (size_t i = 0; i < channel->config->secret_count; i++)
        if (kanal_str_is(name, channel->config->secrets[i].name))
            return channel->config->secrets[i].value;
    return (kanal_str){ 0 };
}

void channel_public_url(const struct channel *channel, struct kanal_buffer *out)
{
    if (!channel->host->public_url)
        return;
    kanal_buffer_text(out, channel->host->public_url);
    kanal_buffer_text(out, "/c/");
    kanal_buffer_str(out, channel->id);
}

/* ---- States ---- */

/* Its states are the host's, and few: each is told at once, and so is what a plugin's change still waits for. */
static void move_to(struct channel *channel, enum channel_state state)
{
    int was = health_is_good(channel), waits = uv_is_active((uv_handle_t *)channel->tell_timer);
    set_state(channel, state);
    if (health_changed(channel, was) || waits)
        health_announce(channel);
}

/* ---- Start ---- */

static void start_later(struct channel *channel)
{
    uint32_t shift = channel->start_attempts < 6 ? channel->start_attempts : 6;
    uint32_t delay = RETRY_MS_MIN << shift;
    channel->start_attempts++;
    channel_timer(channel, delay < RETRY_MS_MAX ? delay : RETRY_MS_MAX, channel_start);
}

static void destroy(struct channel *channel)
{
    table_close(&channel->table);
    channel->closed = 1;
    channel_drop_ops(channel);
    if (channel->instance) {
        uint64_t entered = channel_enter();
        channel->plugin->descriptor.destroy(channel->instance);
        channel_leave(channel, entered, "destroy");
    }
    channel->instance = NULL;
}

/* A start that failed: this instance ends, the next comes later. */
static void restart(struct channel *channel, void *user)
{
    (void)user;
    set_state(channel, CHANNEL_DOWN);
    start_later(channel);
}

static void start_failed(struct channel *channel, kanal_status status, kanal_str reason)
{
    log_write(channel->host->log, KANAL_LOG_ERROR, "channel", channel->id.ptr,
              "start failed: %.*s (tried again)", (int)reason.len, reason.ptr ? reason.ptr : "");
    channel_set_health(channel, status, reason);
    if (channel->told >= 0) /* once, not at each try */
        health_publish(channel, 0);
    channel_stop(channel, restart, NULL);
}

static void on_started(struct op *op, const void *answer)
{
    struct channel *channel = op->channel;
    const struct channel_finish *finish = answer;
    channel->finishing = NULL;
    channel_timer(channel, 0, NULL);
    if (finish->status != KANAL_OK) {
        start_failed(channel, finish->status,
                     finish->reason.len > 0 ? finish->reason : KANAL_LIT("the plugin gave no reason"));
        return;
    }
    channel->start_attempts = 0;
    channel->health = KANAL_OK;
    channel->reason[0] = 0;
    move_to(channel, CHANNEL_UP);
    provision_begin(channel);
}

static void on_start_deadline(struct channel *channel)
{
    if (channel->finishing)
        channel_forget(channel->finishing);
    channel->finishing = NULL;
    start_failed(channel, KANAL_E_TIMEOUT, KANAL_LIT("the plugin did not finish start() in 30 s"));
}

static void run_start(struct lane_item *item)
{
    struct op *op = (struct op *)item;
    struct channel *channel = op->channel;
    op->item.run = NULL;
    uint64_t entered = channel_enter();
    channel->plugin->descriptor.start(channel->instance, op->id);
    channel_leave(channel, entered, "start");
}

static kanal_channel *create(struct channel *channel)
{
    struct kanal_buffer url = { 0 };
    channel_public_url(channel, &url);
    kanal_config config = { .struct_size = sizeof config,
                            .channel_id = channel->id,
                            .settings = channel->config->settings,
                            .public_url = kanal_buffer_view(&url) };
    uint64_t entered = channel_enter();
    kanal_channel *instance = channel->plugin->descriptor.create(&channel->table, &config);
    channel_leave(channel, entered, "create");
    kanal_buffer_release(&url);
    return instance;
}

/* The plugin's side of an extension. */
static const void *side_of(struct channel *channel, const char *id)
{
    const kanal_plugin *plugin = &channel->plugin->descriptor;
    return plugin->extension ? plugin->extension(channel->instance, id) : NULL;
}

static void blame_table(const struct channel *channel, const char *id)
{
    log_write(channel->host->log, KANAL_LOG_ERROR, "host", channel->id.ptr,
              "plugin '%s': its table of %s lacks members, and is not used", channel->plugin->descriptor.id,
              id);
}

/* Each is used only if it is whole. */
static const kanal_websocket_plugin *sockets_of(struct channel *channel)
{
    const kanal_websocket_plugin *t = side_of(channel, KANAL_EXT_WEBSOCKET);
    if (!t || (t->struct_size >= sizeof *t && t->on_open && t->on_message && t->on_close))
        return t;
    blame_table(channel, KANAL_EXT_WEBSOCKET);
    return NULL;
}

static const kanal_stream_plugin *streams_of(struct channel *channel)
{
    const kanal_stream_plugin *t = side_of(channel, KANAL_EXT_STREAM);
    if (!t || (t->struct_size >= sizeof *t && t->on_open && t->on_data && t->on_end && t->on_close))
        return t;
    blame_table(channel, KANAL_EXT_STREAM);
    return NULL;
}

static const kanal_lease_plugin *leases_of(struct channel *channel)
{
    const kanal_lease_plugin *t = side_of(channel, KANAL_EXT_LEASE);
    if (!t || (t->struct_size >= sizeof *t && t->on_held && t->on_lost))
        return t;
    blame_table(channel, KANAL_EXT_LEASE);
    return NULL;
}

void channel_refused(struct channel *channel)
{
    int is_stopping = channel->state == CHANNEL_STOPPING;
    if (channel->finishing)
        channel_forget(channel->finishing);
    channel->finishing = NULL;
    if (is_stopping) { /* nobody is there to stop */
        channel_timer(channel, 0, stopped);
        return;
    }
    channel_timer(channel, 0, NULL);
    channel->health = KANAL_E_INVALID;
    snprintf(channel->reason, sizeof channel->reason,
             "the plugin refused its settings; its log line above says why");
    set_state(channel, CHANNEL_FAILED);
    log_write(channel->host->log, KANAL_LOG_ERROR, "channel", channel->id.ptr, "create failed: %s",
              channel->reason);
    health_publish(channel, 0);
    destroy(channel); /* it may have asked for more than it may in create() */
}

int channel_prepare(struct channel *channel)
{
    if (channel->plugin->worker && !worker_takes(channel)) {
        set_state(channel, CHANNEL_DOWN);
        return 0;
    }
    table_init(&channel->table, channel);
    channel->closed = 0;
    channel->instance = create(channel);
    if (channel->instance) {
        channel->sockets = sockets_of(channel);
        channel->streams = streams_of(channel);
        channel->leases = leases_of(channel);
    } else {
        channel_refused(channel);
    }
    return channel->instance != NULL;
}

int channel_is_idle(const struct channel *channel)
{
    return channel->instance && (!channel->plugin->worker || worker_is_done(channel->instance));
}

void channel_start(struct channel *channel)
{
    if (!channel->instance && !channel_prepare(channel))
        return;
    set_state(channel, CHANNEL_STARTING);
    channel->finishing = channel_ask(channel, run_start, on_started);
    channel_timer(channel, START_MS, on_start_deadline);
}

/* ---- A worker that died ---- */

void channel_lost(struct channel *channel, kanal_status status, kanal_str reason)
{
    uint64_t loose_sends = channel->instance->loose_sends;
    int was_provisioning = channel->state == CHANNEL_UP && channel->finishing;
    if (channel->finishing)
        channel_forget(channel->finishing);
    channel->finishing = NULL;
    channel_timer(channel, 0, NULL);
    table_close(&channel->table);
    channel->closed = 1;
    websocket_lose_all(channel);
    channel_lose_ops(channel, loose_sends);
    channel->instance = NULL;
    channel->sockets = NULL;
    channel->streams = NULL;
    channel->leases = NULL;
    if (channel->state == CHANNEL_STOPPING) {
        channel_timer(channel, 0, stopped);
        return;
    }
    if (was_provisioning) /* so the record that says "doing" is our own, and not waited for */
        channel->provision_attempts = 1;
    snprintf(channel->reason, sizeof channel->reason, "%.*s", (int)(reason.len < 255 ? reason.len : 255),
             reason.ptr ? reason.ptr : "");
    move_to(channel, CHANNEL_DOWN);
    channel->health = status;
    health_announce(channel); /* also if it never was up: once */
}

/* ---- Pause ---- */

int channel_is_paused(const struct channel *channel, unsigned direction)
{
    return (channel->pause.directions & direction) != 0 &&
           (channel->pause.until_ms == 0 || host_now_ms() < channel->pause.until_ms);
}

/* ---- Stop ---- */

static void on_stopped(struct op *op, const void *answer)
{
    (void)answer;
    op->channel->finishing = NULL;
    /* Not from inside the plugin's own call of finish(): it may still use its instance there. */
    channel_timer(op->channel, 0, stopped);
}

static void stopped(struct channel *channel)
{
    void (*tell)(struct channel *, void *) = channel->stopped;
    if (channel->finishing) {
        channel_forget(channel->finishing);
        channel->finishing = NULL;
        log_write(channel->host->log, KANAL_LOG_WARN, "channel", channel->id.ptr,
                  "stop() did not finish in 10 s");
    }
    destroy(channel);
    move_to(channel, CHANNEL_STOPPED);
    channel->stopped = NULL;
    if (tell)
        tell(channel, channel->stopped_user);
}

static void run_stop(struct lane_item *item)
{
    struct op *op = (struct op *)item;
    struct channel *channel = op->channel;
    op->item.run = NULL;
    uint64_t entered = channel_enter();
    channel->plugin->descriptor.stop(channel->instance, op->id);
    channel_leave(channel, entered, "stop");
}

void channel_stop(struct channel *channel, void (*tell)(struct channel *, void *), void *user)
{
    int stopping = channel->stopped != NULL;
    channel->stopped = tell;
    channel->stopped_user = user;
    if (stopping)
        return; /* a start that failed is being given up: stop() is called once, and has its deadline */
    /* A start() that still waits in the lane never happens, and then stop() must not either. */
    int never_started =
        channel->state == CHANNEL_NEW ||
        (channel->finishing && channel->finishing->item.run && channel->state == CHANNEL_STARTING);
    if (channel->finishing)
        channel_forget(channel->finishing);
    channel->finishing = NULL;
    if (!channel->instance || never_started) {
        channel_timer(channel, 0, stopped);
        return;
    }
    websocket_close_all(channel);
    move_to(channel, CHANNEL_STOPPING);
    channel->finishing = channel_ask(channel, run_stop, on_stopped);
    channel_timer(channel, STOP_MS, stopped);
}
