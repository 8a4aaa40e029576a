/* A change of what is known: published as events of one of the person's addresses. */
#include <stdio.h>

#include "api/profiles.h"
#include "broker/jetstream.h"
#include "host/publisher.h"
#include "kanal/sdk/json.h"

/* A change that is asked for. */
struct update {
    struct person *person;
    yyjson_doc *document;
    yyjson_val *asked;
    struct kanal_buffer address, data[OWN_EVENTS];
    struct id dedupe;
    kanal_event events[OWN_EVENTS];
    size_t count;
};

static void update_free(struct update *u)
{
    if (!u)
        return;
    for (size_t i = 0; i < OWN_EVENTS; i++)
        kanal_buffer_release(&u->data[i]);
    kanal_buffer_release(&u->address);
    yyjson_doc_free(u->document);
    person_free(u->person);
    free(u);
}

/* ---- What is published ---- */

static void copy(struct kanal_json *json, yyjson_val *asked, const char *name)
{
    yyjson_val *value = kanal_json_at(asked, name);
    if (!value)
        return;
    kanal_json_key(json, name);
    kanal_json_value(json, value);
}

static void add_event(struct update *u, const char *type)
{
    kanal_event *event = &u->events[u->count];
    *event = (kanal_event){ .struct_size = sizeof *event,
                            .type = kanal_str_c(type),
                            .address = kanal_buffer_view(&u->address),
                            .dedupe = kanal_str_c(u->dedupe.text),
                            .data = kanal_buffer_view(&u->data[u->count]) };
    u->count++;
}

static size_t count_consents(yyjson_val *consent, int given)
{
    size_t index, max, count = 0;
    yyjson_val *item;
    if (yyjson_is_arr(consent))
        yyjson_arr_foreach (consent, index, max, item)
            count += kanal_json_bool_at(item, "given") == given;
    return count;
}

/* consent.given or consent.withdrawn, with the items that say so. */
static void write_consent(struct update *u, int given)
{
    size_t index, max;
    yyjson_val *item, *consent = kanal_json_at(u->asked, "consent");
    struct kanal_json json;
    if (count_consents(consent, given) == 0)
        return;
    kanal_json_init(&json, &u->data[u->count]);
    kanal_json_object(&json);
    kanal_json_key(&json, "consent");
    kanal_json_array(&json);
    yyjson_arr_foreach (consent, index, max, item)
        if (kanal_json_bool_at(item, "given") == given)
            kanal_json_value(&json, item);
    kanal_json_array_end(&json);
    kanal_json_member_text(&json, "reason", "request");
    copy(&json, u->asked, "agent");
    kanal_json_object_end(&json);
    add_event(u, given ? "consent.given" : "consent.withdrawn");
}

static void write_profile(struct update *u)
{
    static const char *const members[] = { "profile", "removed", "preferred_channel", "quiet_hours", NULL };
    int is_asked = 0;
    struct kanal_json json;
    for (const char *const *name = members; *name; name++)
        is_asked |= kanal_json_at(u->asked, *name) != NULL;
    if (!is_asked)
        return;
    kanal_json_init(&json, &u->data[u->count]);
    kanal_json_object(&json);
    if (!kanal_json_at(u->asked, "profile")) {
        kanal_json_key(&json, "profile");
        kanal_json_object(&json);
        kanal_json_object_end(&json);
    }
    for (const char *const *name = members; *name; name++)
        copy(&json, u->asked, *name);
    copy(&json, u->asked, "agent");
    kanal_json_object_end(&json);
    add_event(u, "profile.updated");
}

/* ---- Looking up what was stored: the answer shows it ---- */

struct lookup {
    struct person *person;
    size_t index;
};

static void on_looked_up(void *user, kanal_status status, const struct js_message *message)
{
    struct lookup *lookup = user;
    struct person *p = lookup->person;
    struct own_event *own = &p->own[lookup->index];
    free(lookup);
    if (status == KANAL_OK) {
        kanal_buffer_str(&own->json, message->payload);
        own->sequence = message->sequence;
        own->stored_ms = message->time_ms;
    }
    if (--p->looking == 0)
        person_answer(p);
}

static void on_published(void *user, kanal_status status)
{
    struct update *u = user;
    struct person *p = u->person;
    if (status != KANAL_OK) {
        api_unavailable(p->request, status);
        update_free(u);
        return;
    }
    p->own_count = u->count;
    p->looking = 1;
    for (size_t i = 0; i < u->count; i++) {
        struct lookup *lookup = malloc(sizeof *lookup);
        if (!lookup)
            continue;
        *lookup = (struct lookup){ p, i };
        snprintf(p->own[i].subject, sizeof p->own[i].subject, "%.*s.events.kanal._.%.*s.%s",
                 (int)p->api->host->envelope.prefix.len, p->api->host->envelope.prefix.ptr,
                 (int)u->events[i].type.len, u->events[i].type.ptr, p->node.text);
        p->looking++;
        js_get_last(p->api->host->broker, p->api->events_stream, kanal_str_c(p->own[i].subject), on_looked_up,
                    lookup);
    }
    u->person = NULL;
    update_free(u);
    if (--p->looking == 0)
        person_answer(p);
}

/* ---- Of which address ---- */

static void publish(struct update *u)
{
    /* Not of no plugin at all: the contract wants a channel in events of consent. */
    static const struct envelope_source source = { .channel = { "_", 1 },
                                                   .plugin = { "kanal", 5 },
                                                   .is_core = 1 };
    const kanal_event *events[OWN_EVENTS];
    if (ids_node(u->person->api->host->envelope.ids, kanal_buffer_view(&u->address), &u->person->node) != 0 ||
        ids_random("u_", &u->dedupe) != 0) {
        api_unavailable(u->person->request, KANAL_E_INTERNAL);
        update_free(u);
        return;
    }
    write_consent(u, 1); /* in the order in which they are folded */
    write_consent(u, 0);
    write_profile(u);
    for (size_t i = 0; i < u->count; i++)
        events[i] = &u->events[i];
    publisher_publish(u->person->api->host->publisher, &source, events, u->count, 0, on_published, u);
}

/* The named address, or else the first of the person's that is known. */
static void on_records(void *user, kanal_status status, yyjson_val *const *records, size_t count)
{
    struct update *u = user;
    struct person *p = u->person;
    for (size_t i = 0; status == KANAL_OK && i < count; i++) {
        int is_named = strcmp(p->nodes[i].text, p->node.text) == 0;
        if ((is_named && p->is_named) || (!p->is_named && u->address.len == 0)) {
            kanal_buffer_clear(&u->address);
            kanal_buffer_str(&u->address, profile_address(records[i]));
        }
    }
    if (status == KANAL_OK && p->address.len > 0) {
        kanal_buffer_clear(&u->address);
        kanal_buffer_str(&u->address, kanal_buffer_view(&p->address));
    }
    if (status == KANAL_OK && u->address.len > 0) {
        publish(u);
        return;
    }
    if (status == KANAL_OK)
        api_refuse(p->request, 404, "customer_unknown",
                   KANAL_LIT("no address of this customer is known; name one by `address`"),
                   (kanal_str){ 0 });
    else
        api_unavailable(p->request, status);
    update_free(u);
}

void customer_update(void *user, struct api_request *request, kanal_str body)
{
    static const char *const changes[] = { "profile",     "removed", "preferred_channel",
                                           "quiet_hours", "consent", NULL };
    const struct api_profiles *api = user;
    yyjson_doc *document = api_read_body(request, body);
    yyjson_val *asked = yyjson_doc_get_root(document);
    const char *const *change = changes;
    if (!document || !api_is_valid(request, *api->contract, "#/$defs/api.customer-update.request", asked)) {
        yyjson_doc_free(document);
        return;
    }
    while (*change && !kanal_json_at(asked, *change))
        change++;
    if (!*change)
        api_refuse(
            request, 400, "invalid_request",
            KANAL_LIT(
                "nothing is to be changed: give profile, removed, preferred_channel, quiet_hours or consent"),
            (kanal_str){ 0 });
    struct person *person = *change ? person_new(api, request, asked) : NULL;
    struct update *u = person ? calloc(1, sizeof *u) : NULL;
    if (!u) {
        if (person)
            api_unavailable(request, KANAL_E_INTERNAL);
        person_free(person);
        yyjson_doc_free(document);
        return;
    }
    u->person = person;
    u->document = document;
    u->asked = asked;
    profile_book_get(api->book, person->nodes, person->count, on_records, u);
}
