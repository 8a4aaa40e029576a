#include "graph.h"

#include "kanal/sdk/outcome.h"

#define REGAIN_MINUTES_MAX (24 * 60)

struct exchange {
    struct meta_channel *channel;
    meta_reply_fn *done;
    void *user;
};

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
        reply->message = kanal_status_words(status);
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

static void on_response(void *user, kanal_status status, const kanal_http_response *response)
{
    struct exchange exchange = *(struct exchange *)user;
    const kanal_host *host = exchange.channel->host;
    struct meta_reply reply;
    free(user);
    yyjson_doc *document = meta_reply_read(&reply, status, response, host->now_ms(host));
    exchange.done(exchange.user, &reply);
    yyjson_doc_free(document);
}

static struct kanal_call *send_request(struct exchange *exchange, kanal_op cause,
                                       const struct meta_request *wanted, kanal_str url)
{
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
    return kanal_calls_send(&exchange->channel->calls, cause, &request, on_response, exchange);
}

kanal_status meta_graph_call(struct meta_channel *channel, kanal_op cause, const struct meta_request *request,
                             meta_reply_fn *done, void *user)
{
    struct kanal_buffer url = { 0 };
    struct exchange *exchange = malloc(sizeof *exchange);
    kanal_status status = KANAL_E_INTERNAL;
    meta_graph_url(&url, channel, request->path);
    if (exchange && request->path.ptr && !url.failed) {
        *exchange = (struct exchange){ channel, done, user };
        if (send_request(exchange, cause, request, kanal_buffer_view(&url)))
            status = KANAL_OK;
    }
    if (status != KANAL_OK)
        free(exchange);
    kanal_buffer_release(&url);
    return status;
}

void meta_graph_url(struct kanal_buffer *out, const struct meta_channel *channel, kanal_str path)
{
    kanal_buffer_text(out, channel->api_url);
    kanal_buffer_byte(out, '/');
    kanal_buffer_text(out, channel->version);
    kanal_buffer_byte(out, '/');
    kanal_buffer_str(out, path);
}
