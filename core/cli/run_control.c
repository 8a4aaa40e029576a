/* `kanal run`, the channels' changes: the API that asks for them, and SIGHUP. */
#include <openssl/rand.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/run_inside.h"
#include "kanal/sdk/str.h"

int gateway_control_new(struct gateway *g)
{
    const struct config *c = g->setup.config;
    char reason[256];
    unsigned char id[16];
    if (c->runtime.seal_key &&
        sealer_new(&g->sealer, c->runtime.seal_key, c->runtime.old_seal_keys, reason) != 0)
        return gateway_fail(g, CLI_CONFIG, "runtime.seal_key", reason);
    RAND_bytes(id, sizeof id);
    for (size_t i = 0; i < sizeof id; i++)
        snprintf(g->instance_id + 2 * i, 3, "%02x", id[i]);
    struct control_options options = { .host = g->host,
                                       .config = c,
                                       .plugins = &g->setup.plugins,
                                       .plugin_path = g->plugin_path[0] ? g->plugin_path : c->plugin_path,
                                       .sealer = g->sealer };
    if (control_new(&g->control, &options) != 0)
        return gateway_fail(g, CLI_FAILED, "the channels", "out of memory");
    g->api_channels = (struct api_channels){ g->host, g->control };
    g->api_customers = (struct api_customers){ g->identity, g->ids, &g->contract };
    api_dead_init(&g->api_dead, g->broker, c->broker.prefix);
    api_message_log_init(&g->api_message_log, g->broker, c->broker.prefix);
    g->api_links = (struct api_links){ g->handoff, &g->contract };
    g->api_plan = (struct api_plan){ g->host, &g->contract, g->outbound };
    return CLI_OK;
}

/* Only now: a request must not be answered from half of the channels. */
static void start_api(void *user)
{
    struct gateway *g = user;
    struct api_options options = { .broker = g->broker,
                                   .log = g->log,
                                   .metrics = g->metrics,
                                   .prefix = g->setup.config->broker.prefix,
                                   .version = KANAL_VERSION,
                                   .instance_id = g->instance_id };
    g->api_resolve = (struct api_resolve){ g->outbound, &g->api_dead, &g->contract };
    if (api_new(&g->api, &options) != 0 ||
        api_add(g->api, api_channel_endpoints, api_channel_endpoint_count, &g->api_channels) != 0 ||
        api_add(g->api, api_message_endpoints, api_message_endpoint_count, g->outbound) != 0 ||
        api_add(g->api, api_customer_endpoints, api_customer_endpoint_count, &g->api_customers) != 0 ||
        api_add(g->api, api_dead_endpoints, api_dead_endpoint_count, &g->api_dead) != 0 ||
        api_add(g->api, api_link_endpoints, api_link_endpoint_count, &g->api_links) != 0 ||
        api_add(g->api, api_message_log_endpoints, api_message_log_endpoint_count, &g->api_message_log) !=
            0 ||
        api_add(g->api, api_plan_endpoints, api_plan_endpoint_count, &g->api_plan) != 0 ||
        api_add(g->api, api_profile_endpoints, api_profile_endpoint_count, &g->api_profiles) != 0 ||
        api_add(g->api, api_resolve_endpoints, api_resolve_endpoint_count, &g->api_resolve) != 0)
        gateway_fail(g, 0, "the API", "out of memory: it will not answer");
}

/* ---- The plugins that no channel needed at the start, but one that is added may ---- */

static void reload(struct gateway *g);

static void on_refused(void *user, const char *path, kanal_str error)
{
    const struct gateway *g = user;
    log_write(g->log, KANAL_LOG_WARN, "run", NULL, "%s: %.*s", path, (int)error.len, error.ptr);
}

static void rest_is_known(struct gateway *g)
{
    int is_reload = g->reload_waits;
    g->reload_waits = 0;
    if (g->control_waits)
        control_start(g->control, start_api, g);
    if (is_reload)
        reload(g);
}

static void describe_rest(uv_work_t *work)
{
    struct gateway *g = work->data;
    g->rest = setup_describe_rest(&g->setup, on_refused, g);
}

static void on_rest_described(uv_work_t *work, int status)
{
    struct gateway *g = work->data;
    (void)status;
    g->rest_state = REST_KNOWN;
    setup_take_rest(&g->setup, g->rest, on_refused, g);
    if (!g->stopping)
        rest_is_known(g);
}

/* Not before the gateway serves: it takes longer than its start. */
static void want_rest(struct gateway *g)
{
    if (g->rest_state == REST_UNDER_WAY)
        return;
    g->rest_work.data = g;
    if (g->rest_state == REST_UNKNOWN && g->setup.rest.count > 0 &&
        uv_queue_work(&g->loop, &g->rest_work, describe_rest, on_rest_described) == 0) {
        g->rest_state = REST_UNDER_WAY;
        return;
    }
    g->rest_state = REST_KNOWN;
    rest_is_known(g);
}

void gateway_control_start(struct gateway *g)
{
    g->control_waits = 1;
    want_rest(g);
}

void gateway_control_free(struct gateway *g)
{
    control_free(g->control);
    api_free(g->api);
    sealer_free(g->sealer);
}

/* ---- SIGHUP ---- */

static void on_wrong(void *user, kanal_str text)
{
    const struct gateway *g = user;
    log_write(g->log, KANAL_LOG_ERROR, "control", NULL, "%.*s", (int)text.len, text.ptr);
}

/* The plugin of each channel; 0 if something is wrong. */
static struct plugin **check_channels(struct gateway *g, struct config *config)
{
    struct plugin **of_channel = calloc(config->channel_count + 1, sizeof *of_channel);
    int right = of_channel != NULL;
    for (size_t i = 0; of_channel && i < config->channel_count; i++) {
        struct config_channel *channel = &config->channels[i];
        of_channel[i] = plugins_find(g->setup.plugins, channel->plugin);
        if (!of_channel[i])
            config_tell(config, channel, "plugin",
                        KANAL_LIT("no such plugin was there when the gateway started"), on_wrong, g);
        if (!of_channel[i] ||
            config_check_settings(config, channel, &of_channel[i]->descriptor, on_wrong, g) != 0)
            right = 0;
    }
    if (right)
        return of_channel;
    free(of_channel);
    return NULL;
}

static void reload(struct gateway *g)
{
    struct config *config = NULL;
    if (strcmp(g->config_path, "-") == 0) {
        gateway_fail(g, 0, "SIGHUP", "the configuration came from standard input and cannot be read again");
        return;
    }
    log_write(g->log, KANAL_LOG_INFO, "control", NULL, "SIGHUP: %s is read again", g->config_path);
    struct plugin **of_channel =
        config_load(&config, g->config_path, on_wrong, g) == 0 ? check_channels(g, config) : NULL;
    if (of_channel) {
        control_reload(g->control, config, of_channel);
    } else {
        gateway_fail(g, 0, g->config_path, "it is wrong: nothing was changed");
        config_free(config);
    }
    free(of_channel);
}

void gateway_reload(struct gateway *g)
{
    g->reload_waits = 1;
    want_rest(g);
}
