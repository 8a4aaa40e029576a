/* A route goes on: from its record, what has happened, and what the plan says now. */
#include <stdio.h>

#include "broker/kv.h"
#include "kanal/sdk/time.h"
#include "outbound/cancel.h"
#include "outbound/history.h"
#include "outbound/route_inside.h"

/* ---- Going on ---- */

static int has_failed(const struct intake *in)
{
    yyjson_val *due = yyjson_doc_get_root(in->route->due);
    return kanal_str_is(kanal_json_text_at(due, "reason"), ROUTE_FAILED);
}

/* No step follows. Of one that has failed this is the end of the message; one that was only waited for is still under way. */
static void stop(struct intake *in)
{
    struct report *report = &in->command.report;
    yyjson_val *error = kanal_json_at(yyjson_doc_get_root(in->route->due), "error");
    if (!has_failed(in)) {
        route_end(in);
        return;
    }
    report->code = yyjson_get_str(kanal_json_at(error, "code"));
    report->code = report->code ? report->code : "provider_error";
    report->scope = scope_of_name(yyjson_get_str(kanal_json_at(error, "scope")));
    report->provider_code = kanal_json_text_at(error, "provider_code");
    report->provider_message = kanal_json_text_at(error, "provider_message");
    report->detail = kanal_json_text_at(error, "detail");
    report->step = in->route->taken.step;
    route_set_address(&in->command, in->route->taken.address);
    intake_tell(in);
}

static void on_record_changed(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct intake *in = user;
    (void)value, (void)revision;
    if (route_is_gone(in))
        return;
    if (status != KANAL_OK) { /* also if somebody else has written: it is read again */
        route_again(in);
        return;
    }
    route_ready(in);
    intake_advance(in->outbound);
}

static void on_postponed(void *user, kanal_status status)
{
    struct intake *in = user;
    if (route_is_gone(in))
        return;
    if (status != KANAL_OK) {
        route_again(in);
        return;
    }
    route_end(in);
}

/* Quiet hours: the same thing happens when they are over. */
static void postpone(struct intake *in, int64_t at_ms)
{
    yyjson_val *due = yyjson_doc_get_root(in->route->due);
    struct kanal_buffer error = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &error);
    if (kanal_json_at(due, "error"))
        kanal_json_value(&json, kanal_json_at(due, "error"));
    struct schedule_step step = { .step = in->route->taken.step,
                                  .reason = yyjson_get_str(kanal_json_at(due, "reason")),
                                  .error = kanal_buffer_view(&error),
                                  .at_ms = at_ms };
    in->waiting = 1;
    schedule_route(in->outbound, in->key.text + 2, &step, on_postponed, in);
    kanal_buffer_release(&error);
}

static const char *reason_of(const struct intake *in)
{
    static const char *const not_so_far[] = { "not_sent", "not_delivered", "not_read" };
    kanal_str said = kanal_json_text_at(yyjson_doc_get_root(in->route->due), "reason");
    for (int i = ROUTE_UNLESS_SENT; i <= ROUTE_UNLESS_READ; i++)
        if (kanal_str_is(said, route_unless_name((enum route_unless)i)))
            return not_so_far[i];
    return ROUTE_FAILED;
}

static void take_step(struct intake *in, const struct routing *r)
{
    struct intake_route *route = in->route;
    struct outbound *o = in->outbound;
    char name[ID_LEN + 3];
    yyjson_val *record = yyjson_doc_get_root(route->record);
    snprintf(route->from, sizeof route->from, "%.*s", (int)route->taken.channel.len,
             route->taken.channel.ptr);
    route_step_key(o, &in->key, route->taken.step, &route->before_key);
    route_settle(in, &r->plan.choices[r->plan.chosen], route_plan_next(&r->plan));
    route->taken = (struct route_taken){ .step = route->step,
                                         .channel = in->command.channel->id,
                                         .address = in->command.report.address,
                                         .started_ms = route->started_ms,
                                         .deadline_ms = route->deadline_ms,
                                         .unless = kanal_str_c(route->unless),
                                         .from = kanal_str_c(route->from),
                                         .reason = kanal_str_c(reason_of(in)),
                                         .error = kanal_json_at(yyjson_doc_get_root(route->due), "error"),
                                         .cause = in->scheduled };
    kanal_buffer_clear(&route->next_record);
    route_state_write(&route->next_record, record, &in->command, &route->taken);
    route_record_name(in, "r", name);
    in->waiting = 1;
    kv_put(o->broker, o->host->names.sent, kanal_str_c(name), kanal_buffer_view(&route->next_record),
           route->revision, on_record_changed, in);
}

static void on_rerouted(void *user, kanal_status status, struct routing *r)
{
    struct intake *in = user;
    if (!route_is_answered(in, status, r))
        return;
    if (r->plan.chosen < 0)
        stop(in);
    else if (r->plan.not_before_ms > host_now_ms())
        postpone(in, r->plan.not_before_ms);
    else
        take_step(in, r);
    routing_free(r);
}

static void ask_next(struct intake *in)
{
    struct intake_route *route = in->route;
    struct route_past past = { .from = route->taken.step + 1, .tried = route->tried };
    past.tried_count = route_state_tried(yyjson_doc_get_root(route->record), route->tried);
    struct routing_question q = routing_question_of(&in->command, &past);
    in->waiting = 1;
    routing_ask(in->outbound, &q, on_rerouted, in);
}

/* The time is over: how far did the step come? */
static void on_progress(void *user, kanal_status status, const struct history *history)
{
    struct intake *in = user;
    kanal_str unless = kanal_json_text_at(yyjson_doc_get_root(in->route->due), "reason");
    int is_enough = status == KANAL_OK && history_step_reached(history, in->route->taken.step, unless);
    if (route_is_gone(in))
        return;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        route_again(in);
    } else if (is_enough) {
        route_end(in);
    } else {
        ask_next(in);
    }
}

/* It was decided by this very message, by somebody who did not live to do it all: done once more. */
static void redo(struct intake *in)
{
    struct intake_route *route = in->route;
    struct outbound *o = in->outbound;
    yyjson_val *steps = kanal_json_at(yyjson_doc_get_root(route->record), "steps");
    size_t count = yyjson_arr_size(steps);
    yyjson_val *before = count > 1 ? yyjson_arr_get(steps, count - 2) : NULL;
    in->command.channel = host_find(o->host, route->taken.channel);
    if (!in->command.channel) {
        intake_end(in);
        return;
    }
    route_restore(in, &route->taken);
    snprintf(route->from, sizeof route->from, "%.*s", (int)route->taken.from.len, route->taken.from.ptr);
    route_step_key(o, &in->key, (uint32_t)kanal_json_int_at(before, "step", 0), &route->before_key);
    in->is_again = 1;
    route_ready(in);
}

/* What stands in the record, and whether it is the time for the next step. */
static void go_on(struct intake *in)
{
    struct intake_route *route = in->route;
    struct outbound *o = in->outbound;
    struct command *c = &in->command;
    int64_t said = kanal_json_int_at(yyjson_doc_get_root(route->due), "step", 0);
    if (route->taken.step != (uint32_t)said) { /* over already, by this message or another */
        if (route->taken.cause == in->scheduled)
            redo(in);
        else
            intake_end(in);
        intake_advance(o);
        return;
    }
    int64_t expires_ms = 0;
    kanal_time_parse_rfc3339(kanal_json_text_at(c->root, "expires"), &expires_ms);
    int is_late = expires_ms > 0 && host_now_ms() >= expires_ms;
    c->channel = host_find(o->host, route->taken.channel);
    if (cancels_have(o->cancels, in->key.text + 2) && has_failed(in) && c->channel) {
        route_set_address(c, route->taken.address);
        intake_tell(in);
    } else if (is_late || c->report.code || cancels_have(o->cancels, in->key.text + 2)) {
        c->report.code = NULL;
        stop(in);
    } else if (has_failed(in)) {
        ask_next(in);
    } else {
        in->waiting = 1;
        history_read(o, c->report.command_id, &in->key, on_progress, in);
    }
}

static void on_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct intake *in = user;
    struct intake_route *route = in->route;
    struct command *c = &in->command;
    if (route_is_gone(in))
        return;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        route_again(in);
        return;
    }
    yyjson_doc_free(route->record);
    route->record = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    route->revision = revision;
    yyjson_val *record = yyjson_doc_get_root(route->record);
    if (route_state_last(record, &route->taken) != 0) { /* past retention */
        route_end(in);
        return;
    }
    kanal_str key = kanal_json_text_at(yyjson_doc_get_root(route->due), "key");
    if (!c->document) {
        struct kanal_json json;
        kanal_json_init(&json, &in->payload);
        kanal_json_value(&json, kanal_json_at(record, "command"));
        kanal_buffer_str(&in->subject, kanal_json_text_at(record, "subject"));
        intake_examine(in, kanal_json_text_at(record, "replay"));
        snprintf(in->key.text, sizeof in->key.text, "e_%.*s", (int)(key.len < 26 ? key.len : 26), key.ptr);
    }
    go_on(in);
}

void route_resume(struct intake *in)
{
    struct outbound *o = in->outbound;
    char name[ID_LEN + 3];
    kanal_str key = kanal_json_text_at(yyjson_doc_get_root(in->route->due), "key");
    snprintf(name, sizeof name, "r.%.*s", (int)(key.len < ID_LEN ? key.len : ID_LEN), key.ptr);
    in->state = IN_ROUTING;
    in->waiting = 1;
    kv_get(o->broker, o->host->names.sent, kanal_str_c(name), on_record, in);
}

int route_due(struct outbound *o, yyjson_val *route, uint64_t sequence)
{
    struct intake *in = intake_new(o);
    size_t length = 0;
    char *text = yyjson_val_write(route, 0, &length);
    if (in)
        in->route = calloc(1, sizeof *in->route);
    if (in && in->route && text)
        in->route->due = kanal_json_parse(kanal_str_of(text, length));
    free(text);
    if (!in || !in->route || !in->route->due) {
        if (in)
            intake_free(in);
        return KANAL_E_BUSY;
    }
    in->scheduled = sequence;
    intake_append(o, in);
    route_resume(in);
    return 0;
}
