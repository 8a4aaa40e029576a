/* groups.h - segments of long messages that are not all there yet, in one value of the channel's state. Pure.
 *
 * A group that is complete stays for a while as a tombstone: what its segments were, without their text, so that a segment that the SMS centre repeats is
 * known. */
#ifndef SMS_GROUPS_H
#define SMS_GROUPS_H
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"
#include "pdu.h"
#include "text.h"

#define SMS_GROUPS_MAX 48u
#define SMS_GROUPS_BYTES_MAX 100000u /* as JSON twice that: a value of the state holds 256 KiB */

struct sms_piece {
    int is_there;
    uint64_t digest;
    char *bytes; /* owned; NULL of a tombstone */
    size_t len;
};

struct sms_group {
    struct sms_group *next; /* the oldest first */
    uint64_t id;            /* of source, destination, reference, total */
    char source[SMS_ADDRESS_BYTES_MAX + 1], destination[SMS_ADDRESS_BYTES_MAX + 1];
    uint8_t source_ton, destination_ton, data_coding, total;
    int64_t first_ms;
    int is_done;
    struct sms_piece pieces[]; /* total of them */
};

struct sms_groups { /* a zeroed one is empty */
    struct sms_group *first;
    uint32_t count;
    size_t bytes; /* of text */
};

void sms_groups_release(struct sms_groups *);
/* What sms_groups_write() wrote. 0, or KANAL_E_INVALID: what can be read is there. */
kanal_status sms_groups_read(struct sms_groups *, kanal_str text);
/* Nothing where there is none. */
void sms_groups_write(const struct sms_groups *, struct kanal_buffer *out);

uint64_t sms_group_id(const struct sms_message *, const struct sms_part *);
struct sms_group *sms_groups_find(const struct sms_groups *, uint64_t id);
/* A new, empty one at the end; NULL: out of memory. */
struct sms_group *sms_groups_add(struct sms_groups *, uint64_t id, const struct sms_message *, uint8_t total,
                                 int64_t now_ms);
void sms_groups_drop(struct sms_groups *, struct sms_group *);
/* The one that is to make room: a tombstone, or the oldest; NULL: there is room. */
struct sms_group *sms_groups_excess(const struct sms_groups *);

/* 1: it is a new piece, and stored; 0: it was there already; KANAL_E_REJECTED: another is in its place; KANAL_E_INTERNAL: out of memory. */
int sms_group_put(struct sms_groups *, struct sms_group *, uint8_t sequence, kanal_str bytes);
uint32_t sms_group_missing(const struct sms_group *);
/* The bytes of what is there, in order. */
void sms_group_join(const struct sms_group *, struct kanal_buffer *out);
/* Makes a tombstone of it. */
void sms_group_finish(struct sms_groups *, struct sms_group *);

#endif
