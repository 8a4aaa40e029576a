/* api/plan.h - the endpoint message-plan: what a command would become, channel by channel. Nothing is sent or stored. [loop] */
#ifndef KANAL_API_PLAN_H
#define KANAL_API_PLAN_H
#include "api/service.h"
#include "host/host.h"
#include "json/schema.h"
#include "outbound/outbound.h"

struct api_plan {
    struct host *host;
    struct json_schema *const *contract; /* compiled before the first request */
    struct outbound *outbound;
};

/* Handlers' user: a struct api_plan. */
extern const struct api_endpoint api_plan_endpoints[];
extern const size_t api_plan_endpoint_count;

#endif
