#include "slots.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define FIRST_CAPACITY 256u

void broker_slots_init(struct broker_slots *s, uint32_t limit, uint64_t now_ms)
{
    memset(s, 0, sizeof *s);
    s->limit = limit < 65535u ? limit : 65535u;
    s->free = NONE;
    s->tick = now_ms / BROKER_WHEEL_TICK_MS;
    for (uint32_t i = 0; i < BROKER_WHEEL_BUCKETS; i++)
        s->buckets[i] = NONE;
}

void broker_slots_release(struct broker_slots *s)
{
    free(s->table);
    memset(s, 0, sizeof *s);
}

static int grow(struct broker_slots *s)
{
    uint32_t wanted = s->capacity ? s->capacity * 2 : FIRST_CAPACITY;
    struct broker_slot *table;

    if (wanted > s->limit)
        wanted = s->limit;
    if (wanted <= s->capacity)
        return KANAL_E_BUSY;
    table = realloc(s->table, wanted * sizeof *table);
    if (!table)
        return KANAL_E_BUSY;
    memset(table + s->capacity, 0, (wanted - s->capacity) * sizeof *table);
    s->table = table;
    for (uint32_t i = wanted; i-- > s->capacity;) {
        table[i].next = s->free;
        s->free = i;
    }
    s->capacity = wanted;
    return 0;
}

int broker_slots_take(struct broker_slots *s, const struct broker_asker *asker, uint64_t deadline_ms,
                      uint64_t *ret_token)
{
    struct broker_slot *slot;
    uint32_t *bucket, index;

    if (s->free == NONE && grow(s) != 0)
        return KANAL_E_BUSY;
    index = s->free;
    slot = &s->table[index];
    s->free = slot->next;
    slot->asker = *asker;
    slot->sequence = ++s->sequence;
    slot->deadline_tick = deadline_ms / BROKER_WHEEL_TICK_MS + 1;
    /* A tick that was walked already would come round again only after a whole turn of the wheel. */
    if (slot->deadline_tick <= s->tick)
        slot->deadline_tick = s->tick + 1;
    bucket = &s->buckets[slot->deadline_tick % BROKER_WHEEL_BUCKETS];
    slot->next = *bucket;
    slot->prev = NONE;
    if (*bucket != NONE)
        s->table[*bucket].prev = index;
    *bucket = index;
    s->used++;
    *ret_token = (uint64_t)slot->generation << 16 | index;
    return 0;
}

static void unlink_slot(struct broker_slots *s, uint32_t index)
{
    struct broker_slot *slot = &s->table[index];

    if (slot->prev != NONE)
        s->table[slot->prev].next = slot->next;
    else
        s->buckets[slot->deadline_tick % BROKER_WHEEL_BUCKETS] = slot->next;
    if (slot->next != NONE)
        s->table[slot->next].prev = slot->prev;
}

static void drop_groups(struct broker_slots *s)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->nobody_count; i++)
        if (s->nobody[i].count > 0 && s->nobody[i].waiting > 0)
            s->nobody[kept++] = s->nobody[i];
    s->nobody_count = kept;
}

/* was_nobody: it is known, or must be assumed, that this one had no responder. */
static void leave_groups(struct broker_slots *s, uint64_t sequence, int was_nobody)
{
    for (uint32_t i = 0; i < s->nobody_count; i++) {
        struct broker_nobody *group = &s->nobody[i];

        if (sequence > group->until)
            continue;
        group->waiting--;
        if (was_nobody && group->count > 0)
            group->count--;
    }
    drop_groups(s);
}

static void release(struct broker_slots *s, uint32_t index, int was_nobody, struct broker_asker *ret_asker)
{
    struct broker_slot *slot = &s->table[index];

    *ret_asker = slot->asker;
    unlink_slot(s, index);
    if (s->nobody_count > 0)
        leave_groups(s, slot->sequence, was_nobody);
    slot->sequence = 0;
    slot->generation++;
    slot->next = s->free;
    s->free = index;
    s->used--;
}

int broker_slots_give(struct broker_slots *s, uint64_t token, struct broker_asker *ret_asker)
{
    uint32_t index = (uint32_t)(token & 0xffff);
    uint64_t generation = token >> 16;

    if (index >= s->capacity || s->table[index].sequence == 0 || s->table[index].generation != generation)
        return KANAL_E_NOT_FOUND;
    release(s, index, 0, ret_asker);
    return 0;
}

int broker_slots_expired(struct broker_slots *s, uint64_t now_ms, struct broker_asker *ret_asker)
{
    uint64_t now = now_ms / BROKER_WHEEL_TICK_MS;

    /* After a long sleep one turn of the wheel has seen every bucket. */
    if (now > s->tick + BROKER_WHEEL_BUCKETS)
        s->tick = now - BROKER_WHEEL_BUCKETS;
    while (s->tick <= now) {
        for (uint32_t i = s->buckets[s->tick % BROKER_WHEEL_BUCKETS]; i != NONE; i = s->table[i].next) {
            if (s->table[i].deadline_tick > now)
                continue;
            /* It may have been one of those without a responder; to assume so keeps others from being
             * blamed. */
            release(s, i, 1, ret_asker);
            return 1;
        }
        if (s->tick == now)
            break;
        s->tick++;
    }
    return 0;
}

void broker_slots_nobody(struct broker_slots *s)
{
    struct broker_nobody *last = s->nobody_count > 0 ? &s->nobody[s->nobody_count - 1] : NULL;

    if (s->used == 0)
        return;
    if (!last || (last->until != s->sequence && s->nobody_count < BROKER_NOBODY_GROUPS)) {
        uint32_t before = last ? last->count : 0;

        last = &s->nobody[s->nobody_count++];
        last->count = before;
    }
    last->until = s->sequence;
    last->waiting = s->used;
    if (last->count < last->waiting)
        last->count++;
}

/* The first in use at or after *cursor, sent no later than `until`. */
static int take_out(struct broker_slots *s, uint32_t *cursor, uint64_t until, int nobody,
                    struct broker_asker *ret_asker)
{
    for (uint32_t i = *cursor; i < s->capacity; i++)
        if (s->table[i].sequence != 0 && s->table[i].sequence <= until) {
            *cursor = i + 1;
            release(s, i, nobody, ret_asker);
            return 1;
        }
    return 0;
}

int broker_slots_unanswered(struct broker_slots *s, uint32_t *cursor, struct broker_asker *ret_asker)
{
    for (uint32_t g = 0; g < s->nobody_count; g++) {
        uint64_t until = s->nobody[g].until;

        if (s->nobody[g].count < s->nobody[g].waiting)
            continue;
        if (take_out(s, cursor, until, 1, ret_asker))
            return 1;
        *cursor = 0; /* the walk for an earlier group has passed them */
        return take_out(s, cursor, until, 1, ret_asker);
    }
    return 0;
}

int broker_slots_pop(struct broker_slots *s, uint32_t *cursor, struct broker_asker *ret_asker)
{
    s->nobody_count = 0;
    return s->used > 0 && take_out(s, cursor, UINT64_MAX, 0, ret_asker);
}

size_t broker_token_format(uint64_t token, char out[BROKER_TOKEN_BYTES])
{
    char digits[BROKER_TOKEN_BYTES];
    size_t n = 0;

    do {
        digits[n++] = "0123456789abcdef"[token & 15];
        token >>= 4;
    } while (token != 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    out[n] = '\0';
    return n;
}

int broker_token_parse(kanal_str text, uint64_t *ret_token)
{
    uint64_t token = 0;

    if (text.len == 0 || text.len > 16)
        return KANAL_E_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c >= '0' && c <= '9')
            token = token << 4 | (uint64_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            token = token << 4 | (uint64_t)(c - 'a' + 10);
        else
            return KANAL_E_INVALID;
    }
    *ret_token = token;
    return 0;
}
