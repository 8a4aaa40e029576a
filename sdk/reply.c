#include "kanal/sdk/reply.h"

#define HEADERS_MAX 6u

struct headers {
    kanal_field fields[HEADERS_MAX];
    size_t count;
};

static void add(struct headers *headers, kanal_str name, kanal_str value)
{
    headers->fields[headers->count++] = (kanal_field){ name, value };
}

static void add_cors(struct headers *headers, const struct kanal_reply *reply)
{
    add(headers, KANAL_LIT("cache-control"), KANAL_LIT("no-store"));
    add(headers, KANAL_LIT("vary"), KANAL_LIT("origin"));
    if (reply->origin[0] != 0)
        add(headers, KANAL_LIT("access-control-allow-origin"), kanal_str_c(reply->origin));
}

static void send_response(const struct kanal_reply *reply, int32_t code, kanal_str body,
                          const struct headers *headers)
{
    const kanal_http_response response = { .struct_size = sizeof response,
                                           .code = code,
                                           .body = body,
                                           .headers = headers->fields,
                                           .header_count = headers->count };
    reply->host->respond(reply->host, reply->op, &response);
}

int kanal_reply_init(struct kanal_reply *reply, const kanal_host *host, kanal_op op,
                     const kanal_http_request *request, yyjson_val *patterns)
{
    kanal_str origin = kanal_field_get(request->headers, request->header_count, "origin");
    reply->host = host;
    reply->op = op;
    reply->origin[0] = 0;
    if (origin.ptr == NULL)
        return 1;
    if (!kanal_origin_allowed(patterns, origin))
        return 0;
    memcpy(reply->origin, origin.ptr, origin.len); /* at most 255 bytes of a URL's characters */
    reply->origin[origin.len] = 0;
    return 1;
}

void kanal_reply_json(const struct kanal_reply *reply, int32_t code, kanal_str body, uint32_t retry_after_s)
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
    send_response(reply, code, body, &headers);
    kanal_buffer_release(&seconds);
}

void kanal_reply_error(const struct kanal_reply *reply, int32_t code, const char *name, const char *message,
                       uint32_t retry_after_s)
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
    kanal_reply_json(reply, code, kanal_buffer_view(&body), retry_after_s);
    kanal_buffer_release(&body);
}

void kanal_reply_preflight(const struct kanal_reply *reply, const char *methods, const char *allowed)
{
    struct headers headers = { .count = 0 };
    add_cors(&headers, reply);
    add(&headers, KANAL_LIT("access-control-allow-methods"), kanal_str_c(methods));
    add(&headers, KANAL_LIT("access-control-allow-headers"), kanal_str_c(allowed));
    add(&headers, KANAL_LIT("access-control-max-age"), KANAL_LIT("600"));
    send_response(reply, 204, kanal_str_of(NULL, 0), &headers);
}

void kanal_reply_redirect(const struct kanal_reply *reply, kanal_str url)
{
    struct headers headers = { .count = 0 };
    add_cors(&headers, reply);
    add(&headers, KANAL_LIT("location"), url);
    send_response(reply, 303, kanal_str_of(NULL, 0), &headers);
}
