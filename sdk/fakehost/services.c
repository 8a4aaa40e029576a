/* The host's table: log, clock, random, metrics, timers, outgoing HTTP. */
#include "inside.h"
#include <stdio.h>
#include "kanal/sdk/url.h"

#define LOG_BYTES_MAX 1024u

/* ---- Answered at once ---- */

static void log_line(const kanal_host *table, kanal_op cause, int32_t level, kanal_str text)
{
    struct fake_host *host = fake_of(table);
    (void)cause;
    if (level < KANAL_LOG_DEBUG || level > KANAL_LOG_ERROR)
        fake_fail(host, "log(): level %d", level);
    kanal_str line = kanal_str_of(text.ptr, text.len < LOG_BYTES_MAX ? text.len : LOG_BYTES_MAX);
    for (size_t i = 0; i < host->secret_count; i++) {
        const char *secret = host->secrets[i][1];
        if (secret[0] != 0 && memmem(text.ptr, text.len, secret, strlen(secret)) != NULL)
            fake_fail(host, "log(): a secret in '%.*s'", (int)text.len, text.ptr);
    }
    kanal_buffer_str(&host->log, line);
    kanal_buffer_byte(&host->log, '\n');
    if (getenv("KANAL_FAKE_LOG") != NULL)
        fprintf(stderr, "log %d: %.*s\n", level, (int)line.len, line.ptr);
}

int fake_logged(const struct fake_host *host, const char *text)
{
    return host->log.len > 0 && memmem(host->log.data, host->log.len, text, strlen(text)) != NULL;
}

static void wake(const kanal_host *table)
{
    struct fake_host *host = fake_of(table);
    if (host->wake_queued || host->stopped)
        return;
    struct task *task = calloc(1, sizeof *task);
    if (task == NULL)
        abort();
    task->kind = TASK_WAKE;
    host->wake_queued = 1;
    fake_ready(host, task, KANAL_OK);
}

static int64_t now_ms(const kanal_host *table)
{
    fake_check_lane(fake_of(table), "now_ms");
    return fake_of(table)->now_ms;
}

static void random_bytes(const kanal_host *table, void *out, size_t len)
{
    fake_check_lane(fake_of(table), "random");
    fake_random(fake_of(table), out, len);
}

static void metric_add(const kanal_host *table, kanal_str name, double by, const kanal_field *labels,
                       size_t count)
{
    struct fake_host *host = fake_of(table);
    struct metric *metric = host->metrics;
    fake_check_lane(host, "metric_add");
    (void)labels;
    (void)count;
    int wrong = name.len == 0 || (name.ptr[0] >= '0' && name.ptr[0] <= '9');
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        wrong |= !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
    }
    if (wrong || by < 0)
        fake_fail(host, "metric_add(): '%.*s' by %g", (int)name.len, name.ptr, by);
    while (metric != NULL && !kanal_str_is(name, metric->name))
        metric = metric->next;
    if (metric == NULL) {
        metric = fake_arena_zeroed(&host->kept, sizeof *metric);
        metric->name = (char *)(uintptr_t)fake_arena_str(&host->kept, name).ptr;
        metric->next = host->metrics;
        host->metrics = metric;
    }
    metric->sum += by;
}

double fake_metric(const struct fake_host *host, const char *name)
{
    for (struct metric *metric = host->metrics; metric != NULL; metric = metric->next) {
        if (strcmp(metric->name, name) == 0)
            return metric->sum;
    }
    return 0;
}

static void health(const kanal_host *table, kanal_status status, kanal_str reason)
{
    struct fake_host *host = fake_of(table);
    fake_check_lane(host, "health");
    if (status != KANAL_OK && reason.len == 0)
        fake_fail(host, "health(): status %d without a reason", status);
    host->health = status;
}

kanal_status fake_health(const struct fake_host *host)
{
    return host->health;
}

/* Its answer was on the way already. */
static void end_in_spite(struct fake_host *host, struct task *task)
{
    struct fake_reply reply = { 0 };
    if (task->kind != TASK_RESPONSE || task->due_ms != 0) {
        fake_ready(host, task, task->planned);
    } else if (fake_script_answers(host, task->request, &reply)) {
        fake_provider_reply(host, task, &reply);
    } else {
        fake_ready(host, task, KANAL_E_MAYBE);
    }
}

static void cancel(const kanal_host *table, kanal_op op)
{
    struct fake_host *host = fake_of(table);
    fake_check_lane(host, "cancel");
    struct task *task = fake_take_waiting(host, op);
    if (task == NULL)
        return;
    if (host->flags & FAKE_CANCEL_LATE)
        end_in_spite(host, task);
    else
        fake_ready(host, task, KANAL_E_CANCELLED);
}

static kanal_op timer(const kanal_host *table, uint32_t delay_ms, kanal_done_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "timer", TASK_DONE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.done = callback;
    task->due_ms = host->now_ms + (delay_ms > 0 ? delay_ms : 1);
    if (!refused)
        fake_wait(host, task);
    return task->op;
}

/* ---- Outgoing HTTP: waits for the test ---- */

/* The URL's host is one that the plugin asks for: by name, or as the host of a URL setting. */
static int is_granted(struct fake_host *host, kanal_str wanted)
{
    yyjson_doc *settings = kanal_json_parse(host->settings);
    int granted = 0;
    for (const char *const *egress = host->plugin->egress; egress != NULL && *egress != NULL && !granted;
         egress++) {
        char name[64];
        struct kanal_url url;
        if (sscanf(*egress, "${setting:%63[^}]}", name) != 1) {
            granted = kanal_str_equal_nocase(kanal_str_c(*egress), wanted);
            continue;
        }
        kanal_str setting = kanal_json_text_at(yyjson_doc_get_root(settings), name);
        granted = kanal_url_parse(setting, &url) == KANAL_OK && kanal_str_equal_nocase(url.host, wanted);
    }
    yyjson_doc_free(settings);
    return granted;
}

static kanal_status check_secrets(struct fake_host *host, const kanal_http_request *request)
{
    for (size_t i = 0; i < request->secret_count; i++) {
        const kanal_secret_use *use = &request->secrets[i];
        int declared = 0;
        for (size_t k = 0; k < host->plugin->secret_count; k++)
            declared |= kanal_str_is(use->secret, host->plugin->secrets[k].name);
        if (!declared || use->where < KANAL_IN_HEADER || use->where > KANAL_IN_BASIC ||
            (use->where == KANAL_IN_PATH && use->position > request->url.len)) {
            fake_fail(host, "http_send(): secret '%.*s' at %u", (int)use->secret.len, use->secret.ptr,
                      use->where);
            return KANAL_E_INVALID;
        }
        if (fake_secret(host, use->secret) == NULL)
            return KANAL_E_NOT_FOUND;
    }
    return KANAL_OK;
}

static kanal_status check_request(struct fake_host *host, const kanal_http_request *request)
{
    struct kanal_url url;
    if (request == NULL || request->struct_size < FAKE_REQUEST_LEAST || request->method.len == 0 ||
        kanal_url_parse(request->url, &url) != KANAL_OK ||
        (request->part_count > 0 && request->body.len > 0)) {
        fake_fail(host, "http_send(): malformed request");
        return KANAL_E_INVALID;
    }
    if (!is_granted(host, url.host)) {
        fake_fail(host, "http_send(): the plugin asks for no egress to '%.*s'", (int)url.host.len,
                  url.host.ptr);
        return KANAL_E_DENIED;
    }
    return check_secrets(host, request);
}

static struct fake_request *remember_request(struct fake_host *host, kanal_op op, kanal_op cause,
                                             const kanal_http_request *request)
{
    struct fake_request *copy = fake_arena_zeroed(&host->kept, sizeof *copy);
    copy->op = op;
    copy->cause = cause;
    fake_arena_request(&host->kept, &copy->request, request);
    if (host->request_count == host->request_capacity) {
        size_t capacity = host->request_capacity ? host->request_capacity * 2 : 8;
        struct fake_request **grown = realloc(host->requests, capacity * sizeof *grown);
        if (grown == NULL)
            abort();
        host->requests = grown;
        host->request_capacity = capacity;
    }
    host->requests[host->request_count++] = copy;
    return copy;
}

kanal_op fake_http_send(const kanal_host *table, kanal_op cause, const kanal_http_request *request,
                        kanal_response_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "http_send", TASK_RESPONSE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.response = callback;
    if (refused)
        return task->op;
    kanal_status status = check_request(host, request);
    if (status != KANAL_OK) {
        fake_ready(host, task, status);
        return task->op;
    }
    task->request = remember_request(host, task->op, cause, request);
    if (!fake_provider_asked(host, task))
        fake_wait(host, task);
    return task->op;
}

size_t fake_request_count(const struct fake_host *host)
{
    return host->request_count;
}

const struct fake_request *fake_request_at(const struct fake_host *host, size_t index)
{
    return index < host->request_count ? host->requests[index] : NULL;
}

static void answer_request(struct fake_host *host, size_t index, kanal_status status,
                           const kanal_http_response *response)
{
    const struct fake_request *request = fake_request_at(host, index);
    struct task *task = request ? fake_take_waiting(host, request->op) : NULL;
    if (task == NULL) {
        fake_fault(host, FAKE_FAULT_TEST, "the test answers request %zu, which does not wait", index);
        return;
    }
    if (response != NULL)
        fake_arena_response(&task->copies, &task->response, response);
    fake_ready(host, task, status);
    fake_run(host);
}

void fake_request_answer_with(struct fake_host *host, size_t index, const kanal_http_response *response)
{
    answer_request(host, index, KANAL_OK, response);
}

void fake_request_answer(struct fake_host *host, size_t index, int code, const char *body)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    const kanal_http_response response = { .struct_size = sizeof response,
                                           .code = code,
                                           .body = kanal_str_c(body),
                                           .headers = &type,
                                           .header_count = 1 };
    answer_request(host, index, KANAL_OK, &response);
}

void fake_request_fail(struct fake_host *host, size_t index, kanal_status status)
{
    answer_request(host, index, status, NULL);
}

/* ---- The table ---- */

void fake_table_init(struct fake_host *host)
{
    host->table = (kanal_host){ .struct_size = sizeof host->table,
                                .abi_minor = KANAL_ABI_MINOR,
                                .impl = host,
                                .log = log_line,
                                .wake = wake,
                                .now_ms = now_ms,
                                .random = random_bytes,
                                .metric_add = metric_add,
                                .health = health,
                                .cancel = cancel,
                                .timer = timer,
                                .verify = fake_verify,
                                .sign = fake_sign,
                                .state_get = fake_state_get,
                                .state_put = fake_state_put,
                                .http_send = fake_http_send,
                                .publish = fake_publish,
                                .finish = fake_finish,
                                .delivered = fake_delivered,
                                .respond = fake_respond,
                                .locate = fake_locate,
                                .extension = fake_extension_find };
}

void fake_wake(struct fake_host *host)
{
    wake(&host->table);
}
