/* every_type.c - a library whose debug information holds every type of the ABI, for abidiff. Structs that may grow stand behind
 * pointers, so that a report is about them alone. */
#include "kanal/plugin.h"
#include "kanal/ext/blob.h"
#include "kanal/ext/websocket.h"

struct every_type {
    kanal_host *host;
    kanal_channel *channel;
    kanal_plugin *plugin;
    kanal_config *config;
    kanal_limits *limits;
    kanal_route route;
    kanal_secret secret;
    kanal_event *event;
    kanal_delivery *delivery;
    kanal_result *result;
    kanal_http_request *request;
    kanal_http_response *response;
    kanal_secret_use secret_use;
    kanal_part part;
    kanal_field field;
    kanal_status status;
    kanal_op op;
    kanal_done_fn *done;
    kanal_value_fn *value;
    kanal_response_fn *answer;
    kanal_blob_host *blob;
    kanal_websocket_host *websocket;
    kanal_websocket_plugin *websocket_plugin;
};

KANAL_EXPORT void kanal_every_type(struct every_type *);
void kanal_every_type(struct every_type *all)
{
    (void)all;
}

const kanal_plugin *kanal_plugin_v1(void)
{
    return 0;
}
