#include "webform.h"

#define HEADERS_MAX 6u

struct headers {
    kanal_field fields[HEADERS_MAX];
    size_t count;
};

static void add(struct headers *headers, kanal_str name, kanal_str value)
{
    headers->fields[headers->count++] = (kanal_field){ name, value };
}

/* What lets the page's script read the answer (the Fetch standard, "CORS protocol"). */
static void add_cors(struct headers *headers, const struct reply *reply)
{
    add(headers, KANAL_LIT("cache-control"), KANAL_LIT("no-store"));
    add(headers, KANAL_LIT("vary"), KANAL_LIT("origin"));
    if (reply->origin[0] != 0)
        add(headers, KANAL_LIT("access-control-allow-origin"), kanal_str_c(reply->origin));
}

static void send_response(kanal_channel *channel, const struct reply *reply, int32_t code, kanal_str body,
                          const struct headers *headers)
{
    const kanal_http_response response = { .struct_size = sizeof response,
                                           .code = code,
                                           .body = body,
                                           .headers = headers->fields,
                                           .header_count = headers->count };
    channel->host->respond(channel->host, reply->op, &response);
}

void answer_json(kanal_channel *channel, const struct reply *reply, int32_t code, kanal_str body,
                 uint32_t retry_after_s)
{
    struct headers headers = { .count = 0 };
    struct kanal_buffer seconds = { 0 };
    add(&headers, KANAL_LIT("content-type"), KANAL_LIT("application/json"));
    add_cors(&headers, reply);
    if (retry_after_s > 0) {
        kanal_buffer_uint(&seconds, retry_after_s);
        add(&headers, KANAL_LIT("retry-after"), kanal_buffer_view(&seconds));
        if (reply->origin[0] != 0)
            add(&headers, KANAL_LIT("access-control-expose-headers"), KANAL_LIT("retry-after"));
    }
    send_response(channel, reply, code, body, &headers);
    kanal_buffer_release(&seconds);
}

void answer_error(kanal_channel *channel, const struct reply *reply, int32_t code, const char *name,
                  const char *message, uint32_t retry_after_s)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, "error");
    kanal_json_object(&json);
    kanal_json_member_text(&json, "code", name);
    kanal_json_member_text(&json, "message", message);
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    answer_json(channel, reply, code, kanal_buffer_view(&body), retry_after_s);
    kanal_buffer_release(&body);
}

void answer_unavailable(kanal_channel *channel, const struct reply *reply)
{
    count_outcome(channel, "unavailable");
    answer_error(channel, reply, 503, "unavailable", "this cannot be stored at the moment; try again", 5);
}

void answer_preflight(kanal_channel *channel, const struct reply *reply)
{
    struct headers headers = { .count = 0 };
    add_cors(&headers, reply);
    add(&headers, KANAL_LIT("access-control-allow-methods"), KANAL_LIT("GET, POST"));
    add(&headers, KANAL_LIT("access-control-allow-headers"), KANAL_LIT("content-type"));
    add(&headers, KANAL_LIT("access-control-max-age"), KANAL_LIT("600"));
    send_response(channel, reply, 204, kanal_str_of(NULL, 0), &headers);
}

void answer_redirect(kanal_channel *channel, const struct reply *reply, kanal_str url)
{
    struct headers headers = { .count = 0 };
    add_cors(&headers, reply);
    add(&headers, KANAL_LIT("location"), url);
    send_response(channel, reply, 303, kanal_str_of(NULL, 0), &headers);
}

void count_outcome(kanal_channel *channel, const char *outcome)
{
    const kanal_field label = { KANAL_LIT("outcome"), kanal_str_c(outcome) };
    channel->host->metric_add(channel->host, KANAL_LIT("submissions_total"), 1, &label, 1);
}
