#include "outbound/schedule.h"

#include <inttypes.h>

#include "kanal/sdk/json.h"
#include "outbound/route.h"

#define STORE_TIMEOUT_MS 5000u
#define DUE_AT_ONCE 64u /* fetched together; the rest in the next tick */
#define KEY_LEN (ID_LEN - 2)

struct entry {
    int64_t at_ms; /* wall clock */
    uint64_t sequence;
    char key[KEY_LEN + 1];
};

struct schedule {
    struct outbound *outbound;
    struct reader reader;
    struct entry *heap; /* the earliest first */
    size_t count, capacity;
    size_t fetching;
    int is_on;
    uint64_t term; /* counts the times it was ours: answers of another are dropped */
};

struct schedule *schedule_new(struct outbound *o)
{
    struct schedule *s = calloc(1, sizeof *s);
    if (s)
        s->outbound = o;
    return s;
}

void schedule_free(struct schedule *s)
{
    if (!s)
        return;
    schedule_stop(s);
    free(s);
}

/* ---- The heap ---- */

static void swap(struct entry *a, struct entry *b)
{
    struct entry c = *a;
    *a = *b;
    *b = c;
}

static int is_before(const struct entry *a, const struct entry *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->sequence < b->sequence;
}

static void rise(struct schedule *s, size_t i)
{
    for (; i > 0 && is_before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&s->heap[i], &s->heap[(i - 1) / 2]);
}

static void sink(struct schedule *s)
{
    for (size_t i = 0, child; (child = 2 * i + 1) < s->count; i = child) {
        if (child + 1 < s->count && is_before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!is_before(&s->heap[child], &s->heap[i]))
            break;
        swap(&s->heap[child], &s->heap[i]);
    }
}

static int push(struct schedule *s, const struct entry *entry)
{
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? s->capacity * 2 : 64;
        struct entry *heap = realloc(s->heap, capacity * sizeof *heap);
        if (!heap)
            return -1;
        s->heap = heap;
        s->capacity = capacity;
    }
    s->heap[s->count] = *entry;
    rise(s, s->count++);
    return 0;
}

static struct entry pop(struct schedule *s)
{
    struct entry first = s->heap[0];
    s->heap[0] = s->heap[--s->count];
    sink(s);
    return first;
}

/* ---- What waits ---- */

static void on_message(void *user, const struct js_delivered *delivered)
{
    struct schedule *s = user;
    struct entry entry = { .sequence = delivered->stream_sequence };
    yyjson_doc *doc = kanal_json_parse(delivered->payload);
    entry.at_ms = kanal_json_int_at(yyjson_doc_get_root(doc), "at_ms", 0);
    yyjson_doc_free(doc);
    kanal_str subject = delivered->subject;
    if (subject.len < KEY_LEN)
        return;
    memcpy(entry.key, subject.ptr + subject.len - KEY_LEN, KEY_LEN);
    push(s, &entry); /* without memory it comes again with the next holder */
}

/* Everything that waits is read once more. */
static void on_broken(void *user)
{
    struct schedule *s = user;
    schedule_stop(s);
    schedule_start(s);
}

void schedule_start(struct schedule *s)
{
    if (s->is_on)
        return;
    struct outbound *o = s->outbound; /* not whole yet when this was made */
    if (!s->reader.broker)
        s->reader = (struct reader){
            .broker = o->broker,
            .log = o->host->log,
            .area = "schedule",
            .consumer = { .stream = o->scheduled_stream, .durable = "schedule", .ack_none = 1 },
            .user = s,
            .message = on_message,
            .broken = on_broken
        };
    s->is_on = 1;
    s->term++;
    reader_start(&s->reader);
}

void schedule_stop(struct schedule *s)
{
    reader_stop(&s->reader);
    s->is_on = 0;
    s->term++;
    free(s->heap);
    s->heap = NULL;
    s->count = s->capacity = s->fetching = 0;
}

/* ---- What is due ---- */

struct fetch {
    struct schedule *schedule;
    struct entry entry;
    uint64_t term;
};

static void on_fetched(void *user, kanal_status status, const struct js_message *m)
{
    struct fetch *fetch = user;
    struct schedule *s = fetch->schedule;
    if (fetch->term == s->term) {
        s->fetching--;
        yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(m->payload) : NULL;
        yyjson_val *root = yyjson_doc_get_root(doc);
        struct kanal_buffer payload = { 0 };
        struct kanal_json json;
        kanal_json_init(&json, &payload);
        kanal_json_value(&json, kanal_json_at(root, "command"));
        int lost = status == KANAL_E_NOT_FOUND; /* somebody else has done it */
        yyjson_val *route = kanal_json_at(root, "route");
        if (!lost &&
            (!doc || (route ? route_due(s->outbound, route, fetch->entry.sequence)
                            : intake_scheduled(s->outbound, kanal_json_text_at(root, "subject"),
                                               kanal_buffer_view(&payload), fetch->entry.sequence)) != 0))
            push(s, &fetch->entry);
        kanal_buffer_release(&payload);
        yyjson_doc_free(doc);
    }
    free(fetch);
}

void schedule_tick(struct schedule *s)
{
    struct outbound *o = s->outbound;
    if (o->ticks % 5 == 0)
        reader_tick(&s->reader);
    while (s->count > 0 && s->fetching < DUE_AT_ONCE && s->heap[0].at_ms <= host_now_ms() && !o->draining) {
        struct fetch *fetch = malloc(sizeof *fetch);
        if (!fetch)
            return;
        *fetch = (struct fetch){ .schedule = s, .entry = pop(s), .term = s->term };
        s->fetching++;
        js_get_sequence(o->broker, o->scheduled_stream, fetch->entry.sequence, on_fetched, fetch);
    }
}

int schedule_cancel(struct schedule *s, const char *key)
{
    for (size_t i = 0; i < s->count; i++)
        if (strcmp(s->heap[i].key, key) == 0) {
            s->heap[i].at_ms = 0; /* it is looked at now, and found to be cancelled */
            rise(s, i);
            return 1;
        }
    return 0;
}

static void on_removed(void *user, kanal_status status, kanal_str reason)
{
    (void)user, (void)status,
        (void)reason; /* one that is left is known by its key, and removed by the next holder */
}

void schedule_done(struct schedule *s, uint64_t sequence)
{
    js_delete_sequence(s->outbound->broker, s->outbound->scheduled_stream, sequence, on_removed, NULL);
}

/* ---- Storing ---- */

struct storing {
    published_fn *done;
    void *user;
};

static void on_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct storing *storing = user;
    (void)ack, (void)reason;
    storing->done(storing->user, status == KANAL_E_REJECTED ? KANAL_E_NETWORK : status);
    free(storing);
}

void schedule_add(struct schedule *s, const struct command *command, const char *key, int64_t at_ms,
                  published_fn *done, void *user)
{
    struct outbound *o = s->outbound;
    struct storing *storing = malloc(sizeof *storing);
    struct kanal_buffer payload = { 0 };
    struct kanal_json json;
    char subject[96], id[64];
    if (!storing) {
        done(user, KANAL_E_BUSY);
        return;
    }
    *storing = (struct storing){ done, user };
    kanal_json_init(&json, &payload);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "subject", command->subject);
    kanal_json_member_int(&json, "at_ms", at_ms);
    kanal_json_key(&json, "command");
    kanal_json_value(&json, command->root);
    kanal_json_object_end(&json);
    snprintf(subject, sizeof subject, "%s.scheduled.%s", o->prefix, key);
    /* The same command at another time is another one: what is quiet now may be so again. */
    snprintf(id, sizeof id, "%s#%" PRId64, key, at_ms);
    struct broker_out out = { .subject = kanal_str_c(subject), .payload = kanal_buffer_view(&payload) };
    js_publish(o->broker, &out, kanal_str_c(id), JS_ANY_SEQUENCE, STORE_TIMEOUT_MS, on_stored, storing);
    kanal_buffer_release(&payload);
}

void schedule_route(struct outbound *o, const char *key, const struct schedule_step *step, published_fn *done,
                    void *user)
{
    struct storing *storing = malloc(sizeof *storing);
    struct kanal_buffer payload = { 0 };
    struct kanal_json json;
    char subject[96], id[96];
    if (!storing) {
        done(user, KANAL_E_BUSY);
        return;
    }
    *storing = (struct storing){ done, user };
    kanal_json_init(&json, &payload);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "at_ms", step->at_ms);
    kanal_json_key(&json, "route");
    kanal_json_object(&json);
    kanal_json_member_text(&json, "key", key);
    kanal_json_member_int(&json, "step", step->step);
    kanal_json_member_text(&json, "reason", step->reason);
    if (step->error.len > 0) {
        kanal_json_key(&json, "error");
        kanal_json_raw(&json, step->error);
    }
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    snprintf(subject, sizeof subject, "%s.scheduled.%s", o->prefix, key);
    snprintf(id, sizeof id, "%s~%u%s#%" PRId64, key, step->step, step->reason, step->at_ms);
    struct broker_out out = { .subject = kanal_str_c(subject), .payload = kanal_buffer_view(&payload) };
    js_publish(o->broker, &out, kanal_str_c(id), JS_ANY_SEQUENCE, STORE_TIMEOUT_MS, on_stored, storing);
    kanal_buffer_release(&payload);
}
