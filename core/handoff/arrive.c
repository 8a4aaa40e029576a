#include "handoff/arrive.h"

#include <stdio.h>

#include "broker/kv.h"
#include "handoff/reference.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/str.h"

#define PAYLOAD_SHOWN 256u /* bytes, as the contract says */
#define TRIES_MAX 8u       /* the record changed under our hands */

struct arrivals {
    struct projection projection;
    struct host *host;
    char bucket[64];
    void (*link)(struct identity *, const struct identity_link *, identity_done_fn *, void *);
    struct identity *identity;
    struct profile_book *book;
    struct arrival *under_way;
    struct metric_family *counted; /* kanal_handoff_arrivals_total{channel,result} */
};

/* One event that brings a reference. */
struct arrival {
    struct arrival *next, **place;
    struct arrivals *arrivals;
    const struct projected *event;
    projected_fn *done;
    void *done_user;
    struct token_found token; /* its text points into the event */
    yyjson_doc *document;     /* the record; NULL: not read yet */
    yyjson_val *record;
    uint64_t revision;
    uint32_t tries;
};

static void look(struct arrival *a);

static void arrival_free(struct arrival *a)
{
    *a->place = a->next;
    if (a->next)
        a->next->place = a->place;
    yyjson_doc_free(a->document);
    free(a);
}

static void finish(struct arrival *a, kanal_status status)
{
    projected_fn *done = a->done;
    void *user = a->done_user;
    arrival_free(a);
    done(user, status);
}

static void count(const struct arrival *a, const char *result)
{
    kanal_str values[] = { a->event->channel, kanal_str_c(result) };
    metric_series(a->arrivals->counted, values)->value++;
}

/* ---- Saying ---- */

static void on_said(void *user, kanal_status status)
{
    struct arrival *a = user;
    int hopeless = status == KANAL_E_INVALID || status == KANAL_E_DENIED || status == KANAL_E_TOO_LARGE;
    if (hopeless) /* the publisher has logged which event, and why */
        log_write(a->arrivals->host->log, KANAL_LOG_ERROR, "handoff", NULL,
                  "what became of event %.*s could not be said (status %d)", (int)a->event->id.len,
                  a->event->id.ptr, status);
    finish(a, hopeless ? KANAL_OK : status);
}

/* Borrows from data and dedupe for the call. */
static void say(struct arrival *a, const char *type, kanal_str dedupe, const struct kanal_buffer *data,
                published_fn *said)
{
    const struct projected *e = a->event;
    struct envelope_source source = { .channel = e->channel,
                                      .plugin = e->plugin,
                                      .is_core = 1,
                                      .is_said_again = 1,
                                      .traceparent = kanal_json_text_at(e->root, "traceparent") };
    kanal_event event = { .struct_size = sizeof event,
                          .time_ms = e->time_ms,
                          .type = kanal_str_c(type),
                          .dedupe = dedupe,
                          .address = e->address,
                          .chat = kanal_json_text_at(kanal_json_at(e->data, "chat"), "id"),
                          .data = kanal_buffer_view(data) };
    const kanal_event *const events[] = { &event };
    if (data->failed)
        finish(a, KANAL_E_BUSY);
    else
        publisher_publish(a->arrivals->host->publisher, &source, events, 1, 0, said, a);
}

/* Who and where, as the arriving event says; the core adds the ids. */
static void write_place(struct kanal_json *json, const struct projected *e)
{
    static const char *const members[] = { "customer", "chat", NULL };
    for (const char *const *member = members; *member; member++) {
        if (!kanal_json_at(e->data, *member))
            continue;
        kanal_json_key(json, *member);
        kanal_json_value(json, kanal_json_at(e->data, *member));
    }
}

static kanal_str cut(kanal_str text, size_t most)
{
    while (text.len > most || (text.len > 0 && !kanal_str_utf8(text)))
        text.len = text.len > most ? most : text.len - 1;
    return text;
}

/* Both of an arrival's events bring the same wrong reference at the same time: said once. */
static void write_refusal_key(const struct arrival *a, struct kanal_buffer *out)
{
    kanal_buffer_text(out, "handoff refused ");
    kanal_buffer_text(out, a->event->node.text);
    kanal_buffer_byte(out, ' ');
    kanal_buffer_int(out, a->event->time_ms);
    kanal_buffer_byte(out, ' ');
    kanal_buffer_str(out, cut(a->token.text, PAYLOAD_SHOWN));
}

static void refuse(struct arrival *a, const char *reason)
{
    struct kanal_buffer data = { 0 }, dedupe = { 0 };
    struct kanal_json json;
    count(a, reason);
    write_refusal_key(a, &dedupe);
    kanal_json_init(&json, &data);
    kanal_json_object(&json);
    write_place(&json, a->event);
    kanal_json_key(&json, "refusal");
    kanal_json_object(&json);
    kanal_json_member_nonempty(&json, "link", kanal_str_c(a->token.link.text));
    kanal_json_member_text(&json, "reason", reason);
    kanal_json_member_str(&json, "payload", cut(a->token.text, PAYLOAD_SHOWN));
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    say(a, "link.refused", kanal_buffer_view(&dedupe), &data, on_said);
    kanal_buffer_release(&data);
    kanal_buffer_release(&dedupe);
}

/* ---- The customer is there ---- */

static int is_single_use(const struct arrival *a)
{
    return kanal_json_bool_at(a->record, "single_use");
}

/* Names that all is done, so that the event told again says nothing. If it fails, it will say the same once more, and the stream knows it. */
static void on_done_noted(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    (void)status, (void)value, (void)revision;
    finish(user, KANAL_OK);
}

static void put_record(struct arrival *a, const char *state, kv_value_fn *fn)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    size_t index, max;
    yyjson_val *key, *value;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    yyjson_obj_foreach (a->record, index, max, key, value) {
        if (kanal_str_is(kanal_json_text(key), "used"))
            continue;
        kanal_json_key_str(&json, kanal_json_text(key));
        kanal_json_value(&json, value);
    }
    kanal_json_key(&json, "used");
    kanal_json_object(&json);
    kanal_json_member_str(&json, "event", a->event->id);
    kanal_json_member_text(&json, "node", a->event->node.text);
    kanal_json_member_int(&json, "time", a->event->time_ms);
    kanal_json_member_text(&json, "state", state);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    if (text.failed)
        fn(a, KANAL_E_BUSY, (kanal_str){ 0 }, 0);
    else
        kv_put(a->arrivals->host->broker, a->arrivals->bucket, kanal_str_of(a->token.link.text, ID_LEN),
               kanal_buffer_view(&text), a->revision, fn, a);
    kanal_buffer_release(&text);
}

static void on_started(void *user, kanal_status status)
{
    struct arrival *a = user;
    if (status == KANAL_OK && is_single_use(a))
        put_record(a, "done", on_done_noted);
    else
        on_said(a, status);
}

static void write_referral(struct kanal_json *json, const struct arrival *a)
{
    yyjson_val *referral = kanal_json_at(a->event->data, "referral"), *key, *value;
    size_t index, max;
    kanal_json_key(json, "referral");
    kanal_json_object(json);
    if (yyjson_is_obj(referral)) {
        yyjson_obj_foreach (referral, index, max, key, value) {
            kanal_json_key_str(json, kanal_json_text(key));
            kanal_json_value(json, value);
        }
    }
    if (!kanal_json_at(referral, "payload"))
        kanal_json_member_str(json, "payload", a->token.text);
    if (!kanal_json_at(referral, "kind"))
        kanal_json_member_text(json, "kind", "link");
    kanal_json_member_text(json, "link", a->token.link.text);
    kanal_json_object_end(json);
}

static void write_conversation(struct kanal_json *json, const struct arrival *a)
{
    kanal_str id = kanal_json_text_at(a->record, "conversation");
    if (id.len == 0)
        return;
    kanal_json_key(json, "conversation");
    kanal_json_object(json);
    kanal_json_member_str(json, "id", id);
    kanal_json_member_text(json, "state", "open");
    kanal_json_member_nonempty(json, "reference", kanal_json_text_at(a->record, "reference"));
    kanal_json_object_end(json);
}

/* A link of one use starts one conversation; of a poster's, each arrival does. */
static void write_start_key(const struct arrival *a, struct kanal_buffer *out)
{
    kanal_buffer_text(out, "handoff ");
    kanal_buffer_text(out, a->token.link.text);
    if (is_single_use(a))
        return;
    kanal_buffer_byte(out, ' ');
    kanal_buffer_text(out, a->event->node.text);
    kanal_buffer_byte(out, ' ');
    kanal_buffer_int(out, a->event->time_ms);
}

static void start(struct arrival *a)
{
    struct kanal_buffer data = { 0 }, dedupe = { 0 };
    struct kanal_json json;
    yyjson_val *context = kanal_json_at(a->record, "context");
    count(a, "arrived");
    write_start_key(a, &dedupe);
    kanal_json_init(&json, &data);
    kanal_json_object(&json);
    write_place(&json, a->event);
    write_conversation(&json, a);
    write_referral(&json, a);
    kanal_json_key(&json, "context");
    if (context)
        kanal_json_value(&json, context);
    else
        kanal_json_raw(&json, KANAL_LIT("{}"));
    if (kanal_json_at(a->event->data, "first"))
        kanal_json_member_bool(&json, "first", kanal_json_bool_at(a->event->data, "first"));
    kanal_json_object_end(&json);
    say(a, "conversation.started", kanal_buffer_view(&dedupe), &data, on_started);
    kanal_buffer_release(&data);
    kanal_buffer_release(&dedupe);
}

/* ---- Linking ---- */

static void on_linked(void *user, const struct identity_outcome *outcome)
{
    struct arrival *a = user;
    if (outcome->status == KANAL_OK)
        start(a);
    else if (outcome->status == KANAL_E_REJECTED)
        refuse(a,
               "conflict"); /* who arrived is known to be somebody else: the context is not theirs to see */
    else
        finish(a, outcome->status);
}

/* address: the customer's, or absent: not known (any more). */
static void link_with(struct arrival *a, const struct id *other, kanal_str address)
{
    struct identity_link link = { .nodes = { a->event->node, *other },
                                  .addresses = { a->event->address, address },
                                  .strength = IDENTITY_VERIFIED,
                                  .evidence = { .kind = IDENTITY_HANDOFF,
                                                .event = a->event->id,
                                                .link = kanal_str_c(a->token.link.text),
                                                .channel = a->event->channel },
                                  .time_ms = a->event->time_ms };
    a->arrivals->link(a->arrivals->identity, &link, on_linked, a);
}

/* 0: the link is of no customer, or of who arrived. */
static int other_node(const struct arrival *a, struct id *ret_other)
{
    kanal_str other = kanal_json_text_at(a->record, "node");
    kanal_str_keep(ret_other->text, sizeof ret_other->text, other);
    return other.len == ID_LEN && !kanal_str_is(other, a->event->node.text);
}

static void on_profile(void *user, kanal_status status, yyjson_val *const *records, size_t count)
{
    struct arrival *a = user;
    struct id other;
    if (status != KANAL_OK) {
        finish(a, status);
        return;
    }
    other_node(a, &other);
    link_with(a, &other, count > 0 && records[0] ? profile_address(records[0]) : (kanal_str){ 0 });
}

/* By the addresses identity sees that two nodes cannot be one person. */
static void link_nodes(struct arrival *a)
{
    struct id other;
    if (!other_node(a, &other))
        start(a);
    else if (a->arrivals->book)
        profile_book_get(a->arrivals->book, &other, 1, on_profile, a);
    else
        link_with(a, &other, (kanal_str){ 0 });
}

/* ---- The record ---- */

static void on_taken(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct arrival *a = user;
    (void)value;
    a->revision = revision;
    if (status == KANAL_OK)
        link_nodes(a);
    else if (status == KANAL_E_REJECTED && ++a->tries < TRIES_MAX)
        look(a); /* somebody was faster: what do they say? */
    else
        finish(a, status == KANAL_E_REJECTED ? KANAL_E_BUSY : status);
}

/* Taken before, by whom? */
static void meet(struct arrival *a, yyjson_val *used)
{
    int64_t apart = a->event->time_ms - kanal_json_int_at(used, "time", 0);
    int is_same = kanal_str_equal(kanal_json_text_at(used, "event"), a->event->id);
    int is_same_node = kanal_str_is(kanal_json_text_at(used, "node"), a->event->node.text);
    int is_done = kanal_str_is(kanal_json_text_at(used, "state"), "done");
    if (is_same && !is_done)
        link_nodes(a); /* the rest of what was begun */
    else if (is_same || (is_same_node && apart <= ARRIVE_SAME_MS && apart >= -ARRIVE_SAME_MS))
        finish(a, KANAL_OK);
    else
        refuse(a, "used");
}

/* `stored_ms`: a projector that was away for days does no harm to who was in time. */
static void judge(struct arrival *a)
{
    yyjson_val *used = kanal_json_at(a->record, "used");
    if (!kanal_str_equal(kanal_json_text_at(a->record, "channel"), a->event->channel))
        refuse(a, "wrong_channel");
    else if (used)
        meet(a, used);
    else if (kanal_json_int_at(a->record, "expires", 0) <= a->event->stored_ms)
        refuse(a, "expired");
    else if (is_single_use(a))
        put_record(a, "taken", on_taken);
    else
        link_nodes(a);
}

static void on_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct arrival *a = user;
    if (status != KANAL_OK) {
        if (status == KANAL_E_NOT_FOUND)
            refuse(a, "unknown");
        else
            finish(a, status);
        return;
    }
    yyjson_doc_free(a->document);
    a->document = kanal_json_parse(value);
    a->record = yyjson_doc_get_root(a->document);
    a->revision = revision;
    if (yyjson_is_obj(a->record))
        judge(a);
    else
        refuse(a, "unknown");
}

static void look(struct arrival *a)
{
    kv_get(a->arrivals->host->broker, a->arrivals->bucket, kanal_str_of(a->token.link.text, ID_LEN),
           on_record, a);
}

/* ---- From the stream ---- */

static struct arrival *arrival_new(struct arrivals *arrivals)
{
    struct arrival *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->arrivals = arrivals;
    a->next = arrivals->under_way;
    a->place = &arrivals->under_way;
    if (a->next)
        a->next->place = &a->next;
    arrivals->under_way = a;
    return a;
}

static void on_event(void *user, const struct projected *event, projected_fn *done, void *done_user)
{
    struct arrivals *arrivals = user;
    struct token_found found;
    enum token_kind kind = reference_find(event, &found);
    struct arrival *a = kind == TOKEN_NONE ? NULL : arrival_new(arrivals);
    if (!a) {
        done(done_user, kind == TOKEN_NONE ? KANAL_OK : KANAL_E_BUSY);
        return;
    }
    a->event = event;
    a->done = done;
    a->done_user = done_user;
    a->token = found;
    if (kind == TOKEN_DAMAGED)
        refuse(a, "malformed");
    else if (!token_is_ours(arrivals->host->envelope.ids, &a->token))
        refuse(a, "forged");
    else
        look(a);
}

int arrivals_new(struct arrivals **ret_arrivals, const struct arrivals_options *options)
{
    static const char *const labels[] = { "channel", "result", NULL };
    struct arrivals *arrivals = calloc(1, sizeof *arrivals);
    if (!arrivals)
        return KANAL_E_INTERNAL;
    *arrivals = (struct arrivals){ .projection = { .name = "handoff", .event = on_event, .user = arrivals },
                                   .host = options->host,
                                   .link = options->link,
                                   .identity = options->identity,
                                   .book = options->book };
    snprintf(arrivals->bucket, sizeof arrivals->bucket, "%s_handoffs", options->prefix);
    arrivals->counted = metrics_family(options->host->metrics, METRIC_COUNTER, "kanal_handoff_arrivals_total",
                                       "Customers who came with a reference, by what became of it.", labels);
    *ret_arrivals = arrivals;
    return 0;
}

struct projection *arrivals_projection(struct arrivals *arrivals)
{
    return &arrivals->projection;
}

void arrivals_free(struct arrivals *arrivals)
{
    if (!arrivals)
        return;
    while (arrivals->under_way)
        arrival_free(arrivals->under_way);
    free(arrivals);
}
