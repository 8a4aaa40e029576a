/* api/resolve.h - the endpoint message-resolve: a delivery whose fate nobody knows is decided. [loop]
 *
 * With on_unknown: ask such a delivery ends as message.unknown and as a dead letter, which waits for the decision on behalf of all gateways. `sent`:
 * message.sent, and its further parts go on; `failed`: message.failed, and the letter stays; `retry`: the letter's command is given again. */
#ifndef KANAL_API_RESOLVE_H
#define KANAL_API_RESOLVE_H
#include "api/dead.h"
#include "outbound/outbound.h"

/* Handlers' user; outlives the broker's requests. */
struct api_resolve {
    struct outbound *outbound;
    const struct api_dead *dead;
    struct json_schema *const *contract; /* compiled before the first request */
};

extern const struct api_endpoint api_resolve_endpoints[];
extern const size_t api_resolve_endpoint_count;

#endif
