#include "phone_pattern.h"

/* What comes after a group: the way back up. */
struct after {
    const char *pattern;
    const struct after *up;
    int group; /* whose end this is; -1: of one that is not captured */
    size_t begin;
};

struct run {
    const char *pattern;
    kanal_str text;
    int is_whole;
    struct phone_match match;
};

static int match_here(struct run *run, const char *pattern, size_t at, const struct after *after);

/* Behind one digit, class or group. */
static const char *after_atom(const char *pattern)
{
    int depth = 0;
    do {
        if (*pattern == '\\')
            pattern++;
        else if (*pattern == '[')
            pattern = strchr(pattern, ']');
        else
            depth += (*pattern == '(') - (*pattern == ')');
        pattern++;
    } while (depth > 0);
    return pattern;
}

static const char *read_number(const char *pattern, size_t *ret_number)
{
    for (*ret_number = 0; *pattern >= '0' && *pattern <= '9'; pattern++)
        *ret_number = *ret_number * 10 + (size_t)(*pattern - '0');
    return pattern;
}

static const char *read_times(const char *pattern, size_t *ret_least, size_t *ret_most)
{
    *ret_least = *ret_most = 1;
    if (*pattern == '?') {
        *ret_least = 0;
        return pattern + 1;
    }
    if (*pattern != '{')
        return pattern;
    pattern = read_number(pattern + 1, ret_least);
    *ret_most = *ret_least;
    if (*pattern == ',')
        pattern = read_number(pattern + 1, ret_most);
    return pattern + 1;
}

static int is_in_class(const char *class, char digit)
{
    for (const char *c = class + 1; *c != ']'; c++) {
        if (c[1] == '-') {
            if (digit >= c[0] && digit <= c[2])
                return 1;
            c += 2;
        } else if (digit == *c) {
            return 1;
        }
    }
    return 0;
}

static int is_one(const char *atom, char digit)
{
    return *atom == '\\'  ? digit >= '0' && digit <= '9'
           : *atom == '[' ? is_in_class(atom, digit)
                          : digit == *atom;
}

/* The alternatives from here to the group's end, or the pattern's. */
static int match_alternatives(struct run *run, const char *pattern, size_t at, const struct after *after)
{
    for (;;) {
        if (match_here(run, pattern, at, after))
            return 1;
        while (*pattern != '|' && *pattern != ')' && *pattern != 0)
            pattern = after_atom(pattern);
        if (*pattern++ != '|')
            return 0;
    }
}

static int match_end(struct run *run, size_t at, const struct after *after)
{
    if (after == NULL) {
        run->match.end = at;
        return !run->is_whole || at == run->text.len;
    }
    if (after->group < 0)
        return match_here(run, after->pattern, at, after->up);
    kanal_str before = run->match.group[after->group];
    run->match.group[after->group] = kanal_str_of(run->text.ptr + after->begin, at - after->begin);
    if (match_here(run, after->pattern, at, after->up))
        return 1;
    run->match.group[after->group] = before;
    return 0;
}

/* Groups are numbered by the place of their brackets; -1: one that is not captured. */
static int group_number(const struct run *run, const char *bracket)
{
    int number = 0;
    for (const char *p = run->pattern; p < bracket; p++)
        number += *p == '(' && p[1] != '?';
    return bracket[1] == '?' ? -1 : number;
}

static int match_group(struct run *run, const char *pattern, size_t at, const struct after *after)
{
    size_t least, most;
    const char *next = read_times(after_atom(pattern), &least, &most);
    struct after end = { .pattern = next, .up = after, .group = group_number(run, pattern), .begin = at };
    if (match_alternatives(run, pattern + (pattern[1] == '?' ? 3 : 1), at, &end))
        return 1;
    return least == 0 && match_here(run, next, at, after);
}

static int match_here(struct run *run, const char *pattern, size_t at, const struct after *after)
{
    if (*pattern == 0 || *pattern == ')' || *pattern == '|')
        return match_end(run, at, after);
    if (*pattern == '$')
        return at == run->text.len && match_here(run, pattern + 1, at, after);
    if (*pattern == '(')
        return match_group(run, pattern, at, after);
    size_t least, most, times = 0;
    const char *next = read_times(after_atom(pattern), &least, &most);
    while (times < most && at + times < run->text.len && is_one(pattern, run->text.ptr[at + times]))
        times++;
    for (;; times--) {
        if (times < least)
            return 0;
        if (match_here(run, next, at + times, after))
            return 1;
        if (times == 0)
            return 0;
    }
}

static int match(struct run *run)
{
    for (const char *p = run->pattern; *p; p++)
        run->match.groups += *p == '(' && p[1] != '?';
    return run->pattern[0] != 0 && run->text.len <= PHONE_PATTERN_TEXT &&
           run->match.groups <= PHONE_PATTERN_GROUPS && match_alternatives(run, run->pattern, 0, NULL);
}

int phone_pattern_whole(const char *pattern, kanal_str text)
{
    struct run run = { .pattern = pattern, .text = text, .is_whole = 1 };
    return match(&run);
}

int phone_pattern_prefix(const char *pattern, kanal_str text, struct phone_match *ret_match)
{
    struct run run = { .pattern = pattern, .text = text };
    if (!match(&run))
        return 0;
    *ret_match = run.match;
    return 1;
}
