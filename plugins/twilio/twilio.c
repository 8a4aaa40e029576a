/* Twilio (https://www.twilio.com/docs/messaging, …/voice): SMS, MMS and calls of one number or messaging service, one channel. README.md
 * tells how it is set up and what is known of it. */
#include "api.h"
#include "deliver.h"
#include "kanal/sdk/url.h"
#include "media.h"
#include "outcome.h"
#include "signature.h"
#include "webhook.h"

#define VERSION "1.0.0"
#define MAX_BODY (256u * 1024)

/* ---- The facts ---- */

static const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"account_sid\"],\"properties\":{"
    "\"account_sid\":{\"type\":\"string\",\"pattern\":\"^AC[0-9a-fA-F]{32}$\","
    "\"description\":\"Account SID, from the Console's first page.\"},"
    "\"from\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64,"
    "\"description\":\"Number (E.164), short code or alphanumeric sender that messages and calls are "
    "from.\"},"
    "\"messaging_service_sid\":{\"type\":\"string\",\"pattern\":\"^MG[0-9a-fA-F]{32}$\","
    "\"description\":\"Messaging Service that chooses the sender of messages.\"},"
    "\"number_sid\":{\"type\":\"string\",\"pattern\":\"^PN[0-9a-fA-F]{32}$\","
    "\"description\":\"SID of the number: given, Kanal registers its webhooks there.\"},"
    "\"api_url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https?://\",\"maxLength\":512,"
    "\"default\":\"https://api.twilio.com\",\"description\":\"Base URL of the REST API.\"},"
    "\"api_key_sid\":{\"type\":\"string\",\"pattern\":\"^SK[0-9a-fA-F]{32}$\","
    "\"description\":\"API key to make requests with, instead of the auth token.\"},"
    "\"media\":{\"enum\":[\"auto\",\"mms\",\"link\"],\"default\":\"auto\","
    "\"description\":\"How media go out; auto: as MMS to North America and Australia, elsewhere as a "
    "link.\"},"
    "\"validity_s\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":36000,"
    "\"description\":\"Seconds that a message may wait at Twilio; absent: Twilio's own ten hours.\"},"
    "\"language\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9-]{2,20}$\","
    "\"description\":\"Language of what calls say: en-US, ru-RU.\"},"
    "\"voice\":{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9._-]{1,64}$\","
    "\"description\":\"Voice of what calls say: Polly.Tatyana.\"},"
    "\"calls\":{\"type\":\"object\",\"additionalProperties\":false,\"description\":\"Calls that come in.\","
    "\"properties\":{"
    "\"answer\":{\"enum\":[\"reject\",\"say\",\"record\",\"dial\"],\"default\":\"reject\","
    "\"description\":\"What becomes of them: refused, told a text, a voice message, put through.\"},"
    "\"greeting\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":2000,"
    "\"description\":\"Text that is said first.\"},"
    "\"dial\":{\"type\":\"string\",\"pattern\":\"^[+][1-9][0-9]{6,14}$\","
    "\"description\":\"Number that calls are put through to.\"},"
    "\"ring_s\":{\"type\":\"integer\",\"minimum\":5,\"maximum\":600,\"default\":20,"
    "\"description\":\"Seconds that it rings there.\"},"
    "\"message_s\":{\"type\":\"integer\",\"minimum\":5,\"maximum\":3600,\"default\":120,"
    "\"description\":\"Longest voice message, seconds.\"},"
    "\"record\":{\"type\":\"boolean\",\"default\":false,"
    "\"description\":\"Record calls that are put through.\"}}}}}";

static const kanal_limits limits = {
    .struct_size = sizeof limits,
    .text_chars = 1600,
    .caption_chars = 1600,
    .media_bytes = 5u * 1024 * 1024, /* of all media of a message; many carriers take less */
};

/* Twilio answers for media with a redirect to where they lie. */
static const char *const egress[] = { "${setting:api_url}", "*.twilio.com", "*.twiliocdn.com",
                                      "s3-external-1.amazonaws.com", NULL };

#define ROUTE(at)                                                                                            \
    {                                                                                                        \
        .method = "POST", .path = at, .max_body = MAX_BODY                                                   \
    }
static const kanal_route routes[] = {
    ROUTE("/"),    ROUTE("/status"),    ROUTE("/voice"),  ROUTE("/call"),
    ROUTE("/leg"), ROUTE("/recording"), ROUTE("/hangup"), ROUTE("/events"),
};

static const kanal_secret secrets[] = {
    { "auth_token", "the account's auth token, from the Console's first page; it signs what Twilio sends",
      KANAL_SECRET_REQUIRED },
    { "api_key_secret", "the secret of the API key that api_key_sid names", 0 },
};

/* ---- Life ---- */

static void destroy(struct kanal_channel *channel)
{
    if (!channel)
        return;
    tw_settings_release(&channel->settings);
    free(channel->public_url);
    free(channel->id);
    free(channel);
}

/* NULL, or what is wrong. */
static const char *take_url(struct kanal_channel *channel, kanal_str url)
{
    kanal_status status = url.len > 0 ? kanal_url_base(url, &channel->public_url) : KANAL_OK;
    if (status == KANAL_OK)
        return NULL;
    return status == KANAL_E_INVALID ? "http.public_url is no http or https URL" : "out of memory";
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    const char *error = "out of memory";
    struct kanal_channel *channel = calloc(1, sizeof *channel);
    if (channel) {
        channel->host = host;
        channel->id = kanal_str_dup(config->channel_id);
        kanal_calls_init(&channel->calls, host);
        kanal_health_init(&channel->health, host);
    }
    if (channel && channel->id) {
        error = take_url(channel, config->public_url);
        if (!error && tw_settings_read(&channel->settings, config->settings, &error) == 0)
            return channel;
    }
    host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(error));
    destroy(channel);
    return NULL;
}

static void start(kanal_channel *channel, kanal_op op)
{
    if (!channel->public_url)
        kanal_log(
            channel->host, op, KANAL_LOG_WARN,
            "without http.public_url nothing that Twilio sends can be verified, and no status is asked for",
            kanal_str_of(NULL, 0));
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    kanal_calls_stop(&channel->calls, op);
}

/* ---- Registration ---- */

struct registration {
    struct kanal_channel *channel;
    kanal_op op;
};

static void on_registered(void *user, const struct tw_reply *reply)
{
    struct registration registration = *(struct registration *)user;
    const kanal_host *host = registration.channel->host;
    free(user);
    host->finish(host, registration.op, tw_status_of_reply(reply), reply->words);
}

/* Empty URLs take the webhooks away. */
static void write_webhooks(struct kanal_buffer *form, kanal_str base, int32_t wanted)
{
    static const char *const urls[][3] = { { "SmsUrl", "SmsMethod", "/" },
                                           { "VoiceUrl", "VoiceMethod", "/voice" },
                                           { "StatusCallback", "StatusCallbackMethod", "/call" } };
    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct kanal_buffer url = { 0 };
        if (wanted) {
            kanal_buffer_str(&url, base);
            kanal_buffer_text(&url, urls[i][2]);
            kanal_buffer_text(&url, TW_URL_AGAIN);
        }
        kanal_form_add(form, urls[i][0], kanal_buffer_view(&url));
        if (wanted)
            kanal_form_add(form, urls[i][1], KANAL_LIT("POST"));
        kanal_buffer_release(&url);
    }
}

static void provision(kanal_channel *channel, kanal_op op, kanal_str public_url, int32_t wanted)
{
    const kanal_host *host = channel->host;
    struct kanal_buffer form = { 0 }, path = { 0 };
    if (!channel->settings.number_sid[0]) {
        kanal_log(channel->host, op, KANAL_LOG_INFO,
                  "without number_sid the webhooks are registered by hand, in the Console, below",
                  public_url);
        host->finish(host, op, KANAL_OK, kanal_str_of(NULL, 0));
        return;
    }
    struct registration *registration = malloc(sizeof *registration);
    kanal_status status = KANAL_E_INTERNAL;
    kanal_buffer_text(&path, "IncomingPhoneNumbers/");
    kanal_buffer_text(&path, channel->settings.number_sid);
    kanal_buffer_text(&path, ".json");
    write_webhooks(&form, public_url, wanted);
    if (registration && !path.failed) {
        *registration = (struct registration){ channel, op };
        status = tw_api_call(channel, op, kanal_buffer_view(&path), kanal_buffer_view(&form), 0,
                             on_registered, registration);
    }
    if (status != KANAL_OK) {
        free(registration);
        host->finish(host, op, KANAL_E_INTERNAL, KANAL_LIT("out of memory"));
    }
    kanal_buffer_release(&path);
    kanal_buffer_release(&form);
}

/* ---- The descriptor ---- */

static const kanal_plugin plugin = {
    .struct_size = sizeof plugin,
    .abi_minor = KANAL_ABI_MINOR,
    .id = "twilio",
    .name = "Twilio",
    .version = VERSION,
    .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_AUDIO | KANAL_CAP_FILE |
            KANAL_CAP_CAPTION | KANAL_CAP_CALL | KANAL_CAP_TO_TEL | KANAL_CAP_DELIVERED_RECEIPT |
            KANAL_CAP_OPT_OUT,
    .limits = &limits,
    .egress = egress,
    .routes = routes,
    .route_count = sizeof routes / sizeof *routes,
    .secrets = secrets,
    .secret_count = sizeof secrets / sizeof *secrets,
    .settings_schema = settings_schema,
    .create = create,
    .start = start,
    .provision = provision,
    .on_http = tw_on_http,
    .deliver = tw_deliver,
    .media = tw_media,
    .stop = stop,
    .destroy = destroy,
};

const kanal_plugin *kanal_plugin_v1(void)
{
    return &plugin;
}
