/* json/regex_compile.c - pattern text to a tree, and the tree to a program. */
#include <stdlib.h>
#include <string.h>
#include "regex_program.h"

#define TREE_NODES 4096u
#define GROUP_DEPTH 32u
#define NO_NODE UINT32_MAX
#define NO_LIMIT UINT32_MAX
#define CODE_POINTS 0x110000u

enum tree_kind { TREE_CHAR, TREE_CLASS, TREE_START, TREE_END, TREE_SEQUENCE, TREE_CHOICE, TREE_REPEAT };

struct tree_node {
    enum tree_kind kind;
    uint32_t child, next; /* first child; next one of the same parent */
    uint32_t x, y;        /* code point; first range and count; least and most */
    uint16_t negated;
};

struct compiler {
    kanal_str text;
    size_t at;
    uint32_t depth;
    const char *failed; /* the first thing that is wrong */
    struct tree_node *nodes;
    uint32_t node_count;
    struct json_regex *regex;
};

static uint32_t parse_choice(struct compiler *c);

static uint32_t fail(struct compiler *c, const char *reason)
{
    if (!c->failed)
        c->failed = reason;
    return NO_NODE;
}

static int more(const struct compiler *c)
{
    return !c->failed && c->at < c->text.len;
}

static int next_is(const struct compiler *c, char wanted)
{
    return more(c) && c->text.ptr[c->at] == wanted;
}

static int take(struct compiler *c, char wanted)
{
    if (!next_is(c, wanted))
        return 0;
    c->at++;
    return 1;
}

static uint32_t add_node(struct compiler *c, enum tree_kind kind, uint32_t x, uint32_t y)
{
    struct tree_node node = { kind, NO_NODE, NO_NODE, x, y, 0 };

    if (c->failed)
        return NO_NODE;
    if (c->node_count == TREE_NODES)
        return fail(c, "the pattern is too long");
    c->nodes[c->node_count] = node;
    return c->node_count++;
}

/* ---- Characters and classes ---- */

static void add_range(struct compiler *c, uint32_t first, uint32_t last)
{
    struct regex_range range = { first, last };

    if (c->failed)
        return;
    if (c->regex->range_count == REGEX_RANGES)
        fail(c, "the pattern has too many character ranges");
    else
        c->regex->ranges[c->regex->range_count++] = range;
}

static const struct regex_range digit_ranges[] = { { '0', '9' } };
static const struct regex_range word_ranges[] = { { '0', '9' }, { 'A', 'Z' }, { '_', '_' }, { 'a', 'z' } };
/* WhiteSpace and LineTerminator of ECMA-262, 12.2 and 12.3. */
static const struct regex_range space_ranges[] = { { 0x09, 0x0D },     { 0x20, 0x20 },     { 0xA0, 0xA0 },
                                                   { 0x1680, 0x1680 }, { 0x2000, 0x200A }, { 0x2028, 0x2029 },
                                                   { 0x202F, 0x202F }, { 0x205F, 0x205F }, { 0x3000, 0x3000 },
                                                   { 0xFEFF, 0xFEFF } };
static const struct regex_range line_ends[] = { { '\n', '\n' }, { '\r', '\r' }, { 0x2028, 0x2029 } };

static void add_ranges(struct compiler *c, const struct regex_range *ranges, size_t count, int negated)
{
    uint32_t from = 0;

    for (size_t i = 0; i < count; i++) {
        if (!negated)
            add_range(c, ranges[i].first, ranges[i].last);
        else if (ranges[i].first > from)
            add_range(c, from, ranges[i].first - 1);
        from = ranges[i].last + 1;
    }
    if (negated)
        add_range(c, from, CODE_POINTS - 1);
}

/* \d \w \s and their opposites: adds the ranges and returns 1. */
static int parse_shorthand(struct compiler *c)
{
    char letter = c->text.ptr[c->at];
    int negated = letter == 'D' || letter == 'W' || letter == 'S';

    if (letter == 'd' || letter == 'D')
        add_ranges(c, digit_ranges, sizeof digit_ranges / sizeof *digit_ranges, negated);
    else if (letter == 'w' || letter == 'W')
        add_ranges(c, word_ranges, sizeof word_ranges / sizeof *word_ranges, negated);
    else if (letter == 's' || letter == 'S')
        add_ranges(c, space_ranges, sizeof space_ranges / sizeof *space_ranges, negated);
    else
        return 0;
    c->at++;
    return 1;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

static uint32_t parse_hex(struct compiler *c, int least, int most)
{
    uint32_t value = 0;
    int digits = 0;

    while (digits < most && more(c) && hex_digit(c->text.ptr[c->at]) >= 0) {
        value = value * 16 + (uint32_t)hex_digit(c->text.ptr[c->at++]);
        digits++;
    }
    if (digits < least || value >= CODE_POINTS)
        fail(c, "wrong \\x or \\u escape");
    return value;
}

static uint32_t parse_unicode(struct compiler *c)
{
    uint32_t value, low;

    if (take(c, '{')) {
        value = parse_hex(c, 1, 8);
        if (!take(c, '}'))
            fail(c, "wrong \\u escape");
        return value;
    }
    value = parse_hex(c, 4, 4);
    if (value < 0xD800 || value > 0xDBFF)
        return value;
    if (!take(c, '\\') || !take(c, 'u') || (low = parse_hex(c, 4, 4)) < 0xDC00 || low > 0xDFFF) {
        fail(c, "half a surrogate pair in a \\u escape");
        return 0;
    }
    return 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
}

/* After the backslash: one character. */
static uint32_t parse_escape(struct compiler *c, int in_class)
{
    static const char controls[] = "t\tn\nv\vf\fr\r";
    char letter;

    if (!more(c)) {
        fail(c, "a backslash at the end");
        return 0;
    }
    letter = c->text.ptr[c->at++];
    for (size_t i = 0; i + 1 < sizeof controls; i += 2)
        if (controls[i] == letter)
            return (uint32_t)controls[i + 1];
    if (letter == 'x')
        return parse_hex(c, 2, 2);
    if (letter == 'u')
        return parse_unicode(c);
    if (letter == '0' && !(more(c) && c->text.ptr[c->at] >= '0' && c->text.ptr[c->at] <= '9'))
        return 0;
    if (letter == 'c' && more(c) &&
        ((c->text.ptr[c->at] | 0x20) >= 'a' && (c->text.ptr[c->at] | 0x20) <= 'z'))
        return (uint32_t)(c->text.ptr[c->at++] & 0x1F);
    if (letter == 'b' && in_class)
        return '\b';
    if (letter != 0 && (strchr("^$\\.*+?()[]{}|/", letter) || (letter == '-' && in_class)))
        return (uint32_t)letter;
    if (letter >= '1' && letter <= '9')
        fail(c, "back-references are not supported");
    else if (letter == 'b' || letter == 'B' || letter == 'p' || letter == 'P' || letter == 'k')
        fail(c, "\\b, \\p and \\k are not supported");
    else
        fail(c, "unknown escape");
    return 0;
}

static uint32_t parse_literal(struct compiler *c)
{
    size_t before = c->at;
    uint32_t value = json_utf8_next(c->text, &c->at);

    if (value == 0xFFFD && c->at - before == 1)
        fail(c, "the pattern is not valid UTF-8");
    return value;
}

/* One end of a range in a class; *ret_set: it was a shorthand, whose ranges are added already. */
static uint32_t parse_class_atom(struct compiler *c, int *ret_set)
{
    *ret_set = 0;
    if (!take(c, '\\'))
        return parse_literal(c);
    if (more(c) && parse_shorthand(c)) {
        *ret_set = 1;
        return 0;
    }
    return parse_escape(c, 1);
}

static uint32_t parse_class(struct compiler *c)
{
    uint32_t first_range = c->regex->range_count;
    int negated = take(c, '^');
    uint32_t node;

    while (more(c) && !next_is(c, ']')) {
        int from_is_set, to_is_set = 0;
        uint32_t from = parse_class_atom(c, &from_is_set), to = from;

        if (next_is(c, '-') && c->at + 1 < c->text.len && c->text.ptr[c->at + 1] != ']') {
            c->at++;
            to = parse_class_atom(c, &to_is_set);
            if (from_is_set || to_is_set || to < from)
                return fail(c, "a range in [] is in the wrong order, or its end is a class");
        }
        if (!from_is_set)
            add_range(c, from, to);
    }
    if (!take(c, ']'))
        return fail(c, "'[' is not closed");
    node = add_node(c, TREE_CLASS, first_range, c->regex->range_count - first_range);
    if (node != NO_NODE)
        c->nodes[node].negated = (uint16_t)negated;
    return node;
}

/* ---- Structure ---- */

static uint32_t parse_group(struct compiler *c)
{
    uint32_t node;

    if (take(c, '?') && !take(c, ':'))
        return fail(c, "look-around and named groups are not supported");
    if (++c->depth > GROUP_DEPTH)
        return fail(c, "groups are nested too deeply");
    node = parse_choice(c);
    c->depth--;
    if (!take(c, ')'))
        return fail(c, "'(' is not closed");
    return node;
}

static uint32_t parse_atom(struct compiler *c)
{
    char letter = c->text.ptr[c->at];
    uint32_t ranges = c->regex->range_count;

    if (strchr("*+?{}])", letter) && letter != 0)
        return fail(c, "a quantifier or bracket without what it belongs to");
    if (take(c, '('))
        return parse_group(c);
    if (take(c, '['))
        return parse_class(c);
    if (take(c, '^'))
        return add_node(c, TREE_START, 0, 0);
    if (take(c, '$'))
        return add_node(c, TREE_END, 0, 0);
    if (take(c, '.')) {
        add_ranges(c, line_ends, sizeof line_ends / sizeof *line_ends, 1);
        return add_node(c, TREE_CLASS, ranges, c->regex->range_count - ranges);
    }
    if (take(c, '\\')) {
        if (more(c) && parse_shorthand(c))
            return add_node(c, TREE_CLASS, ranges, c->regex->range_count - ranges);
        return add_node(c, TREE_CHAR, parse_escape(c, 0), 0);
    }
    return add_node(c, TREE_CHAR, parse_literal(c), 0);
}

static int parse_count(struct compiler *c, uint32_t *ret_count)
{
    uint32_t value = 0;
    size_t before = c->at;

    while (more(c) && c->text.ptr[c->at] >= '0' && c->text.ptr[c->at] <= '9') {
        value = value * 10 + (uint32_t)(c->text.ptr[c->at++] - '0');
        if (value > REGEX_INSTRUCTIONS) {
            fail(c, "a repetition is too large (use maxLength)");
            return 0;
        }
    }
    *ret_count = value;
    return c->at > before;
}

/* 1: there is a quantifier. */
static int parse_quantifier(struct compiler *c, uint32_t *ret_least, uint32_t *ret_most)
{
    if (take(c, '*')) {
        *ret_least = 0;
        *ret_most = NO_LIMIT;
    } else if (take(c, '+')) {
        *ret_least = 1;
        *ret_most = NO_LIMIT;
    } else if (take(c, '?')) {
        *ret_least = 0;
        *ret_most = 1;
    } else if (take(c, '{')) {
        if (!parse_count(c, ret_least))
            return fail(c, "expected a number after '{'"), 0;
        *ret_most = *ret_least;
        if (take(c, ',') && !parse_count(c, ret_most))
            *ret_most = NO_LIMIT;
        if (!take(c, '}') || *ret_most < *ret_least)
            return fail(c, "wrong repetition in {}"), 0;
    } else {
        return 0;
    }
    take(c, '?'); /* lazy: another match, but not another verdict */
    return 1;
}

static uint32_t parse_term(struct compiler *c)
{
    uint32_t atom = parse_atom(c), least, most, node;

    if (atom == NO_NODE || !parse_quantifier(c, &least, &most))
        return c->failed ? NO_NODE : atom;
    if (c->nodes[atom].kind == TREE_START || c->nodes[atom].kind == TREE_END)
        return fail(c, "an anchor cannot be repeated");
    node = add_node(c, TREE_REPEAT, least, most);
    if (node != NO_NODE)
        c->nodes[node].child = atom;
    return node;
}

static uint32_t parse_sequence(struct compiler *c)
{
    uint32_t sequence = add_node(c, TREE_SEQUENCE, 0, 0), last = NO_NODE;

    while (more(c) && !next_is(c, '|') && !next_is(c, ')')) {
        uint32_t term = parse_term(c);
        if (term == NO_NODE)
            return NO_NODE;
        if (last == NO_NODE)
            c->nodes[sequence].child = term;
        else
            c->nodes[last].next = term;
        last = term;
    }
    return sequence;
}

static uint32_t parse_choice(struct compiler *c)
{
    uint32_t first = parse_sequence(c), last = first, choice;

    if (!next_is(c, '|'))
        return c->failed ? NO_NODE : first;
    choice = add_node(c, TREE_CHOICE, 0, 0);
    if (choice != NO_NODE)
        c->nodes[choice].child = first;
    while (take(c, '|')) {
        uint32_t sequence = parse_sequence(c);
        if (sequence == NO_NODE)
            return NO_NODE;
        c->nodes[last].next = sequence;
        last = sequence;
    }
    return c->failed ? NO_NODE : choice;
}

/* ---- The program ---- */

static uint32_t emit(struct compiler *c, enum regex_op op, uint32_t x, uint32_t y)
{
    struct regex_instruction in = { (uint16_t)op, 0, x, y };

    if (c->regex->instruction_count == REGEX_INSTRUCTIONS) {
        fail(c, "the pattern is too large (use maxLength instead of large repetitions)");
        return 0; /* a valid index; the program is thrown away */
    }
    c->regex->instructions[c->regex->instruction_count] = in;
    return c->regex->instruction_count++;
}

static void emit_node(struct compiler *c, uint32_t index);

static void emit_choice(struct compiler *c, uint32_t child)
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

static void emit_repeat(struct compiler *c, const struct tree_node *node)
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

static void emit_node(struct compiler *c, uint32_t index)
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
    struct compiler c = { .text = pattern, .regex = regex };
    uint32_t root = NO_NODE;

    c.nodes = calloc(TREE_NODES, sizeof *c.nodes);
    if (regex) {
        regex->instructions = calloc(REGEX_INSTRUCTIONS, sizeof *regex->instructions);
        regex->ranges = calloc(REGEX_RANGES, sizeof *regex->ranges);
    }
    if (!regex || !c.nodes || !regex->instructions || !regex->ranges)
        fail(&c, "out of memory");
    if (!c.failed)
        root = parse_choice(&c);
    if (!c.failed && c.at < pattern.len)
        fail(&c, "')' without '('");
    if (!c.failed) {
        emit_node(&c, root);
        emit(&c, REGEX_MATCH, 0, 0);
    }
    free(c.nodes);
    if (c.failed) {
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
