#include "inbound/keys.h"

#include <stdlib.h>

/* Open addressing; removal moves back what stands behind, so that there are no marks. */
struct keys {
    struct key *places;
    size_t size; /* a power of two */
    size_t count;
};

#define FIRST_SIZE 64u

int keys_new(struct keys **ret_keys)
{
    struct keys *keys = calloc(1, sizeof *keys);
    if (keys && !(keys->places = calloc(FIRST_SIZE, sizeof *keys->places))) {
        free(keys);
        keys = NULL;
    }
    if (!keys)
        return KANAL_E_INTERNAL;
    keys->size = FIRST_SIZE;
    *ret_keys = keys;
    return 0;
}

void keys_free(struct keys *keys)
{
    if (!keys)
        return;
    free(keys->places);
    free(keys);
}

size_t keys_count(const struct keys *keys)
{
    return keys->count;
}

uint64_t key_hash(uint64_t h, kanal_str text)
{
    for (size_t i = 0; i < text.len; i++)
        h = (h ^ (unsigned char)text.ptr[i]) * 1099511628211u; /* FNV-1a */
    return (h ^ 0xff) * 1099511628211u;
}

uint64_t key_number(char kind, kanal_str channel, kanal_str text)
{
    uint64_t h = key_hash(key_hash(KEY_HASH_BEGIN ^ (unsigned char)kind, channel), text);
    return h ? h : 1;
}

static size_t home(const struct keys *keys, uint64_t number)
{
    return (size_t)((number * 0x9e3779b97f4a7c15u) >> 20) & (keys->size - 1);
}

/* Its place, or the free one where it belongs. */
static struct key *look(const struct keys *keys, uint64_t number)
{
    size_t i = home(keys, number);
    while (keys->places[i].number && keys->places[i].number != number)
        i = (i + 1) & (keys->size - 1);
    return &keys->places[i];
}

struct key *keys_find(const struct keys *keys, uint64_t number)
{
    struct key *key = keys->count > 0 ? look(keys, number) : NULL;
    return key && key->number ? key : NULL;
}

static int grow(struct keys *keys)
{
    struct keys larger = { .size = keys->size * 2, .count = keys->count };
    if (larger.size <= keys->size || !(larger.places = calloc(larger.size, sizeof *larger.places)))
        return -1;
    for (size_t i = 0; i < keys->size; i++)
        if (keys->places[i].number)
            *look(&larger, keys->places[i].number) = keys->places[i];
    free(keys->places);
    *keys = larger;
    return 0;
}

struct key *keys_get(struct keys *keys, uint64_t number)
{
    struct key *key = keys_find(keys, number);
    if (key)
        return key;
    if (keys->count * 2 >= keys->size && grow(keys) != 0)
        return NULL;
    key = look(keys, number);
    key->number = number;
    keys->count++;
    return key;
}

void keys_settle(struct keys *keys, struct key *key)
{
    if (!key || key->rows > 0 || key->last)
        return;
    size_t mask = keys->size - 1, hole = (size_t)(key - keys->places);
    *key = (struct key){ 0 };
    keys->count--;
    for (size_t i = (hole + 1) & mask; keys->places[i].number; i = (i + 1) & mask) {
        size_t from = home(keys, keys->places[i].number);
        /* May it stand in the hole? Only if its home is not between the hole (excluded) and where it stands. */
        if (((i - from) & mask) < ((i - hole) & mask))
            continue;
        keys->places[hole] = keys->places[i];
        keys->places[i] = (struct key){ 0 };
        hole = i;
    }
}

static void shrink(struct keys *keys)
{
    struct key *places =
        keys->count == 0 && keys->size > FIRST_SIZE ? calloc(FIRST_SIZE, sizeof *places) : NULL;
    if (!places)
        return;
    free(keys->places);
    keys->places = places;
    keys->size = FIRST_SIZE;
}

void keys_forget_rows(struct keys *keys)
{
    uint64_t left = 0;
    for (size_t i = 0; keys->count > 0 && i < keys->size; i++) {
        left += keys->places[i].number && keys->places[i].rows > 0;
        keys->places[i].rows = 0;
    }
    /* Rare: only those of damaged rows are left. Settling moves others, so each round begins anew. */
    for (size_t i = 0; left > 0 && i < keys->size;) {
        struct key *key = &keys->places[i];
        if (key->number && !key->last)
            keys_settle(keys, key);
        else
            i++;
    }
    shrink(keys);
}
