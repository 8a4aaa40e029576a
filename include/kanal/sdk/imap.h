/* kanal/sdk/imap.h - what an IMAP server says (RFC 3501, 9), token by token, in bounded memory. Part of the static helpers, not of the ABI.
 *
 * For sessions of ext/transfer.h: bytes of on_data() go in, tokens come out. A message of 20 MB passes as pieces of one literal, and
 * a SEARCH of a hundred thousand numbers as so many atoms; nothing is kept but a token that is not whole yet. */
#ifndef KANAL_SDK_IMAP_H
#define KANAL_SDK_IMAP_H
#include "../plugin.h"
#include "buffer.h"
#ifdef __cplusplus
extern "C" {
#endif

#define KANAL_IMAP_TOKEN_MAX 16384u /* bytes of an atom, a quoted string or a text; a longer one is broken */

enum kanal_imap_kind {
    KANAL_IMAP_MORE,    /* give more bytes */
    KANAL_IMAP_BROKEN,  /* what came is no IMAP: close the session */
    KANAL_IMAP_ATOM,    /* a tag, "*", "FETCH", "12", "\\Seen", "BODY[HEADER.FIELDS (SUBJECT)]", "NIL" */
    KANAL_IMAP_STRING,  /* a quoted string, without quotes and escapes */
    KANAL_IMAP_LITERAL, /* size bytes follow, as PIECEs and then the next token */
    KANAL_IMAP_PIECE,   /* of a literal */
    KANAL_IMAP_OPEN,    /* ( */
    KANAL_IMAP_CLOSE,   /* ) */
    KANAL_IMAP_TEXT, /* after OK, NO, BAD, BYE, PREAUTH and "+": the rest of the line, "[UIDVALIDITY 7] fine" */
    KANAL_IMAP_END   /* of the response's line */
};

struct kanal_imap_token {
    enum kanal_imap_kind kind;
    uint32_t depth; /* of parentheses that stand open */
    kanal_str text; /* valid until the next call */
    uint64_t size;  /* of LITERAL */
};

struct kanal_imap { /* zeroed: at the start of a line */
    kanal_str rest; /* what was fed and not looked at; borrowed */
    struct kanal_buffer token;
    uint64_t literal_left;
    uint32_t depth, brackets, words; /* words: atoms of this line so far, 2 is enough */
    int32_t state, given;            /* given: the token in the buffer was handed out */
};

void kanal_imap_release(struct kanal_imap *);
/* Bytes as they come; borrowed until kanal_imap_next() said MORE. */
void kanal_imap_feed(struct kanal_imap *, kanal_str bytes);
enum kanal_imap_kind kanal_imap_next(struct kanal_imap *, struct kanal_imap_token *ret_token);

/* The number of a response code in a TEXT: of "[UIDVALIDITY 7] fine" and "UIDVALIDITY" 7. 0, or KANAL_E_NOT_FOUND. */
kanal_status kanal_imap_code(kanal_str text, const char *name, uint64_t *ret_number);
/* A mailbox or other string for a command, quoted. 0, or KANAL_E_INVALID with out as it was: CR, LF, NUL or over 1,024 bytes. Bytes
 * above 0x7f pass as they are: the name of a mailbox has to be in the server's encoding. */
kanal_status kanal_imap_quote(struct kanal_buffer *out, kanal_str text);

#ifdef __cplusplus
}
#endif
#endif
