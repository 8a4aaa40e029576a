/* compose.h - a delivery to a mail (RFC 5322, 2045, 2047, 2231, 3834). Pure. */
#ifndef EMAIL_COMPOSE_H
#define EMAIL_COMPOSE_H
#include "kanal/ext/transfer.h"
#include "kanal/sdk/buffer.h"
#include "settings.h"

#define COMPOSE_FILES_MAX 16u
#define COMPOSE_PIECES_MAX (2u * COMPOSE_FILES_MAX + 2u)

/* What is known of the thread that it belongs to; absent members are not known. */
struct compose_thread {
    kanal_str root, target; /* the first mail of it, the one that is answered */
    kanal_str subject;
};

struct composed {             /* zeroed */
    struct kanal_buffer text; /* of all pieces; they are views into it */
    struct kanal_buffer id;   /* the Message-ID, without brackets */
    kanal_piece pieces[COMPOSE_PIECES_MAX];
    size_t piece_count;
    size_t ends[COMPOSE_PIECES_MAX]; /* of each piece's text; until the text stands still */
    const char *code, *reason;       /* why it cannot be: an error code of the contract */
    int32_t is_auto;
};

/* data: of the delivery; recipient: an address as SMTP has it; key: the delivery's. Views into data are kept in pieces. 0, or KANAL_E_REJECTED
 * with code and reason, KANAL_E_INTERNAL. */
kanal_status compose(struct composed *, const struct settings *, yyjson_val *data,
                     const struct compose_thread *, const char *recipient, kanal_str key, int64_t now_ms);
void composed_release(struct composed *);

#endif
