#include "host/receipts.h"

#include <stdio.h>

#include "broker/kv.h"
#include "host/host.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

/* A provider tells of a message that it has just taken within a second or two; longer than this it is not kept waiting for our answer. */
static const uint32_t again_ms[] = { 100, 300, 800, 1800 };
#define TRIES (sizeof again_ms / sizeof *again_ms)
#define EVENTS_MAX 256u

/* One event of a batch, copied: the plugin's is gone when the answer is there. */
struct held_event {
    struct held *held;
    kanal_event event;
    struct kanal_buffer bytes; /* its strings */
    struct kanal_buffer data;  /* completed */
    kanal_str external_id;     /* to be looked for; absent: nothing */
    int is_receipt, is_found;
    struct { /* of a receipt for a step of a route (host.h) */
        char key[ID_LEN + 1];
        uint32_t step; /* 0: it is none */
        int is_abandoned, is_failure;
        struct kanal_buffer error;
    } route;
};

/* A publish() that waits for the ledger. */
struct held {
    struct held *next, **link;
    struct channel *channel;
    struct trace trace;
    int keep_raw;
    published_fn *done;
    void *user;
    uv_timer_t *timer;
    size_t tries, waiting, count;
    kanal_status status; /* of what routes were told */
    struct held_event events[];
};

struct receipts {
    struct held *first;
};

void receipt_key(struct ids *ids, kanal_str channel, kanal_str external_id, char ret_key[RECEIPT_KEY_LEN + 1])
{
    struct id id;
    ret_key[0] = 0;
    if (ids_event(ids, channel, KANAL_LIT("external"), external_id, &id) == 0)
        snprintf(ret_key, RECEIPT_KEY_LEN + 1, "x.%s", id.text + 2);
}

/* ---- What has to be looked up ---- */

static int is_receipt(const kanal_event *event)
{
    return event->external_id.len > 0 &&
           (kanal_str_is(event->type, "message.delivered") || kanal_str_is(event->type, "message.read") ||
            kanal_str_is(event->type, "message.failed") || kanal_str_is(event->type, "message.sent"));
}

/* Most messages are no replies: that is seen without parsing them. */
static int may_be_reply(const kanal_event *event)
{
    return kanal_str_is(event->type, "message.received") && event->data.len > 0 &&
           memmem(event->data.ptr, event->data.len, "\"reply_to\"", 10) != NULL;
}

static int needs_ledger(const kanal_event *event)
{
    return is_receipt(event) || may_be_reply(event);
}

/* ---- Copies ---- */

static void copy(struct kanal_buffer *bytes, kanal_str from, kanal_str *to)
{
    *to = (kanal_str){ .len = from.len };
    kanal_buffer_str(bytes, from);
}

static void point(const struct kanal_buffer *bytes, size_t *at, kanal_str *text)
{
    text->ptr = text->len > 0 ? bytes->data + *at : NULL;
    *at += text->len;
}

static int hold_event(struct held_event *h, const kanal_event *event)
{
    h->event =
        (kanal_event){ .struct_size = sizeof h->event, .flags = event->flags, .time_ms = event->time_ms };
    kanal_str *const to[] = { &h->event.type,       &h->event.dedupe,  &h->event.external_id,
                              &h->event.command_id, &h->event.address, &h->event.chat,
                              &h->event.data,       &h->event.raw };
    const kanal_str from[] = { event->type,    event->dedupe, event->external_id, event->command_id,
                               event->address, event->chat,   event->data,        event->raw };
    size_t at = 0;
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        copy(&h->bytes, from[i], to[i]);
    if (h->bytes.failed)
        return -1;
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        point(&h->bytes, &at, to[i]);
    h->is_receipt = is_receipt(&h->event);
    if (h->is_receipt)
        h->external_id = h->event.external_id;
    return 0;
}

/* The id that a reply names, copied behind the event's own strings. */
static void find_reply(struct held_event *h)
{
    if (h->is_receipt || !may_be_reply(&h->event))
        return;
    yyjson_doc *doc = kanal_json_parse(h->event.data);
    yyjson_val *reply = kanal_json_at(kanal_json_at(yyjson_doc_get_root(doc), "message"), "reply_to");
    kanal_str id = kanal_json_text_at(reply, "external_id");
    if (id.len > 0 && kanal_json_text_at(reply, "id").len == 0) {
        kanal_buffer_str(&h->data, id); /* until it is found; then it is the event's data */
        h->external_id = kanal_buffer_view(&h->data);
    }
    yyjson_doc_free(doc);
}

/* ---- The end ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void held_free(struct held *held)
{
    if (held->link) {
        *held->link = held->next;
        if (held->next)
            held->next->link = held->link;
    }
    if (held->timer)
        uv_close((uv_handle_t *)held->timer, on_timer_closed);
    for (size_t i = 0; i < held->count; i++) {
        kanal_buffer_release(&held->events[i].bytes);
        kanal_buffer_release(&held->events[i].data);
        kanal_buffer_release(&held->events[i].route.error);
    }
    free(held);
}

void receipts_free(struct receipts *receipts)
{
    if (!receipts)
        return;
    struct held *held = receipts->first, *next;
    receipts->first = NULL;
    for (; held; held = next) {
        published_fn *done = held->done;
        void *user = held->user;
        next = held->next;
        held->link = NULL;
        held_free(held);
        if (done)
            done(user, KANAL_E_CANCELLED);
    }
    free(receipts);
}

static void end(struct held *held, kanal_status status)
{
    published_fn *done = held->done;
    void *user = held->user;
    held_free(held);
    if (done)
        done(user, status);
}

/* What the route was told instead of everybody. */
static int is_kept_back(const struct held_event *h)
{
    return h->route.step > 0 && h->route.is_failure && !h->route.is_abandoned;
}

static void publish(struct held *held)
{
    struct channel *channel = held->channel;
    struct envelope_source source = channel->source;
    const kanal_event *events[EVENTS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < held->count; i++)
        if (!is_kept_back(&held->events[i]))
            events[count++] = &held->events[i].event;
    if (count == 0) {
        end(held, KANAL_OK);
        return;
    }
    source.traceparent = kanal_str_c(held->trace.text);
    publisher_publish(channel->host->publisher, &source, events, count, held->keep_raw, held->done,
                      held->user);
    held_free(held);
}

static void on_route_told(void *user, kanal_status status)
{
    struct held *held = user;
    if (status != KANAL_OK)
        held->status = status;
    if (--held->waiting > 0)
        return;
    if (held->status == KANAL_OK)
        publish(held);
    else
        end(held, held->status);
}

/* First the routes: a receipt that is repeated because this could not be stored tells them the same once more. */
static void tell_routes(struct held *held)
{
    const struct host_routes *routes = &held->channel->host->routes;
    held->waiting = 1;
    for (size_t i = 0; i < held->count; i++) {
        struct held_event *h = &held->events[i];
        if (!is_kept_back(h))
            continue;
        held->waiting++;
        routes->failed(routes->user, kanal_str_c(h->route.key), h->route.step,
                       kanal_buffer_view(&h->route.error), on_route_told, held);
    }
    on_route_told(held, KANAL_OK);
}

/* ---- The ledger's answer ---- */

static const char *const record_members[] = { "reference", "part", "parts", NULL };

static void write_members(struct kanal_json *json, yyjson_val *object, const char *skip)
{
    size_t index, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach (object, index, max, key, value) {
        if (skip && kanal_str_is(kanal_json_text(key), skip))
            continue;
        kanal_json_key_str(json, kanal_json_text(key));
        kanal_json_value(json, value);
    }
}

static void write_receipt(struct kanal_json *json, yyjson_val *message, yyjson_val *record)
{
    write_members(json, message, NULL);
    for (const char *const *name = record_members; *name; name++) {
        yyjson_val *value = kanal_json_at(record, *name);
        if (!value || kanal_json_at(message, *name))
            continue;
        kanal_json_key(json, *name);
        kanal_json_value(json, value);
    }
}

static void write_reply(struct kanal_json *json, yyjson_val *message, yyjson_val *record)
{
    write_members(json, message, "reply_to");
    kanal_json_key(json, "reply_to");
    kanal_json_object(json);
    kanal_json_member_str(json, "id", kanal_json_text_at(record, "id"));
    write_members(json, kanal_json_at(message, "reply_to"), "id");
    kanal_json_object_end(json);
}

/* The step that the receipt is for. */
static void write_attempt(const struct held_event *h, struct kanal_json *json, yyjson_val *said)
{
    kanal_json_key(json, "attempt");
    kanal_json_object(json);
    if (yyjson_is_obj(said))
        write_members(json, said, NULL);
    kanal_json_member_int(json, "step", h->route.step);
    if (h->route.is_abandoned)
        kanal_json_member_bool(json, "abandoned", 1);
    kanal_json_object_end(json);
}

static void write_root(const struct held_event *h, struct kanal_json *json, yyjson_val *root)
{
    size_t index, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach (root, index, max, key, value) {
        kanal_str name = kanal_json_text(key);
        if (kanal_str_is(name, "message") || (h->route.step > 0 && kanal_str_is(name, "attempt")))
            continue;
        kanal_json_key_str(json, name);
        kanal_json_value(json, value);
    }
    if (h->route.step > 0)
        write_attempt(h, json, kanal_json_at(root, "attempt"));
}

static void find_route(struct held_event *h, yyjson_val *record, yyjson_val *data)
{
    const struct host_routes *routes = &h->held->channel->host->routes;
    kanal_str step_key = kanal_json_text_at(record, "step_key"), route = kanal_json_text_at(record, "route");
    int64_t step = kanal_json_int_at(record, "step", 0);
    struct kanal_json json;
    if (!h->is_receipt || step < 1 || step > UINT32_MAX || !routes->failed ||
        kanal_str_keep(h->route.key, sizeof h->route.key, route).len == 0)
        return;
    h->route.step = (uint32_t)step;
    h->route.is_abandoned = routes->is_abandoned(routes->user, step_key);
    h->route.is_failure = kanal_str_is(h->event.type, "message.failed");
    kanal_buffer_clear(&h->route.error);
    kanal_json_init(&json, &h->route.error);
    kanal_json_value(&json, kanal_json_at(data, "error"));
}

/* The event's data with what the record adds to its message. */
static void complete_data(struct held_event *h, yyjson_val *record)
{
    yyjson_doc *doc = kanal_json_parse(h->event.data.len > 0 ? h->event.data : KANAL_LIT("{}"));
    yyjson_val *root = yyjson_doc_get_root(doc), *message = kanal_json_at(root, "message");
    struct kanal_buffer out = { 0 };
    struct kanal_json json;
    if (yyjson_is_obj(root)) {
        find_route(h, record, root);
        kanal_json_init(&json, &out);
        kanal_json_object(&json);
        write_root(h, &json, root);
        kanal_json_key(&json, "message");
        kanal_json_object(&json);
        if (h->is_receipt)
            write_receipt(&json, message, record);
        else
            write_reply(&json, message, record);
        kanal_json_object_end(&json);
        kanal_json_object_end(&json);
    }
    yyjson_doc_free(doc);
    if (out.len == 0 || out.failed) {
        kanal_buffer_release(&out);
        return;
    }
    kanal_buffer_release(&h->data);
    h->data = out;
    h->event.data = kanal_buffer_view(&h->data);
}

static void complete(struct held_event *h, yyjson_val *record)
{
    static const char *const names[] = { "id", "address", "chat" };
    kanal_str *const to[] = { &h->event.command_id, &h->event.address, &h->event.chat };
    size_t at[3], len[3] = { 0 };
    complete_data(h, record);
    if (!h->is_receipt || h->data.len == 0)
        return;
    /* Behind the data, and pointed to when the buffer does not move any more. */
    size_t data_len = h->data.len;
    for (size_t i = 0; i < 3; i++) {
        kanal_str text = kanal_json_text_at(record, names[i]);
        at[i] = h->data.len;
        len[i] = to[i]->len == 0 ? text.len : 0;
        kanal_buffer_append(&h->data, text.ptr, len[i]);
    }
    h->event.data = kanal_str_of(h->data.data, data_len);
    for (size_t i = 0; i < 3; i++)
        if (len[i] > 0)
            *to[i] = kanal_str_of(h->data.data + at[i], len[i]);
}

static void look(struct held *held);

static void on_again(uv_timer_t *timer)
{
    look(timer->data);
}

/* Every event has its answer of this round. */
static void end_round(struct held *held)
{
    int missing = 0;
    for (size_t i = 0; i < held->count; i++)
        missing |= held->events[i].is_receipt && !held->events[i].is_found;
    if (!missing || held->tries >= TRIES || !held->timer) {
        tell_routes(held);
        return;
    }
    uv_timer_start(held->timer, on_again, again_ms[held->tries++], 0);
}

static void on_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct held_event *h = user;
    (void)revision;
    if (status == KANAL_OK) {
        yyjson_doc *doc = kanal_json_parse(value);
        h->is_found = 1;
        h->external_id.len = 0;
        complete(h, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
    }
    struct held *held = h->held;
    if (--held->waiting == 0)
        end_round(held);
}

static void look(struct held *held)
{
    struct host *host = held->channel->host;
    held->waiting = 1;
    for (size_t i = 0; i < held->count; i++) {
        struct held_event *h = &held->events[i];
        char key[RECEIPT_KEY_LEN + 1];
        if (h->external_id.len == 0)
            continue;
        receipt_key(host->envelope.ids, held->channel->id, h->external_id, key);
        held->waiting++;
        kv_get(host->broker, host->names.sent, kanal_str_c(key), on_record, h);
    }
    if (--held->waiting == 0)
        end_round(held);
}

static struct held *held_new(struct channel *channel, const kanal_event *const *events, size_t count)
{
    struct host *host = channel->host;
    if (!host->receipts && !(host->receipts = calloc(1, sizeof *host->receipts)))
        return NULL;
    struct held *held = calloc(1, sizeof *held + count * sizeof *held->events);
    if (!held)
        return NULL;
    held->channel = channel;
    held->count = count;
    for (size_t i = 0; i < count; i++) {
        held->events[i].held = held;
        if (hold_event(&held->events[i], events[i]) != 0) {
            held_free(held);
            return NULL;
        }
        find_reply(&held->events[i]);
    }
    if ((held->timer = malloc(sizeof *held->timer)) != NULL) {
        uv_timer_init(host->loop, held->timer);
        held->timer->data = held;
    }
    held->next = host->receipts->first;
    if (held->next)
        held->next->link = &held->next;
    held->link = &host->receipts->first;
    host->receipts->first = held;
    return held;
}

void receipts_publish(struct channel *channel, const struct envelope_source *source,
                      const kanal_event *const *events, size_t count, int keep_raw, published_fn *done,
                      void *user)
{
    int is_needed = 0;
    for (size_t i = 0; i < count && !is_needed; i++)
        is_needed = needs_ledger(events[i]);
    struct held *held = is_needed && count <= EVENTS_MAX ? held_new(channel, events, count) : NULL;
    if (!held) {
        publisher_publish(channel->host->publisher, source, events, count, keep_raw, done, user);
        return;
    }
    trace_read(source->traceparent, &held->trace);
    held->keep_raw = keep_raw;
    held->done = done;
    held->user = user;
    look(held);
}
