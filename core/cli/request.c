#include "cli/request.h"

#include <stdio.h>

#include "cli/terminal.h"
#include "config/duration.h"
#include "kanal/sdk/json.h"
#include "kanal/sdk/time.h"

static void print_to(FILE *file, kanal_str text)
{
    struct kanal_buffer shown = { 0 };
    terminal_text(&shown, text);
    fprintf(file, "%.*s", (int)shown.len, shown.data ? shown.data : "");
    kanal_buffer_release(&shown);
}

void request_print(kanal_str text)
{
    print_to(stdout, text);
}

static void tell_violations(yyjson_val *violations)
{
    size_t index, max;
    yyjson_val *violation;
    if (!yyjson_is_arr(violations))
        return;
    yyjson_arr_foreach (violations, index, max, violation) {
        fprintf(stderr, "  ");
        print_to(stderr, kanal_json_text_at(violation, "pointer"));
        fprintf(stderr, ": ");
        print_to(stderr, kanal_json_text_at(violation, "message"));
        fprintf(stderr, "\n");
    }
}

static int failed(const struct request *request, natsStatus status, const char *subject)
{
    const char *name = request->command->name;
    char violation[256];
    client_take_violation(request->client, violation);
    if (violation[0] != '\0')
        fprintf(stderr, "kanal %s: the broker does not allow it: %s\n", name, violation);
    else if (status == NATS_NO_RESPONDERS)
        fprintf(stderr, "kanal %s: no gateway answers %s at %s\n", name, subject, request->client->server);
    else if (status == NATS_TIMEOUT)
        fprintf(stderr, "kanal %s: no gateway has answered %s at %s within %lld s\n", name, subject,
                request->client->server, (long long)(request->wait_ms / 1000));
    else
        fprintf(stderr, "kanal %s: %s: %s\n", name, subject, natsStatus_GetText(status));
    return status == NATS_TIMEOUT ? CLI_TIMEOUT : violation[0] != '\0' ? CLI_FAILED : CLI_BROKER;
}

static int read_answer(const struct request *request, kanal_str body, yyjson_doc **ret_document)
{
    yyjson_doc *document = kanal_json_parse(body);
    yyjson_val *answer = yyjson_doc_get_root(document), *error = kanal_json_at(answer, "error");
    if (request->with_json && document)
        printf("%.*s\n", (int)body.len, body.ptr);
    if (yyjson_is_obj(answer) && !error) {
        *ret_document = document;
        return CLI_OK;
    }
    fprintf(stderr, "kanal %s: ", request->command->name);
    print_to(stderr,
             error ? kanal_json_text_at(error, "detail") : KANAL_LIT("the gateway's answer is no JSON"));
    fprintf(stderr, "\n");
    tell_violations(kanal_json_at(error, "errors"));
    yyjson_doc_free(document);
    return CLI_FAILED;
}

int request_send(const struct request *request, const char *endpoint, kanal_str body,
                 yyjson_doc **ret_document)
{
    char subject[128];
    natsMsg *answer = NULL;
    snprintf(subject, sizeof subject, "%s.api.%s", request->client->prefix, endpoint);
    natsStatus status = natsConnection_Request(&answer, request->client->connection, subject, body.ptr,
                                               (int)body.len, request->wait_ms);
    int code = status == NATS_OK
                   ? read_answer(request,
                                 kanal_str_of(natsMsg_GetData(answer), (size_t)natsMsg_GetDataLength(answer)),
                                 ret_document)
                   : failed(request, status, subject);
    natsMsg_Destroy(answer);
    return code;
}

int request_time(const struct cli_command *command, const char *text, int64_t *ret_ms)
{
    int64_t ago_ms = 0;
    if (kanal_time_parse_rfc3339(kanal_str_c(text), ret_ms) == 0 && *ret_ms > 0)
        return CLI_OK;
    if (config_duration_parse(kanal_str_c(text), &ago_ms) != 0)
        return cli_usage(
            command, "expected a duration ago such as 2h, or a time such as 2026-11-21T20:00:00Z, found '%s'",
            text);
    *ret_ms = ago_ms < client_unix_ms() ? client_unix_ms() - ago_ms : 1;
    return CLI_OK;
}
