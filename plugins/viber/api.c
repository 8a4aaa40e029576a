#include "api.h"

#include "kanal/sdk/outcome.h"

struct exchange {
    viber_reply_fn *done;
    void *user;
};

yyjson_doc *viber_reply_read(struct viber_reply *reply, kanal_status status,
                             const kanal_http_response *response)
{
    int64_t seconds;
    memset(reply, 0, sizeof *reply);
    reply->status = status;
    if (status != KANAL_OK || !response) {
        reply->words = kanal_status_words(status);
        return NULL;
    }
    yyjson_doc *document = kanal_json_parse(response->body);
    yyjson_val *root = yyjson_doc_get_root(document);
    reply->http_code = response->code;
    reply->root = yyjson_is_obj(root) ? root : NULL;
    int64_t code = kanal_json_int_at(root, "status", -1);
    reply->is_ok = code == 0 && response->code >= 200 && response->code < 300;
    if (reply->is_ok)
        return document;
    reply->error_code = code > 0 ? code : 0;
    reply->words = kanal_json_text_at(root, "status_message");
    kanal_str after = kanal_field_get(response->headers, response->header_count, "retry-after");
    if (kanal_str_int(after, &seconds) == 0 && seconds > 0)
        reply->retry_after_s = seconds;
    if (reply->words.len == 0)
        reply->words = KANAL_LIT("the answer is not one of Viber's API");
    return document;
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct exchange exchange = *(struct exchange *)user;
    struct viber_reply reply;
    free(user);
    yyjson_doc *document = viber_reply_read(&reply, status, response);
    exchange.done(exchange.user, &reply);
    yyjson_doc_free(document);
}

kanal_status viber_api_call(struct kanal_channel *channel, kanal_op cause, const char *method, kanal_str json,
                            uint32_t timeout_ms, viber_reply_fn *done, void *user)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    const kanal_secret_use token = { .where = KANAL_IN_HEADER,
                                     .name = KANAL_LIT("x-viber-auth-token"),
                                     .secret = KANAL_LIT("token") };
    struct kanal_buffer url = { 0 };
    struct exchange *exchange = malloc(sizeof *exchange);
    kanal_buffer_text(&url, channel->settings.api_url);
    kanal_buffer_byte(&url, '/');
    kanal_buffer_text(&url, method);
    kanal_http_request request = {
        .struct_size = sizeof request,
        .timeout_ms = timeout_ms,
        .method = KANAL_LIT("POST"),
        .url = kanal_buffer_view(&url),
        .body = json,
        .headers = &type,
        .header_count = 1,
        .secrets = &token,
        .secret_count = 1,
    };
    kanal_status status = KANAL_E_INTERNAL;
    if (exchange && !url.failed && json.ptr) {
        *exchange = (struct exchange){ done, user };
        if (kanal_calls_send(&channel->calls, cause, &request, on_response, exchange))
            status = KANAL_OK;
    }
    if (status != KANAL_OK)
        free(exchange);
    kanal_buffer_release(&url);
    return status;
}
