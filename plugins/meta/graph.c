#include "graph.h"

#define REGAIN_MINUTES_MAX (24 * 60)

struct meta_call {
    struct meta_call *next, **link;
    struct meta_channel *channel;
    kanal_op op;
    meta_reply_fn *done;
    void *user;
};

static kanal_str words_of(kanal_status status)
{
    switch (status) {
    case KANAL_E_TIMEOUT:
        return KANAL_LIT("no answer in time; nothing was sent");
    case KANAL_E_NETWORK:
        return KANAL_LIT("Meta could not be reached");
    case KANAL_E_MAYBE:
        return KANAL_LIT("the connection broke before Meta answered");
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

/* ---- Answers ---- */

/* {"error":{"message","type","code","error_subcode","error_data":{"details"},"error_user_msg"}}: the details say most. */
static void read_error(struct meta_reply *reply, yyjson_val *error)
{
    yyjson_val *data = kanal_json_at(error, "error_data");
    kanal_str details = kanal_json_text_at(data, "details");
    kanal_str said = kanal_json_text_at(error, "error_user_msg");
    kanal_str message = kanal_json_text_at(error, "message");
    reply->code = kanal_json_int_at(error, "code", 0);
    reply->subcode = kanal_json_int_at(error, "error_subcode", 0);
    reply->message = details.len > 0 ? details : said.len > 0 ? said : message;
    if (reply->message.len == 0)
        reply->message = KANAL_LIT("the answer is not one of the Graph API");
}

/* X-Business-Use-Case-Usage: {"<id>":[{"type","estimated_time_to_regain_access": minutes, …}]}. */
static uint32_t regain_ms(kanal_str usage)
{
    yyjson_doc *document = kanal_json_parse(usage);
    yyjson_val *root = yyjson_doc_get_root(document), *key, *uses, *use;
    size_t index, max, i, n;
    int64_t longest = 0;
    if (yyjson_is_obj(root)) {
        yyjson_obj_foreach (root, index, max, key, uses) {
            yyjson_arr_foreach (uses, i, n, use) {
                int64_t minutes = kanal_json_int_at(use, "estimated_time_to_regain_access", 0);
                longest = minutes > longest ? minutes : longest;
            }
        }
    }
    yyjson_doc_free(document);
    return (uint32_t)(longest < REGAIN_MINUTES_MAX ? longest : REGAIN_MINUTES_MAX) * 60000;
}

static void read_headers(struct meta_reply *reply, const kanal_http_response *response, int64_t now_ms)
{
    kanal_str after = kanal_field_get(response->headers, response->header_count, "retry-after");
    kanal_str usage = kanal_field_get(response->headers, response->header_count, "x-business-use-case-usage");
    if (after.len > 0 && kanal_time_retry_after(after, now_ms, &reply->retry_ms) == KANAL_OK &&
        reply->retry_ms > 0)
        return;
    reply->retry_ms = usage.len > 0 ? regain_ms(usage) : 0;
}

yyjson_doc *meta_reply_read(struct meta_reply *reply, kanal_status status,
                            const kanal_http_response *response, int64_t now_ms)
{
    memset(reply, 0, sizeof *reply);
    reply->status = status;
    if (status != KANAL_OK || !response) {
        reply->message = words_of(status);
        return NULL;
    }
    yyjson_doc *document = kanal_json_parse(response->body);
    yyjson_val *root = yyjson_doc_get_root(document), *error = kanal_json_at(root, "error");
    reply->http_code = response->code;
    reply->is_ok = response->code >= 200 && response->code < 300 && yyjson_is_obj(root) && !error;
    if (reply->is_ok) {
        reply->root = root;
    } else {
        read_error(reply, error);
        read_headers(reply, response, now_ms);
    }
    return document;
}

/* ---- Calls ---- */

static void call_free(struct meta_call *call)
{
    *call->link = call->next;
    if (call->next)
        call->next->link = call->link;
    free(call);
}

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct meta_call *call = user;
    struct meta_channel *channel = call->channel;
    meta_reply_fn *done = call->done;
    void *done_user = call->user;
    struct meta_reply reply;
    yyjson_doc *document = meta_reply_read(&reply, status, response, channel->host->now_ms(channel->host));
    call_free(call);
    done(done_user, &reply);
    yyjson_doc_free(document);
    meta_channel_settle(channel);
}

static void send_request(struct meta_call *call, kanal_op cause, const struct meta_request *wanted,
                         kanal_str url)
{
    const kanal_host *host = call->channel->host;
    const kanal_field type = { KANAL_LIT("content-type"), KANAL_LIT("application/json") };
    kanal_secret_use secrets[2] = { META_BEARER };
    if (wanted->secret)
        secrets[1] = *wanted->secret;
    kanal_http_request request = {
        .struct_size = sizeof request,
        .timeout_ms = wanted->timeout_ms,
        .method = kanal_str_c(wanted->method),
        .url = url,
        .secrets = secrets,
        .secret_count = wanted->secret ? 2 : 1,
    };
    if (wanted->part_count > 0) {
        request.parts = wanted->parts;
        request.part_count = wanted->part_count;
    } else if (wanted->json.len > 0) {
        request.body = wanted->json;
        request.headers = &type;
        request.header_count = 1;
    }
    call->op = host->http_send(host, cause, &request, on_response, call);
}

struct meta_call *meta_graph_call(struct meta_channel *channel, kanal_op cause,
                                  const struct meta_request *request, meta_reply_fn *done, void *user)
{
    struct kanal_buffer url = { 0 };
    struct meta_call *call = calloc(1, sizeof *call);
    meta_graph_url(&url, channel, request->path);
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

void meta_graph_url(struct kanal_buffer *out, const struct meta_channel *channel, kanal_str path)
{
    kanal_buffer_text(out, channel->api_url);
    kanal_buffer_byte(out, '/');
    kanal_buffer_text(out, channel->version);
    kanal_buffer_byte(out, '/');
    kanal_buffer_str(out, path);
}

void meta_graph_cancel_all(struct meta_channel *channel)
{
    for (struct meta_call *call = channel->calls; call; call = call->next)
        channel->host->cancel(channel->host, call->op);
}
