/* api/contract.h - requests held against the contract. [loop] */
#ifndef KANAL_API_CONTRACT_H
#define KANAL_API_CONTRACT_H
#include "api/service.h"
#include "json/schema.h"

#define API_BODY_MAX (512u * 1024) /* as a command */

/* A request's body that is valid by the contract's api.<endpoint>.request, to be freed. NULL: refused, with every place that is wrong. contract:
 * NULL while the gateway is starting. */
yyjson_doc *api_read_valid(struct api_request *, const struct json_schema *contract, const char *endpoint,
                           kanal_str body);

#endif
