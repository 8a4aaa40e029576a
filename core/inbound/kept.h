/* inbound/kept.h - a request as it is kept in <prefix>.raw.<channel>: an HTTP/1.1 message of its own, without the channel's secrets.
 *
 * The start line has the path below the channel. Headers that carry credentials are left out (authorization, cookie …); signatures stay. Wherever else a
 * secret of the channel stands, as it is or percent-encoded, it is cut out, and where it stood is told beside the message, in the NATS
 * header Kanal-Cuts: "offset:name" or, percent-encoded, "offset:name%", joined by ','. So a replay, which has the secrets, gets
 * byte for byte what a signature was made over, and nobody else gets a secret; a placeholder in the text could be written by a customer. */
#ifndef KANAL_INBOUND_KEPT_H
#define KANAL_INBOUND_KEPT_H
#include "config/config.h"
#include "kanal/sdk/buffer.h"

#define KEPT_KIND_HEADER "Kanal-Kind" /* "request"; payloads of plugins have none */
#define KEPT_CUTS_HEADER "Kanal-Cuts"
#define KEPT_CUTS_MAX 32u
#define KEPT_HEADERS_MAX 64u

/* path: below the channel, decoded. Appends to both. */
void kept_write(const struct config_channel *, kanal_str path, const kanal_http_request *,
                struct kanal_buffer *text, struct kanal_buffer *cuts);

/* Puts the secrets back in. Cuts that name no configured secret, or stand where none can, are passed over: the text is then incomplete, and
 * *ret_missing says how many. */
void kept_restore(const struct config_channel *, kanal_str text, kanal_str cuts, struct kanal_buffer *out,
                  size_t *ret_missing);

/* A restored message, taken apart; borrows from it. */
struct kept_request {
    kanal_str method, target, body;
    kanal_field headers[KEPT_HEADERS_MAX];
    size_t header_count;
};
/* 0, or KANAL_E_INVALID: it is none. */
int kept_read(kanal_str text, struct kept_request *ret_request);

#endif
