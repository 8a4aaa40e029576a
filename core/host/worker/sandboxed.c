/* What the core tells of its workers' sandboxes, from the pages that they share with it. */
#include <stdio.h>

#include "host/host.h"
#include "host/worker/worker.h"

#define TOLD_EACH_MS 10000

int worker_process_stopped_by_sandbox(const struct worker_process *process, int status,
                                      char text[WORKER_REASON_MAX])
{
    struct sandbox_notice notice;
    sandbox_notice_read(&process->page->notice, &notice);
    return sandbox_explain(status, &notice, text, WORKER_REASON_MAX);
}

/* All workers run on the same kernel, so the first one speaks for them. */
void worker_tell_sandbox(struct worker *worker)
{
    struct workers *workers = worker->workers;
    struct sandbox_report report;
    char text[WORKER_REASON_MAX];
    if (workers->is_sandbox_told)
        return;
    workers->is_sandbox_told = 1;
    sandbox_report_read(&worker->process->page->sandbox, &report);
    int is_whole = sandbox_report_text(&report, text, sizeof text);
    log_write(workers->host->log, is_whole ? KANAL_LOG_INFO : KANAL_LOG_WARN, "worker", NULL, "%s", text);
}

void worker_tell_denied(struct worker *worker)
{
    struct workers *workers = worker->workers;
    kanal_str id = kanal_str_c(worker->plugin->descriptor.id);
    struct sandbox_notice notice;
    int64_t now = (int64_t)uv_now(workers->host->loop);
    sandbox_notice_read(&worker->process->page->notice, &notice);
    uint32_t more = notice.denied - worker->denied_told;
    if (more == 0 || (worker->denied_told_ms > 0 && now - worker->denied_told_ms < TOLD_EACH_MS &&
                      worker->state == WORKER_UP))
        return;
    worker->denied_told = notice.denied;
    worker->denied_told_ms = now;
    metric_series(workers->denied, &id)->value += more;
    log_write(workers->host->log, KANAL_LOG_WARN, "worker", NULL,
              "the sandbox refused plugin '%s' %u system calls, the last was %s()",
              worker->plugin->descriptor.id, more, notice.name);
}
