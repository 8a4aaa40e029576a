/* webform - forms of a web site: a submitted form becomes form.submitted. See README.md for the ways to send one. */
#include "webform.h"

#define MAX_BODY 65536u
#define TOKENS_PER_SUBMIT 6u /* a page may be loaded more often than its form is sent */

/* ---- Life ---- */

static void destroy(kanal_channel *channel)
{
    settings_release(&channel->settings);
    kanal_rate_release(&channel->rate);
    spent_release(&channel->spent);
    free(channel);
}

static kanal_channel *create(const kanal_host *host, const kanal_config *config)
{
    kanal_channel *channel = calloc(1, sizeof *channel);
    const char *error = "out of memory";
    if (channel != NULL && settings_read(&channel->settings, config->settings, &error) == KANAL_OK) {
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

void count_outcome(kanal_channel *channel, const char *outcome)
{
    const kanal_field label = { KANAL_LIT("outcome"), kanal_str_c(outcome) };
    channel->host->metric_add(channel->host, KANAL_LIT("submissions_total"), 1, &label, 1);
}

void answer_unavailable(kanal_channel *channel, const struct kanal_reply *reply)
{
    count_outcome(channel, "unavailable");
    kanal_reply_error(reply, 503, "unavailable", "this cannot be stored at the moment; try again", 5);
}

/* True if the sender may go on; otherwise it was answered. */
static int is_within_rate(kanal_channel *channel, const struct kanal_reply *reply,
                          const kanal_http_request *request, char kind, uint32_t times)
{
    uint32_t per_minute = channel->settings.rate_per_minute, wait_ms = 0;
    if (per_minute == 0 ||
        kanal_rate_take(&channel->rate, kind, request->remote, channel->host->now_ms(channel->host),
                        per_minute * times, channel->settings.rate_burst * times, &wait_ms))
        return 1;
    count_outcome(channel, "limited");
    kanal_reply_error(reply, 429, "rate_limited", "too many requests from this network address",
                      (wait_ms + 999) / 1000);
    return 0;
}

static void on_http(kanal_channel *channel, kanal_op op, const kanal_http_request *request)
{
    struct kanal_reply reply;
    int allowed = kanal_reply_init(&reply, channel->host, op, request, channel->settings.origins);
    if (channel->calls.stopping != 0) {
        answer_unavailable(channel, &reply);
        return;
    }
    if (!allowed) {
        count_outcome(channel, "refused");
        kanal_reply_error(&reply, 403, "origin_denied", "the forms may not be used from this site", 0);
    } else if (kanal_str_is(request->method, "OPTIONS")) {
        kanal_reply_preflight(&reply, "GET, POST", "content-type");
    } else if (kanal_str_is(request->path, "/token")) {
        if (channel->settings.token == TOKEN_OFF)
            kanal_reply_error(&reply, 404, "token_off", "this channel takes no tokens", 0);
        else if (is_within_rate(channel, &reply, request, 't', TOKENS_PER_SUBMIT))
            give_token(channel, &reply, request);
    } else if (is_within_rate(channel, &reply, request, 's', 1)) {
        submit(channel, &reply, request);
    }
}

/* ---- The descriptor ---- */

const kanal_plugin *kanal_plugin_v1(void)
{
    static const kanal_route routes[] = {
        { .method = "POST", .path = "/", .max_body = MAX_BODY },
        { .method = "POST",
          .path = "/forms/"
                  "*",
          .max_body = MAX_BODY },
        { .method = "GET", .path = "/token" },
        { .method = "OPTIONS", .path = "/" },
        { .method = "OPTIONS",
          .path = "/forms/"
                  "*" },
        { .method = "OPTIONS", .path = "/token" },
    };
    static const kanal_secret secrets[] = {
        { .name = TOKEN_SECRET,
          .description = "Signs visitors' sessions; the same as the webchat's of the same site. At least 32 "
                         "random bytes",
          .flags = KANAL_SECRET_REQUIRED },
    };
    static const kanal_plugin plugin = {
        .struct_size = sizeof plugin,
        .abi_minor = KANAL_ABI_MINOR,
        .id = "webform",
        .name = "Web form",
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
