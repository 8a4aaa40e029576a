/* webchat.c - the chat on the site: one WebSocket a page, a widget of one file, anonymous visitors with a signed session.
 *
 * This file: what the plugin declares, its life, and which request goes where. The protocol: PROTOCOL.md. Who owns what:
 * channel.h. */
#include <stdlib.h>
#include "channel.h"
#include "kanal/sdk/link.h"
#include "kanal/sdk/str.h"

#define SWEEP_EVERY_MS 5000

/* The joined sources of widget/: made by embed.py. */
extern const unsigned char webchat_widget[];
extern const size_t webchat_widget_len;

static const kanal_limits limits = {
    .struct_size = sizeof limits,
    .text_chars = 4000,
    .text_bytes = 16000,
    .caption_chars = 1000,
    .options = 20,
    .option_chars = 80,
    .payload_bytes = 1024,
};

static const kanal_route routes[] = {
    { .method = "GET", .path = "/widget.js" },
    { .method = "GET", .path = "/ws" },
    { .method = "POST", .path = "/upload", .max_body = 16 * 1024 * 1024 },
    { .method = "OPTIONS", .path = "/upload" },
};

static const kanal_secret secrets[] = {
    { SESSION_SECRET,
      "signs visitors' sessions: 32 random bytes or more (openssl rand -base64 32); the same for the "
      "site's webform channel",
      KANAL_SECRET_REQUIRED },
};

/* ---- Services for the other files ---- */

int64_t channel_now_ms(const struct kanal_channel *channel)
{
    return channel->host->now_ms(channel->host);
}

void channel_call_begin(struct kanal_channel *channel)
{
    channel->pending++;
}

static void stop_finish(struct kanal_channel *channel)
{
    kanal_op stop = channel->stop;

    if (!stop || channel->pending > 0 || channel->connections.count > 0)
        return;
    channel->stop = 0;
    channel->host->finish(channel->host, stop, KANAL_OK, kanal_str_c(NULL));
}

void channel_call_end(struct kanal_channel *channel)
{
    channel->pending--;
    stop_finish(channel);
}

void channel_connection_gone(struct kanal_channel *channel)
{
    stop_finish(channel);
}

static void on_sweep(void *user, kanal_status status)
{
    struct kanal_channel *channel = user;

    channel->sweep = 0;
    if (status == KANAL_OK && !channel->stopping) {
        connection_sweep(channel);
        visitor_sweep(channel, 0);
        channel_sweep_arm(channel);
    }
    channel_call_end(channel);
}

void channel_sweep_arm(struct kanal_channel *channel)
{
    if (channel->sweep || channel->stopping || channel->connections.count + channel->visitors.count == 0)
        return;
    channel_call_begin(channel);
    channel->sweep = channel->host->timer(channel->host, SWEEP_EVERY_MS, on_sweep, channel);
}

/* ---- The widget ---- */

static void script_respond(struct kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    kanal_str known = kanal_field_get(request->headers, request->header_count, "if-none-match");
    const kanal_field headers[] = {
        { KANAL_LIT("content-type"), KANAL_LIT("text/javascript; charset=utf-8") },
        { KANAL_LIT("cache-control"), KANAL_LIT("public, max-age=300") },
        { KANAL_LIT("etag"), kanal_str_c(channel->etag) },
        { KANAL_LIT("access-control-allow-origin"), KANAL_LIT("*") },
        { KANAL_LIT("cross-origin-resource-policy"), KANAL_LIT("cross-origin") },
        { KANAL_LIT("x-content-type-options"), KANAL_LIT("nosniff") },
    };
    kanal_http_response response = { .struct_size = sizeof response, .code = 200 };

    if (kanal_str_is(known, channel->etag))
        response.code = 304;
    else
        response.body = kanal_buffer_view(&channel->script);
    response.headers = headers;
    response.header_count = sizeof headers / sizeof *headers;
    channel->host->respond(channel->host, op, &response);
}

/* The sources inside one function scope, and the call that starts them. Text cannot end the script: it is a file of its own. */
static kanal_status script_make(struct kanal_channel *channel)
{
    static const char hex[] = "0123456789abcdef";
    struct kanal_buffer *script = &channel->script;
    uint64_t hash;

    kanal_buffer_text(script, "(function () {\n\"use strict\";\n");
    kanal_buffer_append(script, webchat_widget, webchat_widget_len);
    kanal_buffer_text(script, "kanalChat(");
    kanal_buffer_str(script, kanal_buffer_view(&channel->settings.client));
    kanal_buffer_text(script, ", document.currentScript);\n})();\n");
    if (script->failed)
        return KANAL_E_BUSY;
    hash = table_hash(script->data, script->len);
    channel->etag[0] = channel->etag[17] = '"';
    for (int i = 0; i < 16; i++)
        channel->etag[1 + i] = hex[(hash >> (60 - 4 * i)) & 15];
    return KANAL_OK;
}

/* ---- Life ---- */

static void destroy(kanal_channel *channel)
{
    struct table_node *state = NULL, *node;
    size_t cursor = 0;

    if (!channel)
        return;
    while ((node = table_walk(&channel->connections, &cursor, &state)))
        connection_free((struct connection *)node);
    cursor = 0;
    while ((node = table_walk(&channel->visitors, &cursor, &state))) {
        table_remove(&channel->visitors, node);
        visitor_free((struct visitor *)node);
    }
    table_release(&channel->connections);
    table_release(&channel->visitors);
    settings_release(&channel->settings);
    kanal_buffer_release(&channel->script);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    const char *wrong = NULL;

    if (!channel)
        return NULL;
    channel->host = host;
    channel->websocket = host->extension(host, KANAL_EXT_WEBSOCKET);
    channel->blob = host->extension(host, KANAL_EXT_BLOB);
    if (!channel->websocket)
        wrong = "this gateway does not offer " KANAL_EXT_WEBSOCKET;
    else if (settings_init(&channel->settings, config) != KANAL_OK || script_make(channel) != KANAL_OK)
        wrong = "the settings cannot be read";
    if (!wrong)
        return channel;
    host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(wrong));
    destroy(channel);
    return NULL;
}

static void start(kanal_channel *channel, kanal_op op)
{
    const kanal_host *host = channel->host;

    if (channel->settings.origin_count == 0)
        host->log(host, 0, KANAL_LOG_WARN,
                  KANAL_LIT("neither `origins` nor a public URL is configured: every page will be refused"));
    if (!channel->blob && channel->settings.upload_bytes > 0)
        host->log(host, 0, KANAL_LOG_WARN, KANAL_LIT("this gateway does not keep files: uploads are off"));
    kanal_link_offer_template(host, kanal_buffer_view(&channel->settings.link));
    host->finish(host, op, KANAL_OK, kanal_str_c(NULL));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    struct table_node *state = NULL, *node;
    size_t cursor = 0;

    while ((node = table_walk(&channel->connections, &cursor, &state)))
        connection_close((struct connection *)node, 1001, "the gateway stops");
    channel->stopping = 1;
    channel->stop = op;
    channel_call_begin(channel); /* held until all is cancelled, so that the end comes once */
    if (channel->sweep)
        channel->host->cancel(channel->host, channel->sweep);
    cursor = 0;
    while ((node = table_walk(&channel->visitors, &cursor, &state))) {
        struct visitor *visitor = (struct visitor *)node;

        batch_cancel(visitor);
        if (!visitor->batch)
            job_fail_all(visitor, KANAL_E_CANCELLED);
    }
    channel_call_end(channel);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    if (kanal_str_is(request->path, "/ws"))
        connection_request(channel, op, request);
    else if (kanal_str_is(request->path, "/upload"))
        upload_request(channel, op, request);
    else
        script_respond(channel, op, request);
}

static void deliver(kanal_channel *channel, kanal_op op, const kanal_delivery *delivery)
{
    outgoing_deliver(channel, op, delivery);
}

static const void *extension(kanal_channel *channel, const char *id)
{
    (void)channel;
    return strcmp(id, KANAL_EXT_WEBSOCKET) == 0 ? connection_table() : NULL;
}

KANAL_EXPORT const kanal_plugin *kanal_plugin_v1(void)
{
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "webchat",
        .name = "Web chat",
        .version = "0.1.0",
        .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_AUDIO | KANAL_CAP_VOICE |
                KANAL_CAP_FILE | KANAL_CAP_STICKER | KANAL_CAP_LOCATION | KANAL_CAP_CONTACT |
                KANAL_CAP_BUTTONS | KANAL_CAP_QUICK_REPLIES | KANAL_CAP_LIST | KANAL_CAP_CARD |
                KANAL_CAP_CAROUSEL | KANAL_CAP_CAPTION | KANAL_CAP_CHOICE_ON_MEDIA | KANAL_CAP_EDIT |
                KANAL_CAP_DELETE | KANAL_CAP_REPLY | KANAL_CAP_TYPING | KANAL_CAP_READ |
                KANAL_CAP_DELIVERED_RECEIPT | KANAL_CAP_READ_RECEIPT | KANAL_CAP_IDEMPOTENT,
        .limits = &limits,
        .routes = routes,
        .route_count = sizeof routes / sizeof *routes,
        .secrets = secrets,
        .secret_count = sizeof secrets / sizeof *secrets,
        .settings_schema = settings_schema,
        .create = create,
        .start = start,
        .on_http = on_http,
        .deliver = deliver,
        .stop = stop,
        .destroy = destroy,
        .extension = extension,
    };

    return &plugin;
}
