#include "api.h"

struct tg_call {
    struct tg_call *next, **link;
    struct kanal_channel *channel;
    kanal_op op;
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

static void call_free(struct tg_call *call)
{
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    free(call);
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct tg_call *call = user;
    struct kanal_channel *channel = call->channel;
    tg_reply_fn *done = call->done;
    void *done_user = call->user;
    struct tg_reply reply;
    yyjson_doc *document = tg_reply_read(&reply, status, response);
    call_free(call);
    done(done_user, &reply);
    yyjson_doc_free(document);
    tg_channel_settle(channel);
}

static void send_request(struct tg_call *call, kanal_op cause, const struct tg_request *wanted, kanal_str url)
{
    const kanal_host *host = call->channel->host;
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    const kanal_secret_use secrets[] = {
        { .where = KANAL_IN_PATH,
          .position = (uint32_t)strlen(call->channel->settings.api_url),
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
    call->op = host->http_send(host, cause, &request, on_response, call);
}

struct tg_call *tg_api_call(struct kanal_channel *channel, kanal_op cause, const struct tg_request *request,
                            tg_reply_fn *done, void *user)
{
    struct kanal_buffer url = { 0 };
    struct tg_call *call = calloc(1, sizeof *call);
    kanal_buffer_text(&url, channel->settings.api_url);
    kanal_buffer_byte(&url, '/');
    kanal_buffer_text(&url, request->method);
    if (!call || url.failed) {
        free(call);
        call = NULL;
        goto out;
    }
    call->channel = channel;
    call->done = done;
    call->user = user;
    call->next = channel->calls;
    call->link = &channel->calls;
    if (call->next)
        call->next->link = &call->next;
    channel->calls = call;
    send_request(call, cause, request, kanal_buffer_view(&url));
out:
    kanal_buffer_release(&url);
    return call;
}

void tg_api_cancel(struct tg_call *call)
{
    if (call)
        call->channel->host->cancel(call->channel->host, call->op);
}

void tg_api_cancel_all(struct kanal_channel *channel)
{
    for (struct tg_call *call = channel->calls; call; call = call->next)
        tg_api_cancel(call);
}
