/* inbound/front.h - the public HTTP side: /c/<channel-id>/… to the channels' lanes, /m/… to media. [loop]
 *
 * A request is refused as early and as precisely as possible: unknown channel 404, unknown route 404, wrong method 405, body over the route's
 * limit 413, wrong signature 401, channel not up 503, too many at once 503. Every refusal is a JSON object {"error":{"code","message"}} and is
 * counted in kanal_http_requests_total{channel,code}. */
#ifndef KANAL_INBOUND_FRONT_H
#define KANAL_INBOUND_FRONT_H
#include "host/host.h"
#include "http/server.h"

struct front;

struct front_options {
    struct host *host;
    struct http_server_options server;
    uint32_t body_bytes; /* the operator's limit for any body */
};

/* KANAL_E_NETWORK: it cannot listen, errno says why. */
int front_new(struct front **ret_front, const struct front_options *);
uint16_t front_port(const struct front *);
/* Takes no new requests. */
void front_drain(struct front *);
size_t front_open(const struct front *);
void front_free(struct front *);

#endif
