/* `kanal replay`, its events: those that are stored, those that are made now, what differs, and corrections. */
#include <stdio.h>
#include <stdlib.h>

#include "broker/topology.h"
#include "cli/replay_diff.h"
#include "cli/replay_inside.h"
#include "cli/request.h"
#include "kanal/sdk/base64.h"

#define STORED_MAX 500000u
#define AFTER_MS (5 * INT64_C(60000)) /* an event may be stored so long after its request */
#define VALUE_SHOWN 200
#define STORE_MS 5000

/* ---- What is stored ---- */

static int compare_ids(const void *a, const void *b)
{
    const struct replay_stored *x = a, *y = b;
    size_t len = x->id.len < y->id.len ? x->id.len : y->id.len;
    int order = len > 0 ? memcmp(x->id.ptr, y->id.ptr, len) : 0;
    return order != 0 ? order : (x->id.len > y->id.len) - (x->id.len < y->id.len);
}

static int on_stored(void *user, const struct replay_message *message)
{
    struct replay *r = user;
    if (r->stored_count >= STORED_MAX) {
        snprintf(r->reason, sizeof r->reason, "over %u events lie there: choose a shorter time", STORED_MAX);
        return CLI_FAILED;
    }
    if (r->stored_count == r->stored_room) {
        size_t room = r->stored_room ? 2 * r->stored_room : 1024;
        struct replay_stored *larger = realloc(r->stored, room * sizeof *larger);
        if (!larger)
            return CLI_FAILED;
        r->stored = larger;
        r->stored_room = room;
    }
    yyjson_doc *document = kanal_json_parse(message->payload);
    yyjson_val *event = yyjson_doc_get_root(document);
    if (document)
        r->stored[r->stored_count++] =
            (struct replay_stored){ .document = document,
                                    .id = kanal_json_text_at(event, "id"),
                                    .traceparent = kanal_json_text_at(event, "traceparent") };
    return CLI_OK;
}

int replay_load_stored(struct replay *r)
{
    static const char *const families[][2] = { { "EVENTS", "events" }, { "ACTIVITY", "activity" } };
    int code = CLI_OK;
    for (size_t i = 0; i < 2 && code == CLI_OK; i++) {
        char stream[64], filter[160];
        topology_stream_name(r->client.prefix, families[i][0], stream);
        snprintf(filter, sizeof filter, "%s.%s.%s.%s.>", r->client.prefix, families[i][1], r->channel->plugin,
                 r->channel->id);
        code = replay_stream(&r->client, stream, filter, r->from_ms, r->to_ms + AFTER_MS, on_stored, r,
                             r->reason);
    }
    if (r->stored_count > 0)
        qsort(r->stored, r->stored_count, sizeof *r->stored, compare_ids);
    return code;
}

void replay_release_stored(struct replay *r)
{
    for (size_t i = 0; i < r->stored_count; i++)
        yyjson_doc_free(r->stored[i].document);
    free(r->stored);
}

static struct replay_stored *find_stored(const struct replay *r, kanal_str id)
{
    struct replay_stored key = { .id = id };
    return r->stored_count > 0 ? bsearch(&key, r->stored, r->stored_count, sizeof key, compare_ids) : NULL;
}

/* In the time that is looked at, or under the event's exact subject. own: to be freed, or NULL. */
static yyjson_val *find_event(struct replay *r, kanal_str id, yyjson_doc **ret_own)
{
    struct replay_stored *stored = find_stored(r, id);
    char stream[64], subject[512];
    *ret_own = NULL;
    if (stored) {
        stored->is_made = 1;
        return yyjson_doc_get_root(stored->document);
    }
    topology_stream_name(r->client.prefix, r->envelope.type->class == EVENT_ACTIVITY ? "ACTIVITY" : "EVENTS",
                         stream);
    snprintf(subject, sizeof subject, "%.*s", (int)r->envelope.subject.len, r->envelope.subject.data);
    *ret_own = replay_find(&r->client, stream, subject, id);
    return yyjson_doc_get_root(*ret_own);
}

/* ---- What is told ---- */

static void tell_value(yyjson_val *value)
{
    char *text = value ? yyjson_val_write(value, 0, NULL) : NULL;
    size_t len = text ? strlen(text) : 0;
    request_print(text ? kanal_str_of(text, len < VALUE_SHOWN ? len : VALUE_SHOWN) : KANAL_LIT("(absent)"));
    if (len > VALUE_SHOWN)
        printf("…");
    free(text);
}

static void tell_member(void *user, kanal_str pointer, yyjson_val *stored, yyjson_val *made)
{
    (void)user;
    printf("    ");
    request_print(pointer);
    printf(": ");
    tell_value(stored);
    printf(" -> ");
    tell_value(made);
    printf("\n");
}

static void tell(const struct replay *r, const char *what, yyjson_val *event, yyjson_val *stored)
{
    yyjson_val *one = event ? event : stored;
    if (r->with_json) {
        struct kanal_buffer line = { 0 };
        struct kanal_json json;
        kanal_json_init(&json, &line);
        kanal_json_object(&json);
        kanal_json_member_text(&json, "change", what);
        if (stored) {
            kanal_json_key(&json, "stored");
            kanal_json_value(&json, stored);
        }
        if (event) {
            kanal_json_key(&json, "event");
            kanal_json_value(&json, event);
        }
        kanal_json_object_end(&json);
        printf("%.*s\n", (int)line.len, line.data ? line.data : "");
        kanal_buffer_release(&line);
        return;
    }
    printf("%-7s  ", what);
    request_print(kanal_json_text_at(one, "type"));
    printf("  ");
    request_print(kanal_json_text_at(one, "id"));
    printf("  ");
    request_print(kanal_json_text_at(kanal_json_at(kanal_json_at(one, "data"), "customer"), "address"));
    printf("\n");
}

void replay_tell_gone(struct replay *r, kanal_str traceparent)
{
    for (size_t i = 0; i < r->stored_count && traceparent.len > 0; i++) {
        struct replay_stored *stored = &r->stored[i];
        yyjson_val *event = yyjson_doc_get_root(stored->document);
        if (stored->is_made || !kanal_str_equal(stored->traceparent, traceparent) ||
            kanal_json_at(event, "corrects"))
            continue;
        r->count.gone++;
        stored->is_made = 1; /* told once */
        tell(r, "gone", NULL, event);
    }
}

/* ---- What is published ---- */

static int publish(struct replay *r)
{
    char subject[512], id[64];
    jsCtx *js = NULL;
    jsPubAck *ack = NULL;
    jsPubOptions options;
    snprintf(subject, sizeof subject, "%.*s", (int)r->envelope.subject.len, r->envelope.subject.data);
    snprintf(id, sizeof id, "%s", r->envelope.id.text);
    natsStatus s = natsConnection_JetStream(&js, r->client.connection, NULL);
    if (s == NATS_OK)
        s = jsPubOptions_Init(&options);
    if (s == NATS_OK) {
        options.MsgId = id;
        options.MaxWait = STORE_MS;
        s = js_Publish(&ack, js, subject, r->envelope.json.data, (int)r->envelope.json.len, &options, NULL);
    }
    jsPubAck_Destroy(ack);
    jsCtx_Destroy(js);
    r->count.published += s == NATS_OK;
    if (s == NATS_OK)
        return CLI_OK;
    snprintf(r->reason, sizeof r->reason, "%s cannot be stored: %s", id, natsStatus_GetText(s));
    return CLI_FAILED;
}

/* The event again, said instead of the stored one: its id follows from what it says, so the same correction is one. 0 or a status. */
static int write_correction(struct replay *r, const struct envelope_source *source, const kanal_event *event,
                            kanal_str corrected)
{
    struct kanal_buffer text = { 0 }, dedupe = { 0 };
    struct id what;
    const kanal_str parts[] = { event->data, event->address, event->chat, event->external_id,
                                event->command_id };
    struct envelope_source correcting = *source;
    kanal_event again = *event;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        kanal_buffer_str(&text, parts[i]);
        kanal_buffer_byte(&text, '\0');
    }
    int status = ids_event(r->ids, source->channel, KANAL_LIT("correction"), kanal_buffer_view(&text), &what);
    kanal_buffer_str(&dedupe, corrected);
    kanal_buffer_byte(&dedupe, '#');
    kanal_buffer_text(&dedupe, what.text);
    again.dedupe = kanal_buffer_view(&dedupe);
    correcting.corrects = corrected;
    if (status == 0)
        status = envelope_write(&r->envelope, &r->context, &correcting, &again, client_unix_ms());
    kanal_buffer_release(&text);
    kanal_buffer_release(&dedupe);
    return status;
}

/* ---- One event ---- */

static void made_wrong(struct replay *r, const kanal_event *event)
{
    fprintf(stderr, "kanal replay: an event of type %.*s is refused: %s\n",
            (int)(event->type.len < 64 ? event->type.len : 64), event->type.ptr ? event->type.ptr : "",
            r->envelope.error ? r->envelope.error : "out of memory");
    r->count.refused++;
}

static void made_new(struct replay *r, int *ret_code)
{
    yyjson_doc *made = kanal_json_parse(kanal_buffer_view(&r->envelope.json));
    r->count.made_new++;
    tell(r, "new", yyjson_doc_get_root(made), NULL);
    yyjson_doc_free(made);
    *ret_code = r->is_publishing ? publish(r) : CLI_OK;
}

static void made_again(struct replay *r, const struct envelope_source *source, const kanal_event *event,
                       yyjson_val *stored, int *ret_code)
{
    yyjson_doc *made = kanal_json_parse(kanal_buffer_view(&r->envelope.json)), *own = NULL;
    yyjson_val *now = yyjson_doc_get_root(made);
    kanal_str id = kanal_json_text_at(stored, "id");
    int is_same = replay_diff(stored, now, event->time_ms > 0, NULL, NULL) == 0;
    if (!is_same && write_correction(r, source, event, id) != 0) {
        made_wrong(r, event);
    } else if (is_same || find_event(r, kanal_str_of(r->envelope.id.text, ID_LEN), &own)) {
        r->count.same++; /* or it was corrected so before */
    } else {
        r->count.changed++;
        tell(r, "changed", now, stored);
        if (!r->with_json)
            replay_diff(stored, now, event->time_ms > 0, tell_member, NULL);
        if (r->is_publishing)
            *ret_code = publish(r);
    }
    yyjson_doc_free(own);
    yyjson_doc_free(made);
}

int replay_made(struct replay *r, yyjson_val *said)
{
    struct kanal_buffer dedupe = { 0 };
    size_t len = 0;
    char *data = yyjson_val_write(kanal_json_at(said, "data"), 0, &len);
    int code = CLI_OK;
    struct envelope_source source = { .channel = kanal_str_c(r->channel->id),
                                      .plugin = kanal_str_c(r->channel->plugin),
                                      .traceparent = r->traceparent };
    (void)kanal_base64_decode(&dedupe, kanal_json_text_at(said, "dedupe"), 0);
    kanal_event event = { .struct_size = sizeof event,
                          .time_ms = kanal_json_int_at(said, "time_ms", 0),
                          .type = kanal_json_text_at(said, "type"),
                          .dedupe = kanal_buffer_view(&dedupe),
                          .external_id = kanal_json_text_at(said, "external_id"),
                          .command_id = kanal_json_text_at(said, "command_id"),
                          .address = kanal_json_text_at(said, "address"),
                          .chat = kanal_json_text_at(said, "chat"),
                          .data = kanal_str_of(data, len) };
    yyjson_doc *own = NULL;
    if (envelope_write(&r->envelope, &r->context, &source, &event, client_unix_ms()) != 0) {
        made_wrong(r, &event);
    } else if (r->envelope.type->class != EVENT_LIVE) { /* nobody keeps those */
        yyjson_val *stored = find_event(r, kanal_str_of(r->envelope.id.text, ID_LEN), &own);
        if (stored)
            made_again(r, &source, &event, stored, &code);
        else
            made_new(r, &code);
    }
    yyjson_doc_free(own);
    free(data);
    kanal_buffer_release(&dedupe);
    return code;
}
