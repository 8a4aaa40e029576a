/* events - site and app events in the Segment protocol. See README.md. */
#include "events.h"

#define MAX_BODY (1024u * 1024) /* more than is allowed, so that too much is answered as the protocol says */
#define PREFIX "/v1/"

static const char sdk_headers[] = "authorization, content-type, x-retry-count";

void count_outcome(kanal_channel *channel, const char *outcome)
{
    const kanal_field label = { KANAL_LIT("outcome"), kanal_str_c(outcome) };
    channel->host->metric_add(channel->host, KANAL_LIT("requests_total"), 1, &label, 1);
}

void answer_unavailable(kanal_channel *channel, const struct kanal_reply *reply)
{
    count_outcome(channel, "unavailable");
    kanal_reply_error(reply, 503, "unavailable", "this cannot be stored at the moment; try again", 5);
}

/* ---- Life ---- */

static void destroy(kanal_channel *channel)
{
    settings_release(&channel->settings);
    kanal_rate_release(&channel->rate);
    free(channel->public_url);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    const char *error = "out of memory";
    if (channel != NULL && config->public_url.len > 0)
        channel->public_url = kanal_str_dup(config->public_url);
    if (channel != NULL && (channel->public_url != NULL || config->public_url.len == 0) &&
        settings_read(&channel->settings, config->settings, config->channel_id, &error) == KANAL_OK) {
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
    channel->host->finish(channel->host, op, KANAL_OK, kanal_str_of(NULL, 0));
}

/* Open jobs end by themselves: the host calls each of them back. */
static void stop(kanal_channel *channel, kanal_op op)
{
    kanal_calls_stop(&channel->calls, op);
}

/* ---- Requests ---- */

/* "/v1/projects/KEY/settings": its KEY; absent if it is another path. */
static kanal_str project_of(kanal_str path)
{
    const size_t tail = sizeof "/settings" - 1;
    kanal_str rest = kanal_str_from(path, sizeof "/v1/projects/" - 1);
    if (rest.len <= tail || memcmp(rest.ptr + rest.len - tail, "/settings", tail) != 0)
        return kanal_str_of(NULL, 0);
    rest.len -= tail;
    return rest.len <= 256 && memchr(rest.ptr, '/', rest.len) == NULL ? rest : kanal_str_of(NULL, 0);
}

/* What analytics.js asks its CDN for: where its events go. So a page has to be told one URL only. */
static void give_settings(kanal_channel *channel, const struct kanal_reply *reply, kanal_str key)
{
    struct kanal_buffer body = { 0 }, host = { 0 };
    struct kanal_json json;
    kanal_str url = kanal_str_c(channel->public_url);
    int is_https = kanal_str_starts(url, "https://");
    kanal_buffer_str(&host, kanal_str_from(url, is_https ? 8 : 7));
    kanal_buffer_text(&host, "/v1");
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_key(&json, "integrations");
    kanal_json_object(&json);
    kanal_json_key(&json, "Segment.io");
    kanal_json_object(&json);
    kanal_json_member_str(&json, "apiKey", key);
    kanal_json_member_str(&json, "apiHost", kanal_buffer_view(&host));
    kanal_json_member_text(&json, "protocol", is_https ? "https" : "http");
    kanal_json_object_end(&json);
    kanal_json_object_end(&json);
    kanal_json_key(&json, "plan");
    kanal_json_raw(&json, KANAL_LIT("{\"track\":{\"__default\":{\"enabled\":true}}}"));
    kanal_json_key(&json, "metrics"); /* about the SDK itself: none are wanted */
    kanal_json_raw(&json, KANAL_LIT("{\"sampleRate\":0}"));
    kanal_json_object_end(&json);
    kanal_reply_json(reply, 200, kanal_buffer_view(&body), 0);
    kanal_buffer_release(&body);
    kanal_buffer_release(&host);
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    struct kanal_reply reply;
    int allowed = kanal_reply_init(&reply, channel->host, op, request, channel->settings.origins);
    if (channel->calls.stopping != 0) {
        answer_unavailable(channel, &reply);
    } else if (!allowed) {
        count_outcome(channel, "refused");
        kanal_reply_error(&reply, 403, "origin_denied", "this site may not send events here", 0);
    } else if (kanal_str_is(request->method, "OPTIONS")) {
        kanal_reply_preflight(&reply, "GET, POST", sdk_headers);
    } else if (kanal_str_is(request->method, "POST")) {
        take(channel, &reply, request, kanal_str_from(request->path, sizeof PREFIX - 1));
    } else {
        kanal_str key = project_of(request->path);
        if (key.len == 0 || channel->public_url == NULL)
            kanal_reply_error(&reply, 404, "unknown_path", "http.public_url has to be configured for this",
                              0);
        else
            give_settings(channel, &reply, key);
    }
}

/* ---- The descriptor ---- */

const kanal_plugin *kanal_plugin_v1(void)
{
    static const kanal_route routes[] = {
        { .method = "POST", .path = PREFIX "*", .max_body = MAX_BODY },
        { .method = "GET",
          .path = "/v1/projects/"
                  "*" },
        { .method = "OPTIONS", .path = PREFIX "*" },
    };
    static const kanal_secret secrets[] = {
        { .name = PAGE_KEY,
          .description = "The write key of pages and apps. Everybody can read it there, so it proves nothing",
          .flags = KANAL_SECRET_REQUIRED },
        { .name = SERVER_KEY,
          .description = "The write key of the company's own servers and tills. Nobody else may know it" },
    };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "events",
        .name = "Site and app events",
        .version = "1.0.0",
        .routes = routes,
        .route_count = sizeof routes / sizeof routes[0],
        .secrets = secrets,
        .secret_count = sizeof secrets / sizeof secrets[0],
        .settings_schema = settings_schema,
        .create = create,
        .start = start,
        .on_http = on_http,
        .stop = stop,
        .destroy = destroy,
    };
    return &plugin;
}
