#include "identity/identity.h"

#include <stdlib.h>
#include <string.h>

#include "identity/inside.h"
#include "kanal/sdk/str.h"

#define SWEEP_MS 5000u

void identity_count(struct identity *identity, const char *result)
{
    kanal_str value = kanal_str_c(result);
    metric_series(identity->results, &value)->value++;
}

/* ---- What the graph says ---- */

int identity_node(kanal_str id, struct graph_node *ret_node)
{
    return ids_bytes(id, ret_node->bytes);
}

void identity_customer(struct identity *identity, const struct id *node, struct id *ret_customer)
{
    struct graph_node own, root;
    if (graph_link_count(identity->graph) == 0 ||
        identity_node(kanal_str_of(node->text, ID_LEN), &own) != 0) {
        ids_customer(node, ret_customer);
        return;
    }
    graph_root(identity->graph, &own, &root);
    ids_text("c_", root.bytes, ret_customer);
}

static void stamp(void *user, const struct id *node, struct id *ret_customer)
{
    identity_customer(user, node, ret_customer);
}

size_t identity_nodes(struct identity *identity, const struct id *node_or_customer, struct id *ret_nodes,
                      size_t capacity)
{
    struct graph_node own;
    if (identity_node(kanal_str_of(node_or_customer->text, ID_LEN), &own) != 0)
        return 0;
    struct graph_node *members = calloc(capacity > 0 ? capacity : 1, sizeof *members);
    size_t count = members ? graph_members(identity->graph, &own, members, capacity) : 1;
    for (size_t i = 0; members && i < count && i < capacity; i++)
        ids_text("a_", members[i].bytes, &ret_nodes[i]);
    if (!members && capacity > 0)
        ids_text("a_", own.bytes, &ret_nodes[0]);
    free(members);
    return count;
}

static int edge_of(struct identity *identity, const struct graph_link *link, struct identity_edge *ret_edge)
{
    struct id nodes[2];
    ids_text("a_", link->a.bytes, &nodes[0]);
    ids_text("a_", link->b.bytes, &nodes[1]);
    ret_edge->other = nodes[1];
    ret_edge->kind = (enum identity_kind)link->kind;
    return link_id_of(identity->host->envelope.ids, nodes, ret_edge->kind, &ret_edge->link);
}

size_t identity_links(struct identity *identity, const struct id *node, struct identity_edge *ret_edges,
                      size_t capacity)
{
    struct graph_node own;
    if (identity_node(kanal_str_of(node->text, ID_LEN), &own) != 0)
        return 0;
    struct graph_link *links = calloc(capacity > 0 ? capacity : 1, sizeof *links);
    size_t count = links ? graph_links_of(identity->graph, &own, links, capacity) : 0;
    for (size_t i = 0; i < count && i < capacity; i++)
        if (edge_of(identity, &links[i], &ret_edges[i]) != 0)
            count = i;
    free(links);
    return count;
}

/* ---- The bucket ---- */

static void tell(struct identity *identity, kanal_str key, const char *what)
{
    log_write(identity->host->log, KANAL_LOG_ERROR, "identity", NULL, "the link %.*s: %s", (int)key.len,
              key.ptr, what);
}

static void set(struct identity *identity, const struct graph_link *edge, enum graph_state state)
{
    if (graph_set(identity->graph, edge, state) != 0 && !identity->was_short) {
        identity->was_short = 1;
        tell(
            identity, KANAL_LIT("(and perhaps others)"),
            "no memory for it: customers are not known as they should be until the gateway is started again");
    }
    identity->links->value = (double)graph_link_count(identity->graph);
    identity->nodes->value = (double)graph_node_count(identity->graph);
}

/* The record is gone: whichever link has that id. */
static void forget(struct identity *identity, kanal_str key)
{
    struct graph_link link;
    unsigned char bytes[16];
    uint32_t tag;
    size_t cursor = 0;
    if (ids_bytes(key, bytes) != 0)
        return;
    memcpy(&tag, bytes, sizeof tag);
    while (graph_tagged(identity->graph, tag, &cursor, &link)) {
        struct identity_edge edge;
        if (edge_of(identity, &link, &edge) == 0 && kanal_str_is(key, edge.link.text)) {
            set(identity, &link, GRAPH_ABSENT);
            return;
        }
    }
}

static void take(struct identity *identity, kanal_str key, const struct link_record *record)
{
    struct graph_link edge;
    struct id id;
    kanal_str_keep(id.text, sizeof id.text, key);
    if (link_edge(record->nodes, record->kind, &id, &edge) != 0)
        return;
    set(identity, &edge, record->state);
    for (int i = 0; i < 2; i++) {
        uint32_t space = address_space(record->addresses[i]);
        if (space != 0)
            graph_note(identity->graph, i == 0 ? &edge.a : &edge.b, space);
    }
    if (record->is_told)
        untold_remove(identity, key);
    else
        untold_add(identity, key);
}

static void on_entry(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    struct identity *identity = user;
    struct link_record record;
    if (!key.ptr) {
        if (!identity->is_ready)
            log_write(identity->host->log, KANAL_LOG_INFO, "identity", NULL,
                      "%zu links of %zu addresses are known", graph_link_count(identity->graph),
                      graph_node_count(identity->graph));
        identity->is_ready = 1;
        untold_sweep(identity);
        return;
    }
    if (!value.ptr) {
        forget(identity, key);
        untold_remove(identity, key);
    } else if (link_record_read(&record, identity->host->envelope.ids, key, value) == 0) {
        take(identity, key, &record);
        link_record_release(&record);
    } else {
        tell(identity, key, "its record is not understood and is ignored");
    }
    changes_seen(identity, key, revision);
}

void identity_broker_up(struct identity *identity)
{
    if (!identity->watch)
        kv_watch_start(identity->host->broker, identity->bucket, ">", on_entry, identity, &identity->watch);
}

int identity_is_ready(const struct identity *identity)
{
    return identity->is_ready;
}

/* ---- Life ---- */

static void on_sweep(uv_timer_t *timer)
{
    untold_sweep(timer->data);
}

static void declare_metrics(struct identity *identity)
{
    static const char *const labels[] = { "result", NULL };
    struct metrics *m = identity->host->metrics;
    identity->links = metric_series(
        metrics_family(m, METRIC_GAUGE, "kanal_identity_links", "Links between addresses in memory.", NULL),
        NULL);
    identity->nodes = metric_series(
        metrics_family(m, METRIC_GAUGE, "kanal_identity_nodes", "Addresses that have a link.", NULL), NULL);
    identity->results =
        metrics_family(m, METRIC_COUNTER, "kanal_identity_total",
                       "What this gateway made of evidence: linked, unlinked, claimed, conflict.", labels);
}

static uv_timer_t *timer_new(struct identity *identity)
{
    uv_timer_t *timer = malloc(sizeof *timer);
    if (!timer)
        return NULL;
    uv_timer_init(identity->host->loop, timer);
    timer->data = identity;
    return timer;
}

int identity_new(struct identity **ret_identity, const struct identity_options *options)
{
    struct identity *identity = calloc(1, sizeof *identity);
    if (!identity)
        return KANAL_E_INTERNAL;
    identity->host = options->host;
    identity->trust = options->trust;
    identity->default_region = options->default_region;
    identity->last_ended = &identity->ended;
    identity->last_sighting = &identity->sightings;
    snprintf(identity->bucket, sizeof identity->bucket, "%s_links", options->prefix);
    if (!(identity->graph = graph_new()) || !(identity->turn = timer_new(identity)) ||
        !(identity->sweep = timer_new(identity))) {
        identity_free(identity);
        return KANAL_E_INTERNAL;
    }
    declare_metrics(identity);
    uv_timer_start(identity->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    identity->host->envelope.customer = stamp;
    identity->host->envelope.customer_user = identity;
    *ret_identity = identity;
    return 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void identity_free(struct identity *identity)
{
    if (!identity)
        return;
    identity->host->envelope.customer = NULL;
    if (identity->watch)
        kv_watch_stop(identity->watch);
    if (identity->turn)
        uv_close((uv_handle_t *)identity->turn, on_closed);
    if (identity->sweep)
        uv_close((uv_handle_t *)identity->sweep, on_closed);
    sightings_free(identity);
    changes_free(identity);
    untold_free(identity);
    graph_free(identity->graph);
    free(identity);
}
