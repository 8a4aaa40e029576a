/* session.h - who a visitor is: ids, session tokens, tickets of uploaded files. Only text; signing is the host's.
 *
 * Token:  v1.<visitor id>.<mac>   mac: base64url without padding of HMAC-SHA256(secret "session", what stands before the
 * Ticket: u1.<payload>.<mac>      last dot). payload: base64url of a JSON object. The two prefixes keep the one from being
 *                                 passed off as the other. */
#ifndef WEBCHAT_SESSION_H
#define WEBCHAT_SESSION_H
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"
#include "kanal/sdk/str.h"

#define SESSION_SECRET "session"
#define SESSION_MAC_BYTES 32
#define SESSION_VISITOR_LEN 26 /* 128 bits in base32 */
#define SESSION_ADDRESS_PREFIX "visitor:"
#define SESSION_TICKET_HOURS 24

/* What somebody shows, and what is to be verified: signed_text (a view into the shown text) against mac. */
struct session_claim {
    kanal_str signed_text;
    char mac[SESSION_MAC_BYTES];
    char visitor[SESSION_VISITOR_LEN + 1];
};

/* An uploaded file. The strings are owned. */
struct session_ticket {
    char *reference, *mime, *name;
    uint64_t size;
    int64_t at_ms;
    char visitor[SESSION_VISITOR_LEN + 1];
};

int session_visitor_ok(kanal_str id);
/* ret_id: SESSION_VISITOR_LEN + 1 bytes. */
void session_visitor_new(const kanal_host *, char *ret_id);
/* The visitor of "visitor:ID"; 0 or KANAL_E_INVALID. */
kanal_status session_visitor_of(kanal_str address, char *ret_id);

/* Takes a token apart: 0 or KANAL_E_INVALID. It proves nothing before the host has verified the claim. */
kanal_status session_parse(kanal_str token, struct session_claim *ret_claim);
/* Appends what is to be signed, and completes it with the MAC (raw bytes). */
void session_begin(struct kanal_buffer *out, const char *visitor);
void session_complete(struct kanal_buffer *out, kanal_str mac);

/* The same for tickets. The parsed ticket is released by the caller, also after a failure. */
kanal_status session_ticket_parse(kanal_str text, struct session_claim *ret_claim,
                                  struct session_ticket *ret_ticket);
void session_ticket_begin(struct kanal_buffer *out, const struct session_ticket *);
void session_ticket_release(struct session_ticket *);

#endif
