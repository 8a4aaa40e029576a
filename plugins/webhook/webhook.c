/* webhook - any other system, by signed webhooks in and out. See README.md. */
#include "webhook.h"

#define MAX_BODY (1024u * 1024)

/* ---- Life ---- */

static void destroy(kanal_channel *channel)
{
    settings_release(&channel->settings);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    struct kanal_buffer why = { 0 };
    kanal_status status =
        channel ? settings_read(&channel->settings, config->settings, &why) : KANAL_E_INTERNAL;
    if (status == KANAL_OK) {
        channel->host = host;
        kanal_health_init(&channel->health, host);
        kanal_calls_init(&channel->calls, host);
    } else {
        host->log(host, 0, KANAL_LOG_ERROR,
                  why.len > 0 ? kanal_buffer_view(&why) : KANAL_LIT("out of memory"));
        if (channel != NULL)
            destroy(channel);
        channel = NULL;
    }
    kanal_buffer_release(&why);
    return channel;
}

static void start(kanal_channel *channel, kanal_op op)
{
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    kanal_calls_stop(&channel->calls, op);
}

/* ---- The descriptor ---- */

const kanal_plugin *kanal_plugin_v1(void)
{
    static const char *const egress[] = { "${setting:url}", NULL };
    static const kanal_route routes[] = {
        { .method = "POST", .path = "/", .max_body = MAX_BODY },
    };
    static const kanal_secret secrets[] = {
        { .name = IN_SECRET,
          .description = "What the other system signs with (Standard Webhooks: whsec_ and base64). Without "
                         "it nothing is taken" },
        { .name = IN_PREVIOUS_SECRET,
          .description = "The secret before it, while the other system changes over" },
        { .name = OUT_SECRET,
          .description = "What deliveries are signed with (whsec_ and base64). Without it nothing goes out" },
        { .name = OUT_PREVIOUS_SECRET,
          .description = "The secret before it: deliveries are signed with both" },
        { .name = OUT_TOKEN, .description = "With the setting `bearer`: sent as Authorization: Bearer" },
    };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "webhook",
        .name = "Webhook",
        .version = "1.0.0",
        /* Content goes out as canonical JSON, so whatever can be said can be sent. */
        .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_AUDIO | KANAL_CAP_VOICE |
                KANAL_CAP_FILE | KANAL_CAP_STICKER | KANAL_CAP_LOCATION | KANAL_CAP_CONTACT |
                KANAL_CAP_BUTTONS | KANAL_CAP_QUICK_REPLIES | KANAL_CAP_LIST | KANAL_CAP_CARD |
                KANAL_CAP_CAROUSEL | KANAL_CAP_TEMPLATE | KANAL_CAP_CAPTION | KANAL_CAP_MARKUP_HTML |
                KANAL_CAP_MARKUP_MARKDOWN | KANAL_CAP_CHOICE_ON_MEDIA | KANAL_CAP_EDIT | KANAL_CAP_DELETE |
                KANAL_CAP_REACT | KANAL_CAP_REPLY | KANAL_CAP_TYPING | KANAL_CAP_READ | KANAL_CAP_IDEMPOTENT,
        .egress = egress,
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .secrets = secrets,
        .secret_count = sizeof secrets / sizeof secrets[0],
        .settings_schema = settings_schema,
        .create = create,
        .start = start,
        .on_http = receive,
        .deliver = deliver,
        .stop = stop,
        .destroy = destroy,
    };
    return &plugin;
}
