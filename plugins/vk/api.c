#include "api.h"

#include "kanal/sdk/outcome.h"
#include "kanal/sdk/url.h"

struct exchange {
    const char *wanted; /* NULL: a method was called */
    vk_reply_fn *done;
    void *user;
};

/* {"error": {"error_code", "error_msg"}}; of an upload server {"error": "ERR_…", "error_descr"}. Where
 * messages.send is given peer_ids, each of them may have an error of its own, {"code", "description"}. */
static void read_error(struct vk_reply *reply, yyjson_val *error)
{
    reply->error_code = kanal_json_int_at(error, "error_code", kanal_json_int_at(error, "code", 0));
    reply->words = yyjson_is_str(error) ? kanal_json_text(error) : kanal_json_text_at(error, "error_msg");
    if (reply->words.len == 0)
        reply->words = kanal_json_text_at(error, "description");
}

static yyjson_val *error_of(yyjson_val *root, yyjson_val *response)
{
    yyjson_val *error = kanal_json_at(root, "error");
    if (error)
        return error;
    return kanal_json_at(yyjson_arr_size(response) == 1 ? yyjson_arr_get_first(response) : NULL, "error");
}

yyjson_doc *vk_reply_read(struct vk_reply *reply, kanal_status status, const kanal_http_response *response,
                          const char *wanted)
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
    yyjson_val *value = wanted ? root : kanal_json_at(root, "response");
    yyjson_val *error = error_of(root, wanted ? NULL : value);
    reply->http_code = response->code;
    reply->is_ok = value && !error && response->code >= 200 && response->code < 300 &&
                   (!wanted || kanal_json_at(root, wanted));
    if (reply->is_ok) {
        reply->response = value;
        return document;
    }
    read_error(reply, error);
    kanal_str after = kanal_field_get(response->headers, response->header_count, "retry-after");
    if (kanal_str_int(after, &seconds) == 0 && seconds > 0)
        reply->retry_after_s = seconds;
    if (reply->words.len == 0)
        reply->words = KANAL_LIT("the answer is not one of VK's API");
    return document;
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct exchange exchange = *(struct exchange *)user;
    struct vk_reply reply;
    free(user);
    yyjson_doc *document = vk_reply_read(&reply, status, response, exchange.wanted);
    exchange.done(exchange.user, &reply);
    yyjson_doc_free(document);
}

static kanal_status send(struct kanal_channel *channel, kanal_op cause, const kanal_http_request *request,
                         const struct exchange *wanted)
{
    struct exchange *exchange = malloc(sizeof *exchange);
    if (exchange) {
        *exchange = *wanted;
        if (kanal_calls_send(&channel->calls, cause, request, on_response, exchange))
            return KANAL_OK;
    }
    free(exchange);
    return KANAL_E_INTERNAL;
}

kanal_status vk_api_call(struct kanal_channel *channel, kanal_op cause, const struct vk_request *wanted,
                         vk_reply_fn *done, void *user)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/x-www-form-urlencoded") };
    const kanal_secret_use token = { .where = KANAL_IN_FORM,
                                     .name = KANAL_LIT("access_token"),
                                     .secret = KANAL_LIT("token") };
    const struct exchange exchange = { .done = done, .user = user };
    struct kanal_buffer url = { 0 }, form = { 0 };
    kanal_buffer_text(&url, channel->settings.api_url);
    kanal_buffer_text(&url, "/method/");
    kanal_buffer_text(&url, wanted->method);
    kanal_buffer_str(&form, wanted->form);
    kanal_form_add(&form, "v", KANAL_LIT(VK_API_VERSION));
    kanal_http_request request = {
        .struct_size = sizeof request,
        .timeout_ms = wanted->timeout_ms,
        .method = KANAL_LIT("POST"),
        .url = kanal_buffer_view(&url),
        .body = kanal_buffer_view(&form),
        .headers = &type,
        .header_count = 1,
        .secrets = &token,
        .secret_count = 1,
    };
    kanal_status status =
        url.failed || form.failed ? KANAL_E_INTERNAL : send(channel, cause, &request, &exchange);
    kanal_buffer_release(&url);
    kanal_buffer_release(&form);
    return status;
}

kanal_status vk_api_upload(struct kanal_channel *channel, kanal_op cause,
                           const struct vk_upload_request *wanted, vk_reply_fn *done, void *user)
{
    const struct exchange exchange = { .wanted = wanted->wanted, .done = done, .user = user };
    const kanal_part part = {
        .name = kanal_str_c(wanted->field),
        .filename = wanted->filename,
        .content_type = wanted->mime,
        .source_url = wanted->source_url,
    };
    kanal_http_request request = {
        .struct_size = sizeof request,
        .timeout_ms = wanted->timeout_ms,
        .method = KANAL_LIT("POST"),
        .url = wanted->url,
        .parts = &part,
        .part_count = 1,
    };
    return send(channel, cause, &request, &exchange);
}
