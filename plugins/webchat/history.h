/* history.h - one visitor's conversation as it is kept in the channel's state: the last messages, what was read, sessions.
 *
 * A plain document: loaded, changed, written, released; bounded in messages and bytes by history_trim(). Items are numbered
 * from 1 without gaps in the order in which they were stored; the watermarks are such numbers. Visitors' ids never start
 * with "a.", the other side's always do, so one id names one item. */
#ifndef WEBCHAT_HISTORY_H
#define WEBCHAT_HISTORY_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/json.h"

#define HISTORY_OPERATOR_PREFIX "a."
#define HISTORY_ITEM_BYTES (48u * 1024) /* content of one message */
#define HISTORY_BYTES (192u * 1024)     /* the written document: below the 256 KiB that the host takes */

/* Strings are owned; absent ones are NULL. */
struct history_item {
    uint64_t number;
    int64_t at_ms, edited_ms;
    uint32_t by_operator, deleted;
    char *id;
    char *content;   /* JSON array, as the browser gets it */
    char *command;   /* operator: the consumer's command */
    char *reply_to;  /* id of another item */
    char *author;    /* operator: a name to show */
    char *reference; /* visitor: of the uploaded file in the content */
};

struct history {
    struct history_item *items;
    size_t count, capacity;
    uint64_t next;                           /* number of the next item */
    uint64_t delivered, read, operator_read; /* watermarks; 0: none */
    uint64_t sessions;
    int64_t active_ms; /* the visitor's last sign of life that counts for a session */
};

void history_init(struct history *);
void history_release(struct history *);
/* 0, or KANAL_E_INVALID with an empty history: not a document of ours. */
kanal_status history_load(struct history *, kanal_str json);
void history_write(const struct history *, struct kanal_buffer *out);

struct history_item *history_find(const struct history *, kanal_str id);
/* A new last item with a number and nothing else; NULL: out of memory. Valid until the next append. */
struct history_item *history_append(struct history *);
/* Drops the oldest until at most so many items, and so many bytes when written, are left; never the newest. */
void history_trim(struct history *, size_t max_items, size_t max_bytes);
/* Text of an item's id by its number, or absent: gone or none. */
kanal_str history_id_at(const struct history *, uint64_t number);

/* The item as the client protocol has it. */
void history_item_show(const struct history_item *, struct kanal_json *);

#endif
