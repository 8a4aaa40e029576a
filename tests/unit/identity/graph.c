/* The graph of links, against a plain model; what it costs. */
#include "identity/graph.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kanal/plugin.h"

#define NODES 24u
#define KINDS 2u

/* Spread like what a keyed hash gives, and not in the order of its number. */
static struct graph_node node_of(uint64_t number)
{
    struct graph_node node;
    uint64_t words[2] = { (number + 1) * UINT64_C(0x9e3779b97f4a7c15), number };
    words[0] ^= words[0] >> 29;
    words[0] *= UINT64_C(0xbf58476d1ce4e5b9);
    memcpy(node.bytes, words, sizeof node.bytes);
    return node;
}

static struct graph_link link_of(uint64_t a, uint64_t b, uint8_t kind)
{
    return (struct graph_link){
        .a = node_of(a), .b = node_of(b), .kind = kind, .tag = (uint32_t)((a + b) * 0x9e3779b1u)
    };
}

static int is_node(const struct graph_node *node, uint64_t number)
{
    struct graph_node other = node_of(number);
    return memcmp(node->bytes, other.bytes, sizeof other.bytes) == 0;
}

/* ---- The model: a matrix of states, and sets by flooding ---- */

struct model {
    enum graph_state state[NODES][NODES][KINDS]; /* the smaller number first */
    unsigned set[NODES];
};

static void flood(struct model *model, unsigned node, unsigned set)
{
    model->set[node] = set;
    for (unsigned other = 0; other < NODES; other++)
        for (unsigned kind = 0; kind < KINDS; kind++) {
            unsigned low = node < other ? node : other, high = node < other ? other : node;
            if (model->set[other] == NODES && model->state[low][high][kind] == GRAPH_LINKED)
                flood(model, other, set);
        }
}

static void find_sets(struct model *model)
{
    for (unsigned i = 0; i < NODES; i++)
        model->set[i] = NODES;
    for (unsigned i = 0; i < NODES; i++)
        if (model->set[i] == NODES)
            flood(model, i, i);
}

/* As it was last found. */
static unsigned count_sets(const struct model *model)
{
    unsigned count = 0;
    for (unsigned i = 0; i < NODES; i++)
        count += model->set[i] == i;
    return count;
}

static unsigned smallest_of_set(const struct model *model, unsigned set)
{
    unsigned smallest = NODES;
    for (unsigned i = 0; i < NODES; i++) {
        struct graph_node a = node_of(i), b = node_of(smallest);
        if (model->set[i] == set && (smallest == NODES || memcmp(a.bytes, b.bytes, sizeof a.bytes) < 0))
            smallest = i;
    }
    return smallest;
}

static void compare_node(struct graph *graph, const struct model *model, unsigned i)
{
    struct graph_node node = node_of(i), root, members[NODES];
    size_t expected = 0, links = 0;
    for (unsigned other = 0; other < NODES; other++) {
        expected += model->set[other] == model->set[i];
        for (unsigned kind = 0; other != i && kind < KINDS; kind++)
            links += model->state[i < other ? i : other][i < other ? other : i][kind] == GRAPH_LINKED;
    }
    graph_root(graph, &node, &root);
    cr_assert(is_node(&root, smallest_of_set(model, model->set[i])), "the root of %u", i);
    size_t count = graph_members(graph, &node, members, NODES);
    cr_assert_eq(count, expected, "the set of %u: %zu instead of %zu", i, count, expected);
    for (size_t m = 0; m < count; m++) {
        unsigned other = 0;
        while (other < NODES && !is_node(&members[m], other))
            other++;
        cr_assert_lt(other, NODES);
        cr_assert_eq(model->set[other], model->set[i]);
    }
    cr_assert_eq(graph_links_of(graph, &node, NULL, 0), links);
}

static void compare(struct graph *graph, struct model *model)
{
    size_t linked = 0;
    find_sets(model);
    for (unsigned i = 0; i < NODES; i++)
        compare_node(graph, model, i);
    for (unsigned a = 0; a < NODES; a++)
        for (unsigned b = a + 1; b < NODES; b++)
            for (unsigned kind = 0; kind < KINDS; kind++) {
                struct graph_link link = link_of(b, a, (uint8_t)kind); /* either order */
                cr_assert_eq(graph_get(graph, &link), model->state[a][b][kind]);
                linked += model->state[a][b][kind] == GRAPH_LINKED;
            }
    cr_assert_eq(graph_link_count(graph), linked);
}

/* Dense: nearly all are one set. Else about half as many links as nodes: where sets come together and fall apart. */
static void random_step(struct graph *graph, struct model *model, int is_dense)
{
    unsigned a = (unsigned)rand() % (NODES - 1), b = a + 1 + (unsigned)rand() % (NODES - 1 - a);
    unsigned kind = (unsigned)rand() % KINDS, dice = (unsigned)rand() % 100;
    enum graph_state state = dice < (is_dense ? 40u : 3u) ? GRAPH_LINKED
                             : dice < 70                  ? GRAPH_UNDONE
                                                          : GRAPH_ABSENT;
    struct graph_link link = rand() % 2 ? link_of(a, b, (uint8_t)kind) : link_of(b, a, (uint8_t)kind);
    cr_assert_eq(graph_set(graph, &link, state), 0);
    model->state[a][b][kind] = state;
}

Test(graph, as_the_model)
{
    static struct model model;
    struct graph *graph = graph_new();
    unsigned most = 0;
    cr_assert_not_null(graph);
    srand(11);
    for (int step = 0; step < 40000; step++) {
        random_step(graph, &model, step / 500 % 8 == 0);
        if (step % 17 == 0)
            compare(graph, &model);
        most = count_sets(&model) > most ? count_sets(&model) : most;
    }
    compare(graph, &model);
    cr_expect_gt(most, NODES / 2, "sets do fall apart: up to %u of them", most);
    for (unsigned a = 0; a < NODES; a++)
        for (unsigned b = a + 1; b < NODES; b++)
            for (unsigned kind = 0; kind < KINDS; kind++) {
                struct graph_link link = link_of(a, b, (uint8_t)kind);
                cr_assert_eq(graph_set(graph, &link, GRAPH_ABSENT), 0);
            }
    cr_expect_eq(graph_node_count(graph), 0, "nothing is left of what has no link");
    cr_expect_eq(graph_link_count(graph), 0);
    graph_free(graph);
    graph_free(NULL);
}

/* Two replicas hear of the same links in another order, with detours, and agree. */
Test(graph, the_links_decide_not_their_order)
{
    static struct model model, other;
    struct graph *one = graph_new(), *two = graph_new();
    srand(12);
    for (int step = 0; step < 400; step++)
        random_step(one, &model, step % 4 == 0);
    for (int step = 0; step < 400; step++)
        random_step(two, &other, 1);
    for (unsigned a = NODES; a-- > 0;)
        for (unsigned b = NODES; b-- > a + 1;)
            for (unsigned kind = 0; kind < KINDS; kind++) {
                struct graph_link link = link_of(b, a, (uint8_t)kind);
                graph_set(two, &link, model.state[a][b][kind]);
            }
    for (unsigned i = 0; i < NODES; i++) {
        struct graph_node node = node_of(i), root_one, root_two;
        graph_root(one, &node, &root_one);
        graph_root(two, &node, &root_two);
        cr_expect_eq(memcmp(root_one.bytes, root_two.bytes, sizeof root_one.bytes), 0, "node %u", i);
    }
    cr_expect_eq(graph_node_count(one), graph_node_count(two));
    graph_free(one);
    graph_free(two);
}

Test(graph, notes_go_with_the_last_link)
{
    struct graph *graph = graph_new();
    struct graph_link link = link_of(1, 2, 0), self = link_of(3, 3, 0);
    graph_note(graph, &link.a, 7);
    cr_expect_eq(graph_noted(graph, &link.a), 0, "an unlinked node costs nothing");
    cr_expect_eq(graph_set(graph, &self, GRAPH_LINKED), KANAL_E_INVALID);
    cr_assert_eq(graph_set(graph, &link, GRAPH_LINKED), 0);
    graph_note(graph, &link.a, 7);
    cr_expect_eq(graph_noted(graph, &link.a), 7);
    cr_assert_eq(graph_set(graph, &link, GRAPH_UNDONE), 0);
    cr_expect_eq(graph_noted(graph, &link.a), 7);
    cr_expect_eq(graph_links_of(graph, &link.a, NULL, 0), 0, "what was undone is no link");
    cr_assert_eq(graph_set(graph, &link, GRAPH_ABSENT), 0);
    cr_assert_eq(graph_set(graph, &link, GRAPH_LINKED), 0);
    cr_expect_eq(graph_noted(graph, &link.a), 0);
    graph_free(graph);
}

Test(graph, found_by_tag)
{
    struct graph *graph = graph_new();
    struct graph_link found;
    for (uint64_t i = 0; i < 5000; i++) {
        struct graph_link link = link_of(2 * i, 2 * i + 1, 0);
        link.tag = (uint32_t)(i % 1000); /* five have the same */
        cr_assert_eq(graph_set(graph, &link, GRAPH_LINKED), 0);
    }
    for (uint32_t tag = 0; tag < 1001; tag++) {
        size_t cursor = 0, count = 0;
        for (; graph_tagged(graph, tag, &cursor, &found); count++)
            cr_assert_eq(found.tag, tag);
        cr_assert_eq(count, tag < 1000 ? 5 : 0, "tag %u: %zu", tag, count);
    }
    graph_free(graph);
}

/* The worst case: no two links share a node. */
Test(graph, a_link_costs_less_than_100_bytes)
{
    struct graph *graph = graph_new();
    size_t empty = graph_bytes(graph);
    for (uint64_t i = 0; i < 200000; i++) {
        struct graph_link link = link_of(2 * i, 2 * i + 1, 0);
        cr_assert_eq(graph_set(graph, &link, GRAPH_LINKED), 0);
    }
    size_t bytes = graph_bytes(graph);
    printf("200,000 links with 400,000 nodes: %.1f bytes a link\n", (double)bytes / 200000);
    cr_expect_leq(bytes, 200000 * 100);
    for (uint64_t i = 0; i < 1000000; i++) { /* known addresses without a link */
        struct graph_node node = node_of(1000000 + i), root;
        graph_root(graph, &node, &root);
        cr_assert(is_node(&root, 1000000 + i));
    }
    cr_expect_eq(graph_bytes(graph), bytes, "and nothing for a node that has none");
    cr_expect_lt(empty, 2048);
    graph_free(graph);
}
