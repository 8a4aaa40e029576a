/* `kanal run`: what is known of a customer, for whoever looks for a way to them (outbound/reach.h). */
#include <stdio.h>

#include "broker/kv.h"
#include "cli/run_inside.h"
#include "kanal/sdk/str.h"

#define NODES_MAX 256u /* as many as are looked at */

struct finding {
    struct gateway *gateway;
    reach_found_fn *done;
    void *user;
    struct id customer;
    size_t count, waiting;
    struct id nodes[NODES_MAX];
    yyjson_doc *records[NODES_MAX];
    kanal_status status;
};

static void finding_free(struct finding *finding)
{
    for (size_t i = 0; i < finding->count; i++)
        yyjson_doc_free(finding->records[i]);
    free(finding);
}

static void answer(struct finding *finding)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    struct profile_member *members = calloc(finding->count, sizeof *members);
    kanal_json_init(&json, &text);
    for (size_t i = 0; members && i < finding->count; i++)
        members[i] = (struct profile_member){ .node = kanal_str_c(finding->nodes[i].text),
                                              .record = yyjson_doc_get_root(finding->records[i]) };
    if (members)
        profile_merge(&json, kanal_str_c(finding->customer.text), members, finding->count);
    yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&text));
    finding->done(finding->user, doc ? KANAL_OK : KANAL_E_BUSY, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    kanal_buffer_release(&text);
    free(members);
}

static void end_round(struct finding *finding)
{
    int is_known = 0;
    if (--finding->waiting > 0)
        return;
    for (size_t i = 0; i < finding->count; i++)
        is_known |= finding->records[i] != NULL;
    if (finding->status == KANAL_OK && is_known)
        answer(finding);
    else
        finding->done(finding->user, finding->status == KANAL_OK ? KANAL_E_NOT_FOUND : finding->status, NULL);
    finding_free(finding);
}

/* ---- Nodes that only a link speaks of ---- */

struct link_finding {
    struct finding *finding;
    size_t index; /* of the node */
};

/* Of such a node nothing is known but the address that was linked: as a record. */
static yyjson_doc *record_of_link(yyjson_val *link, const struct id *node)
{
    struct kanal_buffer text = { 0 };
    struct kanal_json json;
    yyjson_val *nodes = kanal_json_at(link, "nodes"), *addresses = kanal_json_at(link, "addresses");
    kanal_str address = { 0 };
    for (size_t i = 0; i < 2; i++)
        if (kanal_str_is(kanal_json_text(yyjson_arr_get(nodes, i)), node->text))
            address = kanal_json_text(yyjson_arr_get(addresses, i));
    if (address.len == 0)
        return NULL;
    kanal_json_init(&json, &text);
    kanal_json_object(&json);
    kanal_json_member_int(&json, "v", 1);
    kanal_json_member_str(&json, "address", address);
    kanal_json_object_end(&json);
    yyjson_doc *doc = kanal_json_parse(kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    return doc;
}

static void on_link(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct link_finding *link = user;
    struct finding *finding = link->finding;
    (void)revision;
    yyjson_doc *doc = status == KANAL_OK ? kanal_json_parse(value) : NULL;
    if (doc && !finding->records[link->index])
        finding->records[link->index] =
            record_of_link(kanal_json_at(yyjson_doc_get_root(doc), "link"), &finding->nodes[link->index]);
    yyjson_doc_free(doc);
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND)
        finding->status = status;
    free(link);
    end_round(finding);
}

static void ask_link(struct finding *finding, size_t index)
{
    struct gateway *g = finding->gateway;
    struct identity_edge edge;
    char bucket[64];
    struct link_finding *link =
        identity_links(g->identity, &finding->nodes[index], &edge, 1) > 0 ? malloc(sizeof *link) : NULL;
    if (!link)
        return;
    *link = (struct link_finding){ finding, index };
    snprintf(bucket, sizeof bucket, "%s_links", g->setup.config->broker.prefix);
    finding->waiting++;
    kv_get(g->broker, bucket, kanal_str_c(edge.link.text), on_link, link);
}

/* ---- The records ---- */

static yyjson_doc *copy_of(yyjson_val *record)
{
    size_t length = 0;
    char *text = record ? yyjson_val_write(record, 0, &length) : NULL;
    yyjson_doc *doc = text ? kanal_json_parse(kanal_str_of(text, length)) : NULL;
    free(text);
    return doc;
}

static void on_records(void *user, kanal_status status, yyjson_val *const *records, size_t count)
{
    struct finding *finding = user;
    finding->status = status;
    finding->waiting = 1;
    for (size_t i = 0; status == KANAL_OK && i < count; i++) {
        finding->records[i] = copy_of(records[i]);
        if (profile_address(records[i]).len == 0 && !finding->records[i])
            ask_link(finding, i);
    }
    end_round(finding);
}

static void find(void *user, const struct id *who, reach_found_fn *done, void *done_user)
{
    struct gateway *g = user;
    struct finding *finding = identity_is_ready(g->identity) ? calloc(1, sizeof *finding) : NULL;
    if (!finding) { /* no memory, or not all links are known yet */
        done(done_user, KANAL_E_BUSY, NULL);
        return;
    }
    finding->gateway = g;
    finding->done = done;
    finding->user = done_user;
    finding->count = identity_nodes(g->identity, who, finding->nodes, NODES_MAX);
    if (finding->count > NODES_MAX)
        finding->count = NODES_MAX;
    if (finding->count == 0) { /* no id */
        free(finding);
        done(done_user, KANAL_E_NOT_FOUND, NULL);
        return;
    }
    identity_customer(g->identity, &finding->nodes[0], &finding->customer);
    profile_book_get(g->profile_book, finding->nodes, finding->count, on_records, finding);
}

struct reach_source gateway_reach(struct gateway *g)
{
    return (struct reach_source){ find, g };
}
