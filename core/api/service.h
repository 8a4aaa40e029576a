/* api/service.h - requests over NATS: a micro service, as the `nats` CLI expects one (ADR-32).
 *
 * Endpoints are <prefix>.api.<name>, in the queue group "q": one replica answers. $SRV.PING, .INFO and .STATS are answered for all,
 * for the service's name, and for this instance. An answer is a JSON object; a failure has the headers Nats-Service-Error and
 * Nats-Service-Error-Code and the body {"error":{"code","detail","errors":[…]}} (the contract's api.error). Everything is [loop].
 *
 * The broker publishes our answer with our rights, so answers go only to inboxes: a request whose reply subject is anything else is
 * dropped and counted (a reply of "$JS.API.STREAM.DELETE.…" would delete the stream). */
#ifndef KANAL_API_SERVICE_H
#define KANAL_API_SERVICE_H
#include <yyjson.h>

#include "broker/broker.h"
#include "json/schema.h"
#include "kanal/sdk/buffer.h"
#include "ops/log.h"
#include "ops/metrics.h"

struct api;
struct api_request; /* one request that is not answered yet */

/* request is the handler's until it is answered with exactly one of api_answer() and api_refuse(); body is borrowed. */
typedef void api_handler_fn(void *user, struct api_request *, kanal_str body);

/* What an endpoint is; static. */
struct api_endpoint {
    const char *name; /* "channel-list": [a-z-] */
    const char *description;
    api_handler_fn *handle;
};

struct api_options {
    struct broker *broker;
    struct log *log;
    struct metrics *metrics;
    const char *prefix;
    const char *version;     /* semver */
    const char *instance_id; /* unique among the replicas */
};

/* Without endpoints yet. 0, or KANAL_E_INTERNAL: no memory. */
int api_new(struct api **ret_api, const struct api_options *);
/* From now on these are answered, too; user: of their handlers. The endpoints are static. 0, or KANAL_E_INTERNAL. */
int api_add(struct api *, const struct api_endpoint *endpoints, size_t count, void *user);
/* What is not answered then is never answered. */
void api_free(struct api *);

/* body: a JSON object. */
void api_answer(struct api_request *, kanal_str body);
/* status: like HTTP's (400 wrong request, 404, 409 conflict, 503 later); code: the contract's error_code; violations: a JSON array of
 * {"pointer", "message"}, or absent. */
void api_refuse(struct api_request *, int status, const char *code, kanal_str message, kanal_str violations);
/* The broker's failure, as a refusal. */
void api_unavailable(struct api_request *, kanal_status);
/* Is it valid by that definition of the contract ("#/$defs/api.message-plan.request")? 0: refused, with each place that is wrong. contract
 * NULL: it is not compiled yet; refused as unavailable. */
int api_is_valid(struct api_request *, const struct json_schema *contract, const char *definition,
                 yyjson_val *body);
/* A request's body as an object, to be freed; an empty one is {}. NULL: refused. */
yyjson_doc *api_read_body(struct api_request *, kanal_str body);
/* 1: answers may go there. */
int api_reply_allowed(kanal_str subject);

#endif
