/* All the workers of a gateway: made, stopped, freed. */
#include <sys/socket.h>

#include "host/worker/worker.h"

#define STOP_PATIENCE_MS 2000

int workers_new(struct workers **ret_workers, struct host *host)
{
    static const char *const by_plugin[] = { "plugin", NULL };
    static const char *const by_reason[] = { "plugin", "reason", NULL };
    static const char *const by_direction[] = { "plugin", "direction", NULL };
    struct workers *workers = calloc(1, sizeof *workers);
    if (!workers || !(workers->watch = calloc(1, sizeof *workers->watch))) {
        free(workers);
        return KANAL_E_INTERNAL;
    }
    workers->host = host;
    workers->watched_ms = (int64_t)uv_now(host->loop);
    workers->restarts = metrics_family(host->metrics, METRIC_COUNTER, "kanal_worker_restarts_total",
                                       "Workers that ended and were started again.", by_reason);
    workers->rss = metrics_family(host->metrics, METRIC_GAUGE, "kanal_worker_rss_bytes",
                                  "Resident memory of the plugin's worker.", by_plugin);
    workers->frames = metrics_family(host->metrics, METRIC_COUNTER, "kanal_worker_frames_total",
                                     "Frames to (out) and from (in) workers.", by_direction);
    workers->denied =
        metrics_family(host->metrics, METRIC_COUNTER, "kanal_worker_denied_total",
                       "System calls that the sandbox refused the plugin's workers.", by_plugin);
    uv_timer_init(host->loop, workers->watch);
    workers->watch->data = workers;
    uv_timer_start(workers->watch, worker_on_watch, WORKER_WATCH_MS, WORKER_WATCH_MS);
    uv_unref((uv_handle_t *)workers->watch);
    *ret_workers = workers;
    return 0;
}

void workers_stop(struct workers *workers, void (*done)(void *user), void *user)
{
    workers->stopped = done;
    workers->stopped_user = user;
    workers->stop_until_ms = (int64_t)uv_now(workers->host->loop) + STOP_PATIENCE_MS;
    for (struct worker *worker = workers->first; worker; worker = worker->next) {
        if (worker->state == WORKER_WAITING)
            uv_timer_stop(worker->timer);
        worker_flush(worker);
        if (worker->process && worker->state != WORKER_ENDING)
            shutdown(worker->process->socket, SHUT_WR); /* it reads what is left, and ends */
    }
    uv_ref((uv_handle_t *)workers->watch);
    uv_timer_start(workers->watch, worker_on_watch, 0, 5);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void worker_free(struct worker *worker)
{
    worker_detach(worker);
    instances_free(worker);
    worker_process_free(worker->process);
    kanal_buffer_release(&worker->out);
    free(worker->tickets);
    uv_close((uv_handle_t *)worker->timer, on_closed);
    free(worker);
}

void workers_free(struct workers *workers)
{
    if (!workers)
        return;
    while (workers->first) {
        struct worker *next = workers->first->next;
        if (workers->first->plugin->worker->shared == workers->first)
            workers->first->plugin->worker->shared = NULL;
        worker_free(workers->first);
        workers->first = next;
    }
    wire_scratch_release(&workers->scratch);
    uv_close((uv_handle_t *)workers->watch, on_closed);
    free(workers);
}
