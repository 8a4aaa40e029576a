/* The queue of completions, timers and the clock. */
#include "inside.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define MAX_TURNS 1000000u /* of one fake_run(): a plugin that goes round for ever is stopped */

void fake_fault(struct fake_host *host, enum fake_fault fault, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    host->failures++;
    if (host->on_failure != NULL)
        host->on_failure(host->failure_user, fault, host->where ? host->where : "create()", text);
    else
        fprintf(stderr, "fakehost: %s\n", text);
}

size_t fake_failures(const struct fake_host *host)
{
    return host->failures;
}

kanal_op fake_next_op(struct fake_host *host)
{
    return ++host->last_op;
}

/* ---- Calls into the plugin ---- */

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct fake_arena fake_arguments(struct fake_host *host)
{
    return (struct fake_arena){ .guard = host->flags & FAKE_GUARDED ? &host->guard : NULL,
                                .origin = host->where };
}

void fake_enter(struct fake_host *host, const char *name, const void *frame)
{
    host->where = name;
    host->stack_above = frame;
    host->entered_ns = monotonic_ns();
}

void fake_leave(struct fake_host *host)
{
    int64_t took_ms = (monotonic_ns() - host->entered_ns) / 1000000;
    host->stack_above = NULL;
    if (took_ms > FAKE_CALLBACK_MS)
        fake_fault(host, FAKE_FAULT_TIME,
                   "%s took %lld ms: a callback that outlives %d ms is blamed on its channel", host->where,
                   (long long)took_ms, FAKE_CALLBACK_MS);
}

const char *fake_inside(const struct fake_host *host)
{
    return host->stack_above != NULL ? host->where : NULL;
}

void fake_check_lane(struct fake_host *host, const char *slot)
{
    if (host->lane_thread != (uint64_t)pthread_self())
        fake_fault(host, FAKE_FAULT_LANE,
                   "%s() was called from a thread of the plugin's own: only log() and wake() may be", slot);
}

/* A callback runs after the call that asked for it has returned, so what its user pointer points at must not lie in a frame of
 * that call. */
static void check_user(struct fake_host *host, const char *slot, const void *user)
{
    const char *here = __builtin_frame_address(0);
    if (host->stack_above != NULL && (const char *)user > here && (const char *)user < host->stack_above)
        fake_fault(host, FAKE_FAULT_LANE,
                   "%s(): user points into the stack, but the callback runs after the call has returned",
                   slot);
}

struct task *fake_task(struct fake_host *host, const char *slot, enum task_kind kind, void *user,
                       int *ret_refused)
{
    *ret_refused = 0;
    fake_check_lane(host, slot);
    if (host->stopped)
        return NULL;
    if (host->creating)
        fake_fault(host, FAKE_FAULT_LANE, "create() may only log and ask for extensions, and calls %s()",
                   slot);
    check_user(host, slot, user);
    struct task *task = calloc(1, sizeof *task);
    if (task == NULL)
        abort();
    task->kind = kind;
    task->op = fake_next_op(host);
    task->user = user;
    const int fails = host->fail_status != KANAL_OK && host->call_count == host->fail_at;
    host->call_count++;
    host->pending++;
    if (fails)
        host->failed_call = slot;
    if (fails || host->pending > FAKE_MAX_PENDING) {
        fake_ready(host, task, fails ? host->fail_status : KANAL_E_BUSY);
        *ret_refused = 1;
    }
    return task;
}

struct task *fake_extension_task(struct fake_host *host, void (*run)(struct fake_host *, struct task *),
                                 int kind, kanal_op op)
{
    struct task *task = calloc(1, sizeof *task);
    (void)host;
    if (task == NULL)
        abort();
    task->kind = TASK_EXTENSION;
    task->run = run;
    task->kind_of_run = kind;
    task->op = op;
    return task;
}

uint64_t fake_call_count(const struct fake_host *host)
{
    return host->call_count;
}

void fake_fail_call(struct fake_host *host, uint64_t number, kanal_status status)
{
    host->fail_at = number;
    host->fail_status = status;
    host->failed_call = NULL;
}

const char *fake_failed_call(const struct fake_host *host)
{
    return host->failed_call;
}

/* ---- The queue ---- */

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
    struct task *task;
    while ((task = host->waiting) != NULL) {
        host->waiting = task->next;
        fake_ready(host, task, KANAL_E_CANCELLED);
    }
}

static void task_free(struct task *task)
{
    fake_arena_release(&task->copies);
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

static void answer_value(struct fake_host *host, struct task *task)
{
    struct fake_arena arguments = fake_arguments(host);
    arguments.origin = host->where;
    kanal_str value = fake_arena_str(&arguments, task->value);
    task->call.value(task->user, task->status, value, task->revision);
    fake_arena_release(&arguments);
}

static void answer_response(struct fake_host *host, struct task *task)
{
    struct fake_arena arguments = fake_arguments(host);
    arguments.origin = host->where;
    const kanal_http_response *response = NULL;
    if (task->status == KANAL_OK) {
        kanal_http_response copy;
        fake_arena_response(&arguments, &copy, &task->response);
        response = fake_arena_struct(&arguments, host, &copy, sizeof copy, FAKE_RESPONSE_LEAST);
    }
    task->call.response(task->user, task->status, response);
    fake_arena_release(&arguments);
}

static void run_task(struct fake_host *host, struct task *task)
{
    static const char *const names[] = { "a callback (status)",
                                         "a callback (value)",
                                         "a callback (response)",
                                         "a callback of an extension's call",
                                         "on_wake()",
                                         "a callback of an extension" };
    if (task->kind == TASK_DONE && task->held != 0)
        fake_release_hold(host, task->held, task->status);
    if (task->kind == TASK_WAKE)
        host->wake_queued = 0;
    FAKE_ENTER(host, names[task->kind]);
    if (task->kind == TASK_DONE && task->call.done != NULL)
        task->call.done(task->user, task->status);
    else if (task->kind == TASK_VALUE && task->call.value != NULL)
        answer_value(host, task);
    else if (task->kind == TASK_RESPONSE && task->call.response != NULL)
        answer_response(host, task);
    else if (task->kind == TASK_WAKE && host->plugin->on_wake != NULL)
        host->plugin->on_wake(host->channel);
    else if (task->kind == TASK_CALL || task->kind == TASK_EXTENSION)
        task->run(host, task);
    fake_leave(host);
}

void fake_run(struct fake_host *host)
{
    size_t turns = 0;
    while (host->ready != NULL && !host->stopped) {
        struct task *task = host->ready;
        host->ready = task->next;
        if (host->ready == NULL)
            host->ready_end = &host->ready;
        if (task->kind <= TASK_CALL)
            host->pending--;
        if (++turns > MAX_TURNS) {
            fake_fault(host, FAKE_FAULT_TIME, "the plugin goes round without end");
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
        fake_ready(host, fake_take_waiting(host, timer->op), timer->planned);
        fake_run(host);
    }
    host->now_ms = until_ms;
}
