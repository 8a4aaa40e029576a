/* cli/request.h - requests to the running gateways' API (<prefix>.api.<endpoint>), and the options that all of its commands have. */
#ifndef KANAL_CLI_REQUEST_H
#define KANAL_CLI_REQUEST_H
#include <yyjson.h>

#include "cli/connect.h"

/* One request and its answer. On failure the reason was said on stderr. */
struct request {
    const struct cli_command *command;
    struct client *client;
    int64_t wait_ms;
    int with_json; /* the answer goes to stdout as it is, also one that is an error */
};

/* CLI_OK and *ret_document (to be freed) with the answer's object; CLI_FAILED: refused; CLI_BROKER: nobody answers; CLI_TIMEOUT. */
int request_send(const struct request *, const char *endpoint, kanal_str body, yyjson_doc **ret_document);

/* The value of an option: "10m" (ago) or a time as RFC 3339. CLI_OK, or CLI_USAGE, said. */
int request_time(const struct cli_command *, const char *text, int64_t *ret_ms);
/* To stdout, harmless for a terminal. */
void request_print(kanal_str text);

#endif
