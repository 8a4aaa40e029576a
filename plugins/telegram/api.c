#include "api.h"

struct exchange {
    tg_reply_fn *done;
    void *user;
};

static kanal_str words_of(kanal_status status)
{
    switch (status) {
    case KANAL_E_TIMEOUT:
        return KANAL_LIT("no answer in time; nothing was sent");
    case KANAL_E_NETWORK:
        return KANAL_LIT("Telegram could not be reached");
    case KANAL_E_MAYBE:
        return KANAL_LIT("the connection broke before Telegram answered");
    case KANAL_E_CANCELLED:
        return KANAL_LIT("cancelled");
    case KANAL_E_DENIED:
        return KANAL_LIT("the host of api_url, or of the media, is not granted in `egress`");
    case KANAL_E_BUSY:
        return KANAL_LIT("too many requests of this channel are pending");
    case KANAL_E_TOO_LARGE:
        return KANAL_LIT("the answer or the media is over the size limit");
    case KANAL_E_NOT_FOUND:
        return KANAL_LIT("the media, or the secret, is not there");
    default:
        return KANAL_LIT("the request could not be made");
    }
}

static void read_error(struct tg_reply *reply, yyjson_val *root)
{
    yyjson_val *parameters = kanal_json_at(root, "parameters");
    reply->error_code = kanal_json_int_at(root, "error_code", reply->http_code);
    reply->description = kanal_json_text_at(root, "description");
    reply->retry_after_s = kanal_json_int_at(parameters, "retry_after", 0);
    reply->migrate_to = kanal_json_int_at(parameters, "migrate_to_chat_id", 0);
    if (reply->retry_after_s < 0)
        reply->retry_after_s = 0;
}

/* A gateway in front of Telegram answers without a JSON body; then only the header can say how long to wait.
 */
static void read_header(struct tg_reply *reply, const kanal_http_response *response)
{
    int64_t seconds;
    kanal_str after = kanal_field_get(response->headers, response->header_count, "retry-after");
    if (reply->retry_after_s == 0 && kanal_str_int(after, &seconds) == 0 && seconds > 0)
        reply->retry_after_s = seconds;
}

yyjson_doc *tg_reply_read(struct tg_reply *reply, kanal_status status, const kanal_http_response *response)
{
    memset(reply, 0, sizeof *reply);
    reply->status = status;
    if (status != KANAL_OK || !response) {
        reply->description = words_of(status);
        return NULL;
    }
    yyjson_doc *document = kanal_json_parse(response->body);
    yyjson_val *root = yyjson_doc_get_root(document);
    reply->http_code = response->code;
    reply->is_ok = kanal_json_bool_at(root, "ok") && response->code >= 200 && response->code < 300;
    if (reply->is_ok) {
        reply->result = kanal_json_at(root, "result");
    } else {
        read_error(reply, root);
        read_header(reply, response);
        if (reply->description.len == 0)
            reply->description = KANAL_LIT("the answer is not one of the Bot API");
    }
    return document;
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct exchange exchange = *(struct exchange *)user;
    struct tg_reply reply;
    free(user);
    yyjson_doc *document = tg_reply_read(&reply, status, response);
    exchange.done(exchange.user, &reply);
    yyjson_doc_free(document);
}

static struct kanal_call *send_request(struct kanal_channel *channel, kanal_op cause,
                                       const struct tg_request *wanted, kanal_str url,
                                       struct exchange *exchange)
{
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    const kanal_secret_use secrets[] = {
        { .where = KANAL_IN_PATH,
          .position = (uint32_t)strlen(channel->settings.api_url),
          .prefix = KANAL_LIT("bot"),
          .secret = KANAL_LIT("token") },
        { .where = KANAL_IN_JSON, .name = KANAL_LIT("secret_token"), .secret = KANAL_LIT("webhook") },
    };
    kanal_http_request request = {
        .struct_size = sizeof request,
        .timeout_ms = wanted->timeout_ms,
        .max_response =
            8u * 1024 * 1024, /* 100 updates of getUpdates, each of some 10 KiB, fit several times */
        .method = KANAL_LIT("POST"),
        .url = url,
        .secrets = secrets,
        .secret_count = wanted->with_webhook_secret ? 2 : 1,
    };
    if (wanted->part_count > 0) {
        request.parts = wanted->parts;
        request.part_count = wanted->part_count;
    } else {
        request.body = wanted->json.ptr ? wanted->json : KANAL_LIT("{}");
        request.headers = &type;
        request.header_count = 1;
    }
    return kanal_calls_send(&channel->calls, cause, &request, on_response, exchange);
}

struct kanal_call *tg_api_call(struct kanal_channel *channel, kanal_op cause,
                               const struct tg_request *request, tg_reply_fn *done, void *user)
{
    struct kanal_buffer url = { 0 };
    struct kanal_call *call = NULL;
    struct exchange *exchange = malloc(sizeof *exchange);
    kanal_buffer_text(&url, channel->settings.api_url);
    kanal_buffer_byte(&url, '/');
    kanal_buffer_text(&url, request->method);
    if (exchange && !url.failed) {
        *exchange = (struct exchange){ done, user };
        call = send_request(channel, cause, request, kanal_buffer_view(&url), exchange);
    }
    if (!call)
        free(exchange);
    kanal_buffer_release(&url);
    return call;
}
