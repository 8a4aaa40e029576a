/* WhatsApp, by the Cloud API of Meta (https://developers.facebook.com/docs/whatsapp/cloud-api): one telephone number of a business, one
 * channel. README.md tells how it is set up and what is known of it. */
#include "../meta/graph.h"
#include "../meta/hook.h"
#include "../meta/outcome.h"
#include "channel.h"
#include "deliver.h"
#include "media.h"
#include "webhook.h"
#include "window.h"

#define VERSION "1.0.0"

/* ---- The facts ---- */

static const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"phone_number_id\"],\"properties\":{"
    "\"phone_number_id\":{\"type\":\"string\",\"pattern\":\"^[0-9]{5,32}$\","
    "\"description\":\"Id (not the number) of the telephone: App Dashboard, WhatsApp, API Setup.\"},"
    "\"waba_id\":{\"type\":\"string\",\"pattern\":\"^[0-9]{5,32}$\","
    "\"description\":\"Id of the WhatsApp Business Account: given, Kanal registers its webhook there.\"},"
    "\"api_url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https?://\",\"maxLength\":512,"
    "\"default\":\"https://graph.facebook.com\",\"description\":\"Base URL of the Graph API.\"},"
    "\"version\":{\"type\":\"string\",\"pattern\":\"^v[0-9]{1,3}[.][0-9]{1,2}$\",\"default\":\"v24.0\","
    "\"description\":\"Version of the Graph API.\"},"
    "\"media\":{\"enum\":[\"url\",\"upload\"],\"default\":\"url\","
    "\"description\":\"How media go out: WhatsApp fetches their URL, or Kanal uploads them first.\"},"
    "\"window\":{\"enum\":[\"check\",\"ignore\"],\"default\":\"check\","
    "\"description\":\"check: free content outside of the 24-hour window fails at once.\"},"
    "\"list_label\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":20,\"default\":\"Menu\","
    "\"description\":\"The button that opens a list, where the choice has no label.\"}}}";

static const kanal_limits limits = {
    .struct_size = sizeof limits,
    .text_chars = 4096,
    .caption_chars = 1024,
    .options = 10, /* of a list; up to three are buttons */
    .option_chars = 20,
    .payload_bytes = 200,
    .media_bytes = 100u * 1024 * 1024, /* documents; images 5 MB, audio and video 16 MB */
    .per_second = 80,
    .per_recipient_minute = 10, /* one in six seconds; bursts are paid back */
};

static const char *const egress[] = { "${setting:api_url}", "lookaside.fbsbx.com", NULL };
static const kanal_route routes[] = META_ROUTES;
static const kanal_secret secrets[] = META_SECRETS;

/* ---- Life ---- */

static void destroy(struct kanal_channel *channel)
{
    if (!channel)
        return;
    meta_channel_release(&channel->base);
    free(channel->waba_id);
    free(channel->list_label);
    free(channel->slots);
    free(channel);
}

/* "+7 916 123-45-67" as Meta shows it; the link takes its digits. */
static void offer_link(struct meta_channel *base, yyjson_val *self)
{
    kanal_str shown = kanal_json_text_at(self, "display_phone_number");
    char digits[16] = "";
    size_t count = 0;
    for (size_t i = 0; i < shown.len; i++) {
        if (shown.ptr[i] < '0' || shown.ptr[i] > '9')
            continue;
        if (count == sizeof digits - 1) /* over E.164's fifteen: no number */
            return;
        digits[count++] = shown.ptr[i];
    }
    kanal_link_offer(base->host, "https://wa.me/", kanal_str_of(digits, count), "?text={text}");
}

static int read_settings(struct kanal_channel *channel, yyjson_val *settings, const char **ret_error)
{
    kanal_str waba = kanal_json_text_at(settings, "waba_id");
    channel->base.self_fields = "display_phone_number,verified_name";
    channel->base.offer_link = offer_link;
    channel->checks_window = !kanal_str_is(kanal_json_text_at(settings, "window"), "ignore");
    channel->list_label = kanal_str_dup(kanal_json_text_at(settings, "list_label"));
    channel->waba_id = waba.len > 0 ? kanal_str_dup(waba) : NULL;
    *ret_error = "out of memory";
    return channel->list_label && (waba.len == 0 || channel->waba_id) ? 0 : KANAL_E_INTERNAL;
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    const char *error = "out of memory";
    struct kanal_channel *channel = calloc(1, sizeof *channel);
    yyjson_doc *document = kanal_json_parse(config->settings);
    yyjson_val *settings = yyjson_doc_get_root(document);
    if (channel &&
        (meta_channel_init(&channel->base, host, config, settings, "phone_number_id", &error) != 0 ||
         read_settings(channel, settings, &error) != 0)) {
        destroy(channel);
        channel = NULL;
    }
    if (!channel)
        host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(error));
    yyjson_doc_free(document);
    return channel;
}

static void start(kanal_channel *channel, kanal_op op)
{
    meta_channel_ask_self(&channel->base);
    meta_finish(&channel->base, op, KANAL_OK, kanal_str_of(NULL, 0));
}

static void stop(kanal_channel *channel, kanal_op op)
{
    meta_channel_stop(&channel->base, op);
}

/* ---- Registration ---- */

struct registration {
    struct meta_channel *channel;
    kanal_op op;
};

static void on_registered(void *user, const struct meta_reply *reply)
{
    struct registration registration = *(struct registration *)user;
    free(user);
    meta_finish(registration.channel, registration.op, meta_status_of_reply(reply), reply->message);
}

static void write_callback_url(struct kanal_buffer *body, kanal_str public_url)
{
    struct kanal_buffer url = { 0 };
    struct kanal_json json;
    kanal_buffer_str(&url, public_url);
    if (public_url.len > 0 && public_url.ptr[public_url.len - 1] != '/')
        kanal_buffer_byte(&url, '/');
    kanal_json_init(&json, body);
    kanal_json_object(&json);
    kanal_json_member_str(&json, "override_callback_uri", kanal_buffer_view(&url));
    kanal_json_object_end(&json);
    kanal_buffer_release(&url);
}

/* The business account's own callback; Meta shakes hands (GET) before it answers. Unregistered, the app's callback holds again. */
static void provision(kanal_channel *channel, kanal_op op, kanal_str public_url, int32_t wanted)
{
    const kanal_secret_use verify = { .where = KANAL_IN_JSON,
                                      .name = KANAL_LIT("verify_token"),
                                      .secret = KANAL_LIT("verify_token") };
    struct kanal_buffer body = { 0 }, path = { 0 };
    struct registration *registration = NULL;
    if (!channel->waba_id) {
        kanal_log(channel->base.host, op, KANAL_LOG_INFO,
                  "without waba_id the webhook is registered by hand, in the App Dashboard, as", public_url);
        meta_finish(&channel->base, op, KANAL_OK, kanal_str_of(NULL, 0));
        return;
    }
    kanal_buffer_text(&path, channel->waba_id);
    kanal_buffer_text(&path, "/subscribed_apps");
    struct meta_request request = { .method = "POST", .path = kanal_buffer_view(&path) };
    if (wanted) {
        write_callback_url(&body, public_url);
        request.json = kanal_buffer_view(&body);
        request.secret = &verify;
    }
    registration = malloc(sizeof *registration);
    if (registration)
        *registration = (struct registration){ &channel->base, op };
    if (!registration || body.failed ||
        meta_graph_call(&channel->base, op, &request, on_registered, registration) != KANAL_OK) {
        free(registration);
        meta_finish(&channel->base, op, KANAL_E_INTERNAL, KANAL_LIT("out of memory"));
    }
    kanal_buffer_release(&body);
    kanal_buffer_release(&path);
}

/* ---- Webhook ---- */

static kanal_status translate(struct meta_channel *channel, struct meta_batch *batch, yyjson_val *payload)
{
    return wa_webhook_read(batch, kanal_str_c(channel->id), kanal_str_c(channel->account), payload);
}

static void note(struct meta_channel *base, const struct meta_batch *batch)
{
    struct kanal_channel *channel = (struct kanal_channel *)base; /* its first member */
    for (size_t i = 0; i < batch->count; i++) {
        const struct meta_item *item = batch->items[i];
        int is_message = kanal_str_is(item->event.type, "message.received");
        if (item->opens_window)
            wa_window_note(channel, item->event.chat, item->event.time_ms,
                           is_message ? item->event.external_id : kanal_str_of(NULL, 0));
    }
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    meta_on_http(&channel->base, op, request, translate, note);
}

/* ---- The descriptor ---- */

static const kanal_plugin plugin = {
    .struct_size = sizeof plugin,
    .abi_minor = KANAL_ABI_MINOR,
    .id = "whatsapp",
    .name = "WhatsApp",
    .version = VERSION,
    .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_AUDIO | KANAL_CAP_VOICE |
            KANAL_CAP_FILE | KANAL_CAP_STICKER | KANAL_CAP_LOCATION | KANAL_CAP_CONTACT | KANAL_CAP_BUTTONS |
            KANAL_CAP_QUICK_REPLIES | KANAL_CAP_LIST | KANAL_CAP_TEMPLATE | KANAL_CAP_CAPTION |
            KANAL_CAP_CHOICE_ON_MEDIA | KANAL_CAP_REACT | KANAL_CAP_REPLY | KANAL_CAP_TYPING |
            KANAL_CAP_READ | KANAL_CAP_TO_TEL | KANAL_CAP_DELIVERED_RECEIPT | KANAL_CAP_READ_RECEIPT,
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
    .on_http = on_http,
    .deliver = wa_deliver,
    .media = wa_media,
    .stop = stop,
    .destroy = destroy,
};

const kanal_plugin *kanal_plugin_v1(void)
{
    return &plugin;
}
