#include "cli/api.h"

#include <stdio.h>

#include "kanal/sdk/json.h"

#define WAIT_MS 5000

static void explain(struct client *client, natsStatus s, const char *subject, struct api_failure *failure)
{
    char violation[256];

    client_take_violation(client, violation);
    failure->code = CLI_BROKER;
    if (violation[0] != '\0') {
        failure->code = CLI_FAILED;
        snprintf(failure->reason, API_REASON, "the broker does not allow it: %s", violation);
    } else if (s == NATS_NO_RESPONDERS) {
        failure->code = CLI_FAILED;
        snprintf(failure->reason, API_REASON, "the broker at %s has no JetStream for this user",
                 client->server);
    } else if (s == NATS_TIMEOUT) {
        snprintf(failure->reason, API_REASON, "the broker did not answer $JS.API.%s within %d s", subject,
                 WAIT_MS / 1000);
    } else {
        snprintf(failure->reason, API_REASON, "$JS.API.%s: %s", subject, natsStatus_GetText(s));
    }
}

static yyjson_doc *read_answer(natsMsg *message, struct api_failure *failure)
{
    yyjson_doc *document =
        kanal_json_parse(kanal_str_of(natsMsg_GetData(message), (size_t)natsMsg_GetDataLength(message)));
    yyjson_val *error = kanal_json_at(yyjson_doc_get_root(document), "error");
    kanal_str words = kanal_json_text_at(error, "description");

    failure->code = CLI_FAILED;
    if (!document) {
        snprintf(failure->reason, API_REASON, "the broker's answer is not JSON");
        return NULL;
    }
    if (!error)
        return document;
    failure->error = kanal_json_int_at(error, "err_code", 0);
    snprintf(failure->reason, API_REASON, "%.*s", (int)words.len,
             words.ptr ? words.ptr : "the broker refused");
    yyjson_doc_free(document);
    return NULL;
}

yyjson_doc *api_request(struct client *client, const char *subject, kanal_str body,
                        struct api_failure *ret_failure)
{
    char full[512];
    natsMsg *reply = NULL;
    yyjson_doc *document = NULL;
    natsStatus s;

    *ret_failure = (struct api_failure){ 0 };
    snprintf(full, sizeof full, "$JS.API.%s", subject);
    s = natsConnection_Request(&reply, client->connection, full, body.ptr, (int)body.len, WAIT_MS);
    if (s == NATS_OK)
        document = read_answer(reply, ret_failure);
    else
        explain(client, s, subject, ret_failure);
    natsMsg_Destroy(reply);
    return document;
}
