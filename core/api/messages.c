#include "api/messages.h"

#include "kanal/sdk/json.h"
#include "outbound/messages.h"

static api_handler_fn send_message, get, cancel;

const struct api_endpoint api_message_endpoints[] = {
    { "message-send", "Checks and stores a message.", send_message },
    { "message-get", "Where a message stands.", get },
    { "message-cancel", "Calls back a message that was not sent yet.", cancel },
};
const size_t api_message_endpoint_count = sizeof api_message_endpoints / sizeof *api_message_endpoints;

static void on_answer(void *user, const struct message_answer *answer)
{
    if (answer->status == 200)
        api_answer(user, answer->body);
    else
        api_refuse(user, answer->status, answer->code, answer->detail, (kanal_str){ 0 });
}

static void send_message(void *user, struct api_request *request, kanal_str body)
{
    messages_send(user, body, on_answer, request);
}

static void with_id(struct outbound *o, struct api_request *request, kanal_str body,
                    void (*go_on)(struct outbound *, kanal_str id, message_answer_fn *, void *user))
{
    yyjson_doc *document = api_read_body(request, body);
    if (!document)
        return;
    kanal_str id = kanal_json_text_at(yyjson_doc_get_root(document), "id");
    if (id.len > 0 && id.len <= 128)
        go_on(o, id, on_answer, request);
    else
        api_refuse(request, 400, "invalid_request",
                   KANAL_LIT("id: the id of a command, 1 to 128 characters, is required"), (kanal_str){ 0 });
    yyjson_doc_free(document);
}

static void get(void *user, struct api_request *request, kanal_str body)
{
    with_id(user, request, body, messages_get);
}

static void cancel(void *user, struct api_request *request, kanal_str body)
{
    with_id(user, request, body, messages_cancel);
}
