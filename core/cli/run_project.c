/* `kanal run`: what the events are folded into, and who is one customer. */
#include "cli/cli.h"
#include "cli/run_inside.h"

int gateway_project_new(struct gateway *g)
{
    const struct config *c = g->setup.config;
    const char *prefix = c->broker.prefix;
    struct identity_options identity = { .host = g->host,
                                         .prefix = prefix,
                                         .trust = c->identity.trust,
                                         .default_region = c->identity.default_region };
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
    projector_add(g->projector, identity_projection(g->identity));
    projector_add(g->projector, projector_profiles(g->projector));
    projector_add(g->projector, facts_projection(g->facts));
    projector_add(g->projector, opt_out_projection(g->opt_out));
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
    facts_free(g->facts);
    opt_out_free(g->opt_out);
    profile_book_free(g->profile_book);
    identity_free(g->identity);
}
