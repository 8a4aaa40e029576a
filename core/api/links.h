/* api/links.h - the endpoint link-create. [loop] */
#ifndef KANAL_API_LINKS_H
#define KANAL_API_LINKS_H
#include "api/service.h"
#include "handoff/create.h"
#include "json/schema.h"

/* The handlers' user. */
struct api_links {
    struct handoff *handoff;
    struct json_schema *const *contract; /* NULL while the gateway is starting */
};

extern const struct api_endpoint api_link_endpoints[];
extern const size_t api_link_endpoint_count;

#endif
