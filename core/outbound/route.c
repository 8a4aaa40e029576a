#include "outbound/route.h"

#include <stdio.h>

#include "broker/kv.h"
#include "kanal/sdk/time.h"
#include "outbound/cancel.h"
#include "outbound/history.h"
#include "outbound/ledger.h"

/* What a command that is routed has beside what every command has. */
struct intake_route {
    uint32_t step; /* that is to be taken; 0: the command needs no record, nothing could follow */
    struct id step_key, before_key;
    char channel[65];
    struct kanal_buffer payload;     /* for the lane */
    int64_t started_ms, deadline_ms; /* deadline_ms 0: none */
    const char *unless;              /* what is waited for until then */
    int is_settled;                  /* decided and stored */
    int is_refused;                  /* the first step: nothing could be found; the report says why */
    /* Of one that goes on: */
    yyjson_doc *due;    /* {"key", "step", "reason", "error"}; or NULL */
    yyjson_doc *record; /* r.<key> */
    uint64_t revision;
    struct kanal_buffer next_record;
    struct route_taken taken; /* borrows from record and due */
    char from[65];
    struct route_tried tried[ROUTE_STEP_MAX];
};

void route_free(struct intake_route *route)
{
    if (!route)
        return;
    kanal_buffer_release(&route->payload);
    kanal_buffer_release(&route->next_record);
    yyjson_doc_free(route->due);
    yyjson_doc_free(route->record);
    free(route);
}

uint32_t route_step(const struct intake *in)
{
    return in->route ? in->route->step : 0;
}

int route_is_due(const struct intake *in)
{
    return in->route && in->route->due && !in->route->is_settled;
}

const char *route_lane_id(const struct intake *in)
{
    return route_step(in) > 0 ? in->route->step_key.text : in->key.text;
}

static void record_name(const struct intake *in, const char *what, char ret_name[ID_LEN + 3])
{
    snprintf(ret_name, ID_LEN + 3, "%s.%s", what, in->key.text + 2);
}

/* 1: its lease was lost meanwhile, and it is gone. */
static int is_gone(struct intake *in)
{
    in->waiting--;
    if (!in->is_orphan)
        return 0;
    intake_free(in);
    return 1;
}

static void broker_failed(struct intake *in)
{
    intake_again(in);
    intake_advance(in->outbound);
}

/* ---- For the lane ---- */

/* What only the router and the first channel understand stays behind: ids of a provider's messages mean nothing on another channel. */
static int is_dropped(const struct intake *in, kanal_str name)
{
    int is_other = in->route->step > 1;
    return kanal_str_is(name, "route") ||
           (is_other && (kanal_str_is(name, "reply_to") || kanal_str_is(name, "thread")));
}

kanal_str route_payload(struct intake *in)
{
    struct kanal_buffer *out = &in->route->payload;
    struct kanal_json json;
    size_t index, max;
    yyjson_val *key, *value;
    kanal_buffer_clear(out);
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    yyjson_obj_foreach (in->command.root, index, max, key, value) {
        kanal_str name = kanal_json_text(key);
        if (is_dropped(in, name))
            continue;
        kanal_json_key_str(&json, name);
        if (!kanal_str_is(name, "to")) {
            kanal_json_value(&json, value);
            continue;
        }
        kanal_json_object(&json);
        kanal_json_member_str(&json, "address", in->command.report.address);
        kanal_json_object_end(&json);
    }
    kanal_json_object_end(&json);
    return kanal_buffer_view(out);
}

static void set_address(struct command *c, kanal_str address)
{
    if (address.ptr == c->address.data && address.len == c->address.len)
        return;
    kanal_buffer_clear(&c->address);
    kanal_buffer_str(&c->address, address);
    c->report.address = kanal_buffer_view(&c->address);
}

static const char *unless_word(kanal_str said)
{
    for (int i = ROUTE_UNLESS_SENT; i <= ROUTE_UNLESS_READ; i++)
        if (kanal_str_is(said, route_unless_name((enum route_unless)i)))
            return route_unless_name((enum route_unless)i);
    return route_unless_name(ROUTE_UNLESS_SENT);
}

/* The step is that one; what follows it is what the plan says follows. */
static void settle(struct intake *in, const struct route_choice *choice, const struct route_choice *next)
{
    struct intake_route *route = in->route;
    struct command *c = &in->command;
    c->channel = host_find(in->outbound->host, choice->place->channel);
    set_address(c, choice->place->address);
    snprintf(route->channel, sizeof route->channel, "%.*s", (int)choice->place->channel.len,
             choice->place->channel.ptr);
    route->step = choice->step;
    route->started_ms = host_now_ms();
    route->deadline_ms = next && next->after_ms >= 0 ? route->started_ms + next->after_ms : 0;
    route->unless = next ? route_unless_name(next->unless) : NULL;
    route_step_key(in->outbound, &in->key, route->step, &route->step_key);
}

/* The step is what a record says. */
static void restore(struct intake *in, const struct route_taken *taken)
{
    struct intake_route *route = in->route;
    set_address(&in->command, taken->address);
    route->step = taken->step;
    route->started_ms = taken->started_ms;
    route->deadline_ms = taken->deadline_ms;
    route->unless = taken->deadline_ms > 0 ? unless_word(taken->unless) : NULL;
    route_step_key(in->outbound, &in->key, taken->step, &route->step_key);
}

/* ---- The first step ---- */

/* Nothing could follow, and nothing was asked for but whether it may be sent. */
static int needs_record(const struct intake *in)
{
    yyjson_val *to = kanal_json_at(in->command.root, "to");
    return kanal_json_at(to, "customer") || kanal_json_at(in->command.root, "route");
}

static void ready(struct intake *in)
{
    in->route->is_settled = 1;
    in->state = IN_ACCEPTED;
}

/* A route of this command began before this gateway took it: it goes where that said, if it has not gone further. */
static void on_older_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct intake *in = user;
    struct route_taken taken;
    (void)revision;
    if (is_gone(in))
        return;
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    int is_first = doc && route_state_last(yyjson_doc_get_root(doc), &taken) == 0 && taken.cause == 0;
    if (status != KANAL_OK) {
        broker_failed(in);
    } else if (!is_first || !host_find(in->outbound->host, taken.channel)) {
        intake_end(in);
    } else {
        in->command.channel = host_find(in->outbound->host, taken.channel);
        restore(in, &taken);
        ready(in);
    }
    yyjson_doc_free(doc);
    intake_advance(in->outbound);
}

static void on_record_made(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct intake *in = user;
    char name[ID_LEN + 3];
    (void)value, (void)revision;
    if (status == KANAL_E_REJECTED && !in->is_orphan) {
        record_name(in, "r", name);
        kv_get(in->outbound->broker, in->outbound->host->names.sent, kanal_str_c(name), on_older_record, in);
        return;
    }
    if (is_gone(in))
        return;
    if (status != KANAL_OK) {
        broker_failed(in);
        return;
    }
    ready(in);
    intake_advance(in->outbound);
}

/* It goes now: its record first. */
static void make_record(struct intake *in)
{
    struct intake_route *route = in->route;
    char name[ID_LEN + 3];
    struct route_taken taken = { .step = route->step,
                                 .channel = in->command.channel->id,
                                 .address = in->command.report.address,
                                 .started_ms = route->started_ms,
                                 .deadline_ms = route->deadline_ms,
                                 .unless = kanal_str_c(route->unless) };
    kanal_buffer_clear(&route->next_record);
    route_state_write(&route->next_record, NULL, &in->command, &taken);
    record_name(in, "r", name);
    in->state = IN_ACCEPTING;
    in->waiting = 1;
    kv_put(in->outbound->broker, in->outbound->host->names.sent, kanal_str_c(name),
           kanal_buffer_view(&route->next_record), 0, on_record_made, in);
}

void route_accepted(struct intake *in)
{
    if (in->route->is_refused)
        intake_tell(in);
    else if (in->at_ms > host_now_ms() + SCHEDULE_MS)
        in->state = IN_ACCEPTED; /* it waits for its time, and is asked about again then */
    else if (in->route->step > 0)
        make_record(in);
    else
        ready(in);
}

static void on_routed(void *user, kanal_status status, struct routing *r)
{
    struct intake *in = user;
    if (in->is_orphan || status != KANAL_OK) {
        routing_free(r);
        if (!is_gone(in))
            broker_failed(in);
        return;
    }
    in->waiting--;
    in->command.report.code = NULL;
    in->route->is_refused = r->plan.chosen < 0;
    if (r->plan.chosen < 0) {
        routing_refusal(r, &in->command);
    } else {
        settle(in, &r->plan.choices[r->plan.chosen], route_plan_next(&r->plan));
        if (!needs_record(in))
            in->route->step = 0;
        if (in->at_ms < r->plan.not_before_ms)
            in->at_ms = r->plan.not_before_ms;
    }
    routing_free(r);
    if (in->scheduled) /* the ledger knows it */
        route_accepted(in);
    else
        intake_record(in);
    intake_advance(in->outbound);
}

/* Called back before it had a way: what is told of it lies where it was accepted. */
static void on_where(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct intake *in = user;
    (void)revision;
    if (is_gone(in))
        return;
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    in->command.channel = host_find(in->outbound->host, kanal_json_text_at(root, "channel"));
    set_address(&in->command, kanal_json_text_at(root, "address"));
    yyjson_doc_free(doc);
    if (status == KANAL_OK || status == KANAL_E_NOT_FOUND)
        intake_tell(in);
    else
        broker_failed(in);
}

void route_begin(struct intake *in)
{
    struct outbound *o = in->outbound;
    char name[ID_LEN + 3];
    if (!in->route)
        in->route = calloc(1, sizeof *in->route);
    if (!in->route) {
        intake_again(in);
        return;
    }
    in->state = IN_ROUTING;
    in->waiting = 1;
    if (cancels_have(o->cancels, in->key.text + 2)) {
        record_name(in, "c", name);
        kv_get(o->broker, o->host->names.sent, kanal_str_c(name), on_where, in);
        return;
    }
    struct route_past past = { .from = 1 };
    struct routing_question q = routing_question_of(&in->command, &past);
    routing_ask(o, &q, on_routed, in);
}

/* ---- Moving ---- */

static void tell_rerouted(struct intake *in)
{
    struct intake_route *route = in->route;
    struct report report = in->command.report;
    report.type = "message.rerouted";
    report.from = kanal_str_c(route->from);
    report.to = in->command.channel->id;
    report.step = route->step;
    report.reason = route->taken.reason.ptr;
    report.error = route->taken.error;
    in->waiting++;
    report_event(in->outbound, &in->command.channel->source, &report, intake_stored, in);
}

void route_move(struct intake *in)
{
    struct intake_route *route = in->route;
    struct outbound *o = in->outbound;
    if (!route || route->step == 0)
        return;
    if (route->due) {
        in->waiting++;
        cancels_add(o->cancels, route->before_key.text + 2, intake_stored, in);
        tell_rerouted(in);
    }
    if (route->deadline_ms == 0)
        return;
    struct schedule_step step = { .step = route->step, .reason = route->unless, .at_ms = route->deadline_ms };
    in->waiting++;
    schedule_route(o, in->key.text + 2, &step, intake_stored, in);
}

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
        intake_end(in);
        intake_advance(in->outbound);
        return;
    }
    report->code = yyjson_get_str(kanal_json_at(error, "code"));
    report->code = report->code ? report->code : "provider_error";
    report->scope = scope_of_name(yyjson_get_str(kanal_json_at(error, "scope")));
    report->provider_code = kanal_json_text_at(error, "provider_code");
    report->provider_message = kanal_json_text_at(error, "provider_message");
    report->detail = kanal_json_text_at(error, "detail");
    report->step = in->route->taken.step;
    set_address(&in->command, in->route->taken.address);
    intake_tell(in);
}

static void on_record_changed(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct intake *in = user;
    (void)value, (void)revision;
    if (is_gone(in))
        return;
    if (status != KANAL_OK) { /* also if somebody else has written: it is read again */
        broker_failed(in);
        return;
    }
    ready(in);
    intake_advance(in->outbound);
}

static void on_postponed(void *user, kanal_status status)
{
    struct intake *in = user;
    if (is_gone(in))
        return;
    if (status != KANAL_OK) {
        broker_failed(in);
        return;
    }
    intake_end(in);
    intake_advance(in->outbound);
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
    settle(in, &r->plan.choices[r->plan.chosen], route_plan_next(&r->plan));
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
    record_name(in, "r", name);
    in->waiting = 1;
    kv_put(o->broker, o->host->names.sent, kanal_str_c(name), kanal_buffer_view(&route->next_record),
           route->revision, on_record_changed, in);
}

static void on_rerouted(void *user, kanal_status status, struct routing *r)
{
    struct intake *in = user;
    if (in->is_orphan || status != KANAL_OK) {
        routing_free(r);
        if (!is_gone(in))
            broker_failed(in);
        return;
    }
    in->waiting--;
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
    if (is_gone(in))
        return;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        broker_failed(in);
    } else if (is_enough) {
        intake_end(in);
        intake_advance(in->outbound);
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
    restore(in, &route->taken);
    snprintf(route->from, sizeof route->from, "%.*s", (int)route->taken.from.len, route->taken.from.ptr);
    route_step_key(o, &in->key, (uint32_t)kanal_json_int_at(before, "step", 0), &route->before_key);
    in->is_again = 1;
    ready(in);
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
        set_address(c, route->taken.address);
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
    if (is_gone(in))
        return;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        broker_failed(in);
        return;
    }
    yyjson_doc_free(route->record);
    route->record = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    route->revision = revision;
    yyjson_val *record = yyjson_doc_get_root(route->record);
    if (route_state_last(record, &route->taken) != 0) { /* past retention */
        intake_end(in);
        intake_advance(in->outbound);
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
