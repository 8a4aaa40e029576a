/* inbound/keys.h - whose order is being kept: chats and customers that something of is on its way slower than the rest. [loop]
 *
 * A key stands for a chat or an address of a channel; two that get the same number (64 bits) merely wait for each other. An entry lives as long as
 * it counts something. */
#ifndef KANAL_INBOUND_KEYS_H
#define KANAL_INBOUND_KEYS_H
#include <stddef.h>
#include <stdint.h>
#include "kanal/plugin.h"

struct keys;

struct key {
    uint64_t number; /* 0: a free place */
    uint64_t rows;   /* in the spool */
    void *last;      /* the last trip that is under way, or NULL */
};

int keys_new(struct keys **ret_keys);
void keys_free(struct keys *);
size_t keys_count(const struct keys *);
/* FNV-1a with an end mark. Its results stand on disk: never to be changed. */
#define KEY_HASH_BEGIN 14695981039346656037u
uint64_t key_hash(uint64_t h, kanal_str text);
/* Never 0. kind: 'c' chat, 'a' address. */
uint64_t key_number(char kind, kanal_str channel, kanal_str text);
/* NULL: nothing of it is on its way. Valid until the next keys_get() or keys_settle(). */
struct key *keys_find(const struct keys *, uint64_t number);
/* Makes it if it is not there. NULL: no memory. */
struct key *keys_get(struct keys *, uint64_t number);
/* Drops it if it counts nothing any more; NULL is fine. */
void keys_settle(struct keys *, struct key *);
/* The spool is empty; memory that a long one took is given back. */
void keys_forget_rows(struct keys *);

#endif
