/* Workers that are watched while they run: hangs, memory, and the end of them all. */
#include <stdio.h>
#include <unistd.h>

#include "host/worker/worker.h"

#define RSS_TICKS 50u /* every 5 s */

static void check_hang(struct worker *worker)
{
    const struct worker_page *page = worker->process->page;
    uint64_t calls = __atomic_load_n(&page->calls, __ATOMIC_RELAXED);
    int64_t now = worker_now_ms(worker), patience = worker->plugin->worker->deadline_ms;
    int is_running = __atomic_load_n(&page->running, __ATOMIC_RELAXED) != 0;
    int has_work = __atomic_load_n(&page->frames, __ATOMIC_RELAXED) < worker->frames_flushed;
    if (calls != worker->page_calls) {
        worker->page_calls = calls;
        worker->page_changed_ms = now;
    }
    if (!is_running && !has_work)
        worker->page_changed_ms = worker->heard_ms = now; /* it has nothing to do */
    /* The page is the worker's own word: if only that moves, it is believed for three times as long. */
    if (now - worker->page_changed_ms > patience ||
        ((is_running || has_work) && now - worker->heard_ms > 3 * patience))
        worker_end(worker, "hang", "it held its worker up for more than %lld ms and was killed",
                   (long long)patience);
}

static void read_rss(struct worker *worker)
{
    char path[64], text[128], *end = NULL;
    snprintf(path, sizeof path, "/proc/%ld/statm", (long)worker->process->pid);
    FILE *file = fopen(path, "re");
    if (file && fgets(text, sizeof text, file)) { /* pages in all, then those in memory */
        (void)strtoul(text, &end, 10);
        worker->rss->value = (double)strtoul(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
    }
    if (file)
        fclose(file);
}

static void check_stop(struct workers *workers)
{
    int left = 0;
    for (struct worker *worker = workers->first; worker; worker = worker->next)
        left += worker->process != NULL;
    if (left > 0 && (int64_t)uv_now(workers->host->loop) < workers->stop_until_ms)
        return;
    void (*stopped)(void *) = workers->stopped;
    uv_timer_stop(workers->watch);
    stopped(workers->stopped_user);
}

void worker_on_watch(uv_timer_t *timer)
{
    struct workers *workers = timer->data;
    if (workers->stopped) {
        check_stop(workers);
        return;
    }
    int64_t now = (int64_t)uv_now(workers->host->loop), gap = now - workers->watched_ms - 2 * WORKER_WATCH_MS;
    int with_rss = workers->ticks++ % RSS_TICKS == 0;
    workers->watched_ms = now;
    for (struct worker *worker = workers->first; worker; worker = worker->next) {
        if (gap > 0) { /* we stood still, perhaps the whole machine did: that is no hang of theirs */
            worker->page_changed_ms += gap;
            worker->heard_ms += gap;
        }
        if (worker->state == WORKER_STARTING &&
            worker_now_ms(worker) - worker->started_ms > WORKER_DESCRIBE_MS) {
            worker_end(worker, "start", "it did not say what it is within %d s", WORKER_DESCRIBE_MS / 1000);
        } else if (worker->state == WORKER_UP) {
            check_hang(worker);
            worker_tell_sandbox(worker);
            worker_tell_denied(worker);
        }
        if (with_rss && worker->process)
            read_rss(worker);
    }
}
