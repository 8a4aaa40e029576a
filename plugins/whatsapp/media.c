#include "media.h"

#include "../meta/graph.h"
#include "../meta/outcome.h"

#define ASK_TIMEOUT_MS 10000

struct fetch {
    struct kanal_channel *channel;
    kanal_op op;
};

static void fail(struct kanal_channel *channel, kanal_op op, kanal_status status)
{
    channel->base.host->locate(channel->base.host, op, status, NULL);
}

/* Meta answers 400 with code 100 for media that are gone, as after 30 days. */
static kanal_status status_of(const struct meta_reply *reply)
{
    kanal_status status = meta_status_of_reply(reply);
    int is_gone = status == KANAL_E_REJECTED || (reply->code == 100 && reply->subcode == 33);
    return is_gone ? KANAL_E_NOT_FOUND : status;
}

static void on_told(void *user, const struct meta_reply *reply)
{
    struct fetch fetch = *(struct fetch *)user;
    const kanal_host *host = fetch.channel->base.host;
    kanal_str url = kanal_json_text_at(reply->root, "url");
    struct kanal_url parsed;
    free(user);
    if (!reply->is_ok) {
        kanal_log(fetch.channel->base.host, fetch.op, KANAL_LOG_WARN, "media could not be looked up",
                  reply->message);
        fail(fetch.channel, fetch.op, status_of(reply));
        return;
    }
    if (kanal_url_parse(url, &parsed) != KANAL_OK) {
        kanal_log(fetch.channel->base.host, fetch.op, KANAL_LOG_WARN, "Meta told no URL of media",
                  kanal_str_of(NULL, 0));
        fail(fetch.channel, fetch.op, KANAL_E_NOT_FOUND);
        return;
    }
    const kanal_secret_use token = META_BEARER;
    kanal_http_request request = {
        .struct_size = sizeof request,
        .method = KANAL_LIT("GET"),
        .url = url,
        .secrets = &token,
        .secret_count = 1,
    };
    host->locate(host, fetch.op, KANAL_OK, &request);
}

void wa_media(struct kanal_channel *channel, kanal_op op, kanal_str reference)
{
    struct fetch *fetch = malloc(sizeof *fetch);
    struct kanal_buffer path = { 0 };
    kanal_url_encode(&path, reference);
    kanal_buffer_text(&path, "?phone_number_id=");
    kanal_buffer_text(&path, channel->base.account);
    struct meta_request request = { .method = "GET",
                                    .path = kanal_buffer_view(&path),
                                    .timeout_ms = ASK_TIMEOUT_MS };
    if (fetch)
        *fetch = (struct fetch){ channel, op };
    if (!fetch || meta_graph_call(&channel->base, op, &request, on_told, fetch) != KANAL_OK) {
        free(fetch);
        fail(channel, op, KANAL_E_INTERNAL);
    }
    kanal_buffer_release(&path);
}
