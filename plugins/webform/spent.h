/* spent.h - tokens that were used on this replica, until they expire: a repeated click is answered like the first one, another
 * content under the same token is refused. Other replicas and restarts are covered by the event's dedupe key, which is the
 * token's nonce. */
#ifndef WEBFORM_SPENT_H
#define WEBFORM_SPENT_H
#include "token.h"

#define SPENT_MAX 4096u /* then the one that expires first is forgotten; 192 KiB */

struct spent_token {
    int64_t expires_s;
    uint64_t content; /* a hash of what was submitted with it */
    char nonce[TOKEN_ID_LEN + 6];
};

struct spent { /* zeroed: empty */
    struct spent_token *tokens;
    size_t count, capacity;
};

void spent_release(struct spent *);
/* NULL: not used here, or forgotten. */
const struct spent_token *spent_find(const struct spent *, const char *nonce);
void spent_add(struct spent *, const char *nonce, uint64_t content, int64_t expires_s, int64_t now_s);
uint64_t spent_hash(kanal_str first, kanal_str second);

#endif
