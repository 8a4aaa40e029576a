/* A lease goes to a certain replica. What is under way ends first, and nothing new begins; then it is held no more; when those who had it know, the
 * record is written over with the other's name, who renews it and has it. Nobody else can come between, and until it is written over it is
 * ours: whatever does not end in time stays here. */
#include <stdio.h>

#include "host/lease_inside.h"

#define YIELD_MS 4000u  /* deliveries under way have so long to end */
#define TELL_MS 2000u   /* a worker has so long to hear of it */
#define AGAIN_MS 60000u /* what did not come to rest is left alone */

static void tell(struct lease_group *g, int is_asked)
{
    for (struct lease_member *m = g->members; m; m = m->next)
        if (m->yield)
            m->yield(m, is_asked);
}

static int is_quiet(const struct lease_group *g)
{
    for (const struct lease_member *m = g->members; m; m = m->next)
        if (m->is_quiet && !m->is_quiet(m))
            return 0;
    return 1;
}

int lease_give(struct lease_group *g, const char *to)
{
    uint64_t now = lease_now_ms();
    if (!g->held || g->give.state != GIVE_NOTHING || now < g->give.again_ms)
        return 0;
    snprintf(g->give.to, sizeof g->give.to, "%s", to);
    g->give.state = GIVE_YIELDING;
    g->give.until_ms = now + YIELD_MS;
    tell(g, 1);
    return 1;
}

static void keep(struct lease_group *g)
{
    g->give.again_ms = lease_now_ms() + AGAIN_MS;
    if (g->give.state == GIVE_YIELDING)
        tell(g, 0);
    g->give.state = GIVE_NOTHING;
    lease_look(g);
}

static void let_go(struct lease_group *g)
{
    char why[32 + REPLICA_NAME_MAX];
    g->give.state = GIVE_TOLD;
    g->give.until_ms = lease_now_ms() + TELL_MS;
    g->give.revision = g->revision;
    g->revision = 0;
    g->count++; /* what stands there is no holding of ours any more, even if it is found unchanged: it would have to be renewed first */
    snprintf(why, sizeof why, "given to %s", g->give.to);
    lease_lost(g, why);
}

void lease_give_tick(struct lease_group *g)
{
    uint64_t now = lease_now_ms();
    if (g->give.state == GIVE_YIELDING && !g->held) {
        g->give.state = GIVE_NOTHING; /* lost meanwhile */
    } else if (g->give.state == GIVE_YIELDING && !share_knows(g->book->share, g->give.to)) {
        keep(g);
        g->give.again_ms = 0; /* it has gone: no fault of ours */
    }
    if (g->give.state == GIVE_YIELDING && now < g->give.until_ms && !g->ask && g->revision != 0 &&
        is_quiet(g))
        let_go(g);
    if (g->give.state == GIVE_TOLD && is_quiet(g)) {
        g->give.state = GIVE_NOTHING;
        lease_sign_over(g, g->give.to, g->give.revision);
        if (!g->ask)
            lease_look(g); /* no memory: it is still ours */
    } else if (g->give.state != GIVE_NOTHING && now >= g->give.until_ms) {
        keep(g);
    }
}
