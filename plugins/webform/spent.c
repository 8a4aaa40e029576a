#include "spent.h"

void spent_release(struct spent *spent)
{
    free(spent->tokens);
    memset(spent, 0, sizeof *spent);
}

const struct spent_token *spent_find(const struct spent *spent, const char *nonce)
{
    for (size_t i = 0; i < spent->count; i++) {
        if (memcmp(spent->tokens[i].nonce, nonce, TOKEN_ID_LEN) == 0)
            return &spent->tokens[i];
    }
    return NULL;
}

/* A place: that of an expired one, a new one, or the one that expires first. NULL: out of memory. */
static struct spent_token *find_place(struct spent *spent, int64_t now_s)
{
    struct spent_token *first = NULL;
    for (size_t i = 0; i < spent->count; i++) {
        if (first == NULL || spent->tokens[i].expires_s < first->expires_s)
            first = &spent->tokens[i];
    }
    if (first != NULL && (first->expires_s < now_s || spent->count == SPENT_MAX))
        return first;
    if (spent->count == spent->capacity) {
        size_t capacity = spent->capacity ? spent->capacity * 2 : 16;
        struct spent_token *grown = realloc(spent->tokens, capacity * sizeof *grown);
        if (grown == NULL)
            return first;
        spent->tokens = grown;
        spent->capacity = capacity;
    }
    return &spent->tokens[spent->count++];
}

void spent_add(struct spent *spent, const char *nonce, uint64_t content, int64_t expires_s, int64_t now_s)
{
    struct spent_token *place = find_place(spent, now_s);
    if (place == NULL)
        return;
    memset(place, 0, sizeof *place);
    memcpy(place->nonce, nonce, TOKEN_ID_LEN);
    place->content = content;
    place->expires_s = expires_s;
}

static uint64_t hash_bytes(uint64_t hash, kanal_str text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) *
               UINT64_C(0x100000001B3); /* FNV-1a: tells accidents, not attacks */
    return (hash ^ 0xFF) * UINT64_C(0x100000001B3);
}

uint64_t spent_hash(kanal_str first, kanal_str second)
{
    return hash_bytes(hash_bytes(UINT64_C(0xCBF29CE484222325), first), second);
}
