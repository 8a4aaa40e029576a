/* The queue of completions, timers and the clock. */
#include "inside.h"
#include <stdarg.h>
#include <stdio.h>

#define MAX_TURNS 1000000u /* of one fake_run(): a plugin that goes round for ever is stopped */

void fake_fail(struct fake_host *host, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("fakehost: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    host->failures++;
}

size_t fake_failures(const struct fake_host *host)
{
    return host->failures;
}

kanal_op fake_next_op(struct fake_host *host)
{
    return ++host->last_op;
}

struct task *fake_task(struct fake_host *host, enum task_kind kind, void *user, int *ret_refused)
{
    *ret_refused = 0;
    if (host->stopped)
        return NULL;
    if (host->creating)
        fake_fail(host, "create() may only log and ask for extensions");
    struct task *task = calloc(1, sizeof *task);
    if (task == NULL)
        abort();
    task->kind = kind;
    task->op = fake_next_op(host);
    task->user = user;
    if (++host->pending > FAKE_MAX_PENDING) {
        fake_ready(host, task, KANAL_E_BUSY);
        *ret_refused = 1;
    }
    return task;
}

void fake_ready(struct fake_host *host, struct task *task, kanal_status status)
{
    task->status = status;
    task->next = NULL;
    *host->ready_end = task;
    host->ready_end = &task->next;
}

void fake_wait(struct fake_host *host, struct task *task)
{
    struct task **end = &host->waiting;
    while (*end != NULL)
        end = &(*end)->next;
    task->next = NULL;
    *end = task;
}

struct task *fake_take_waiting(struct fake_host *host, kanal_op op)
{
    for (struct task **at = &host->waiting; *at != NULL; at = &(*at)->next) {
        if ((*at)->op == op) {
            struct task *task = *at;
            *at = task->next;
            return task;
        }
    }
    return NULL;
}

static void forget_request(struct fake_host *host, const struct fake_request *request)
{
    size_t kept = 0;
    for (size_t i = 0; i < host->request_count; i++) {
        if (host->requests[i] != request)
            host->requests[kept++] = host->requests[i];
    }
    host->request_count = kept;
}

void fake_cancel_all(struct fake_host *host)
{
    while (host->waiting != NULL)
        host->table.cancel(&host->table, host->waiting->op);
}

static void task_free(struct task *task)
{
    arena_release(&task->copies);
    free(task);
}

void fake_tasks_free(struct fake_host *host)
{
    struct task *lists[] = { host->ready, host->waiting };
    for (size_t i = 0; i < 2; i++) {
        while (lists[i] != NULL) {
            struct task *task = lists[i];
            lists[i] = task->next;
            task_free(task);
        }
    }
    host->ready = host->waiting = NULL;
    host->ready_end = &host->ready;
}

static void run_task(struct fake_host *host, struct task *task)
{
    switch (task->kind) {
    case TASK_DONE:
        if (task->held != 0)
            fake_release_hold(host, task->held, task->status);
        if (task->call.done != NULL)
            task->call.done(task->user, task->status);
        break;
    case TASK_VALUE:
        if (task->call.value != NULL)
            task->call.value(task->user, task->status, task->value, task->revision);
        break;
    case TASK_RESPONSE:
        if (task->call.response != NULL)
            task->call.response(task->user, task->status, task->status == KANAL_OK ? &task->response : NULL);
        break;
    case TASK_MAIL:
        fake_mail_run(host, task);
        break;
    case TASK_STREAM:
        fake_stream_run(host, task);
        break;
    case TASK_LEASE:
        fake_lease_run(host, task);
        break;
    case TASK_WAKE:
        host->wake_queued = 0;
        if (host->plugin->on_wake != NULL)
            host->plugin->on_wake(host->channel);
        break;
    case TASK_WS_OPEN:
    case TASK_WS_MESSAGE:
    case TASK_WS_CLOSE:
        fake_ws_run(host, task);
        break;
    }
}

void fake_run(struct fake_host *host)
{
    size_t turns = 0;
    while (host->ready != NULL && !host->stopped) {
        struct task *task = host->ready;
        host->ready = task->next;
        if (host->ready == NULL)
            host->ready_end = &host->ready;
        if (task->kind <= TASK_MAIL)
            host->pending--;
        if (++turns > MAX_TURNS) {
            fake_fail(host, "the plugin goes round without end");
            host->stopped = 1;
        } else {
            if (task->request != NULL)
                forget_request(host, task->request);
            run_task(host, task);
        }
        task_free(task);
    }
}

/* The earliest timer that is due by then, or NULL. */
static struct task *next_timer(struct fake_host *host, int64_t until_ms)
{
    struct task *found = NULL;
    for (struct task *task = host->waiting; task != NULL; task = task->next) {
        if (task->due_ms != 0 && task->due_ms <= until_ms && (found == NULL || task->due_ms < found->due_ms))
            found = task;
    }
    return found;
}

void fake_advance(struct fake_host *host, uint32_t ms)
{
    const int64_t until_ms = host->now_ms + ms;
    struct task *timer;
    fake_run(host);
    while (!host->stopped && (timer = next_timer(host, until_ms)) != NULL) {
        host->now_ms = timer->due_ms > host->now_ms ? timer->due_ms : host->now_ms;
        fake_ready(host, fake_take_waiting(host, timer->op), KANAL_OK);
        fake_run(host);
    }
    host->now_ms = until_ms;
}
