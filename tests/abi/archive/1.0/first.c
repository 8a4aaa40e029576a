/* first - a plugin of the first day: built against the archived header of minor 0, loaded and run by every later Kanal. It uses nothing but
 * that header. Text posted to / (headers x-from, x-id) becomes a message; what is sent last can be fetched from /last. */
#include "kanal/plugin.h"
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024

struct kanal_channel {
    const kanal_host *host;
    char last[TEXT_MAX];
    size_t last_len;
};

static const kanal_str absent = { NULL, 0 };

static kanal_str of(const char *text)
{
    kanal_str s = { text, strlen(text) };
    return s;
}

static int is(kanal_str a, const char *text)
{
    return a.len == strlen(text) && memcmp(a.ptr, text, a.len) == 0;
}

/* ---- Life ---- */

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    if (channel != NULL && config->channel_id.len > 0)
        channel->host = host;
    return channel;
}

static void destroy(kanal_channel *channel)
{
    free(channel);
}

static void start_or_stop(kanal_channel *channel, kanal_op op)
{
    channel->host->finish(channel->host, op, KANAL_OK, absent);
}

/* ---- In ---- */

static void respond(kanal_channel *channel, kanal_op op, int32_t code, kanal_str body)
{
    const kanal_field type = { of("content-type"), of("text/plain") };
    kanal_http_response response = { .struct_size = sizeof response, .code = code };
    response.body = body;
    response.headers = &type;
    response.header_count = 1;
    channel->host->respond(channel->host, op, &response);
}

static kanal_str header(const kanal_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (is(request->headers[i].name, name))
            return request->headers[i].value;
    return absent;
}

/* Letters, digits and some marks only, so that nothing has to be escaped. */
static int is_plain(kanal_str text, size_t max)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
              c == '_' || c == '.' || c == ' ' || c == '!'))
            return 0;
    }
    return text.len > 0 && text.len <= max;
}

static void add(char *out, size_t *len, const char *text, size_t text_len)
{
    memcpy(out + *len, text, text_len);
    *len += text_len;
}

static void publish(kanal_channel *channel, kanal_op op, kanal_str from, kanal_str id, kanal_str text)
{
    static const char before[] = "{\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"",
                      after[] = "\"}]}}";
    char data[TEXT_MAX + 128], address[128];
    size_t data_len = 0, address_len = 0;
    add(data, &data_len, before, sizeof before - 1);
    add(data, &data_len, text.ptr, text.len);
    add(data, &data_len, after, sizeof after - 1);
    add(address, &address_len, "first:", 6);
    add(address, &address_len, from.ptr, from.len);
    kanal_event event = { .struct_size = sizeof event, .dedupe = id, .external_id = id };
    event.type = of("message.received");
    event.address.ptr = address;
    event.address.len = address_len;
    event.data.ptr = data;
    event.data.len = data_len;
    const kanal_event *const events[] = { &event };
    channel->host->publish(channel->host, op, events, 1, NULL, NULL);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    kanal_str from = header(request, "x-from"), id = header(request, "x-id");
    if (is(request->path, "/last")) {
        kanal_str last = { channel->last, channel->last_len };
        respond(channel, op, 200, last);
    } else if (!is_plain(from, 64) || memchr(from.ptr, ' ', from.len) != NULL || !is_plain(id, 64) ||
               !is_plain(request->body, TEXT_MAX)) {
        respond(channel, op, 400, of("expected x-from, x-id and a plain text"));
    } else {
        publish(channel, op, from, id, request->body);
        respond(channel, op, 200, of("ok"));
    }
}

/* ---- Out ---- */

static void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    kanal_result result = { .struct_size = sizeof result, .outcome = KANAL_FAILED };
    static const char mark[] = "\"text\":\"";
    const char *data = delivery->data.ptr, *text = NULL;
    size_t len = 0;
    for (size_t i = 0; i + sizeof mark - 1 < delivery->data.len && text == NULL; i++)
        if (memcmp(data + i, mark, sizeof mark - 1) == 0)
            text = data + i + sizeof mark - 1;
    while (text != NULL && len < TEXT_MAX && text + len < data + delivery->data.len && text[len] != '"')
        len++;
    if (!is(delivery->type, "message.send")) {
        result.code = of("unsupported_verb");
    } else if (delivery->address.len < 7 || memcmp(delivery->address.ptr, "first:", 6) != 0) {
        result.code = of("recipient_unknown");
    } else if (len == 0) {
        result.code = of("unsupported_content");
    } else {
        memcpy(channel->last, text, len);
        channel->last_len = len;
        result.outcome = KANAL_SENT;
        result.external_id = delivery->idempotency_key;
    }
    channel->host->delivered(channel->host, op, &result);
}

const kanal_plugin *kanal_plugin_v1(void)
{
    static const kanal_limits limits = { .struct_size = sizeof limits, .text_bytes = TEXT_MAX };
    static const kanal_route routes[] = { { .method = "POST", .path = "/", .max_body = 4096 },
                                          { .method = "GET", .path = "/last" } };
    static const kanal_plugin plugin = { .struct_size = sizeof plugin,
                                         .abi_minor = KANAL_ABI_MINOR,
                                         .id = "first",
                                         .name = "First",
                                         .version = "1.0.0",
                                         .caps = KANAL_CAP_TEXT,
                                         .limits = &limits,
                                         .routes = routes,
                                         .route_count = 2,
                                         .settings_schema =
                                             "{\"type\":\"object\",\"additionalProperties\":false}",
                                         .create = create,
                                         .start = start_or_stop,
                                         .on_http = on_http,
                                         .deliver = deliver,
                                         .stop = start_or_stop,
                                         .destroy = destroy };
    return &plugin;
}
