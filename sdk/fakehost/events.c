/* publish(): what a host checks, copies for the test, and the lines for the contract test. */
#include "inside.h"

#define DATA_BYTES_MAX (512u * 1024u)

void fake_fail_publish(struct fake_host *host, kanal_status status)
{
    host->publish_status = status;
}

/* "object.verb", or the reason against it. */
static int is_type(kanal_str type)
{
    size_t dots = 0;
    for (size_t i = 0; i < type.len; i++) {
        char c = type.ptr[i];
        dots += c == '.';
        if (!((c >= 'a' && c <= 'z') || c == '_' || (c == '.' && i > 0 && i + 1 < type.len)))
            return 0;
    }
    return dots == 1;
}

/* A URI of percent-encoded parts: proto/, $defs/address. */
static int is_address(kanal_str address)
{
    size_t colon = 0;
    while (colon < address.len && address.ptr[colon] != ':')
        colon++;
    if (colon == 0 || colon + 1 >= address.len || address.len > 512)
        return 0;
    for (size_t i = 0; i < address.len; i++) {
        char c = address.ptr[i];
        int lower = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9', upper = c >= 'A' && c <= 'Z';
        int in_scheme = lower || (i > 0 && (digit || c == '+' || c == '-' || c == '.'));
        int in_rest = lower || digit || upper || (c != 0 && strchr("._~!$&'()*+,;=:@/?%-", c) != NULL);
        if (i == colon ? 0 : i < colon ? !in_scheme : !in_rest)
            return 0;
    }
    return 1;
}

static int is_data(kanal_str data)
{
    yyjson_doc *doc = kanal_json_parse(data);
    int right = yyjson_is_obj(yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return right;
}

/* What is wrong with an event; NULL: nothing. */
static const char *find_fault(const kanal_event *event)
{
    if (event == NULL || event->struct_size < FAKE_EVENT_LEAST)
        return "struct_size";
    if (event->flags != 0)
        return "flags";
    if (!is_type(event->type))
        return "type";
    if (event->dedupe.len == 0)
        return "no dedupe key";
    if (event->address.ptr != NULL && !is_address(event->address))
        return "address";
    if (event->time_ms != 0 && (event->time_ms < 0 || event->time_ms > INT64_C(253402300799999)))
        return "time_ms";
    if (event->data.len > DATA_BYTES_MAX)
        return "data is too large";
    if (!is_data(event->data))
        return "data is no JSON object";
    if (!kanal_str_utf8(event->external_id) || !kanal_str_utf8(event->chat) ||
        !kanal_str_utf8(event->command_id))
        return "invalid UTF-8 in an id";
    return NULL;
}

static void record(struct fake_host *host, kanal_op cause, const kanal_event *event)
{
    if (host->event_count == host->event_capacity) {
        size_t capacity = host->event_capacity ? host->event_capacity * 2 : 8;
        struct fake_event *grown = realloc(host->events, capacity * sizeof *grown);
        if (grown == NULL)
            abort();
        host->events = grown;
        host->event_capacity = capacity;
    }
    struct fake_event *entry = &host->events[host->event_count++];
    fake_arena_event(&host->kept, &entry->event, event);
    entry->cause = cause;
    entry->document = kanal_json_parse(entry->event.data);
    const size_t before = host->event_lines.len;
    fake_event_line(host, entry, &host->event_lines);
    fake_contract_check(host, kanal_str_from(kanal_buffer_view(&host->event_lines), before));
}

/* The request whose 2xx waits; NULL without a cause, or with one that cannot wait any more. */
static struct owed *find_cause(struct fake_host *host, kanal_op cause)
{
    struct owed *owed = cause ? fake_owed(host, cause) : NULL;
    if (cause != 0 && (owed == NULL || owed->kind != CALL_HTTP || owed->answer.answered)) {
        fake_fault(host, FAKE_FAULT_EVENT, "publish(): cause %llu is no request that still waits",
                   (unsigned long long)cause);
        return NULL;
    }
    return owed;
}

kanal_op fake_publish(const kanal_host *table, kanal_op cause, const kanal_event *const *events, size_t count,
                      kanal_done_fn *callback, void *user)
{
    struct fake_host *host = fake_of(table);
    int refused;
    struct task *task = fake_task(host, "publish", TASK_DONE, user, &refused);
    if (task == NULL)
        return 0;
    task->call.done = callback;
    struct owed *owed = find_cause(host, cause);
    if (owed != NULL) {
        owed->held_by++;
        task->held = cause;
    }
    if (refused)
        return task->op;
    kanal_status status = count > 0 ? host->publish_status : KANAL_E_INVALID;
    for (size_t i = 0; i < count; i++) {
        const char *fault = find_fault(events[i]);
        if (fault != NULL) {
            fake_fault(host, FAKE_FAULT_EVENT, "publish(): event %zu: %s", i, fault);
            status = KANAL_E_INVALID;
        }
    }
    for (size_t i = 0; i < count && status == KANAL_OK; i++)
        record(host, cause, events[i]);
    fake_ready(host, task, status);
    return task->op;
}

size_t fake_event_count(const struct fake_host *host)
{
    return host->event_count;
}

const struct fake_event *fake_event_at(const struct fake_host *host, size_t index)
{
    return index < host->event_count ? &host->events[index] : NULL;
}

void fake_events_clear(struct fake_host *host)
{
    for (size_t i = 0; i < host->event_count; i++)
        yyjson_doc_free(host->events[i].document);
    host->event_count = 0;
}

void fake_events_free(struct fake_host *host)
{
    fake_events_clear(host);
    free(host->events);
    kanal_buffer_release(&host->event_lines);
}
