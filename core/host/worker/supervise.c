/* Processes of workers: started, watched, missed, started again. */
#include <openssl/rand.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/services/services.h"
#include "host/worker/worker.h"
#include "kanal/sdk/str.h"

#define BACKOFF_MS_MIN 1000u
#define BACKOFF_MS_MAX 60000u
#define LIVED_WELL_MS 60000     /* after so long a death is the first again */
#define BLAMED_WITHIN_MS 600000 /* two deaths within it move a channel into a worker of its own */
#define REAP_MS 2u
#define REAP_PATIENCE_MS 300 /* from the end of its socket to SIGKILL */

static void on_reap(uv_timer_t *timer);
static void on_due(uv_timer_t *timer);

/* Full jitter in the upper half: what failed together does not come back together. */
static uint32_t backoff_ms(uint32_t failures)
{
    uint32_t shift = failures > 0 ? failures - 1 : 0, random = 0;
    uint32_t most = shift < 6 ? BACKOFF_MS_MIN << shift : BACKOFF_MS_MAX;
    if (most > BACKOFF_MS_MAX)
        most = BACKOFF_MS_MAX;
    RAND_bytes((unsigned char *)&random, sizeof random);
    return most / 2 + random % (most / 2 + 1);
}

/* ---- Places ---- */

static struct worker *worker_new(struct workers *workers, struct plugin *plugin, struct channel *owner)
{
    kanal_str id = kanal_str_c(plugin->descriptor.id);
    struct worker *worker = calloc(1, sizeof *worker);
    uv_timer_t *timer = calloc(1, sizeof *timer);
    if (!worker || !timer) {
        free(worker);
        free(timer);
        return NULL;
    }
    *worker = (struct worker){
        .workers = workers, .next = workers->first, .plugin = plugin, .owner = owner, .timer = timer
    };
    uv_timer_init(workers->host->loop, timer);
    timer->data = worker;
    kanal_str in[] = { id, KANAL_LIT("in") }, out[] = { id, KANAL_LIT("out") };
    worker->rss = metric_series(workers->rss, &id);
    worker->frames_in = metric_series(workers->frames, in);
    worker->frames_out = metric_series(workers->frames, out);
    workers->first = worker;
    return worker;
}

static struct worker *place_of(struct channel *channel)
{
    struct worker_plugin *plugin = channel->plugin->worker;
    struct workers *workers = channel->host->workers;
    if (!channel->worker && channel->config->worker_own)
        channel->worker = worker_new(workers, channel->plugin, channel);
    if (!channel->worker && !plugin->shared)
        plugin->shared = worker_new(workers, channel->plugin, NULL);
    if (!channel->worker)
        channel->worker = plugin->shared;
    return channel->worker;
}

pid_t worker_pid(const struct channel *channel)
{
    return channel->worker && channel->worker->process ? channel->worker->process->pid : 0;
}

/* ---- Starting ---- */

static void wait_for(struct worker *worker, uint32_t delay_ms)
{
    worker->state = WORKER_WAITING;
    uv_timer_start(worker->timer, on_due, delay_ms, 0);
}

static void tell_changed_file(struct worker *worker)
{
    if (worker->is_file_told || !worker_plugin_changed(worker->plugin->worker, worker->plugin->path))
        return;
    worker->is_file_told = 1;
    log_write(
        worker->workers->host->log, KANAL_LOG_WARN, "worker", NULL,
        "%s has changed since the gateway started: plugin '%s' goes on with version %s until it is upgraded",
        worker->plugin->path, worker->plugin->descriptor.id, worker->plugin->descriptor.version);
}

/* The process that described the plugin serves its first worker. */
static struct worker_process *get_process(struct worker *worker, int *ret_described,
                                          char reason[WORKER_REASON_MAX])
{
    struct worker_plugin *plugin = worker->plugin->worker;
    struct worker_process *process = plugin->process;
    *ret_described = process != NULL;
    plugin->process = NULL;
    if (!process && worker_process_new(&process, plugin->fd, &plugin->terms, reason) != 0)
        return NULL;
    return process;
}

static void say_hello(struct worker *worker)
{
    char reason[WORKER_REASON_MAX];
    struct wire_hello hello = { WIRE_MAGIC, WIRE_VERSION, KANAL_ABI_MAJOR, KANAL_ABI_MINOR };
    struct wire_count area = { 0 };
    if (worker_process_limit(worker->process, &worker->plugin->worker->terms, &area.count, reason) != 0) {
        worker_end(worker, "start", "%s", reason);
        return;
    }
    wire_put(&worker->out, WIRE_HELLO, WIRE_NOBODY, &hello);
    wire_put(&worker->out, WIRE_AREA, WIRE_NOBODY, &area);
}

static int worker_begin(struct worker *worker)
{
    char reason[WORKER_REASON_MAX];
    int is_described = 0;
    struct worker_process *process = get_process(worker, &is_described, reason);
    if (process && worker_attach(worker, process) != 0) {
        worker_detach(worker);
        worker_process_free(process);
        worker->process = process = NULL;
        snprintf(reason, sizeof reason, "the loop does not take its socket");
    }
    if (!process) {
        log_write(worker->workers->host->log, KANAL_LOG_ERROR, "worker", NULL,
                  "plugin '%s': %s (tried again)", worker->plugin->descriptor.id, reason);
        wait_for(worker, backoff_ms(++worker->failures));
        return KANAL_E_INTERNAL;
    }
    tell_changed_file(worker);
    worker->state = is_described ? WORKER_UP : WORKER_STARTING;
    worker->has_hello = is_described;
    worker->started_ms = worker->page_changed_ms = worker->heard_ms = worker_now_ms(worker);
    worker->why = NULL;
    worker->is_dismissed = 0;
    say_hello(worker);
    return 0;
}

int worker_takes(struct channel *channel)
{
    struct worker *worker = place_of(channel);
    if (worker && worker->is_dismissed) /* it is on its way out: the channel is started when it has ended */
        return 0;
    if (worker && worker->state == WORKER_IDLE)
        worker_begin(worker);
    return worker && (worker->state == WORKER_STARTING || worker->state == WORKER_UP);
}

int worker_receive_first(struct worker *worker, const struct wire_frame *frame)
{
    char reason[WORKER_REASON_MAX];
    struct wire_text refused;
    struct wire_scratch scratch = { 0 };
    if (!worker->has_hello) {
        worker->has_hello = 1;
        if (worker_check_hello(frame, reason) != 0)
            worker_end(worker, "start", "%s", reason);
    } else if (frame->type == WIRE_REFUSED) {
        int known = wire_get(frame, &scratch, &refused) == 0 && refused.text.ptr;
        worker_end(worker, "start", "%.*s", known ? (int)refused.text.len : 0, known ? refused.text.ptr : "");
    } else if (frame->type != WIRE_DESCRIBED) {
        return KANAL_E_INVALID;
    } else if (!worker_plugin_same(worker->plugin->worker, frame)) {
        worker_end(
            worker, "start",
            "the plugin's file was overwritten by another version: upgrade it or start the gateway again");
    } else {
        worker->state = WORKER_UP;
        worker_flush(worker);
    }
    return 0;
}

/* ---- Ending ---- */

void worker_end(struct worker *worker, const char *why, const char *format, ...)
{
    va_list args;
    if (worker->state == WORKER_ENDING || !worker->process)
        return;
    worker->why = why;
    va_start(args, format);
    vsnprintf(worker->words, sizeof worker->words, format, args);
    va_end(args);
    if (why) /* else it has closed its socket: it may be ending by itself, for a reason that is to be told */
        kill(worker->process->pid, SIGKILL);
    worker_detach(worker);
    worker->state = WORKER_ENDING;
    worker->ending_since_ms = worker_now_ms(worker);
    uv_timer_start(worker->timer, on_reap, 0, REAP_MS);
}

/* The channel that was running when it ended, if the page can be believed; and which of its calls. */
static struct channel *blamed(const struct worker *worker, const char **ret_slot)
{
    const struct worker_page *page = worker->process->page;
    uint32_t running = __atomic_load_n(&page->running, __ATOMIC_RELAXED);
    struct kanal_channel *instance = running > 0 ? instance_find(worker, running - 1) : NULL;
    *ret_slot = wire_name((enum wire_type)__atomic_load_n(&page->slot, __ATOMIC_RELAXED));
    return instance ? instance->channel : NULL;
}

/* For the metric. */
static const char *reason_of(const struct worker *worker, int status)
{
    char stopped[WORKER_REASON_MAX];
    if (worker->why)
        return worker->why;
    if (worker_process_stopped_by_sandbox(worker->process, status, stopped))
        return "sandbox";
    if (worker_process_stopped_by_group(worker->process, &worker->plugin->worker->terms, status, stopped))
        return "memory_limit";
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGKILL ? "killed" : "crash";
    return "exit";
}

static void describe_end(const struct worker *worker, int status, char text[320])
{
    char how[64], stopped[WORKER_REASON_MAX];
    worker_status_text(status, how);
    if (worker->why)
        snprintf(text, 320, "%s", worker->words);
    else if (worker_process_stopped_by_sandbox(worker->process, status, stopped) ||
             worker_process_stopped_by_group(worker->process, &worker->plugin->worker->terms, status,
                                             stopped))
        snprintf(text, 320, "it %s", stopped);
    else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        snprintf(text, 320, "it was killed (SIGKILL), by an operator or for lack of memory");
    else
        snprintf(text, 320, "it %s (%s)", WIFSIGNALED(status) ? "crashed" : "ended", how);
}

/* 1: the second time within ten minutes. */
static int count_blame(struct channel *channel)
{
    int64_t now = (int64_t)uv_now(channel->host->loop);
    if (channel->blames == 0 || now - channel->blamed_ms > BLAMED_WITHIN_MS)
        channel->blames = 0;
    channel->blamed_ms = now;
    return ++channel->blames >= 2;
}

static void move_out(struct channel *channel)
{
    struct worker *own = worker_new(channel->host->workers, channel->plugin, channel);
    if (!own)
        return;
    own->failures = channel->blames;
    channel->worker = own;
    log_write(
        channel->host->log, KANAL_LOG_WARN, "worker", channel->id.ptr,
        "the channel brought its worker down %u times within 10 minutes: from now on it has one of its own",
        channel->blames);
}

/* Each of the worker's channels hears of its death, the one that was running with its name in it. */
static void lose_channels(struct worker *worker, struct channel *culprit, const char *slot, const char *end)
{
    char reason[512];
    for (uint32_t i = 0; i < worker->instance_room; i++) {
        struct kanal_channel *instance = worker->instances[i];
        struct channel *channel = instance ? instance->channel : NULL;
        if (!channel)
            continue;
        if (channel == culprit)
            snprintf(reason, sizeof reason, "its worker ended in %s(): %s", slot, end);
        else if (culprit)
            snprintf(reason, sizeof reason, "the worker that it shares ended in %s() of channel '%s': %s",
                     slot, culprit->id.ptr, end);
        else
            snprintf(reason, sizeof reason, "its worker ended: %s", end);
        channel_lost(channel, KANAL_E_INTERNAL, kanal_str_c(reason));
    }
}

static void count_restart(struct worker *worker, const char *reason)
{
    kanal_str values[] = { kanal_str_c(worker->plugin->descriptor.id), kanal_str_c(reason) };
    metric_series(worker->workers->restarts, values)->value++;
}

static void forget_process(struct worker *worker)
{
    instances_free(worker);
    worker_process_free(worker->process);
    worker->process = NULL;
    worker->out.len = worker->out_sent = 0;
    worker->out.failed = 0;
    worker->page_calls = worker->frames_sent = worker->frames_flushed = 0;
    worker->denied_told = 0;
    worker->rss->value = 0;
}

static int has_channels(const struct worker *worker)
{
    for (const struct channel *channel = worker->workers->host->first_channel; channel;
         channel = channel->next)
        if (channel->worker == worker && channel->state == CHANNEL_DOWN)
            return 1;
    return 0;
}

static int is_shared_with_others(const struct worker *worker, const struct channel *one)
{
    for (const struct channel *channel = worker->workers->host->first_channel; channel;
         channel = channel->next)
        if (channel != one && channel->worker == worker)
            return 1;
    return 0;
}

/* Who waits how long: the channel that is to blame by itself, if it is among others; the others not at all, the first times. */
static void plan_restart(struct worker *worker, struct channel *culprit)
{
    uint32_t delay = worker->is_dismissed ? 0 : backoff_ms(worker->failures);
    int is_repeated = culprit && count_blame(culprit);
    if (culprit && is_shared_with_others(worker, culprit)) {
        if (is_repeated)
            move_out(culprit);
        if (culprit->state == CHANNEL_DOWN)
            channel_timer(culprit, backoff_ms(culprit->blames), channel_start);
        if (worker->failures <= 2 || culprit->worker != worker)
            delay = 0;
    }
    if (has_channels(worker))
        wait_for(worker, delay);
    else
        worker->state = WORKER_IDLE;
}

static void on_ended(struct worker *worker, int status)
{
    struct host *host = worker->workers->host;
    const char *slot;
    char end[320];
    struct channel *culprit = blamed(worker, &slot);
    describe_end(worker, status, end);
    if (worker_now_ms(worker) - worker->started_ms > LIVED_WELL_MS)
        worker->failures = 0;
    worker->failures += !worker->is_dismissed;
    if (!worker->workers->stopped && !worker->is_dismissed) {
        log_write(host->log, KANAL_LOG_ERROR, "worker", culprit ? culprit->id.ptr : NULL,
                  "the worker of plugin '%s' has ended%s%s%s: %s", worker->plugin->descriptor.id,
                  culprit ? " in " : "", culprit ? slot : "", culprit ? "()" : "", end);
        count_restart(worker, reason_of(worker, status));
    }
    worker_tell_denied(worker);
    lose_channels(worker, culprit, slot, end);
    forget_process(worker);
    if (worker->workers->stopped)
        worker->state = WORKER_IDLE;
    else
        plan_restart(worker, culprit);
}

static void on_reap(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    int status = 0;
    if (worker_process_reap(worker->process, &status)) {
        uv_timer_stop(timer);
        on_ended(worker, status);
    } else if (worker_now_ms(worker) - worker->ending_since_ms > REAP_PATIENCE_MS && !worker->why &&
               !worker->workers->stopped) {
        worker->why = "exit";
        snprintf(worker->words, sizeof worker->words, "it closed its socket and did not end");
        kill(worker->process->pid, SIGKILL);
    }
}

/* The worker is started again, and its channels with it. */
static void on_due(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    worker->state = WORKER_IDLE;
    for (struct channel *channel = worker->workers->host->first_channel; channel; channel = channel->next)
        if (channel->worker == worker && channel->state == CHANNEL_DOWN && !channel->on_timer)
            channel_start(channel);
}

void workers_flush(void *user)
{
    struct workers *workers = user;
    while (workers->first_dirty) {
        struct worker *worker = workers->first_dirty;
        workers->first_dirty = worker->next_dirty;
        worker->is_dirty = 0;
        worker_flush(worker);
    }
}

/* ---- A channel leaves ---- */

static int is_used(const struct worker *worker)
{
    for (uint32_t i = 0; i < worker->instance_room; i++)
        if (worker->instances[i] && worker->instances[i]->channel)
            return 1;
    for (const struct channel *channel = worker->workers->host->first_channel; channel;
         channel = channel->next)
        if (channel->worker == worker)
            return 1;
    return 0;
}

void worker_leave(struct channel *channel)
{
    struct worker *worker = channel->worker;
    channel->worker = NULL;
    if (!worker || is_used(worker))
        return;
    if (worker->state == WORKER_WAITING) {
        uv_timer_stop(worker->timer);
        worker->state = WORKER_IDLE;
    } else if (worker->state == WORKER_STARTING || worker->state == WORKER_UP) {
        worker->is_dismissed = 1;
        worker_flush(worker);
        if (worker->process)
            shutdown(worker->process->socket, SHUT_WR); /* it reads what is left, and ends */
    }
}
