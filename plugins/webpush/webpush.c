/* webpush - notifications to browsers (Web Push). See README.md. */
#include "webpush.h"

#include <openssl/crypto.h>

#define MAX_BODY 8192u

/* ---- Words ---- */

void say(kanal_channel *channel, kanal_op cause, int32_t level, const char *text, kanal_str detail)
{
    struct kanal_buffer line = { 0 };
    kanal_buffer_text(&line, text);
    if (detail.len > 0)
        kanal_buffer_text(&line, ": ");
    kanal_buffer_str(&line, kanal_str_of(detail.ptr, detail.len < 512 ? detail.len : 512));
    if (!line.failed)
        channel->host->log(channel->host, cause, level, kanal_buffer_view(&line));
    kanal_buffer_release(&line);
}

/* ---- Life ---- */

static void destroy(kanal_channel *channel)
{
    settings_release(&channel->settings);
    kanal_rate_release(&channel->rate);
    vapid_release(channel);
    free(channel->id);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL); /* a worker may open no file */
    kanal_channel *channel = calloc(1, sizeof *channel);
    const char *error = "out of memory";
    if (channel != NULL && (channel->id = kanal_str_dup(config->channel_id)) != NULL &&
        settings_read(&channel->settings, config->settings, &error) == KANAL_OK) {
        channel->host = host;
        kanal_calls_init(&channel->calls, host);
        return channel;
    }
    host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(error));
    if (channel != NULL)
        destroy(channel);
    return NULL;
}

static void start(kanal_channel *channel, kanal_op op)
{
    uint64_t seed;
    channel->host->random(channel->host, &seed, sizeof seed);
    kanal_rate_init(&channel->rate, seed);
    vapid_check(channel, op);
}

static void stop(kanal_channel *channel, kanal_op op)
{
    kanal_calls_stop(&channel->calls, op);
}

/* ---- Requests ---- */

/* True if the sender may go on; otherwise it was answered. */
static int is_within_rate(kanal_channel *channel, const struct kanal_reply *reply,
                          const kanal_http_request *request)
{
    uint32_t per_minute = channel->settings.rate_per_minute, wait_ms = 0;
    if (per_minute == 0 ||
        kanal_rate_take(&channel->rate, 's', request->remote, channel->host->now_ms(channel->host),
                        per_minute, channel->settings.rate_burst, &wait_ms))
        return 1;
    kanal_reply_error(reply, 429, "rate_limited", "too many requests from this network address",
                      (wait_ms + 999) / 1000);
    return 0;
}

static void give_key(const kanal_channel *channel, const struct kanal_reply *reply)
{
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "public_key", channel->settings.public_key_text);
    kanal_json_object_end(&json);
    kanal_reply_json(reply, 200, kanal_buffer_view(&body), 0);
    kanal_buffer_release(&body);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    struct kanal_reply reply;
    int allowed = kanal_reply_init(&reply, channel->host, op, request, channel->settings.origins);
    if (channel->calls.stopping != 0)
        kanal_reply_error(&reply, 503, "unavailable", "the channel stops; try again", 5);
    else if (!allowed)
        kanal_reply_error(&reply, 403, "origin_denied", "this site may not subscribe here", 0);
    else if (kanal_str_is(request->method, "OPTIONS"))
        kanal_reply_preflight(&reply, "GET, POST", "content-type");
    else if (kanal_str_is(request->path, "/key"))
        give_key(channel, &reply);
    else if (!is_within_rate(channel, &reply, request))
        return;
    else if (kanal_str_is(request->path, "/subscription"))
        subscribe(channel, &reply, request);
    else
        unsubscribe(channel, &reply, request);
}

/* ---- The descriptor ---- */

static const kanal_limits limits = {
    .struct_size = sizeof limits,
    .text_bytes = 2048, /* the whole message holds 3,993, with title and URLs */
    .caption_chars = 500,
    .options = 2,
    .option_chars = 40,
    .payload_bytes = 256,
};

const kanal_plugin *kanal_plugin_v1(void)
{
    /* What browsers subscribe at; the setting push_services names them again, for what pages may bring. */
    static const char *const egress[] = { "fcm.googleapis.com", "*.push.services.mozilla.com",
                                          "*.notify.windows.com", "*.push.apple.com", NULL };
    static const kanal_route routes[] = {
        { .method = "GET", .path = "/key" },
        { .method = "POST", .path = "/subscription", .max_body = MAX_BODY },
        { .method = "POST", .path = "/unsubscribe", .max_body = MAX_BODY },
        { .method = "OPTIONS", .path = "/key" },
        { .method = "OPTIONS", .path = "/subscription" },
        { .method = "OPTIONS", .path = "/unsubscribe" },
    };
    static const kanal_secret secrets[] = {
        { .name = VAPID_SECRET,
          .description = "Private key of P-256 as PEM, which signs for push services: openssl ecparam -name "
                         "prime256v1 -genkey -noout",
          .flags = KANAL_SECRET_REQUIRED },
        { .name = KANAL_VISITOR_SECRET,
          .description = "Signs visitors' sessions; the same as the webchat's and webform's of the same "
                         "site. At least 32 random bytes",
          .flags = KANAL_SECRET_REQUIRED },
    };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "webpush",
        .name = "Web Push",
        .version = "1.0.0",
        .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_CAPTION | KANAL_CAP_BUTTONS |
                KANAL_CAP_CHOICE_ON_MEDIA,
        .limits = &limits,
        .egress = egress,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .secrets = secrets,
        .secret_count = sizeof secrets / sizeof secrets[0],
        .settings_schema = settings_schema,
        .create = create,
        .start = start,
        .on_http = on_http,
        .deliver = deliver,
        .stop = stop,
        .destroy = destroy,
    };
    return &plugin;
}
