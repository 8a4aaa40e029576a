#include "outbound/route_inside.h"

#include <stdio.h>

#include "broker/kv.h"
#include "kanal/sdk/time.h"
#include "outbound/cancel.h"
#include "outbound/history.h"
#include "outbound/ledger.h"

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

void route_record_name(const struct intake *in, const char *what, char ret_name[ID_LEN + 3])
{
    snprintf(ret_name, ID_LEN + 3, "%s.%s", what, in->key.text + 2);
}

int route_is_gone(struct intake *in)
{
    in->waiting--;
    if (!in->is_orphan)
        return 0;
    intake_free(in);
    return 1;
}

void route_again(struct intake *in)
{
    intake_again(in);
    intake_advance(in->outbound);
}

void route_end(struct intake *in)
{
    struct outbound *o = in->outbound;
    intake_end(in);
    intake_advance(o);
}

int route_is_answered(struct intake *in, kanal_status status, struct routing *r)
{
    if (!in->is_orphan && status == KANAL_OK) {
        in->waiting--;
        return 1;
    }
    routing_free(r);
    if (!route_is_gone(in))
        route_again(in);
    return 0;
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

void route_set_address(struct command *c, kanal_str address)
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
void route_settle(struct intake *in, const struct route_choice *choice, const struct route_choice *next)
{
    struct intake_route *route = in->route;
    struct command *c = &in->command;
    c->channel = host_find(in->outbound->host, choice->place->channel);
    route_set_address(c, choice->place->address);
    snprintf(route->channel, sizeof route->channel, "%.*s", (int)choice->place->channel.len,
             choice->place->channel.ptr);
    route->step = choice->step;
    route->started_ms = host_now_ms();
    route->deadline_ms = next && next->after_ms >= 0 ? route->started_ms + next->after_ms : 0;
    route->unless = next ? route_unless_name(next->unless) : NULL;
    route_step_key(in->outbound, &in->key, route->step, &route->step_key);
}

/* The step is what a record says. */
void route_restore(struct intake *in, const struct route_taken *taken)
{
    struct intake_route *route = in->route;
    route_set_address(&in->command, taken->address);
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

void route_ready(struct intake *in)
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
    if (route_is_gone(in))
        return;
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    int is_first = doc && route_state_last(yyjson_doc_get_root(doc), &taken) == 0 && taken.cause == 0;
    if (status != KANAL_OK) {
        route_again(in);
    } else if (!is_first || !host_find(in->outbound->host, taken.channel)) {
        route_end(in);
    } else {
        in->command.channel = host_find(in->outbound->host, taken.channel);
        route_restore(in, &taken);
        route_ready(in);
        intake_advance(in->outbound);
    }
    yyjson_doc_free(doc);
}

static void on_record_made(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct intake *in = user;
    char name[ID_LEN + 3];
    (void)value, (void)revision;
    if (status == KANAL_E_REJECTED && !in->is_orphan) {
        route_record_name(in, "r", name);
        kv_get(in->outbound->broker, in->outbound->host->names.sent, kanal_str_c(name), on_older_record, in);
        return;
    }
    if (route_is_gone(in))
        return;
    if (status != KANAL_OK) {
        route_again(in);
        return;
    }
    route_ready(in);
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
    route_record_name(in, "r", name);
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
        route_ready(in);
}

static void on_routed(void *user, kanal_status status, struct routing *r)
{
    struct intake *in = user;
    struct outbound *o = in->outbound;
    if (!route_is_answered(in, status, r))
        return;
    in->command.report.code = NULL;
    in->route->is_refused = r->plan.chosen < 0;
    if (r->plan.chosen < 0) {
        routing_refusal(r, &in->command);
    } else {
        route_settle(in, &r->plan.choices[r->plan.chosen], route_plan_next(&r->plan));
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
    intake_advance(o);
}

/* Called back before it had a way: what is told of it lies where it was accepted. */
static void on_where(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct intake *in = user;
    (void)revision;
    if (route_is_gone(in))
        return;
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    in->command.channel = host_find(in->outbound->host, kanal_json_text_at(root, "channel"));
    route_set_address(&in->command, kanal_json_text_at(root, "address"));
    yyjson_doc_free(doc);
    if (status == KANAL_OK || status == KANAL_E_NOT_FOUND)
        intake_tell(in);
    else
        route_again(in);
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
        route_record_name(in, "c", name);
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
