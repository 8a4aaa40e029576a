/* json/regex_compile.c - a pattern's tree to a program. */
#include <stdlib.h>
#include "regex_tree.h"

static uint32_t emit(struct regex_compiler *c, enum regex_op op, uint32_t x, uint32_t y)
{
    struct regex_instruction in = { (uint16_t)op, 0, x, y };

    if (c->regex->instruction_count == REGEX_INSTRUCTIONS) {
        regex_fail(c, "the pattern is too large (use maxLength instead of large repetitions)");
        return 0; /* a valid index; the program is thrown away */
    }
    c->regex->instructions[c->regex->instruction_count] = in;
    return c->regex->instruction_count++;
}

static void emit_node(struct regex_compiler *c, uint32_t index);

static void emit_choice(struct regex_compiler *c, uint32_t child)
{
    uint32_t jumps = NO_NODE;

    for (; child != NO_NODE && !c->failed; child = c->nodes[child].next) {
        uint32_t split;
        if (c->nodes[child].next == NO_NODE) {
            emit_node(c, child);
            break;
        }
        split = emit(c, REGEX_SPLIT, c->regex->instruction_count + 1, 0);
        emit_node(c, child);
        jumps = emit(c, REGEX_JUMP, jumps, 0); /* x links the jumps until the end is known */
        c->regex->instructions[split].y = c->regex->instruction_count;
    }
    while (jumps != NO_NODE && !c->failed) {
        uint32_t previous = c->regex->instructions[jumps].x;
        c->regex->instructions[jumps].x = c->regex->instruction_count;
        jumps = previous;
    }
}

static void emit_repeat(struct regex_compiler *c, const struct tree_node *node)
{
    uint32_t start = c->regex->instruction_count, splits = NO_NODE;

    for (uint32_t i = 0; i < node->x && !c->failed; i++) {
        start = c->regex->instruction_count;
        emit_node(c, node->child);
        if (c->regex->instruction_count == start)
            return; /* nothing, however often */
    }
    if (node->y == NO_LIMIT && node->x > 0) {
        emit(c, REGEX_SPLIT, start, c->regex->instruction_count + 1);
        return;
    }
    for (uint32_t i = node->x; i < node->y && !c->failed; i++) {
        uint32_t before = c->regex->instruction_count;
        splits = emit(c, REGEX_SPLIT, before + 1, splits);
        emit_node(c, node->child);
        if (node->y == NO_LIMIT) {
            emit(c, REGEX_JUMP, before, 0);
            break;
        }
        if (c->regex->instruction_count == before + 1)
            break;
    }
    while (splits != NO_NODE && !c->failed) {
        uint32_t previous = c->regex->instructions[splits].y;
        c->regex->instructions[splits].y = c->regex->instruction_count;
        splits = previous;
    }
}

static void emit_node(struct regex_compiler *c, uint32_t index)
{
    const struct tree_node *node = &c->nodes[index];
    uint32_t at;

    if (c->failed)
        return;
    switch (node->kind) {
    case TREE_CHAR:
        emit(c, REGEX_CHAR, node->x, 0);
        break;
    case TREE_CLASS:
        at = emit(c, REGEX_CLASS, node->x, node->y);
        c->regex->instructions[at].negated = node->negated;
        break;
    case TREE_START:
        emit(c, REGEX_START, 0, 0);
        break;
    case TREE_END:
        emit(c, REGEX_END, 0, 0);
        break;
    case TREE_SEQUENCE:
        for (uint32_t i = node->child; i != NO_NODE && !c->failed; i = c->nodes[i].next)
            emit_node(c, i);
        break;
    case TREE_CHOICE:
        emit_choice(c, node->child);
        break;
    case TREE_REPEAT:
        emit_repeat(c, node);
        break;
    }
}

static void *shrunk(void *block, size_t bytes)
{
    void *smaller = realloc(block, bytes > 0 ? bytes : 1);

    if (!smaller)
        return block;
    return smaller;
}

int json_regex_new(struct json_regex **ret_regex, kanal_str pattern, const char **ret_reason)
{
    struct json_regex *regex = calloc(1, sizeof *regex);
    struct regex_compiler c = { .text = pattern, .regex = regex };
    uint32_t root = NO_NODE;

    c.nodes = calloc(TREE_NODES, sizeof *c.nodes);
    if (regex) {
        regex->instructions = calloc(REGEX_INSTRUCTIONS, sizeof *regex->instructions);
        regex->ranges = calloc(REGEX_RANGES, sizeof *regex->ranges);
    }
    if (!regex || !c.nodes || !regex->instructions || !regex->ranges)
        regex_fail(&c, "out of memory");
    if (!c.failed)
        root = regex_parse(&c);
    if (!c.failed) {
        emit_node(&c, root);
        emit(&c, REGEX_MATCH, 0, 0);
    }
    free(c.nodes);
    if (c.failed || !regex) {
        *ret_reason = c.failed;
        json_regex_free(regex);
        return KANAL_E_INVALID;
    }
    regex->instructions = shrunk(regex->instructions, regex->instruction_count * sizeof *regex->instructions);
    regex->ranges = shrunk(regex->ranges, regex->range_count * sizeof *regex->ranges);
    regex->anchored = regex->instructions[0].op == REGEX_START;
    *ret_regex = regex;
    return 0;
}

void json_regex_free(struct json_regex *regex)
{
    if (!regex)
        return;
    free(regex->instructions);
    free(regex->ranges);
    free(regex);
}
