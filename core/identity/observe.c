/* Events in their order: what one of them links is known before the next is judged. */
#include <stdlib.h>

#include "identity/evidence.h"
#include "identity/inside.h"
#include "kanal/sdk/str.h"

/* One event, until all that it says is stored. */
struct sighting {
    struct sighting *next;
    struct identity *identity;
    const struct projected *event; /* the caller's until done */
    struct evidence evidence;
    size_t at;      /* the item that comes next */
    size_t waiting; /* claims that are not stored yet, and one for the items */
    kanal_status status;
    identity_done_fn *done; /* one of the two */
    projected_fn *projected;
    void *user;
};

struct telling {
    struct sighting *sighting;
    size_t item;
    int conflict;
};

static void sighting_free(struct sighting *sighting)
{
    evidence_release(&sighting->evidence);
    free(sighting);
}

static void answer(identity_done_fn *done, projected_fn *projected, void *user, kanal_status status)
{
    struct identity_outcome outcome = { .status = status };
    if (done)
        done(user, &outcome);
    else
        projected(user, status);
}

static void settle(struct sighting *sighting, kanal_status status)
{
    if (status != KANAL_OK)
        sighting->status = status;
    if (--sighting->waiting > 0)
        return;
    struct sighting said = *sighting;
    free(sighting);
    evidence_release(&said.evidence);
    answer(said.done, said.projected, said.user, said.status);
}

/* It has no link to wait for any more. */
static void leave_queue(struct sighting *sighting)
{
    struct identity *identity = sighting->identity;
    identity->sightings = sighting->next;
    if (!identity->sightings)
        identity->last_sighting = &identity->sightings;
    settle(sighting, KANAL_OK);
}

/* ---- Claims ---- */

static struct claim claim_of(const struct sighting *sighting, size_t item, int conflict)
{
    const struct projected *event = sighting->event;
    const struct evidence_item *said = &sighting->evidence.items[item];
    return (struct claim){
        .channel = event->channel,
        .plugin = event->plugin,
        .traceparent = kanal_json_text_at(event->root, "traceparent"),
        .nodes = { event->node, said->node },
        .addresses = { event->address, said->address },
        .evidence = { .kind = said->kind, .event = event->id, .channel = event->channel, .text = said->text },
        .conflict = conflict,
        .time_ms = event->time_ms
    };
}

static void on_told(void *user, kanal_status status)
{
    struct telling *telling = user;
    struct sighting *sighting = telling->sighting;
    struct claim claim = claim_of(sighting, telling->item, telling->conflict);
    if (status == KANAL_OK)
        claim_remember(sighting->identity, &claim);
    free(telling);
    settle(sighting, status);
}

static void tell_claim(struct sighting *sighting, size_t item, int conflict)
{
    struct claim claim = claim_of(sighting, item, conflict);
    if (claim_is_known(sighting->identity, &claim))
        return;
    struct telling *telling = malloc(sizeof *telling);
    if (!telling) {
        sighting->status = KANAL_E_BUSY;
        return;
    }
    *telling = (struct telling){ sighting, item, conflict };
    sighting->waiting++;
    claim_tell(sighting->identity, &claim, on_told, telling);
}

/* ---- Links ---- */

static void run_queue(struct identity *identity);

static void on_linked(void *user, const struct identity_outcome *outcome)
{
    struct sighting *sighting = user;
    if (outcome->status != KANAL_OK && outcome->status != KANAL_E_REJECTED)
        sighting->status = outcome->status;
    sighting->identity->is_linking = 0;
    run_queue(sighting->identity);
}

static int are_one(struct identity *identity, const struct id *a, const struct id *b)
{
    struct id customers[2];
    identity_customer(identity, a, &customers[0]);
    identity_customer(identity, b, &customers[1]);
    return strcmp(customers[0].text, customers[1].text) == 0;
}

/* The event's node, and all that it proves: at most EVIDENCE_MAX + 1. */
static size_t names_of(const struct sighting *sighting, struct id *ret_nodes)
{
    size_t count = 0;
    ret_nodes[count++] = sighting->event->node;
    for (size_t i = 0; i < sighting->evidence.count; i++)
        if (sighting->evidence.items[i].is_proved)
            ret_nodes[count++] = sighting->evidence.items[i].node;
    return count;
}

/* A link that is on its way holds the queue up: the next item is judged when it is known. */
static void judge(struct sighting *sighting, size_t index)
{
    struct identity *identity = sighting->identity;
    const struct evidence_item *item = &sighting->evidence.items[index];
    const struct projected *event = sighting->event;
    struct id nodes[EVIDENCE_MAX + 1], link_id;
    struct graph_link edge;
    struct identity_link link = {
        .nodes = { event->node, item->node },
        .addresses = { event->address, item->address },
        .strength = IDENTITY_VERIFIED,
        .evidence = { .kind = item->kind, .event = event->id, .channel = event->channel, .text = item->text },
        .time_ms = event->time_ms
    };
    struct named named = { nodes, names_of(sighting, nodes) };
    int contradicts = identity_contradicts(identity, &link, &named);
    if (!item->is_proved || contradicts) {
        if (!are_one(identity, &event->node, &item->node))
            tell_claim(sighting, index, contradicts);
        return;
    }
    if (link_id_of(identity->host->envelope.ids, link.nodes, item->kind, &link_id) != 0 ||
        link_edge(link.nodes, item->kind, &link_id, &edge) != 0 ||
        graph_get(identity->graph, &edge) != GRAPH_ABSENT)
        return; /* known, or judged by a person */
    identity->is_linking = 1;
    change_link(identity, &link, on_linked, sighting);
}

static void run_queue(struct identity *identity)
{
    while (identity->sightings && !identity->is_linking) {
        struct sighting *first = identity->sightings;
        if (first->at < first->evidence.count)
            judge(first, first->at++);
        else
            leave_queue(first);
    }
}

/* ---- The beginning ---- */

static void observe(struct identity *identity, const struct projected *event, identity_done_fn *done,
                    projected_fn *projected, void *user)
{
    struct evidence_rules rules = { identity->trust, identity->default_region };
    if (!evidence_is_likely(event)) {
        answer(done, projected, user, KANAL_OK);
        return;
    }
    struct sighting *sighting = identity->is_ready ? calloc(1, sizeof *sighting) : NULL;
    if (!sighting || evidence_read(&sighting->evidence, identity->host->envelope.ids, &rules, event) != 0) {
        free(sighting);
        answer(done, projected, user, KANAL_E_BUSY);
        return;
    }
    sighting->identity = identity;
    sighting->event = event;
    sighting->waiting = 1;
    sighting->done = done;
    sighting->projected = projected;
    sighting->user = user;
    *identity->last_sighting = sighting;
    identity->last_sighting = &sighting->next;
    run_queue(identity);
}

void identity_observe(struct identity *identity, const struct projected *event, identity_done_fn *done,
                      void *user)
{
    observe(identity, event, done, NULL, user);
}

static void project(void *user, const struct projected *event, projected_fn *done, void *done_user)
{
    observe(user, event, NULL, done, done_user);
}

struct projection *identity_projection(struct identity *identity)
{
    identity->projection = (struct projection){ .name = "identity", .event = project, .user = identity };
    return &identity->projection;
}

void sightings_free(struct identity *identity)
{
    while (identity->sightings) {
        struct sighting *next = identity->sightings->next;
        sighting_free(identity->sightings);
        identity->sightings = next;
    }
}
