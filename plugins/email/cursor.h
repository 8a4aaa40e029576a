/* cursor.h - how far a folder was read, as it is kept; and what IMAP needs written: names, sets, dates. Pure. */
#ifndef EMAIL_CURSOR_H
#define EMAIL_CURSOR_H
#include "kanal/sdk/json.h"

#define CURSOR_KEYS_MAX 512u

struct cursor {
    uint64_t validity, uid; /* everything up to uid was stored; validity 0: nothing is known yet */
    int64_t last_ms;        /* when the newest of it had come to the mailbox */
    int64_t since_ms; /* after a changed validity: what is older was read before; 0: everything counts */
    uint32_t key_count, key_at;
    uint64_t keys[CURSOR_KEYS_MAX]; /* of the last mails: after a changed validity they come again */
};

/* Out of its JSON; 0, or KANAL_E_INVALID: as if there were none. */
kanal_status cursor_read(struct cursor *, kanal_str json);
void cursor_write(const struct cursor *, struct kanal_buffer *out);
void cursor_add_key(struct cursor *, uint64_t key);
int cursor_has_key(const struct cursor *, uint64_t key);

/* The name of a folder in the modified UTF-7 of RFC 3501, 5.1.3. */
void cursor_encode_name(struct kanal_buffer *out, kanal_str name);
/* "1:3,7" of ascending numbers. */
void cursor_write_set(struct kanal_buffer *out, const uint64_t *uids, uint32_t count);
/* "21-Nov-2026", in UTC. */
void cursor_write_date(struct kanal_buffer *out, int64_t ms);
/* "17-Jul-1996 02:44:25 -0700"; 0: it is none. */
int64_t cursor_parse_date(kanal_str text);

#endif
