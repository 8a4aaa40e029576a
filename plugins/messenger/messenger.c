/* Messenger, by the Send API and webhooks of a Facebook page (https://developers.facebook.com/docs/messenger-platform): one page, one
 * channel. README.md tells how it is set up and what is known of it. What Instagram has in common is in ../meta/page. */
#include "../meta/hook.h"
#include "../meta/page/page.h"

#define VERSION "1.0.0"

static const char settings_schema[] =
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"page_id\"],\"properties\":{"
    "\"page_id\":{\"type\":\"string\",\"pattern\":\"^[0-9]{5,32}$\",\"description\":\"Id of the Facebook "
    "page.\"},"
    "\"api_url\":{\"type\":\"string\",\"format\":\"uri\",\"pattern\":\"^https?://\",\"maxLength\":512,"
    "\"default\":\"https://graph.facebook.com\",\"description\":\"Base URL of the Graph API.\"},"
    "\"version\":{\"type\":\"string\",\"pattern\":\"^v[0-9]{1,3}[.][0-9]{1,2}$\",\"default\":\"v24.0\","
    "\"description\":\"Version of the Graph API.\"},"
    "\"media\":{\"enum\":[\"url\",\"upload\"],\"default\":\"url\","
    "\"description\":\"How media go out: Messenger fetches their URL, or Kanal puts them into the "
    "request.\"}}}";

static const kanal_limits limits = {
    .struct_size = sizeof limits,
    .text_chars = 2000,
    .options = 13,
    .option_chars = 20,
    .payload_bytes = 1000,
    .media_bytes = 25u * 1024 * 1024,
    .per_second = 100,
};

static const char *const egress[] = { "${setting:api_url}", "*.fbcdn.net", "*.fbsbx.com", NULL };
static const kanal_route routes[] = META_ROUTES;
static const kanal_secret secrets[] = META_SECRETS;

/* Of the page's own id, which is known without asking; a page has not always a name. */
static void offer_link(struct meta_channel *base, yyjson_val *self)
{
    const struct kanal_channel *channel = (const struct kanal_channel *)base; /* its first member */
    (void)self;
    kanal_link_offer(base->host, "https://m.me/", kanal_str_c(channel->page_id), "?ref={ref}");
}

static const struct page_brand brand = {
    .id = "messenger",
    .name = "Messenger",
    .object = "page",
    .setting = "page_id",
    .self_fields = "id,name",
    .offer_link = offer_link,
    .text_max = 2000,
    .has_files = 1,
    .has_uploads = 1,
    .has_phone = 1,
};

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    return page_create(host, config, &brand);
}

static const kanal_plugin plugin = {
    .struct_size = sizeof plugin,
    .abi_minor = KANAL_ABI_MINOR,
    .id = "messenger",
    .name = "Messenger",
    .version = VERSION,
    .caps = KANAL_CAP_TEXT | KANAL_CAP_IMAGE | KANAL_CAP_VIDEO | KANAL_CAP_AUDIO | KANAL_CAP_VOICE |
            KANAL_CAP_FILE | KANAL_CAP_STICKER | KANAL_CAP_BUTTONS | KANAL_CAP_QUICK_REPLIES |
            KANAL_CAP_CARD | KANAL_CAP_CAROUSEL | KANAL_CAP_TYPING | KANAL_CAP_READ |
            KANAL_CAP_DELIVERED_RECEIPT | KANAL_CAP_READ_RECEIPT,
    .limits = &limits,
    .egress = egress,
    .routes = routes,
    .route_count = sizeof routes / sizeof *routes,
    .secrets = secrets,
    .secret_count = sizeof secrets / sizeof *secrets,
    .settings_schema = settings_schema,
    .create = create,
    .start = page_start,
    .provision = page_provision,
    .on_http = page_on_http,
    .deliver = page_deliver,
    .media = page_media,
    .stop = page_stop,
    .destroy = page_destroy,
};

const kanal_plugin *kanal_plugin_v1(void)
{
    return &plugin;
}
