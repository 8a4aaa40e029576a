#include "api.h"

#include "kanal/sdk/outcome.h"
#include "kanal/sdk/time.h"

#define RETRY_AFTER_MAX_MS 86400000u

struct exchange {
    struct kanal_channel *channel;
    tw_reply_fn *done;
    void *user;
};

yyjson_doc *tw_reply_read(struct tw_reply *reply, kanal_status status, const kanal_http_response *response,
                          int64_t now_ms)
{
    memset(reply, 0, sizeof *reply);
    reply->status = status;
    if (status != KANAL_OK || !response) {
        reply->words = kanal_status_words(status);
        return NULL;
    }
    yyjson_doc *document = kanal_json_parse(response->body);
    yyjson_val *root = yyjson_doc_get_root(document);
    int is_2xx = response->code >= 200 && response->code < 300;
    reply->http_code = response->code;
    reply->root = yyjson_is_obj(root) ? root : NULL;
    reply->error_code = kanal_json_int_at(root, is_2xx ? "error_code" : "code", 0);
    reply->words = kanal_json_text_at(root, is_2xx ? "error_message" : "message");
    if (reply->error_code < 0)
        reply->error_code = 0;
    reply->is_ok = is_2xx && reply->error_code == 0 && kanal_json_text_at(root, "sid").len > 0;
    kanal_str after = kanal_field_get(response->headers, response->header_count, "retry-after");
    if (kanal_time_retry_after(after, now_ms, &reply->retry_after_ms) != 0)
        reply->retry_after_ms = 0;
    if (reply->retry_after_ms > RETRY_AFTER_MAX_MS)
        reply->retry_after_ms = RETRY_AFTER_MAX_MS;
    if (reply->words.len == 0)
        reply->words = KANAL_LIT("the answer is not one of Twilio's API");
    return document;
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct exchange exchange = *(struct exchange *)user;
    const kanal_host *host = exchange.channel->host;
    struct tw_reply reply;
    free(user);
    yyjson_doc *document = tw_reply_read(&reply, status, response, host->now_ms(host));
    exchange.done(exchange.user, &reply);
    yyjson_doc_free(document);
}

void tw_api_url(struct kanal_buffer *out, const struct tw_settings *settings, kanal_str path)
{
    kanal_buffer_text(out, settings->api_url);
    kanal_buffer_text(out, "/2010-04-01/Accounts/");
    kanal_buffer_text(out, settings->account);
    kanal_buffer_byte(out, '/');
    kanal_buffer_str(out, path);
}

kanal_secret_use tw_api_secret(const struct tw_settings *settings)
{
    int has_key = settings->api_key[0] != 0;
    return (kanal_secret_use){
        .where = KANAL_IN_BASIC,
        .name = kanal_str_c(has_key ? settings->api_key : settings->account),
        .secret = has_key ? KANAL_LIT("api_key_secret") : KANAL_LIT("auth_token"),
    };
}

kanal_status tw_api_call(struct kanal_channel *channel, kanal_op cause, kanal_str path, kanal_str form,
                         uint32_t timeout_ms, tw_reply_fn *done, void *user)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/x-www-form-urlencoded") };
    const kanal_secret_use secret = tw_api_secret(&channel->settings);
    struct kanal_buffer url = { 0 };
    struct exchange *exchange = malloc(sizeof *exchange);
    tw_api_url(&url, &channel->settings, path);
    kanal_http_request request = {
        .struct_size = sizeof request,
        .timeout_ms = timeout_ms,
        .method = KANAL_LIT("POST"),
        .url = kanal_buffer_view(&url),
        .body = form,
        .headers = &type,
        .header_count = 1,
        .secrets = &secret,
        .secret_count = 1,
    };
    kanal_status status = KANAL_E_INTERNAL;
    if (exchange && !url.failed && form.ptr) {
        *exchange = (struct exchange){ channel, done, user };
        if (kanal_calls_send(&channel->calls, cause, &request, on_response, exchange))
            status = KANAL_OK;
    }
    if (status != KANAL_OK)
        free(exchange);
    kanal_buffer_release(&url);
    return status;
}
