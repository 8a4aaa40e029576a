/* The slots as a plugin uses them. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"

/* ---- Answers ---- */

void respond_json(kanal_channel *channel, kanal_op op, int code, kanal_str body)
{
    kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    kanal_http_response response = {
        .struct_size = sizeof response, .code = code, .body = body, .headers = &type, .header_count = 1
    };
    channel->host->respond(channel->host, op, &response);
}

void answer(kanal_channel *channel, kanal_op op, kanal_status status, kanal_str text)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "status", status);
    kanal_json_member_str(&json, "value", text);
    kanal_json_object_end(&json);
    respond_json(channel, op, 200, kanal_buffer_view(&body));
    kanal_buffer_release(&body);
}

void note(kanal_channel *channel, const char *what, int64_t number)
{
    kanal_buffer_text(&channel->notes, what);
    kanal_buffer_byte(&channel->notes, ' ');
    kanal_buffer_int(&channel->notes, number);
    kanal_buffer_byte(&channel->notes, '\n');
}

void *pending_new(kanal_channel *channel, size_t size)
{
    struct pending *pending = calloc(1, size);
    if (!pending)
        abort();
    pending->channel = channel;
    pending->next = channel->pendings;
    if (pending->next)
        pending->next->prev = pending;
    channel->pendings = pending;
    return pending;
}

void pending_free(void *whole)
{
    struct pending *pending = whole;
    if (pending->prev)
        pending->prev->next = pending->next;
    else
        pending->channel->pendings = pending->next;
    if (pending->next)
        pending->next->prev = pending->prev;
    free(pending);
}

struct call *call_new(kanal_channel *channel, kanal_op op)
{
    struct call *call = pending_new(channel, sizeof *call);
    call->op = op;
    call->inside = 1;
    call->started_ms = channel->host->now_ms(channel->host);
    return call;
}

void call_made(struct call *call, kanal_op pending)
{
    if (pending == 0)
        note(call->base.channel, "a slot returned 0", 0);
    call->inside = 0;
    call->pending = pending;
}

static void begin_answer(struct call *call, kanal_status status, struct kanal_json *json,
                         struct kanal_buffer *body)
{
    call->was_inside |= call->inside;
    kanal_json_init(json, body);
    kanal_json_object(json);
    kanal_json_member_int(json, "status", status);
    kanal_json_member_bool(json, "inside", call->was_inside);
    kanal_json_member_int(json, "ms",
                          call->base.channel->host->now_ms(call->base.channel->host) - call->started_ms);
    kanal_json_member_int(json, "wakes", call->base.channel->wakes);
}

static void end_answer(struct call *call, struct kanal_json *json, struct kanal_buffer *body)
{
    kanal_json_object_end(json);
    if (call->quiet) {
        kanal_buffer_text(&call->base.channel->notes, "result ");
        kanal_buffer_str(&call->base.channel->notes, kanal_buffer_view(body));
        kanal_buffer_byte(&call->base.channel->notes, '\n');
    } else {
        respond_json(call->base.channel, call->op, 200, kanal_buffer_view(body));
    }
    kanal_buffer_release(body);
    pending_free(call);
}

void on_done(void *user, kanal_status status)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    begin_answer(user, status, &json, &body);
    end_answer(user, &json, &body);
}

void on_value(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct kanal_buffer body = { 0 }, hex = { 0 };
    struct kanal_json json;
    begin_answer(user, status, &json, &body);
    kanal_json_member_int(&json, "size", (int64_t)value.len);
    if (value.len < 65536) {
        kanal_hex_encode(&hex, value);
        kanal_json_member_str(&json, "hex", kanal_buffer_view(&hex));
        kanal_json_member_str(&json, "value", value);
    }
    kanal_json_member_int(&json, "revision", (int64_t)revision);
    end_answer(user, &json, &body);
    kanal_buffer_release(&hex);
}

void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    begin_answer(user, status, &json, &body);
    kanal_json_member_bool(&json, "response", response != NULL);
    if (response) {
        kanal_json_member_int(&json, "code", response->code);
        kanal_json_member_int(&json, "size", (int64_t)response->body.len);
        if (response->body.len < 65536)
            kanal_json_member_str(&json, "body", response->body);
    }
    end_answer(user, &json, &body);
}

/* ---- Arguments ---- */

kanal_str bytes_at(yyjson_val *object, const char *key, struct kanal_buffer *scratch)
{
    yyjson_val *value = kanal_json_at(object, key);
    if (!yyjson_is_obj(value))
        return kanal_json_text(value);
    kanal_buffer_clear(scratch);
    int64_t size = kanal_json_int_at(value, "size", -1);
    if (size < 0) {
        kanal_hex_decode(scratch, kanal_json_text_at(value, "hex"));
    } else {
        kanal_buffer_reserve(scratch, (size_t)size + 1);
        if (scratch->data)
            memset(scratch->data, 'x', (size_t)size);
        scratch->len = (size_t)size;
    }
    return kanal_buffer_view(scratch);
}

static uint64_t revision_at(yyjson_val *arguments)
{
    yyjson_val *value = kanal_json_at(arguments, "revision");
    return yyjson_is_str(value) ? UINT64_MAX : (uint64_t)kanal_json_int_at(arguments, "revision", 0);
}

void draft_init(struct draft *d, yyjson_val *arguments)
{
    size_t index, max;
    yyjson_val *item;
    memset(d, 0, sizeof *d);
    kanal_http_request *r = &d->request;
    r->struct_size = (uint32_t)kanal_json_int_at(arguments, "struct_size", sizeof *r);
    r->timeout_ms = (uint32_t)kanal_json_int_at(arguments, "timeout_ms", 0);
    r->max_response = (uint32_t)kanal_json_int_at(arguments, "max_response", 0);
    r->method =
        kanal_json_at(arguments, "method") ? kanal_json_text_at(arguments, "method") : KANAL_LIT("POST");
    r->url = kanal_json_text_at(arguments, "url");
    r->body = bytes_at(arguments, "body", &d->scratch[0]);
    r->headers = d->headers;
    r->secrets = d->secrets;
    r->parts = d->parts;
    yyjson_val *list = kanal_json_at(arguments, "headers");
    if (list)
        yyjson_arr_foreach (list, index, max, item)
            d->headers[r->header_count++] = (kanal_field){ kanal_json_text(yyjson_arr_get(item, 0)),
                                                           kanal_json_text(yyjson_arr_get(item, 1)) };
    list = kanal_json_at(arguments, "secrets");
    if (list)
        yyjson_arr_foreach (list, index, max, item)
            d->secrets[r->secret_count++] =
                (kanal_secret_use){ .where = (uint32_t)kanal_json_int_at(item, "where", 0),
                                    .position = (uint32_t)kanal_json_int_at(item, "position", 0),
                                    .name = kanal_json_text_at(item, "name"),
                                    .prefix = kanal_json_text_at(item, "prefix"),
                                    .secret = kanal_json_text_at(item, "secret") };
    list = kanal_json_at(arguments, "parts");
    if (list)
        yyjson_arr_foreach (list, index, max, item)
            d->parts[r->part_count++] =
                (kanal_part){ .name = kanal_json_text_at(item, "name"),
                              .filename = kanal_json_text_at(item, "filename"),
                              .content_type = kanal_json_text_at(item, "content_type"),
                              .data = kanal_json_text_at(item, "data"),
                              .source_url = kanal_json_text_at(item, "source_url") };
}

void draft_release(struct draft *d)
{
    for (size_t i = 0; i < sizeof d->scratch / sizeof *d->scratch; i++)
        kanal_buffer_release(&d->scratch[i]);
}

static void cancel_if_told(struct call *call, yyjson_val *arguments)
{
    const kanal_host *host = call->base.channel->host;
    if (kanal_json_bool_at(arguments, "cancel")) {
        call->inside = 1;
        host->cancel(host, call->pending);
        host->cancel(host, call->pending);
        call->inside = 0;
    }
}

/* ---- The slots ---- */

static void slot_timer(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct call *call = call_new(channel, op);
    call_made(call, channel->host->timer(channel->host, (uint32_t)kanal_json_int_at(arguments, "delay_ms", 0),
                                         on_done, call));
    cancel_if_told(call, arguments);
}

static void on_one(void *user, kanal_status status)
{
    struct call *call = user;
    call->ok += status == KANAL_OK;
    call->busy += status == KANAL_E_BUSY;
    call->other += status != KANAL_OK && status != KANAL_E_BUSY;
    call->was_inside |= call->inside;
    if (--call->left > 0)
        return;
    char text[96];
    int n = snprintf(text, sizeof text, "{\"ok\":%lld,\"busy\":%lld,\"other\":%lld,\"inside\":%d}",
                     (long long)call->ok, (long long)call->busy, (long long)call->other, call->was_inside);
    respond_json(call->base.channel, call->op, 200, kanal_str_of(text, (size_t)n));
    pending_free(call);
}

static void slot_many_timers(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct call *call = call_new(channel, op);
    int64_t count = kanal_json_int_at(arguments, "count", 1);
    call->left = count;
    for (int64_t i = 0; i < count; i++)
        channel->host->timer(channel->host, 200, on_one, call);
    call->inside = 0;
}

static void slot_verify(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct kanal_buffer scratch[2] = { { 0 } };
    struct call *call = call_new(channel, op);
    call_made(call, channel->host->verify(channel->host, kanal_json_text_at(arguments, "secret"),
                                          kanal_json_text_at(arguments, "algorithm"),
                                          bytes_at(arguments, "data", &scratch[0]),
                                          bytes_at(arguments, "claimed", &scratch[1]), on_done, call));
    kanal_buffer_release(&scratch[0]);
    kanal_buffer_release(&scratch[1]);
}

static void slot_sign(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct kanal_buffer scratch = { 0 };
    struct call *call = call_new(channel, op);
    call_made(call, channel->host->sign(channel->host, kanal_json_text_at(arguments, "secret"),
                                        kanal_json_text_at(arguments, "algorithm"),
                                        bytes_at(arguments, "data", &scratch), on_value, call));
    kanal_buffer_release(&scratch);
}

static void slot_state_get(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct call *call = call_new(channel, op);
    call_made(call,
              channel->host->state_get(channel->host, kanal_json_text_at(arguments, "key"), on_value, call));
    cancel_if_told(call, arguments);
}

static void slot_state_put(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct kanal_buffer scratch = { 0 };
    struct call *call = call_new(channel, op);
    call_made(call, channel->host->state_put(channel->host, kanal_json_text_at(arguments, "key"),
                                             bytes_at(arguments, "value", &scratch), revision_at(arguments),
                                             on_value, call));
    cancel_if_told(call, arguments);
    kanal_buffer_release(&scratch);
}

static void slot_http_send(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct draft draft;
    struct call *call = call_new(channel, op);
    draft_init(&draft, arguments);
    call_made(call, channel->host->http_send(channel->host, op, &draft.request, on_response, call));
    cancel_if_told(call, arguments);
    draft_release(&draft);
}

#define EVENTS_MAX 300

static size_t read_events(yyjson_val *list, kanal_event *events, const kanal_event **pointers,
                          struct kanal_buffer *datas)
{
    size_t index, max, count = 0;
    yyjson_val *item;
    if (!list)
        return 0;
    yyjson_arr_foreach (list, index, max, item) {
        if (count == EVENTS_MAX)
            break;
        events[count] = (kanal_event){ .struct_size = (uint32_t)kanal_json_int_at(item, "struct_size",
                                                                                  sizeof(kanal_event)),
                                       .time_ms = kanal_json_int_at(item, "time_ms", 0),
                                       .type = kanal_json_text_at(item, "type"),
                                       .dedupe = kanal_json_text_at(item, "dedupe"),
                                       .external_id = kanal_json_text_at(item, "external_id"),
                                       .command_id = kanal_json_text_at(item, "command_id"),
                                       .address = kanal_json_text_at(item, "address"),
                                       .chat = kanal_json_text_at(item, "chat"),
                                       .data = bytes_at(item, "data", &datas[count]),
                                       .raw = bytes_at(item, "raw", &datas[EVENTS_MAX]) };
        pointers[count] = &events[count];
        count++;
    }
    return count;
}

/* {"batches":[[event …] …], "cause": "self" | "none" | "invented" | "answered", "respond": CODE}. With a cause the request is answered at once and
 * what the callbacks brought is noted. */
static void slot_publish(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    static kanal_event events[EVENTS_MAX];
    static const kanal_event *pointers[EVENTS_MAX];
    const kanal_host *host = channel->host;
    struct kanal_buffer *datas = calloc(EVENTS_MAX + 1, sizeof *datas);
    kanal_str cause = kanal_json_text_at(arguments, "cause");
    int code = (int)kanal_json_int_at(arguments, "respond", 0);
    kanal_op named = kanal_str_is(cause, "self") || kanal_str_is(cause, "answered") ? op
                     : kanal_str_is(cause, "invented")                              ? op + (UINT64_C(1) << 40)
                                                                                    : 0;
    size_t index, max;
    yyjson_val *batch, *batches = kanal_json_at(arguments, "batches");
    int first = kanal_str_is(cause, "answered") || kanal_json_bool_at(arguments, "respond_first");
    if (first)
        respond_json(channel, op, code ? code : 200, KANAL_LIT("{\"responded\":true}"));
    yyjson_arr_foreach (batches, index, max, batch) {
        size_t count = read_events(batch, events, pointers, datas);
        struct call *call = call_new(channel, op);
        call->quiet = code != 0 || first || index > 0;
        call_made(call, host->publish(host, named, pointers, count, on_done, call));
    }
    if (code && !first)
        respond_json(channel, op, code, KANAL_LIT("{\"responded\":true}"));
    for (size_t i = 0; i <= EVENTS_MAX; i++)
        kanal_buffer_release(&datas[i]);
    free(datas);
}

static void slot_notes(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)arguments;
    answer(channel, op, KANAL_OK,
           channel->notes.len > 0 ? kanal_buffer_view(&channel->notes) : KANAL_LIT(""));
    kanal_buffer_clear(&channel->notes);
}

/* An op number, given to another request or another channel's probe. */
static void slot_hold(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    char text[32];
    (void)arguments;
    int n = snprintf(text, sizeof text, "held %llu", (unsigned long long)op);
    channel->host->log(channel->host, op, KANAL_LOG_INFO, kanal_str_of(text, (size_t)n));
}

static void slot_answer_other(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    int64_t other = 0;
    kanal_str_int(kanal_json_text_at(arguments, "op"), &other);
    respond_json(channel, (kanal_op)other, 200, KANAL_LIT("{\"by\":\"another\"}"));
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void slot_respond(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct draft draft;
    draft_init(&draft, arguments);
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = (int32_t)kanal_json_int_at(arguments, "code", 200),
                                     .body = draft.request.body,
                                     .headers = draft.headers,
                                     .header_count = draft.request.header_count };
    for (int64_t i = kanal_json_int_at(arguments, "times", 1); i > 0; i--)
        channel->host->respond(channel->host, op, &response);
    draft_release(&draft);
}

static void *wake_thread(void *user)
{
    kanal_channel *channel = user;
    struct timespec pause = { .tv_nsec = 20000000 };
    nanosleep(&pause, NULL);
    for (int i = 0; i < 100; i++) {
        channel->host->log(channel->host, 0, KANAL_LOG_DEBUG, KANAL_LIT("from a thread"));
        channel->host->wake(channel->host);
    }
    return NULL;
}

static void slot_wake(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)arguments;
    channel->woken = call_new(channel, op);
    channel->woken->inside = 0;
    channel->wakes = 0;
    channel->has_thread = pthread_create(&channel->thread, NULL, wake_thread, channel) == 0;
}

static void slot_log(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct kanal_buffer scratch = { 0 };
    kanal_str text = bytes_at(arguments, "text", &scratch);
    for (int64_t i = kanal_json_int_at(arguments, "count", 1); i > 0; i--)
        channel->host->log(channel->host, op, (int32_t)kanal_json_int_at(arguments, "level", KANAL_LOG_INFO),
                           text);
    kanal_buffer_release(&scratch);
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void slot_metric(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    for (int64_t i = kanal_json_int_at(arguments, "series", 1); i > 0; i--) {
        char text[24];
        int n = snprintf(text, sizeof text, "v%lld", (long long)i);
        kanal_field label = { KANAL_LIT("kind"), kanal_str_of(text, (size_t)n) };
        channel->host->metric_add(channel->host, kanal_json_text_at(arguments, "name"), 1, &label, 1);
    }
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void slot_health(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    channel->host->health(channel->host, (kanal_status)kanal_json_int_at(arguments, "health", 0),
                          kanal_json_text_at(arguments, "reason"));
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void slot_blob_put(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct kanal_buffer scratch = { 0 };
    struct call *call = call_new(channel, op);
    call_made(call, channel->blobs->put(channel->host, kanal_json_text_at(arguments, "content_type"),
                                        kanal_json_text_at(arguments, "filename"),
                                        bytes_at(arguments, "data", &scratch), on_value, call));
    cancel_if_told(call, arguments);
    kanal_buffer_release(&scratch);
}

static void slot_blob_url(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    struct call *call = call_new(channel, op);
    call_made(call, channel->blobs->url(channel->host, kanal_json_text_at(arguments, "ref"), on_value, call));
}

static void slot_accept(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)arguments; /* this request asks for no WebSocket */
    channel->sockets->accept(channel->host, op, 0);
}

static void slot_instance(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    (void)arguments;
    answer(channel, op, channel->instance, kanal_buffer_view(&channel->public_url));
}

/* Holds the lane up for so long. */
static void slot_sleep(kanal_channel *channel, kanal_op op, yyjson_val *arguments)
{
    usleep((useconds_t)kanal_json_int_at(arguments, "ms", 0) * 1000);
    answer(channel, op, KANAL_OK, kanal_str_of(NULL, 0));
}

const struct slot probe_slots[] = {
    { "timer", slot_timer },
    { "many_timers", slot_many_timers },
    { "verify", slot_verify },
    { "sign", slot_sign },
    { "state_get", slot_state_get },
    { "state_put", slot_state_put },
    { "http_send", slot_http_send },
    { "publish", slot_publish },
    { "notes", slot_notes },
    { "hold", slot_hold },
    { "answer_other", slot_answer_other },
    { "respond", slot_respond },
    { "wake", slot_wake },
    { "log", slot_log },
    { "metric", slot_metric },
    { "health", slot_health },
    { "blob_put", slot_blob_put },
    { "blob_url", slot_blob_url },
    { "accept", slot_accept },
    { "instance", slot_instance },
    { "sleep", slot_sleep },
    { 0 },
};
