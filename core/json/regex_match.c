/* json/regex_match.c - Thompson's simulation: all states at once, one pass over the text. */
#include <string.h>
#include "regex_program.h"

struct state_set {
    uint32_t count;
    uint16_t list[REGEX_INSTRUCTIONS];
    uint64_t member[REGEX_INSTRUCTIONS / 64];
};

static int is_continuation(kanal_str text, size_t at)
{
    return at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80;
}

uint32_t json_utf8_next(kanal_str text, size_t *at)
{
    size_t i = *at;
    const unsigned char *p = (const unsigned char *)text.ptr + i;
    uint32_t c = p[0];

    *at = i + 1;
    if (c < 0x80)
        return c;
    if (c >= 0xC2 && c < 0xE0 && is_continuation(text, i + 1)) {
        *at = i + 2;
        return (c & 0x1F) << 6 | (p[1] & 0x3Fu);
    }
    if (c >= 0xE0 && c < 0xF0 && is_continuation(text, i + 1) && is_continuation(text, i + 2)) {
        uint32_t code = (c & 0x0F) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
        if (code < 0x800 || (code >= 0xD800 && code < 0xE000))
            return 0xFFFD;
        *at = i + 3;
        return code;
    }
    if (c >= 0xF0 && c < 0xF5 && is_continuation(text, i + 1) && is_continuation(text, i + 2) &&
        is_continuation(text, i + 3)) {
        uint32_t code = (c & 0x07) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
        if (code < 0x10000 || code > 0x10FFFF)
            return 0xFFFD;
        *at = i + 4;
        return code;
    }
    return 0xFFFD;
}

static int in_class(const struct json_regex *regex, const struct regex_instruction *in, uint32_t c)
{
    const struct regex_range *range = regex->ranges + in->x;
    int found = 0;

    for (uint32_t i = 0; i < in->y && !found; i++)
        found = c >= range[i].first && c <= range[i].last;
    return found != in->negated;
}

struct pending {
    uint32_t count;
    uint16_t list[REGEX_INSTRUCTIONS];
};

/* Each state is pushed at most once into a set, because it is marked then: the list cannot overflow. */
static void push(struct state_set *set, struct pending *pending, uint32_t state)
{
    uint64_t bit = UINT64_C(1) << (state % 64);

    if (set->member[state / 64] & bit)
        return;
    set->member[state / 64] |= bit;
    pending->list[pending->count++] = (uint16_t)state;
}

/* Adds a state and all that it reaches without a character. Returns 1 when the end of the program is among them. */
static int add_state(const struct json_regex *regex, struct state_set *set, uint32_t first, int at_start,
                     int at_end)
{
    struct pending pending;
    int matched = 0;

    pending.count = 0;
    push(set, &pending, first);
    while (pending.count > 0) {
        uint32_t state = pending.list[--pending.count];
        const struct regex_instruction *in = &regex->instructions[state];

        switch (in->op) {
        case REGEX_JUMP:
            push(set, &pending, in->x);
            break;
        case REGEX_SPLIT:
            push(set, &pending, in->y);
            push(set, &pending, in->x);
            break;
        case REGEX_START:
        case REGEX_END:
            if (in->op == REGEX_START ? at_start : at_end)
                push(set, &pending, state + 1);
            break;
        case REGEX_MATCH:
            matched = 1;
            break;
        default:
            set->list[set->count++] = (uint16_t)state;
        }
    }
    return matched;
}

static void clear_set(const struct json_regex *regex, struct state_set *set)
{
    set->count = 0;
    memset(set->member, 0, (regex->instruction_count + 63) / 64 * sizeof set->member[0]);
}

int json_regex_match(const struct json_regex *regex, kanal_str text)
{
    struct state_set sets[2];
    struct state_set *now = &sets[0], *next = &sets[1];
    size_t at = 0;

    clear_set(regex, now);
    if (add_state(regex, now, 0, 1, text.len == 0))
        return 1;
    while (at < text.len) {
        uint32_t c = json_utf8_next(text, &at);
        int at_end = at == text.len;
        struct state_set *swap = now;

        if (now->count == 0 && regex->anchored)
            return 0;
        clear_set(regex, next);
        for (uint32_t i = 0; i < now->count; i++) {
            const struct regex_instruction *in = &regex->instructions[now->list[i]];
            int steps = in->op == REGEX_CHAR ? in->x == c : in_class(regex, in, c);
            if (steps && add_state(regex, next, now->list[i] + 1u, 0, at_end))
                return 1;
        }
        if (!regex->anchored && add_state(regex, next, 0, 0, at_end))
            return 1;
        now = next;
        next = swap;
    }
    return 0;
}
