/* event/ids.h - the identifiers that Kanal makes: events, identity nodes, customers, and signatures of its own URLs.
 *
 * An id is two characters that say what it is and 26 of lower-case base32 (128 bits). Event ids are a hash of (channel, type, dedupe
 * key), so the same fact always gets the same id; node ids are an HMAC under the salt, so that nobody without the salt can go
 * back to the address. Not thread-safe: one `struct ids` a thread. */
#ifndef KANAL_EVENT_IDS_H
#define KANAL_EVENT_IDS_H
#include "kanal/plugin.h"

struct ids;

struct id {
    char text[29]; /* "e_" + 26 + NUL */
};
#define ID_LEN 28u

/* salt: at least 16 bytes; its use is for keys derived from it, never itself. */
int ids_new(struct ids **ret_ids, kanal_str salt);
void ids_free(struct ids *);

/* What a replica compares with the cluster's: hex, 32 characters; tells nothing of the salt. */
void ids_fingerprint(struct ids *, char ret_text[33]);

int ids_event(struct ids *, kanal_str channel, kanal_str type, kanal_str dedupe, struct id *ret_id);
/* address: normalised. */
int ids_node(struct ids *, kanal_str address, struct id *ret_id);
/* The customer whose only node (or root) this is. */
void ids_customer(const struct id *node, struct id *ret_customer);
/* The 16 bytes behind an id, whatever its prefix, and back. KANAL_E_INVALID: it has not the form of one. */
int ids_bytes(kanal_str id, unsigned char ret_bytes[16]);
void ids_text(const char prefix[2], const unsigned char bytes[16], struct id *ret_id);
/* The token of a node in subjects of activity, "b00" to "bff". */
void ids_bucket(const struct id *node, char ret_bucket[4]);
/* A random one: "a1" + … for things without a natural key. */
int ids_random(const char prefix[2], struct id *ret_id);

/* A signature (16 bytes) of the gateway's own URLs and tokens. purpose: "media". */
int ids_sign(struct ids *, const char *purpose, kanal_str text, unsigned char ret_signature[16]);
int ids_verify(struct ids *, const char *purpose, kanal_str text,
               const unsigned char signature[16]); /* 1: right */

#endif
