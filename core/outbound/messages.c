#include "outbound/messages.h"

#include <stdio.h>

#include "broker/kv.h"
#include "host/publisher.h"
#include "outbound/cancel.h"
#include "outbound/history.h"
#include "outbound/ledger.h"
#include "outbound/routing.h"

#define STORE_TIMEOUT_MS 5000u
#define CANCEL_TRIES 12u
#define CANCEL_AGAIN_MS 250u

/* A request under way. */
struct request {
    struct request *next, **link; /* of all */
    struct outbound *outbound;
    message_answer_fn *fn;
    void *user;
    struct kanal_buffer subject, payload;
    struct command command; /* of send */
    struct id key;
    char id[129];
    uv_timer_t *timer; /* of cancel */
    uint32_t tries;
};

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle);
}

static void request_free(struct request *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    if (r->timer)
        uv_close((uv_handle_t *)r->timer, on_timer_closed);
    yyjson_doc_free(r->command.document);
    kanal_buffer_release(&r->command.address);
    kanal_buffer_release(&r->command.detail);
    kanal_buffer_release(&r->subject);
    kanal_buffer_release(&r->payload);
    free(r);
}

static void answer(struct request *r, int status, const char *code, kanal_str detail_or_body)
{
    struct message_answer answer = { .status = status, .code = code };
    if (status == 200)
        answer.body = detail_or_body;
    else
        answer.detail = detail_or_body;
    r->fn(r->user, &answer);
    request_free(r);
}

static void answer_unavailable(struct request *r)
{
    answer(r, 503, "unavailable",
           KANAL_LIT("the broker cannot be asked now; with the same id it is safe to try again"));
}

static struct request *request_new(struct outbound *o, message_answer_fn *fn, void *user)
{
    struct request *r = calloc(1, sizeof *r);
    if (!r) {
        struct message_answer busy = { .status = 503,
                                       .code = "unavailable",
                                       .detail = KANAL_LIT("out of memory") };
        fn(user, &busy);
        return NULL;
    }
    r->outbound = o;
    r->fn = fn;
    r->user = user;
    r->next = o->requests;
    if (r->next)
        r->next->link = &r->next;
    r->link = &o->requests;
    o->requests = r;
    return r;
}

void messages_free_all(struct outbound *o)
{
    for (struct request *r = o->requests, *next; r; r = next) {
        next = r->next;
        request_free(r);
    }
}

static void ledger_name(const struct request *r, char ret_name[ID_LEN + 3])
{
    snprintf(ret_name, ID_LEN + 3, "c.%s", r->key.text + 2);
}

/* ---- Sending ---- */

static void answer_stored(struct request *r, kanal_str id, kanal_str channel, int is_duplicate)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "id", id);
    kanal_json_member_bool(&json, "duplicate", is_duplicate);
    if (channel.len > 0)
        kanal_json_member_str(&json, "channel", channel);
    kanal_json_object_end(&json);
    answer(r, 200, NULL, kanal_buffer_view(&body));
    kanal_buffer_release(&body);
}

static void on_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct request *r = user;
    (void)reason;
    if (status == KANAL_OK)
        answer_stored(r, r->command.report.command_id, r->command.channel->id, ack->duplicate);
    else
        answer_unavailable(r);
}

static void on_looked_up(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct request *r = user;
    struct command *c = &r->command;
    (void)revision;
    if (status == KANAL_OK) {
        yyjson_doc *doc = kanal_json_parse(value);
        answer_stored(r, c->report.command_id, kanal_json_text_at(yyjson_doc_get_root(doc), "channel"), 1);
        yyjson_doc_free(doc);
        return;
    }
    if (status != KANAL_E_NOT_FOUND) {
        answer_unavailable(r);
        return;
    }
    struct broker_out out = { .subject = c->subject, .payload = c->payload };
    js_publish(r->outbound->broker, &out, kanal_str_c(r->key.text), JS_ANY_SEQUENCE, STORE_TIMEOUT_MS,
               on_stored, r);
}

/* The channel that the command names, if it is one alone; else `any`. */
static kanal_str channel_of(yyjson_val *command)
{
    yyjson_val *route = kanal_json_at(command, "route"), *to = kanal_json_at(command, "to");
    yyjson_val *steps = kanal_json_at(route, "steps"), *prefer = kanal_json_at(route, "prefer");
    kanal_str named = kanal_json_text_at(yyjson_arr_get_first(steps), "channel");
    if (named.len == 0)
        named = kanal_json_text(yyjson_arr_get_first(prefer));
    int is_one = yyjson_arr_size(steps) + yyjson_arr_size(prefer) == 1 && !kanal_json_at(route, "exclude");
    int is_open = kanal_json_at(to, "customer") || kanal_json_at(to, "conversation");
    if (!is_one || is_open || kanal_str_is(named, "last") || kanal_str_is(named, "preferred"))
        return KANAL_LIT("any");
    return named;
}

static void refuse(struct request *r)
{
    const struct report *report = &r->command.report;
    int missing = strcmp(report->code, "channel_unknown") == 0 ||
                  strcmp(report->code, "customer_unknown") == 0 ||
                  strcmp(report->code, "recipient_unknown") == 0;
    answer(r, missing ? 404 : 400, report->code, report->detail);
}

static void look_up(struct request *r)
{
    struct command *c = &r->command;
    char name[ID_LEN + 3];
    ledger_command_key(r->outbound, c->channel ? c->channel->id : (kanal_str){ 0 }, c->verb,
                       c->report.command_id, (kanal_str){ 0 }, &r->key);
    ledger_name(r, name);
    kv_get(r->outbound->broker, r->outbound->host->names.sent, kanal_str_c(name), on_looked_up, r);
}

/* Where it would go now; intake asks once more when it takes it. */
static void on_routed(void *user, kanal_status status, struct routing *routing)
{
    struct request *r = user;
    struct command *c = &r->command;
    if (status != KANAL_OK) {
        answer_unavailable(r);
    } else if (routing->plan.chosen < 0) {
        routing_refusal(routing, c);
        refuse(r);
    } else {
        c->channel = host_find(r->outbound->host, routing->plan.choices[routing->plan.chosen].place->channel);
        look_up(r);
    }
    routing_free(routing);
}

void messages_send(struct outbound *o, kanal_str text, message_answer_fn *fn, void *user)
{
    struct request *r = request_new(o, fn, user);
    if (!r)
        return;
    struct command *c = &r->command;
    yyjson_doc *doc = kanal_json_parse(text);
    kanal_buffer_text(&r->subject, o->prefix);
    kanal_buffer_text(&r->subject, ".commands.");
    kanal_buffer_str(&r->subject, channel_of(yyjson_doc_get_root(doc)));
    kanal_buffer_text(&r->subject, ".message.send");
    yyjson_doc_free(doc);
    kanal_buffer_str(&r->payload, text);
    c->subject = kanal_buffer_view(&r->subject);
    c->payload = kanal_buffer_view(&r->payload);
    if (!o->contract) {
        answer_unavailable(r);
        return;
    }
    command_examine(o, c);
    if (c->report.code) {
        refuse(r);
        return;
    }
    if (!c->is_routed) {
        look_up(r);
        return;
    }
    struct route_past past = { .from = 1 };
    struct routing_question question = routing_question_of(c, &past);
    routing_ask(o, &question, on_routed, r);
}

/* ---- Looking ---- */

static void answer_state(struct request *r, const struct history *history)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, "message");
    history_write(history, &json);
    kanal_json_object_end(&json);
    answer(r, 200, NULL, kanal_buffer_view(&body));
    kanal_buffer_release(&body);
}

static void on_history(void *user, kanal_status status, const struct history *history)
{
    struct request *r = user;
    if (status == KANAL_E_NOT_FOUND)
        answer(r, 404, "not_found", KANAL_LIT("no message of that id was accepted, or it is past retention"));
    else if (status != KANAL_OK)
        answer_unavailable(r);
    else
        answer_state(r, history);
}

static void begin(struct request *r, kanal_str id)
{
    snprintf(r->id, sizeof r->id, "%.*s", (int)(id.len < 128 ? id.len : 128), id.ptr);
    ledger_command_key(r->outbound, (kanal_str){ 0 }, KANAL_LIT("message.send"), id, (kanal_str){ 0 },
                       &r->key);
}

void messages_get(struct outbound *o, kanal_str id, message_answer_fn *fn, void *user)
{
    struct request *r = request_new(o, fn, user);
    if (!r)
        return;
    begin(r, id);
    history_read(o, kanal_str_c(r->id), &r->key, on_history, r);
}

/* ---- Calling back ---- */

static void on_outcome(void *user, kanal_status status, const struct history *history);

static void on_again(uv_timer_t *timer)
{
    struct request *r = timer->data;
    history_read(r->outbound, kanal_str_c(r->id), &r->key, on_outcome, r);
}

static void look_again(struct request *r)
{
    if (r->tries++ < CANCEL_TRIES)
        uv_timer_start(r->timer, on_again, CANCEL_AGAIN_MS, 0);
    else
        answer(
            r, 409, "conflict",
            KANAL_LIT("it is being sent, or waits for its recipient: it is called back if it has not left"));
}

/* After the call is stored: did it come in time? */
static void on_outcome(void *user, kanal_status status, const struct history *history)
{
    struct request *r = user;
    if (status != KANAL_OK)
        answer_unavailable(r);
    else if (kanal_str_is(history_state(history), "cancelled"))
        answer_state(r, history);
    else if (history_is_open(history))
        look_again(r);
    else
        answer(r, 409, "conflict", KANAL_LIT("it has left already, or was given up"));
}

static void on_called_back(void *user, kanal_status status)
{
    struct request *r = user;
    r->timer = status == KANAL_OK ? malloc(sizeof *r->timer) : NULL;
    if (!r->timer) {
        answer_unavailable(r);
        return;
    }
    uv_timer_init(r->outbound->host->loop, r->timer);
    r->timer->data = r;
    look_again(r);
}

/* What has left cannot be called back; but nothing follows it. */
static void on_stopped(void *user, kanal_status status)
{
    if (status == KANAL_OK)
        answer(user, 409, "conflict",
               KANAL_LIT("it has left already; no further step of its route is taken"));
    else
        answer_unavailable(user);
}

static void on_before_cancel(void *user, kanal_status status, const struct history *history)
{
    struct request *r = user;
    if (status != KANAL_OK)
        on_history(r, status, history);
    else if (kanal_str_is(history_state(history), "cancelled"))
        answer_state(r, history);
    else if (!history_is_open(history) && !history_may_go_on(history))
        answer(r, 409, "conflict", KANAL_LIT("it has left already, or was given up"));
    else
        cancels_add(r->outbound->cancels, r->key.text + 2,
                    history_is_open(history) ? on_called_back : on_stopped, r);
}

void messages_cancel(struct outbound *o, kanal_str id, message_answer_fn *fn, void *user)
{
    struct request *r = request_new(o, fn, user);
    if (!r)
        return;
    begin(r, id);
    history_read(o, kanal_str_c(r->id), &r->key, on_before_cancel, r);
}
