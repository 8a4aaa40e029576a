#include "channel.h"

#include "graph.h"
#include "outcome.h"

#define SELF_RETRY_MIN_MS 2000
#define SELF_RETRY_MAX_MS 300000

/* ---- Settings ---- */

/* An account and a version become segments of a path. */
static int is_segment(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '.' && c != '_')
            return 0;
    }
    return text.len > 0 && text.ptr[0] != '.';
}

int meta_channel_init(struct meta_channel *channel, const kanal_host *host, const kanal_config *config,
                      yyjson_val *settings, const char *account_setting, const char **ret_error)
{
    kanal_str api_url = kanal_json_text_at(settings, "api_url");
    kanal_str version = kanal_json_text_at(settings, "version");
    kanal_str account = account_setting ? kanal_json_text_at(settings, account_setting) : KANAL_LIT("me");
    memset(channel, 0, sizeof *channel);
    channel->host = host;
    kanal_health_init(&channel->health, host);
    kanal_calls_init(&channel->calls, host);
    channel->id = kanal_str_dup(config->channel_id);
    kanal_status status = kanal_url_base(api_url, &channel->api_url);
    channel->version = kanal_str_dup(version);
    channel->account = kanal_str_dup(account);
    if (kanal_str_is(kanal_json_text_at(settings, "media"), "upload"))
        channel->media = META_MEDIA_UPLOAD;
    if (status == KANAL_E_INVALID) {
        *ret_error = "api_url is no http or https URL";
        return KANAL_E_INVALID;
    }
    if (!is_segment(version) || !is_segment(account)) {
        *ret_error = "the version or the account's id is missing or malformed";
        return KANAL_E_INVALID;
    }
    if (!channel->id || !channel->api_url || !channel->version || !channel->account) {
        *ret_error = "out of memory";
        return KANAL_E_INTERNAL;
    }
    return 0;
}

void meta_channel_release(struct meta_channel *channel)
{
    free(channel->id);
    free(channel->api_url);
    free(channel->version);
    free(channel->account);
    memset(channel, 0, sizeof *channel);
}

/* ---- Who we are ---- */

static void ask_self(void *user)
{
    meta_channel_ask_self(user);
}

static void on_self(void *user, const struct meta_reply *reply)
{
    struct meta_channel *channel = user;
    kanal_status status = meta_status_of_reply(reply);
    if (status == KANAL_OK) {
        channel->self_failures = 0;
        kanal_health_set(&channel->health, META_ILL_TOKEN, KANAL_OK, kanal_str_of(NULL, 0));
        if (channel->offer_link)
            channel->offer_link(channel, reply->root);
        return;
    }
    if (status == KANAL_E_CANCELLED)
        return;
    kanal_log(channel->host, 0, status == KANAL_E_DENIED ? KANAL_LOG_ERROR : KANAL_LOG_WARN,
              "the account could not be read", reply->message);
    if (status == KANAL_E_DENIED || status == KANAL_E_REJECTED)
        kanal_health_set(&channel->health, META_ILL_TOKEN, KANAL_E_DENIED,
                         KANAL_LIT("Meta refuses the access token, or the account's id"));
    kanal_timer_set(
        &channel->self_timer, &channel->calls,
        kanal_backoff_ms(channel->host, channel->self_failures++, SELF_RETRY_MIN_MS, SELF_RETRY_MAX_MS),
        ask_self, channel);
}

void meta_channel_ask_self(struct meta_channel *channel)
{
    struct kanal_buffer path = { 0 };
    kanal_buffer_text(&path, channel->account);
    kanal_buffer_text(&path, "?fields=");
    kanal_buffer_text(&path, channel->self_fields);
    struct meta_request request = { .method = "GET", .path = kanal_buffer_view(&path) };
    if (request.path.ptr)
        meta_graph_call(channel, 0, &request, on_self, channel);
    kanal_buffer_release(&path);
}

/* ---- The end ---- */

void meta_channel_stop(struct meta_channel *channel, kanal_op op)
{
    kanal_timer_cancel(&channel->self_timer);
    kanal_calls_stop(&channel->calls, op);
}

void meta_finish(struct meta_channel *channel, kanal_op op, kanal_status status, kanal_str reason)
{
    channel->host->finish(channel->host, op, status, reason);
}
