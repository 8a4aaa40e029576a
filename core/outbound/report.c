/* What happened to a command, as events and as dead letters. */
#include "kanal/sdk/time.h"
#include "outbound/internal.h"

#define DEAD_TIMEOUT_MS 5000u
#define DEAD_PAYLOAD_MAX (64u * 1024)

const char *scope_name(int scope)
{
    return scope == KANAL_SCOPE_CHANNEL     ? "channel"
           : scope == KANAL_SCOPE_RECIPIENT ? "recipient"
                                            : "message";
}

int scope_of_name(const char *name)
{
    kanal_str text = kanal_str_c(name);
    return kanal_str_is(text, "channel")     ? KANAL_SCOPE_CHANNEL
           : kanal_str_is(text, "recipient") ? KANAL_SCOPE_RECIPIENT
                                             : KANAL_SCOPE_MESSAGE;
}

void replay_copy(kanal_str id, char ret_id[REPLAY_ID])
{
    ret_id[0] = '\0';
    if (id.len != ID_LEN || !kanal_str_starts(id, "e_"))
        return;
    for (size_t i = 2; i < id.len; i++)
        if (!((id.ptr[i] >= 'a' && id.ptr[i] <= 'z') || (id.ptr[i] >= '2' && id.ptr[i] <= '7')))
            return;
    memcpy(ret_id, id.ptr, id.len);
    ret_id[id.len] = '\0';
}

void replay_read(const struct broker_in *in, char ret_id[REPLAY_ID])
{
    replay_copy(broker_in_header(in, REPLAY_HEADER), ret_id);
}

void replay_append(struct kanal_buffer *out, kanal_str replay)
{
    if (replay.len == 0)
        return;
    kanal_buffer_byte(out, '#');
    kanal_buffer_str(out, replay);
}

static void member_nonempty(struct kanal_json *json, const char *key, kanal_str value, size_t max)
{
    kanal_json_member_nonempty(json, key, kanal_str_of(value.ptr, value.len < max ? value.len : max));
}

void report_error(struct kanal_json *json, const struct report *report)
{
    kanal_json_object(json);
    kanal_json_member_text(json, "code", report->code);
    kanal_json_member_text(json, "scope", scope_name(report->scope));
    member_nonempty(json, "provider_code", report->provider_code, 128);
    member_nonempty(json, "provider_message", report->provider_message, 1024);
    member_nonempty(json, "detail", report->detail, 1024);
    kanal_json_object_end(json);
}

static void copy_member(struct kanal_json *json, yyjson_val *object, const char *key)
{
    yyjson_val *value = kanal_json_at(object, key);
    if (!value)
        return;
    kanal_json_key(json, key);
    kanal_json_value(json, value);
}

static void write_message(struct kanal_json *json, const struct report *report)
{
    static const char *const accepted[] = {
        "content", "class", "purpose", "reply_to", "at", "expires", NULL
    };
    kanal_json_key(json, "message");
    kanal_json_object(json);
    member_nonempty(json, "reference", report->reference, 256);
    if (report->part > 0) {
        kanal_json_member_int(json, "part", report->part);
        kanal_json_member_int(json, "parts", report->parts);
    }
    for (const char *const *key = accepted; report->command && *key; key++)
        copy_member(json, report->command, *key);
    kanal_json_object_end(json);
}

static void write_attempt(struct kanal_json *json, const struct report *report)
{
    if (report->attempt == 0 && report->step == 0)
        return;
    kanal_json_key(json, "attempt");
    kanal_json_object(json);
    if (report->attempt > 0)
        kanal_json_member_int(json, "number", report->attempt);
    if (report->step > 0)
        kanal_json_member_int(json, "step", report->step);
    if (report->is_abandoned)
        kanal_json_member_bool(json, "abandoned", 1);
    kanal_json_object_end(json);
}

static void write_rerouted(struct kanal_json *json, const struct report *report)
{
    kanal_json_key(json, "rerouted");
    kanal_json_object(json);
    kanal_json_member_str(json, "from", report->from);
    kanal_json_member_str(json, "to", report->to);
    kanal_json_member_int(json, "step", report->step);
    kanal_json_member_text(json, "reason", report->reason);
    if (report->error) {
        kanal_json_key(json, "error");
        kanal_json_value(json, report->error);
    }
    kanal_json_object_end(json);
}

static void write_data(const struct report *report, struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    write_message(&json, report);
    write_attempt(&json, report);
    if (report->to.len > 0)
        write_rerouted(&json, report);
    if (report->code) {
        kanal_json_key(&json, "error");
        report_error(&json, report);
    }
    if (report->next)
        kanal_json_member_text(&json, "next", report->next);
    if (report->reason && report->to.len == 0)
        kanal_json_member_text(&json, "reason", report->reason);
    member_nonempty(&json, "expires", report->expires, 64);
    if (report->command)
        copy_member(&json, report->command, "to");
    if (report->agent) {
        kanal_json_key(&json, "agent");
        kanal_json_value(&json, report->agent);
    }
    kanal_json_object_end(&json);
}

void report_trace(struct outbound *o, const struct report *report, struct trace *ret_trace)
{
    if (trace_read(report->traceparent, ret_trace) == 0)
        return;
    if (report->command_id.len > 0)
        trace_of_command(o->host->envelope.ids, report->command_id, ret_trace);
    else
        trace_begin(&o->host->traces, ret_trace);
}

void report_event(struct outbound *o, const struct envelope_source *source, const struct report *report,
                  published_fn *done, void *user)
{
    struct kanal_buffer data = { 0 }, dedupe = { 0 };
    write_data(report, &data);
    /* One fact a command, step and part; of a retry's outcome the attempt too. */
    kanal_buffer_str(&dedupe, report->command_id);
    kanal_buffer_byte(&dedupe, '#');
    kanal_buffer_uint(&dedupe, report->part);
    if (report->step > 1) {
        kanal_buffer_byte(&dedupe, '~');
        kanal_buffer_uint(&dedupe, report->step);
    }
    if (report->next) {
        kanal_buffer_byte(&dedupe, '#');
        kanal_buffer_uint(&dedupe, report->attempt);
    }
    replay_append(&dedupe, report->replay);
    struct envelope_source core = *source;
    core.is_core = 1;
    struct trace trace;
    report_trace(o, report, &trace);
    core.traceparent = kanal_str_c(trace.text);
    kanal_event event = { .struct_size = sizeof event,
                          .type = kanal_str_c(report->type),
                          .dedupe = kanal_buffer_view(&dedupe),
                          .external_id = report->external_id,
                          .command_id = report->command_id,
                          .address = report->address,
                          .chat = report->chat,
                          .data = kanal_buffer_view(&data) };
    const kanal_event *events[] = { &event };
    publisher_publish(o->host->publisher, &core, events, 1, 0, done, user);
    kanal_buffer_release(&data);
    kanal_buffer_release(&dedupe);
}

static void write_dead(const struct dead_letter *dead, const struct id *id, const struct trace *trace,
                       struct kanal_buffer *out)
{
    struct kanal_json json;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "id", id->text);
    kanal_json_member_time(&json, "time", host_now_ms());
    member_nonempty(&json, "channel", dead->channel, 64);
    kanal_json_member_str(&json, "subject", dead->subject);
    member_nonempty(&json, "verb", dead->verb, 64);
    member_nonempty(&json, "command_id", dead->report->command_id, 256);
    if (dead->report->part > 0)
        kanal_json_member_int(&json, "part", dead->report->part);
    kanal_json_member_int(&json, "attempts", dead->attempts);
    kanal_json_key(&json, "error");
    report_error(&json, dead->report);
    kanal_json_member_text(&json, "traceparent", trace->text);
    if (dead->command) {
        kanal_json_key(&json, "command");
        kanal_json_value(&json, dead->command);
    } else {
        kanal_json_member_str(
            &json, "payload",
            kanal_str_of(dead->payload.ptr ? dead->payload.ptr : "",
                         dead->payload.len < DEAD_PAYLOAD_MAX ? dead->payload.len : DEAD_PAYLOAD_MAX));
        kanal_json_member_int(&json, "size", (int64_t)dead->payload.len);
    }
    kanal_json_object_end(&json);
}

struct dead_done {
    published_fn *done;
    void *user;
};

static void on_dead(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct dead_done *d = user;
    (void)ack;
    (void)reason;
    d->done(d->user, status);
    free(d);
}

void report_dead(struct outbound *o, const struct dead_letter *dead, published_fn *done, void *user)
{
    struct kanal_buffer subject = { 0 }, payload = { 0 }, key = { 0 };
    kanal_str channel = dead->channel.len > 0 ? dead->channel : KANAL_LIT("_");
    struct id id;
    struct dead_done *d = malloc(sizeof *d);
    if (!d) {
        done(user, KANAL_E_BUSY);
        return;
    }
    *d = (struct dead_done){ done, user };
    kanal_buffer_str(&key, dead->report->command_id.len > 0 ? dead->report->command_id : dead->payload);
    kanal_buffer_byte(&key, '#');
    kanal_buffer_uint(&key, dead->report->part);
    replay_append(&key, dead->report->replay);
    ids_event(o->host->envelope.ids, channel, KANAL_LIT("dead"), kanal_buffer_view(&key), &id);
    kanal_buffer_text(&subject, o->prefix);
    kanal_buffer_text(&subject, ".dead.");
    kanal_buffer_str(&subject, channel);
    struct trace trace;
    report_trace(o, dead->report, &trace);
    write_dead(dead, &id, &trace, &payload);
    kanal_str values[] = { channel, kanal_str_c(dead->report->code) };
    metric_series(o->dead, values)->value++;
    struct broker_out out = { .subject = kanal_buffer_view(&subject),
                              .payload = kanal_buffer_view(&payload) };
    js_publish(o->broker, &out, kanal_str_c(id.text), JS_ANY_SEQUENCE, DEAD_TIMEOUT_MS, on_dead, d);
    kanal_buffer_release(&subject);
    kanal_buffer_release(&payload);
    kanal_buffer_release(&key);
}
