#include "../graph.h"
#include "../hook.h"
#include "page.h"

void page_destroy(struct kanal_channel *channel)
{
    if (!channel)
        return;
    meta_channel_release(&channel->base);
    free(channel->page_id);
    free(channel);
}

kanal_channel *page_create(const kanal_host *host, const kanal_config *config, const struct page_brand *brand)
{
    const char *error = "out of memory";
    struct kanal_channel *channel = calloc(1, sizeof *channel);
    yyjson_doc *document = kanal_json_parse(config->settings);
    yyjson_val *settings = yyjson_doc_get_root(document);
    kanal_str page_id = kanal_json_text_at(settings, brand->setting);
    int failed = !channel;
    if (channel) {
        channel->brand = brand;
        channel->page_id = page_id.len > 0 ? kanal_str_dup(page_id) : NULL;
        if (meta_channel_init(&channel->base, host, config, settings, NULL, &error) != 0) {
            failed = 1;
        } else if (!channel->page_id) {
            error = "the id of the page or account is missing";
            failed = 1;
        }
        channel->base.self_fields = brand->self_fields;
        channel->base.offer_link = brand->offer_link;
    }
    if (failed) {
        host->log(host, 0, KANAL_LOG_ERROR, kanal_str_c(error));
        page_destroy(channel);
        channel = NULL;
    }
    yyjson_doc_free(document);
    return channel;
}

void page_start(kanal_channel *channel, kanal_op op)
{
    meta_channel_ask_self(&channel->base);
    meta_finish(&channel->base, op, KANAL_OK, kanal_str_of(NULL, 0));
}

void page_stop(kanal_channel *channel, kanal_op op)
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

/* The callback itself is the app's, set by hand; what can be done here is to let the app hear of this page. */
void page_provision(kanal_channel *channel, kanal_op op, kanal_str public_url, int32_t wanted)
{
    static const char fields[] =
        "me/subscribed_apps?subscribed_fields=messages,message_deliveries,message_reads,message_reactions,"
        "messaging_postbacks,messaging_referrals,messaging_optins,message_edits";
    static const char instagram_fields[] =
        "me/subscribed_apps?subscribed_fields=messages,messaging_seen,message_reactions,messaging_postbacks,"
        "messaging_referral,messaging_optins,message_edit";
    int is_instagram = strcmp(channel->brand->id, "instagram") == 0;
    struct meta_request request = { .method = wanted ? "POST" : "DELETE",
                                    .path = KANAL_LIT("me/subscribed_apps") };
    struct registration *registration = malloc(sizeof *registration);
    if (wanted)
        request.path = kanal_str_c(is_instagram ? instagram_fields : fields);
    if (wanted)
        kanal_log(channel->base.host, op, KANAL_LOG_INFO,
                  "the app's callback, set in the App Dashboard, must be", public_url);
    if (registration)
        *registration = (struct registration){ &channel->base, op };
    if (!registration ||
        meta_graph_call(&channel->base, op, &request, on_registered, registration) != KANAL_OK) {
        free(registration);
        meta_finish(&channel->base, op, KANAL_E_INTERNAL, KANAL_LIT("out of memory"));
    }
}

/* ---- Webhook ---- */

static kanal_status translate(struct meta_channel *base, struct meta_batch *batch, yyjson_val *payload)
{
    const struct kanal_channel *channel = (const struct kanal_channel *)base; /* its first member */
    const struct page_self self = { channel->brand, kanal_str_c(base->id), kanal_str_c(channel->page_id) };
    return page_webhook_read(batch, &self, payload);
}

void page_on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    meta_on_http(&channel->base, op, request, translate, NULL);
}

/* ---- Media ---- */

/* A reference is the URL that the webhook told: signed by Meta, for some days, so no token goes with it. */
void page_media(kanal_channel *channel, kanal_op op, kanal_str reference)
{
    const kanal_host *host = channel->base.host;
    struct kanal_url url;
    kanal_http_request request = { .struct_size = sizeof request,
                                   .method = KANAL_LIT("GET"),
                                   .url = reference };
    int is_url = kanal_url_parse(reference, &url) == KANAL_OK &&
                 (kanal_str_is(url.scheme, "https") || kanal_str_is(url.scheme, "http"));
    host->locate(host, op, is_url ? KANAL_OK : KANAL_E_NOT_FOUND, is_url ? &request : NULL);
}
