/* cli/api.h - requests to JetStream's JSON API by libnats' ordinary, waiting request. Source: docs.nats.io, "JetStream wire API". */
#ifndef KANAL_CLI_API_H
#define KANAL_CLI_API_H
#include <yyjson.h>

#include "cli/connect.h"

#define API_REASON 400u
#define API_CONSUMER_NOT_FOUND 10014
#define API_STREAM_NOT_FOUND 10059

struct api_failure {
    int code;      /* CLI_BROKER: no answer; CLI_FAILED: the server refused */
    int64_t error; /* the server's err_code, or 0 */
    char reason[API_REASON];
};

/* subject: below "$JS.API.". The answer's document (to be freed with yyjson_doc_free()), or NULL and *ret_failure. */
yyjson_doc *api_request(struct client *, const char *subject, kanal_str body,
                        struct api_failure *ret_failure);

#endif
