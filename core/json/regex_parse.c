/* json/regex_parse.c - pattern text to a tree. */
#include <string.h>
#include "regex_tree.h"

#define GROUP_DEPTH 32u
#define CODE_POINTS 0x110000u

static uint32_t parse_choice(struct regex_compiler *c);

uint32_t regex_fail(struct regex_compiler *c, const char *reason)
{
    if (!c->failed)
        c->failed = reason;
    return NO_NODE;
}

static int more(const struct regex_compiler *c)
{
    return !c->failed && c->at < c->text.len;
}

static int next_is(const struct regex_compiler *c, char wanted)
{
    return more(c) && c->text.ptr[c->at] == wanted;
}

static int take(struct regex_compiler *c, char wanted)
{
    if (!next_is(c, wanted))
        return 0;
    c->at++;
    return 1;
}

static uint32_t add_node(struct regex_compiler *c, enum tree_kind kind, uint32_t x, uint32_t y)
{
    struct tree_node node = { kind, NO_NODE, NO_NODE, x, y, 0 };

    if (c->failed)
        return NO_NODE;
    if (c->node_count == TREE_NODES)
        return regex_fail(c, "the pattern is too long");
    c->nodes[c->node_count] = node;
    return c->node_count++;
}

/* ---- Characters and classes ---- */

static void add_range(struct regex_compiler *c, uint32_t first, uint32_t last)
{
    struct regex_range range = { first, last };

    if (c->failed)
        return;
    if (c->regex->range_count == REGEX_RANGES)
        regex_fail(c, "the pattern has too many character ranges");
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

static void add_ranges(struct regex_compiler *c, const struct regex_range *ranges, size_t count, int negated)
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
static int parse_shorthand(struct regex_compiler *c)
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

static uint32_t parse_hex(struct regex_compiler *c, int least, int most)
{
    uint32_t value = 0;
    int digits = 0;

    while (digits < most && more(c) && hex_digit(c->text.ptr[c->at]) >= 0) {
        value = value * 16 + (uint32_t)hex_digit(c->text.ptr[c->at++]);
        digits++;
    }
    if (digits < least || value >= CODE_POINTS)
        regex_fail(c, "wrong \\x or \\u escape");
    return value;
}

static uint32_t parse_unicode(struct regex_compiler *c)
{
    uint32_t value, low;

    if (take(c, '{')) {
        value = parse_hex(c, 1, 8);
        if (!take(c, '}'))
            regex_fail(c, "wrong \\u escape");
        return value;
    }
    value = parse_hex(c, 4, 4);
    if (value < 0xD800 || value > 0xDBFF)
        return value;
    if (!take(c, '\\') || !take(c, 'u') || (low = parse_hex(c, 4, 4)) < 0xDC00 || low > 0xDFFF) {
        regex_fail(c, "half a surrogate pair in a \\u escape");
        return 0;
    }
    return 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
}

/* After the backslash: one character. */
static uint32_t parse_escape(struct regex_compiler *c, int in_class)
{
    static const char controls[] = "t\tn\nv\vf\fr\r";
    char letter;

    if (!more(c)) {
        regex_fail(c, "a backslash at the end");
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
        regex_fail(c, "back-references are not supported");
    else if (letter == 'b' || letter == 'B' || letter == 'p' || letter == 'P' || letter == 'k')
        regex_fail(c, "\\b, \\p and \\k are not supported");
    else
        regex_fail(c, "unknown escape");
    return 0;
}

static uint32_t parse_literal(struct regex_compiler *c)
{
    size_t before = c->at;
    uint32_t value = json_utf8_next(c->text, &c->at);

    if (value == 0xFFFD && c->at - before == 1)
        regex_fail(c, "the pattern is not valid UTF-8");
    return value;
}

/* One end of a range in a class; *ret_set: it was a shorthand, whose ranges are added already. */
static uint32_t parse_class_atom(struct regex_compiler *c, int *ret_set)
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

static uint32_t parse_class(struct regex_compiler *c)
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
                return regex_fail(c, "a range in [] is in the wrong order, or its end is a class");
        }
        if (!from_is_set)
            add_range(c, from, to);
    }
    if (!take(c, ']'))
        return regex_fail(c, "'[' is not closed");
    node = add_node(c, TREE_CLASS, first_range, c->regex->range_count - first_range);
    if (node != NO_NODE)
        c->nodes[node].negated = (uint16_t)negated;
    return node;
}

/* ---- Structure ---- */

static uint32_t parse_group(struct regex_compiler *c)
{
    uint32_t node;

    if (take(c, '?') && !take(c, ':'))
        return regex_fail(c, "look-around and named groups are not supported");
    if (++c->depth > GROUP_DEPTH)
        return regex_fail(c, "groups are nested too deeply");
    node = parse_choice(c);
    c->depth--;
    if (!take(c, ')'))
        return regex_fail(c, "'(' is not closed");
    return node;
}

static uint32_t parse_atom(struct regex_compiler *c)
{
    char letter = c->text.ptr[c->at];
    uint32_t ranges = c->regex->range_count;

    if (strchr("*+?{}])", letter) && letter != 0)
        return regex_fail(c, "a quantifier or bracket without what it belongs to");
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

static int parse_count(struct regex_compiler *c, uint32_t *ret_count)
{
    uint32_t value = 0;
    size_t before = c->at;

    while (more(c) && c->text.ptr[c->at] >= '0' && c->text.ptr[c->at] <= '9') {
        value = value * 10 + (uint32_t)(c->text.ptr[c->at++] - '0');
        if (value > REGEX_INSTRUCTIONS) {
            regex_fail(c, "a repetition is too large (use maxLength)");
            return 0;
        }
    }
    *ret_count = value;
    return c->at > before;
}

/* 1: there is a quantifier. */
static int parse_quantifier(struct regex_compiler *c, uint32_t *ret_least, uint32_t *ret_most)
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
            return regex_fail(c, "expected a number after '{'"), 0;
        *ret_most = *ret_least;
        if (take(c, ',') && !parse_count(c, ret_most))
            *ret_most = NO_LIMIT;
        if (!take(c, '}') || *ret_most < *ret_least)
            return regex_fail(c, "wrong repetition in {}"), 0;
    } else {
        return 0;
    }
    take(c, '?'); /* lazy: another match, but not another verdict */
    return 1;
}

static uint32_t parse_term(struct regex_compiler *c)
{
    uint32_t atom = parse_atom(c), least, most, node;

    if (atom == NO_NODE || !parse_quantifier(c, &least, &most))
        return c->failed ? NO_NODE : atom;
    if (c->nodes[atom].kind == TREE_START || c->nodes[atom].kind == TREE_END)
        return regex_fail(c, "an anchor cannot be repeated");
    node = add_node(c, TREE_REPEAT, least, most);
    if (node != NO_NODE)
        c->nodes[node].child = atom;
    return node;
}

static uint32_t parse_sequence(struct regex_compiler *c)
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

static uint32_t parse_choice(struct regex_compiler *c)
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

uint32_t regex_parse(struct regex_compiler *c)
{
    uint32_t root = parse_choice(c);

    if (!c->failed && c->at < c->text.len)
        regex_fail(c, "')' without '('");
    return root;
}
