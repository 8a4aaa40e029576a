#include "outbound/history.h"

#include <stdio.h>

#include "broker/kv.h"
#include "event/address.h"
#include "kanal/sdk/time.h"
#include "outbound/cancel.h"
#include "outbound/parked.h"
#include "outbound/route.h"

#define LOOKED_AT_MAX 1000u

/* In the order in which they come true: a later one of the list says more than an earlier. */
static const char *const verbs[] = { "accepted", "sent",    "delivered", "read",
                                     "failed",   "unknown", "expired",   "cancelled" };
#define VERBS (sizeof verbs / sizeof *verbs)
enum { VERB_DELIVERED = 2, VERB_READ = 3, VERB_UNKNOWN = 5 };

/* What one event said of one part. step: of the route; 0: of none, or of all. */
struct fact {
    uint32_t verb, part, step;
    uint64_t sequence; /* in the stream of events */
    yyjson_doc *document;
};

/* Where events of the command lie: of one channel and recipient. */
struct place {
    char channel[65], plugin[65], node[ID_LEN + 1];
};
#define PLACES_MAX (ROUTE_STEP_MAX + 1)

struct history {
    struct outbound *outbound;
    history_fn *fn;
    void *user;
    char id[129], key[ID_LEN + 3];
    struct kanal_buffer address, chat, subject; /* address, chat: as the command was accepted */
    int is_parked;
    struct place places[PLACES_MAX];
    size_t place_count, place;
    yyjson_doc *record;      /* of a route; or NULL */
    struct route_taken step; /* the last one of it; 0: there is none */
    uint64_t after, sequence;
    uint32_t verb, looked_at;
    struct fact facts[128 + VERBS];
    size_t count;
};

static void read_next(struct history *h);

static void history_free(struct history *h)
{
    for (size_t i = 0; i < h->count; i++)
        yyjson_doc_free(h->facts[i].document);
    yyjson_doc_free(h->record);
    kanal_buffer_release(&h->address);
    kanal_buffer_release(&h->chat);
    kanal_buffer_release(&h->subject);
    free(h);
}

static void finish(struct history *h, kanal_status status)
{
    h->fn(h->user, status, h);
    history_free(h);
}

static yyjson_val *message_of(yyjson_doc *document)
{
    return kanal_json_at(kanal_json_at(yyjson_doc_get_root(document), "data"), "message");
}

static void on_parked(void *user, kanal_status status)
{
    struct history *h = user;
    h->is_parked = status == KANAL_OK;
    finish(h, status == KANAL_E_NOT_FOUND ? KANAL_OK : status);
}

static void next_verb(struct history *h)
{
    int is_over = ++h->verb >= VERBS;
    if (is_over && h->place + 1 < h->place_count) {
        h->verb = 0;
        h->place++;
        is_over = 0;
    }
    if (is_over && history_is_open(h)) {
        kanal_str address = h->step.step > 0 ? h->step.address : kanal_buffer_view(&h->address);
        struct parked_wanted wanted = { .channel = kanal_str_c(h->places[h->place].channel),
                                        .recipient = address.len > 0 ? address : kanal_buffer_view(&h->chat),
                                        .command_id = kanal_str_c(h->id) };
        parked_find(h->outbound, &wanted, on_parked, h);
        return;
    }
    if (is_over) {
        finish(h, KANAL_OK);
        return;
    }
    h->sequence = h->after;
    h->looked_at = 0;
    read_next(h);
}

static void on_event(void *user, kanal_status status, const struct js_message *m)
{
    struct history *h = user;
    if (status == KANAL_E_NOT_FOUND) {
        next_verb(h);
        return;
    }
    if (status != KANAL_OK) {
        finish(h, status);
        return;
    }
    h->sequence = m->sequence;
    yyjson_doc *doc = kanal_json_parse(m->payload);
    yyjson_val *message = message_of(doc);
    int is_ours = kanal_str_is(kanal_json_text_at(message, "id"), h->id);
    if (is_ours && h->count < sizeof h->facts / sizeof *h->facts) {
        yyjson_val *attempt = kanal_json_at(kanal_json_at(yyjson_doc_get_root(doc), "data"), "attempt");
        h->facts[h->count++] = (struct fact){ .verb = h->verb,
                                              .part = (uint32_t)kanal_json_int_at(message, "part", 0),
                                              .step = (uint32_t)kanal_json_int_at(attempt, "step", 0),
                                              .sequence = m->sequence,
                                              .document = doc };
        doc = NULL;
    }
    yyjson_doc_free(doc);
    if (++h->looked_at >= LOOKED_AT_MAX || (is_ours && h->verb == 0))
        next_verb(h);
    else
        read_next(h);
}

static void read_next(struct history *h)
{
    struct outbound *o = h->outbound;
    const struct place *place = &h->places[h->place];
    kanal_buffer_clear(&h->subject);
    kanal_buffer_text(&h->subject, o->prefix);
    kanal_buffer_text(&h->subject, ".events.");
    kanal_buffer_text(&h->subject, place->plugin);
    kanal_buffer_byte(&h->subject, '.');
    kanal_buffer_text(&h->subject, place->channel);
    kanal_buffer_text(&h->subject, ".message.");
    kanal_buffer_text(&h->subject, verbs[h->verb]);
    kanal_buffer_byte(&h->subject, '.');
    kanal_buffer_text(&h->subject, place->node);
    js_get_next(o->broker, o->events_stream, kanal_buffer_view(&h->subject), h->sequence + 1, on_event, h);
}

static void keep(char *to, size_t size, kanal_str text)
{
    snprintf(to, size, "%.*s", (int)(text.len < size ? text.len : size - 1), text.ptr ? text.ptr : "");
}

/* KANAL_E_NOT_FOUND: the channel is gone, and with it the name of its plugin. */
static kanal_status add_place(struct history *h, kanal_str channel_id, kanal_str address)
{
    const struct host *host = h->outbound->host;
    const struct channel *channel = host_find(host, channel_id);
    int is_nobodys = kanal_str_is(channel_id, "_");
    struct place place = { .channel = "" };
    struct id node;
    if (!channel && !is_nobodys)
        return KANAL_E_NOT_FOUND;
    keep(place.channel, sizeof place.channel, channel_id);
    keep(place.plugin, sizeof place.plugin, is_nobodys ? KANAL_LIT("kanal") : channel->source.plugin);
    keep(place.node, sizeof place.node, KANAL_LIT("_"));
    if (address.len > 0 && ids_node(host->envelope.ids, address, &node) == 0)
        keep(place.node, sizeof place.node, kanal_str_of(node.text, ID_LEN));
    for (size_t i = 0; i < h->place_count; i++)
        if (memcmp(&h->places[i], &place, sizeof place) == 0)
            return KANAL_OK;
    if (h->place_count < PLACES_MAX)
        h->places[h->place_count++] = place;
    return KANAL_OK;
}

/* The steps of its route, each on its channel. */
static void on_route(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct history *h = user;
    struct route_tried steps[ROUTE_STEP_MAX];
    (void)revision;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND) {
        finish(h, status);
        return;
    }
    h->record = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    yyjson_val *record = yyjson_doc_get_root(h->record);
    size_t count = route_state_tried(record, steps);
    if (route_state_last(record, &h->step) != 0)
        h->step = (struct route_taken){ 0 };
    for (size_t i = 0; i < count; i++)
        add_place(h, steps[i].channel, steps[i].address);
    read_next(h);
}

static void on_record(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct history *h = user;
    struct outbound *o = h->outbound;
    (void)revision;
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    kanal_buffer_str(&h->address, kanal_json_text_at(root, "address"));
    kanal_buffer_str(&h->chat, kanal_json_text_at(root, "chat"));
    h->after = h->sequence = yyjson_get_uint(kanal_json_at(root, "after"));
    if (status == KANAL_OK)
        status = add_place(h, kanal_json_text_at(root, "channel"), kanal_json_text_at(root, "address"));
    int is_routed = kanal_json_bool_at(root, "routed");
    yyjson_doc_free(doc);
    if (status != KANAL_OK) {
        finish(h, status);
    } else if (is_routed) {
        h->key[0] = 'r';
        kv_get(o->broker, o->host->names.sent, kanal_str_c(h->key), on_route, h);
    } else {
        read_next(h);
    }
}

void history_read(struct outbound *o, kanal_str id, const struct id *key, history_fn *fn, void *user)
{
    struct history *h = calloc(1, sizeof *h);
    if (!h) {
        fn(user, KANAL_E_BUSY, NULL);
        return;
    }
    h->outbound = o;
    h->fn = fn;
    h->user = user;
    keep(h->id, sizeof h->id, id);
    snprintf(h->key, sizeof h->key, "c.%s", key->text + 2);
    kv_get(o->broker, o->host->names.sent, kanal_str_c(h->key), on_record, h);
}

/* ---- What it says ---- */

/* What was delivered was; else the last word counts: a dead letter that is replayed, or an unknown that is decided, has another outcome afterwards. */
static int says_more(const struct fact *fact, const struct fact *other)
{
    int is_receipt = fact->verb == VERB_DELIVERED || fact->verb == VERB_READ;
    int is_other = other->verb == VERB_DELIVERED || other->verb == VERB_READ;
    if (is_receipt != is_other)
        return is_receipt;
    if (is_receipt || fact->verb == 0 || other->verb == 0)
        return fact->verb >= other->verb;
    return fact->sequence > other->sequence;
}

static int is_of(const struct fact *fact, uint32_t step)
{
    return step == 0 || fact->step == 0 || fact->step == step;
}

/* Of one part of a step, or of the whole (part 0). step 0: of any. */
static const struct fact *newest_part(const struct history *h, uint32_t step, uint32_t part)
{
    const struct fact *found = NULL;
    for (size_t i = 0; i < h->count; i++)
        if (h->facts[i].part == part && is_of(&h->facts[i], step) &&
            (!found || says_more(&h->facts[i], found)))
            found = &h->facts[i];
    return found;
}

/* Of a part of a step, or of all of them: the fact that says most. part 0, step 0: any. */
static const struct fact *newest_of(const struct history *h, uint32_t step, uint32_t part)
{
    const struct fact *found = NULL;
    if (part > 0)
        return newest_part(h, step, part);
    for (size_t i = 0; i < h->count; i++) {
        const struct fact *fact = is_of(&h->facts[i], step) ? newest_part(h, step, h->facts[i].part) : NULL;
        if (fact && (!found || fact->verb >= found->verb))
            found = fact;
    }
    return found;
}

/* What was said of steps that are over counts no more. */
static const struct fact *newest(const struct history *h, uint32_t part)
{
    return newest_of(h, h->step.step, part);
}

static const struct fact *accepted(const struct history *h)
{
    return h->count > 0 && h->facts[0].verb == 0 ? &h->facts[0] : NULL;
}

static int64_t time_at(yyjson_val *object, const char *name)
{
    int64_t ms = 0;
    kanal_time_parse_rfc3339(kanal_json_text_at(object, name), &ms);
    return ms;
}

kanal_str history_state(const struct history *h)
{
    const struct fact *fact = newest(h, 0), *first = accepted(h);
    if (fact && fact->verb > 0)
        return kanal_str_c(verbs[fact->verb]);
    if (h->is_parked) /* called back, it is in nobody's memory yet, and will be dropped when it comes there */
        return cancels_have(h->outbound->cancels, h->key + 2) ? KANAL_LIT("cancelled") : KANAL_LIT("parked");
    int is_early = first && time_at(message_of(first->document), "at") > host_now_ms();
    return is_early ? KANAL_LIT("scheduled") : KANAL_LIT("accepted");
}

int history_is_open(const struct history *h)
{
    const struct fact *fact = newest(h, 0);
    return !fact || fact->verb == 0;
}

int history_may_go_on(const struct history *h)
{
    const struct fact *fact = newest(h, 0);
    return h->step.step > 0 && fact && fact->verb >= 1 && fact->verb <= 2; /* sent, delivered */
}

int history_step_reached(const struct history *h, uint32_t step, kanal_str how_far)
{
    uint32_t least = kanal_str_is(how_far, "read") ? 3 : kanal_str_is(how_far, "delivered") ? 2 : 1;
    uint32_t parts = 0, reached = 0;
    for (size_t i = 0; i < h->count; i++)
        if (h->facts[i].step == step) {
            uint32_t of = (uint32_t)kanal_json_int_at(message_of(h->facts[i].document), "parts", 1);
            parts = of > parts ? of : parts;
        }
    for (uint32_t part = 1; part <= parts; part++) {
        const struct fact *fact = newest_of(h, step, part);
        reached += fact && fact->step == step && fact->verb >= least && fact->verb <= 3;
    }
    return parts > 0 && reached == parts;
}

int history_unknown(const struct history *h, struct history_part *ret_part)
{
    for (size_t i = 0; i < h->count; i++) {
        const struct fact *fact = newest_part(h, h->step.step, h->facts[i].part);
        if (!fact || fact->verb != VERB_UNKNOWN)
            continue;
        yyjson_val *message = message_of(fact->document);
        *ret_part = (struct history_part){ .part = fact->part,
                                           .parts = (uint32_t)kanal_json_int_at(message, "parts", 0) };
        return 1;
    }
    return 0;
}

static void copy(struct kanal_json *json, const char *name, yyjson_val *object)
{
    yyjson_val *value = kanal_json_at(object, name);
    if (!value)
        return;
    kanal_json_key(json, name);
    kanal_json_value(json, value);
}

static void write_part(const struct history *h, uint32_t part, struct kanal_json *json)
{
    const struct fact *last = newest(h, part);
    yyjson_val *root = yyjson_doc_get_root(last->document), *data = kanal_json_at(root, "data");
    kanal_json_object(json);
    kanal_json_member_int(json, "part", part);
    kanal_json_member_text(json, "state", verbs[last->verb]);
    copy(json, "external_id", kanal_json_at(data, "message"));
    kanal_json_key(json, "time");
    kanal_json_value(json, kanal_json_at(root, "time"));
    copy(json, "error", data);
    kanal_json_object_end(json);
}

/* Each step of a route, and how far it came. */
static void write_steps(const struct history *h, struct kanal_json *json)
{
    static const char *const names[] = { "channel", "address", "reason", NULL };
    size_t index, max;
    yyjson_val *taken, *steps = kanal_json_at(yyjson_doc_get_root(h->record), "steps");
    if (!yyjson_is_arr(steps))
        return;
    kanal_json_member_int(json, "step", h->step.step);
    kanal_json_key(json, "steps");
    kanal_json_array(json);
    yyjson_arr_foreach (steps, index, max, taken) {
        uint32_t number = (uint32_t)kanal_json_int_at(taken, "step", 0);
        const struct fact *fact = newest_of(h, number, 0);
        int is_told = fact && fact->verb > 0 && fact->step == number;
        /* That it failed was told to the route alone, if that went on. */
        yyjson_val *error = kanal_json_at(yyjson_arr_get(steps, index + 1), "error");
        kanal_json_object(json);
        kanal_json_member_int(json, "step", number);
        for (const char *const *name = names; *name; name++)
            copy(json, *name, taken);
        kanal_json_member_text(json, "state", error ? "failed" : is_told ? verbs[fact->verb] : "accepted");
        if (error) {
            kanal_json_key(json, "error");
            kanal_json_value(json, error);
        }
        kanal_json_member_time(json, "started", kanal_json_int_at(taken, "started", 0));
        kanal_json_object_end(json);
    }
    kanal_json_array_end(json);
}

static void write_parts(const struct history *h, struct kanal_json *json)
{
    uint32_t parts = 0;
    for (size_t i = 0; i < h->count; i++)
        if (h->step.step == 0 || h->facts[i].step == h->step.step)
            parts = h->facts[i].part > parts ? h->facts[i].part : parts;
    if (parts == 0)
        return;
    kanal_json_key(json, "parts");
    kanal_json_array(json);
    for (uint32_t part = 1; part <= parts; part++)
        if (newest(h, part))
            write_part(h, part, json);
    kanal_json_array_end(json);
}

void history_write(const struct history *h, struct kanal_json *json)
{
    const struct fact *first = accepted(h), *last = newest(h, 0);
    yyjson_val *message = first ? message_of(first->document) : NULL;
    yyjson_val *root = first ? yyjson_doc_get_root(first->document) : NULL;
    yyjson_val *customer = kanal_json_at(kanal_json_at(root, "data"), "customer");
    kanal_json_object(json);
    kanal_json_member_str(json, "id", kanal_str_c(h->id));
    copy(json, "reference", message);
    kanal_json_member_str(json, "state", history_state(h));
    kanal_str channel = h->step.step > 0 ? h->step.channel : kanal_str_c(h->places[0].channel);
    if (!kanal_str_is(channel, "_"))
        kanal_json_member_str(json, "channel", channel);
    if (customer) {
        kanal_json_key(json, "customer");
        kanal_json_value(json, customer);
    }
    copy(json, "content", message);
    if (root) {
        kanal_json_key(json, "accepted");
        kanal_json_value(json, kanal_json_at(root, "time"));
    }
    copy(json, "at", message);
    copy(json, "expires", message);
    write_steps(h, json);
    write_parts(h, json);
    if (last && last->verb > 3)
        copy(json, "error", kanal_json_at(yyjson_doc_get_root(last->document), "data"));
    kanal_json_object_end(json);
}
