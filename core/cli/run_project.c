/* `kanal run`: what the events are folded into, and who is one customer. */
#include "broker/topology.h"
#include "cli/cli.h"
#include "cli/run_inside.h"

/* ---- Who belongs together, for the API ---- */

static size_t nodes_of(void *user, const struct id *node_or_customer, struct id *ret_nodes, size_t capacity)
{
    return identity_nodes(user, node_or_customer, ret_nodes, capacity);
}

static void customer_of(void *user, const struct id *node, struct id *ret_customer)
{
    identity_customer(user, node, ret_customer);
}

static int link_of(void *user, const struct id *node, struct id *ret_link, const char **ret_kind)
{
    struct identity_edge edge;
    if (identity_links(user, node, &edge, 1) == 0)
        return 0;
    *ret_link = edge.link;
    *ret_kind = identity_kind_word(edge.kind);
    return 1;
}

/* ---- Life ---- */

int gateway_project_new(struct gateway *g)
{
    const struct config *c = g->setup.config;
    const char *prefix = c->broker.prefix;
    struct identity_options identity = { .host = g->host,
                                         .prefix = prefix,
                                         .trust = c->identity.trust,
                                         .default_region = c->identity.default_region,
                                         .mail = c->identity.mail };
    struct projector_options options = { .host = g->host,
                                         .prefix = prefix,
                                         .is_enabled = c->projector.is_enabled };
    struct opt_out_words words = { c->routing.stop_words, c->routing.start_words };
    if (identity_new(&g->identity, &identity) != 0)
        return gateway_fail(g, CLI_FAILED, "identity", "out of memory");
    if (opt_out_new(&g->opt_out, g->host, &words) != 0 || projector_new(&g->projector, &options) != 0 ||
        facts_new(&g->facts, g->host, prefix) != 0 ||
        profile_book_new(&g->profile_book, g->host, prefix) != 0)
        return gateway_fail(g, CLI_FAILED, "the projector", "out of memory");
    struct arrivals_options arrivals = { .host = g->host,
                                         .prefix = prefix,
                                         .link = identity_link,
                                         .identity = g->identity,
                                         .book = g->profile_book };
    if (arrivals_new(&g->arrivals, &arrivals) != 0)
        return gateway_fail(g, CLI_FAILED, "hand-off links", "out of memory");
    projector_add(g->projector, identity_projection(g->identity));
    projector_add(g->projector, projector_profiles(g->projector));
    projector_add(g->projector, facts_projection(g->facts));
    projector_add(g->projector, arrivals_projection(g->arrivals));
    projector_add(g->projector, opt_out_projection(g->opt_out));
    struct api_people people = { nodes_of, customer_of, link_of, g->identity };
    g->api_profiles = (struct api_profiles){
        .host = g->host, .book = g->profile_book, .contract = &g->contract, .people = people
    };
    profiles_bucket(prefix, g->api_profiles.bucket);
    topology_stream_name(prefix, "EVENTS", g->api_profiles.events_stream);
    return CLI_OK;
}

void gateway_project_start(struct gateway *g)
{
    identity_broker_up(g->identity);
    profile_book_start(g->profile_book);
    projector_start(g->projector);
}

void gateway_project_free(struct gateway *g)
{
    projector_free(g->projector);
    arrivals_free(g->arrivals);
    facts_free(g->facts);
    opt_out_free(g->opt_out);
    profile_book_free(g->profile_book);
    identity_free(g->identity);
}
