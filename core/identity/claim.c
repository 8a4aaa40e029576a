/* What contradicts what is known, and claims: what somebody said and nothing proves. */
#include "identity/identity.h"

#include <stdlib.h>
#include <string.h>

#include "identity/inside.h"
#include "kanal/sdk/str.h"

#define REMEMBERED_MS (24 * INT64_C(3600000))

/* ---- Contradictions ---- */

struct member {
    struct graph_node node;
    uint32_t space;
    int is_named;
};

/* The set of a node, with the spaces of its accounts. Returns how many; 0: too many, or no memory. */
static size_t read_set(struct identity *identity, const struct graph_node *node, kanal_str address,
                       const struct named *named, struct member *members)
{
    struct graph_node nodes[IDENTITY_SET_MAX];
    size_t count = graph_members(identity->graph, node, nodes, IDENTITY_SET_MAX);
    if (count > IDENTITY_SET_MAX)
        return 0;
    for (size_t i = 0; i < count; i++) {
        struct id id;
        ids_text("a_", nodes[i].bytes, &id);
        members[i] = (struct member){ nodes[i], graph_noted(identity->graph, &nodes[i]), 0 };
        if (memcmp(nodes[i].bytes, node->bytes, sizeof node->bytes) == 0 && address.len > 0)
            members[i].space = address_space(address);
        for (size_t n = 0; n < named->count; n++)
            members[i].is_named |= strcmp(named->nodes[n].text, id.text) == 0;
    }
    return count;
}

static int is_contradiction(const struct member *a, const struct member *b)
{
    return a->space != 0 && a->space == b->space && (a->space == SPACE_TEL || !a->is_named || !b->is_named);
}

static int sets_contradict(const struct member *a, size_t a_count, const struct member *b, size_t b_count)
{
    for (size_t i = 0; i < a_count; i++)
        for (size_t j = 0; a[i].space != 0 && j < b_count; j++)
            if (is_contradiction(&a[i], &b[j]))
                return 1;
    return 0;
}

int identity_contradicts(struct identity *identity, const struct identity_link *link,
                         const struct named *named)
{
    struct graph_node nodes[2], roots[2];
    for (int i = 0; i < 2; i++) {
        if (identity_node(kanal_str_c(link->nodes[i].text), &nodes[i]) != 0)
            return 0;
        graph_root(identity->graph, &nodes[i], &roots[i]);
    }
    if (memcmp(&roots[0], &roots[1], sizeof roots[0]) == 0)
        return 0;
    struct member *a = malloc(2 * IDENTITY_SET_MAX * sizeof *a), *b = a ? a + IDENTITY_SET_MAX : NULL;
    size_t a_count = a ? read_set(identity, &nodes[0], link->addresses[0], named, a) : 0;
    size_t b_count = a ? read_set(identity, &nodes[1], link->addresses[1], named, b) : 0;
    int is = a_count == 0 || b_count == 0 || a_count + b_count > IDENTITY_SET_MAX ||
             sets_contradict(a, a_count, b, b_count);
    free(a);
    return is;
}

/* ---- Claims ---- */

static uint64_t hash_of(const struct claim *claim)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
    for (int i = 0; i < 2; i++)
        for (const char *c = claim->nodes[i].text; *c; c++)
            hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    hash = (hash ^ (uint64_t)claim->evidence.kind) * UINT64_C(1099511628211);
    hash = (hash ^ (uint64_t)(claim->conflict != 0)) * UINT64_C(1099511628211);
    return hash != 0 ? hash : 1;
}

static struct claim_slot *slot_of(struct identity *identity, uint64_t hash)
{
    return &identity->claims[(hash >> 32) % CLAIM_SLOTS];
}

int claim_is_known(struct identity *identity, const struct claim *claim)
{
    uint64_t hash = hash_of(claim);
    const struct claim_slot *slot = slot_of(identity, hash);
    return slot->hash == hash && slot->until_ms > host_now_ms();
}

void claim_remember(struct identity *identity, const struct claim *claim)
{
    uint64_t hash = hash_of(claim);
    *slot_of(identity, hash) = (struct claim_slot){ hash, host_now_ms() + REMEMBERED_MS };
}

static void write_claim(struct identity *identity, const struct claim *claim, struct kanal_buffer *out)
{
    struct kanal_json json;
    struct graph_node node;
    struct id owner;
    kanal_json_init(&json, out);
    kanal_json_object(&json);
    kanal_json_key(&json, "claim");
    kanal_json_object(&json);
    kanal_json_member_str(&json, "address", claim->addresses[1]);
    kanal_json_member_text(&json, "node", claim->nodes[1].text);
    if (identity_node(kanal_str_c(claim->nodes[1].text), &node) == 0 &&
        graph_links_of(identity->graph, &node, NULL, 0) > 0) {
        identity_customer(identity, &claim->nodes[1], &owner);
        kanal_json_member_text(&json, "customer", owner.text);
    }
    kanal_json_member_bool(&json, "conflict", claim->conflict);
    evidence_write(&json, &claim->evidence);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
}

void claim_tell(struct identity *identity, const struct claim *claim, published_fn *done, void *user)
{
    struct kanal_buffer data = { 0 }, dedupe = { 0 };
    struct envelope_source source = { .channel = claim->channel,
                                      .plugin = claim->plugin,
                                      .is_core = 1,
                                      .is_said_again = 1,
                                      .traceparent = claim->traceparent };
    kanal_event event = { .struct_size = sizeof event,
                          .time_ms = claim->time_ms,
                          .type = KANAL_LIT("identity.claimed"),
                          .address = claim->addresses[0] };
    const kanal_event *const events[] = { &event };
    /* One claim an event that makes it: said again it is the same. */
    kanal_buffer_str(&dedupe, claim->evidence.event.len > 0 ? claim->evidence.event
                                                            : kanal_str_c(claim->nodes[0].text));
    kanal_buffer_byte(&dedupe, ' ');
    kanal_buffer_text(&dedupe, claim->nodes[1].text);
    write_claim(identity, claim, &data);
    event.dedupe = kanal_buffer_view(&dedupe);
    event.data = kanal_buffer_view(&data);
    identity_count(identity, claim->conflict ? "conflict" : "claimed");
    publisher_publish(identity->host->publisher, &source, events, 1, 0, done, user);
    kanal_buffer_release(&data);
    kanal_buffer_release(&dedupe);
}
