#include "api/profiles.h"

#include "event/address.h"
#include "kanal/sdk/json.h"

#define ENVELOPE_BYTES 4096u /* of the broker's message around an answer */

static api_handler_fn customer_get;

const struct api_endpoint api_profile_endpoints[] = {
    { "customer-get", "What is known of a person.", customer_get },
    { "customer-update", "Changes what is known of a person.", customer_update },
    { "profile-rebuild", "Folds all stored events into profiles anew.", profile_rebuild },
};
const size_t api_profile_endpoint_count = sizeof api_profile_endpoints / sizeof *api_profile_endpoints;

/* ---- Who is meant ---- */

static int read_id(kanal_str text, char kind, struct id *ret_id)
{
    if (text.len != ID_LEN || text.ptr[0] != kind)
        return KANAL_E_INVALID;
    kanal_str_keep(ret_id->text, sizeof ret_id->text, text);
    return 0;
}

/* NULL, or what is wrong. */
static const char *find_node(struct person *p, yyjson_val *asked)
{
    kanal_str address = kanal_json_text_at(asked, "address");
    if (read_id(kanal_json_text_at(asked, "customer"), 'c', &p->node) == 0)
        return NULL;
    p->is_named = 1;
    if (read_id(kanal_json_text_at(asked, "node"), 'a', &p->node) == 0)
        return NULL;
    if (address_normalise(address, &p->address) != 0)
        return "`address` is no URI of a known form, such as tel:+79161234567 or telegram:3527065";
    return ids_node(p->api->host->envelope.ids, kanal_buffer_view(&p->address), &p->node) == 0
               ? NULL
               : "hashing failed";
}

/* Without links a customer's id is that of its only node. */
static void find_nodes(struct person *p)
{
    const struct api_people *people = &p->api->people;
    if (people->nodes) {
        p->count = people->nodes(people->user, &p->node, p->nodes, API_PERSON_NODES);
        p->count = p->count < API_PERSON_NODES ? p->count : API_PERSON_NODES;
    } else {
        p->nodes[0] = p->node;
        p->nodes[0].text[0] = 'a';
        p->count = 1;
    }
    p->node.text[0] = 'a';
}

struct person *person_new(const struct api_profiles *api, struct api_request *request, yyjson_val *asked)
{
    struct person *p = calloc(1, sizeof *p);
    const char *wrong = "out of memory";
    if (p) {
        p->api = api;
        p->request = request;
        p->nodes = calloc(API_PERSON_NODES, sizeof *p->nodes);
        wrong = p->nodes ? find_node(p, asked) : wrong;
    }
    if (wrong) {
        api_refuse(request, p && p->nodes ? 400 : 503, p && p->nodes ? "invalid_request" : "unavailable",
                   kanal_str_c(wrong), (kanal_str){ 0 });
        person_free(p);
        return NULL;
    }
    find_nodes(p);
    return p;
}

void person_free(struct person *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < OWN_EVENTS; i++)
        kanal_buffer_release(&p->own[i].json);
    kanal_buffer_release(&p->address);
    free(p->nodes);
    free(p);
}

/* ---- What is known ---- */

/* The record with the events that were published for this answer; to be freed. NULL: as it was. */
static yyjson_doc *fold_own(const struct person *p, yyjson_val *record)
{
    struct profile *profile = NULL;
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    yyjson_doc *folded = NULL;
    kanal_json_init(&json, &text);
    if (record)
        kanal_json_value(&json, record);
    if (p->own_count == 0 || profile_open(&profile, kanal_buffer_view(&text)) != 0) {
        kanal_buffer_release(&text);
        return NULL;
    }
    for (size_t i = 0; i < p->own_count; i++) {
        const struct own_event *own = &p->own[i];
        yyjson_doc *document;
        struct projected event;
        if (own->sequence == 0 || projected_read(&event, PROJECTED_EVENTS, kanal_str_c(own->subject),
                                                 kanal_buffer_view(&own->json), &document) != 0)
            continue;
        event.sequence = own->sequence;
        event.stored_ms = own->stored_ms;
        profile_fold(profile, &event);
        yyjson_doc_free(document);
    }
    kanal_buffer_clear(&text);
    if (profile_write(profile, &text) == 0)
        folded = kanal_json_parse(kanal_buffer_view(&text));
    profile_free(profile);
    kanal_buffer_release(&text);
    return folded;
}

struct member_text {
    struct id link;
    char evidence[48];
};

static void fill_member(const struct person *p, size_t i, yyjson_val *record, struct profile_member *member,
                        struct member_text *text)
{
    const struct api_people *people = &p->api->people;
    const char *kind;
    *member = (struct profile_member){ .node = kanal_str_of(p->nodes[i].text, ID_LEN), .record = record };
    if (!people->link || !people->link(people->user, &p->nodes[i], &text->link, &kind))
        return;
    member->link = kanal_str_c(text->link.text);
    struct kanal_buffer json = { 0 };
    kanal_buffer_text(&json, "{\"kind\":\"");
    kanal_buffer_text(&json, kind);
    kanal_buffer_text(&json, "\"}");
    member->evidence = kanal_str_keep(text->evidence, sizeof text->evidence, kanal_buffer_view(&json));
    kanal_buffer_release(&json);
}

static void write_person(const struct person *p, yyjson_val *const *records, struct kanal_buffer *out)
{
    const struct api_people *people = &p->api->people;
    struct profile_member *members = calloc(p->count, sizeof *members);
    struct member_text *texts = calloc(p->count, sizeof *texts);
    yyjson_doc *own = NULL;
    struct kanal_json json;
    struct id customer;
    for (size_t i = 0; members && texts && i < p->count; i++) {
        int is_own = p->own_count > 0 && strcmp(p->nodes[i].text, p->node.text) == 0;
        if (is_own)
            own = fold_own(p, records[i]);
        fill_member(p, i, is_own && own ? yyjson_doc_get_root(own) : records[i], &members[i], &texts[i]);
    }
    if (people->customer)
        people->customer(people->user, &p->node, &customer);
    else
        ids_customer(&p->node, &customer);
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_key(&json, "customer");
    if (members && texts)
        profile_merge(&json, kanal_str_c(customer.text), members, p->count);
    kanal_json_object_end(&json);
    out->failed |= !members || !texts;
    yyjson_doc_free(own);
    free(members);
    free(texts);
}

static void on_records(void *user, kanal_status status, yyjson_val *const *records, size_t count)
{
    struct person *p = user;
    struct kanal_buffer out = { 0 };
    int is_known = p->own_count > 0;
    for (size_t i = 0; status == KANAL_OK && i < count; i++)
        is_known |= records[i] != NULL;
    if (status == KANAL_OK && is_known)
        write_person(p, records, &out);
    if (status != KANAL_OK)
        api_unavailable(p->request, status);
    else if (!is_known)
        api_refuse(p->request, 404, "customer_unknown", KANAL_LIT("nothing is known of this customer"),
                   (kanal_str){ 0 });
    else if (out.failed)
        api_refuse(p->request, 503, "unavailable", KANAL_LIT("out of memory"), (kanal_str){ 0 });
    else if (out.len + ENVELOPE_BYTES > broker_max_payload(p->api->host->broker))
        api_refuse(p->request, 413, "payload_too_large",
                   KANAL_LIT("what is known of this customer does not fit into one answer of the broker; ask "
                             "for one `node`, or raise the broker's max_payload"),
                   (kanal_str){ 0 });
    else
        api_answer(p->request, kanal_buffer_view(&out));
    kanal_buffer_release(&out);
    person_free(p);
}

void person_answer(struct person *p)
{
    profile_book_get(p->api->book, p->nodes, p->count, on_records, p);
}

static void customer_get(void *user, struct api_request *request, kanal_str body)
{
    const struct api_profiles *api = user;
    yyjson_doc *document = api_read_body(request, body);
    yyjson_val *asked = yyjson_doc_get_root(document);
    if (document && api_is_valid(request, *api->contract, "#/$defs/api.customer-get.request", asked)) {
        struct person *p = person_new(api, request, asked);
        if (p)
            person_answer(p);
    }
    yyjson_doc_free(document);
}
