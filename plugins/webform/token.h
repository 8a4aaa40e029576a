/* token.h - the token against double submits: f1.<form id>.<expiry, s>.<nonce>.<mac>, signed as a visitor's session is (kanal/sdk/visitor.h); the
 * first letters keep the one from being passed off as the other. */
#ifndef WEBFORM_TOKEN_H
#define WEBFORM_TOKEN_H
#include "kanal/sdk/sdk.h"

#define TOKEN_SECRET KANAL_VISITOR_SECRET
#define TOKEN_ALGORITHM KANAL_VISITOR_ALGORITHM
#define TOKEN_MAC_BYTES KANAL_VISITOR_MAC_BYTES
#define TOKEN_ID_LEN KANAL_VISITOR_ID_LEN

struct token {                   /* taken apart, not verified */
    kanal_str signed_text, form; /* views into the text */
    char mac[TOKEN_MAC_BYTES];
    char id[TOKEN_ID_LEN + 1]; /* the nonce */
    int64_t expires_s;
};

/* 0 or KANAL_E_INVALID. */
kanal_status token_parse_form(kanal_str text, struct token *ret_token);
/* What is to be signed; kanal_visitor_seal() appends the MAC. */
void token_begin_form(struct kanal_buffer *out, kanal_str form, int64_t expires_s, const char *nonce);

#endif
