/* handoff/token.h - the signed reference in a hand-off link.
 *
 * "k_", 26 characters that name the link, 26 of signature (both lower-case base32 of 128 bits): 54 of [a-z2-7_], since Telegram's payload takes at
 * most 64 of [A-Za-z0-9_-]. The first 28 are the link's id, which may be shown; only with the signature is it a key. The signature is
 * HMAC-SHA256 under a key of the installation's salt, cut to 128 bits (event/ids.h), and compared in constant time, before anything is
 * looked up. [loop] */
#ifndef KANAL_HANDOFF_TOKEN_H
#define KANAL_HANDOFF_TOKEN_H
#include "event/ids.h"

#define TOKEN_LEN 54u

struct token {
    char text[TOKEN_LEN + 1];
};

/* The id of the link that a command asks for: the same for the same command, and nobody else can tell it beforehand. */
int token_link_of(struct ids *, kanal_str command_id, struct id *ret_link);
int token_make(struct ids *, const struct id *link, struct token *ret_token);

enum token_kind {
    TOKEN_NONE,    /* nothing of ours */
    TOKEN_DAMAGED, /* it begins as one: cut, lengthened, or with other characters in it */
    TOKEN_WHOLE    /* of the right form; who made it is for token_is_ours() */
};
struct token_found {
    kanal_str text; /* as it came, a part of what was read */
    struct id link; /* of a whole one */
};

/* The text is a reference: a payload. All that begins with "k_" is taken for one of ours. */
enum token_kind token_read(kanal_str text, struct token_found *ret_found);
/* A reference stands somewhere in what a person wrote: the first whole one, else the first that is damaged and at least half there. Looks at the first TOKEN_TEXT_MAX bytes. */
#define TOKEN_TEXT_MAX 8192u
enum token_kind token_find(kanal_str text, struct token_found *ret_found);

/* 1: this installation signed it. found: a whole one. */
int token_is_ours(struct ids *, const struct token_found *found);

#endif
