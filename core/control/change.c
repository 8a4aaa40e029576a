/* One change of one channel: made here, then recorded. */
#include <stdio.h>

#include "config/memory.h"
#include "control/entry.h"
#include "host/handover.h"
#include "host/worker/describe.h"
#include "kanal/sdk/json.h"

#define WATCH_MS 20u
#define READY_MS 5000 /* what is not up by then is told as it is: it goes on trying */

struct change {
    struct entry *entry;
    struct target target;
    int is_ours, is_new;
    control_done_fn *done;
    void *user;
    uv_timer_t *timer;
    int64_t until_ms;
    struct describing *describing;
};

/* A plugin's file, opened by a worker of its own, beside the loop. */
struct describing {
    uv_work_t work;
    struct change *change; /* NULL: nobody waits any more */
    struct control *control;
    char *path;
    struct worker_terms terms; /* of the version that it replaces: what it may */
    struct plugin *plugin;
    struct kanal_buffer error;
};

static void apply(struct change *c);
static void record(struct change *c);

/* ---- Life ---- */

struct change *change_new(struct entry *entry, control_done_fn *done, void *user)
{
    struct change *c = calloc(1, sizeof *c);
    uv_timer_t *timer = calloc(1, sizeof *timer);
    if (!c || !timer) {
        free(c);
        free(timer);
        return NULL;
    }
    uv_timer_init(entry->control->host->loop, timer);
    timer->data = c;
    *c = (struct change){ .entry = entry, .done = done, .user = user, .timer = timer };
    entry->change = c;
    return c;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

void change_free(struct change *c)
{
    if (!c)
        return;
    if (c->describing)
        c->describing->change = NULL;
    c->entry->change = NULL;
    uv_close((uv_handle_t *)c->timer, on_timer_closed);
    target_release(&c->target);
    free(c);
}

int change_is_ours(const struct change *c)
{
    return c->is_ours;
}

static void end(struct change *c, const struct control_result *result)
{
    struct entry *entry = c->entry;
    control_done_fn *done = c->done;
    void *user = c->user;
    if (result->code >= 400)
        log_write(entry->control->host->log, KANAL_LOG_ERROR, "control", entry->id, "not changed: %.*s",
                  (int)result->message.len, result->message.ptr);
    change_free(c);
    if (done)
        done(user, result);
    entry_settled(entry);
}

void change_refuse(struct change *c, int code, const char *word, kanal_str message, kanal_str violations)
{
    end(c, &(struct control_result){ code, word, message, violations, c->entry->channel });
}

/* The entry is as the target says. */
static void settle(struct change *c)
{
    target_release(&c->entry->now);
    c->entry->now = c->target;
    c->target = (struct target){ 0 };
}

static void succeed(struct change *c)
{
    struct entry *entry = c->entry;
    log_write(entry->control->host->log, KANAL_LOG_INFO, "control", entry->id, "changed: %s",
              entry->channel ? channel_state_name(entry->channel->state) : "removed");
    end(c, &(struct control_result){ .code = 200, .channel = entry->channel });
}

static void made(struct change *c)
{
    settle(c);
    if (c->is_ours)
        record(c);
    else
        succeed(c);
}

/* ---- Making it so ---- */

static void on_retired(struct channel *channel, void *user)
{
    struct change *c = user;
    host_retire(channel->host, channel, NULL);
    c->entry->channel = NULL;
    if (c->is_new) /* it was refused, and is taken out again */
        change_refuse(c, 422, "refused",
                      KANAL_LIT("the plugin refused the settings; the gateway's log says why"),
                      (kanal_str){ 0 });
    else
        made(c);
}

static void on_watch(uv_timer_t *timer)
{
    struct change *c = timer->data;
    struct channel *channel = c->entry->channel;
    int is_waiting =
        channel->state == CHANNEL_NEW || channel->state == CHANNEL_STARTING || channel->state == CHANNEL_DOWN;
    if (is_waiting && (int64_t)uv_now(channel->host->loop) < c->until_ms)
        return;
    uv_timer_stop(timer);
    if (channel->state == CHANNEL_FAILED && c->is_new && c->is_ours)
        channel_stop(channel, on_retired, c);
    else
        made(c);
}

static void watch(struct change *c)
{
    c->until_ms = (int64_t)uv_now(c->entry->control->host->loop) + READY_MS;
    uv_timer_start(c->timer, on_watch, 0, WATCH_MS);
}

static void add(struct change *c)
{
    struct host *host = c->entry->control->host;
    c->is_new = 1;
    c->entry->channel = host_add(host, c->target.config, c->target.plugin);
    if (!c->entry->channel) {
        change_refuse(c, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
        return;
    }
    for (size_t i = 0; i < c->target.config->secret_count; i++)
        log_mask(host->log, c->target.config->secrets[i].value);
    c->entry->channel->pause = c->target.pause;
    channel_start(c->entry->channel);
    watch(c);
}

static void on_handed_over(void *user, struct channel *channel, kanal_status status, kanal_str reason)
{
    struct change *c = user;
    struct kanal_buffer message = { 0 };
    c->entry->channel = channel;
    if (status == KANAL_OK) {
        channel->pause = c->target.pause;
        made(c);
        return;
    }
    kanal_buffer_text(&message, status == KANAL_E_INVALID
                                    ? "the plugin refused the settings, nothing has changed: "
                                    : "the new instance did not become ready, the old one goes on: ");
    kanal_buffer_str(&message, reason);
    change_refuse(c, status == KANAL_E_INVALID ? 400 : 409,
                  status == KANAL_E_INVALID ? "invalid_request" : "conflict", kanal_buffer_view(&message),
                  (kanal_str){ 0 });
    kanal_buffer_release(&message);
}

static void hand_over(struct change *c)
{
    const struct config_channel *config = c->target.config;
    for (size_t i = 0; i < config->secret_count; i++)
        log_mask(c->entry->control->host->log, config->secrets[i].value);
    int status = handover_begin(c->entry->channel, config, c->target.plugin, on_handed_over, c);
    if (status != 0)
        change_refuse(c, 409, "conflict", KANAL_LIT("the channel is being stopped or changed; try again"),
                      (kanal_str){ 0 });
}

static void apply(struct change *c)
{
    const struct target *now = &c->entry->now, *target = &c->target;
    if (!target->exists) {
        if (c->entry->channel)
            channel_stop(c->entry->channel, on_retired, c);
        else
            made(c);
    } else if (!c->entry->channel) {
        add(c);
    } else if (now->config != target->config || now->plugin != target->plugin ||
               now->restarts != target->restarts) {
        hand_over(c);
    } else {
        c->entry->channel->pause = target->pause;
        made(c);
    }
}

void change_run(struct change *c, struct target *target, int is_ours)
{
    c->target = *target;
    c->is_ours = is_ours;
    *target = (struct target){ 0 };
    apply(c);
}

/* ---- A plugin's file ---- */

static void describe(uv_work_t *work)
{
    struct describing *d = (struct describing *)(void *)work;
    plugin_describe(&d->plugin, d->path, &d->terms, &d->error);
}

static const char *unfit(const struct describing *d, const struct change *c)
{
    return strcmp(d->plugin->descriptor.id, c->target.plugin->descriptor.id) != 0
               ? "the file is that of another plugin"
               : NULL;
}

static void on_described(uv_work_t *work, int status)
{
    struct describing *d = (struct describing *)(void *)work;
    struct change *c = d->change;
    const char *wrong = c && d->plugin ? unfit(d, c) : NULL;
    (void)status;
    if (c)
        c->describing = NULL;
    if (c && d->plugin && !wrong) {
        struct plugin **link = d->control->options.plugins;
        while (*link) /* at the end: by its name the first one is found */
            link = &(*link)->next;
        *link = d->plugin;
        d->plugin->worker->deadline_ms = c->target.plugin->worker->deadline_ms;
        c->target.plugin = d->plugin;
        apply(c);
    } else {
        if (d->plugin)
            plugin_free(d->plugin);
        if (c)
            change_refuse(c, 409, "conflict", wrong ? kanal_str_c(wrong) : kanal_buffer_view(&d->error),
                          (kanal_str){ 0 });
    }
    kanal_buffer_release(&d->error);
    free(d->path);
    free(d);
}

void change_upgrade(struct change *c, struct target *target, const char *path, int is_ours)
{
    struct control *control = c->entry->control;
    struct describing *d = calloc(1, sizeof *d);
    c->target = *target;
    c->is_ours = is_ours;
    *target = (struct target){ 0 };
    if (d && (d->path = strdup(path))) {
        d->change = c;
        d->control = control;
        d->terms = c->target.plugin->worker->terms;
        if (uv_queue_work(control->host->loop, &d->work, describe, on_described) == 0) {
            c->describing = d;
            return;
        }
        free(d->path);
    }
    free(d);
    change_refuse(c, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
}

/* ---- The record ---- */

static void on_recorded(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct entry *entry = user;
    struct change *c = entry->change;
    (void)value;
    if (!c)
        return;
    if (status == KANAL_OK) {
        entry->revision = revision;
        succeed(c);
    } else if (status == KANAL_E_REJECTED) {
        change_refuse(c, 409, "conflict",
                      KANAL_LIT("another gateway changed the channel at the same moment: its change holds"),
                      (kanal_str){ 0 });
    } else {
        change_refuse(c, 503, "unavailable",
                      KANAL_LIT("the change is made on this gateway, but could not be recorded for the "
                                "others and the next start: do it again when the broker answers"),
                      (kanal_str){ 0 });
    }
}

static void record(struct change *c)
{
    struct entry *entry = c->entry;
    struct host *host = entry->control->host;
    const struct target *now = &entry->now;
    struct kanal_buffer key = { 0 }, value = { 0 };
    entry_key(entry, &key);
    if (!now->exists) {
        kv_delete(host->broker, host->names.channels, kanal_buffer_view(&key),
                  entry->revision > 0 ? entry->revision : JS_ANY_SEQUENCE, on_recorded, entry);
    } else {
        struct record record = { .restarts = now->restarts,
                                 .upgrades = now->upgrades,
                                 .file = kanal_str_c(now->file) };
        record_write(&record, kanal_buffer_view(&now->sealed), kanal_buffer_view(&now->paused), host_now_ms(),
                     &value);
        kv_put(host->broker, host->names.channels, kanal_buffer_view(&key), kanal_buffer_view(&value),
               entry->revision, on_recorded, entry);
    }
    kanal_buffer_release(&key);
    kanal_buffer_release(&value);
}
