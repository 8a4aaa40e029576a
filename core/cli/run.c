/* `kanal run`: the gateway. One event loop; what it starts it stops again, in the opposite order. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker/embedded.h"
#include "cli/cli.h"
#include "cli/run_inside.h"
#include "kanal/sdk/str.h"

#define DRAIN_MS 10000u /* for deliveries, and for requests whose events are not stored yet */
#define ANSWER_MS 3000u /* for requests that a plugin has not answered */
#define LINGER_MS 1500u /* for answers that are on their way out */

int gateway_fail(struct gateway *g, int code, const char *what, const char *why)
{
    log_write(g->log, KANAL_LOG_ERROR, "run", NULL, "%s: %s", what, why);
    return code;
}

/* ---- Starting ---- */

static void on_embedded_exit(void *user, const char *reason)
{
    struct gateway *g = user;
    log_write(g->log, KANAL_LOG_ERROR, "broker", NULL, "the embedded nats-server ended: %s (started again)",
              reason);
}

static int start_broker(struct gateway *g)
{
    const struct config *c = g->setup.config;
    char reason[256] = "";
    const char *url = NULL;
    struct broker_options options = { .urls = c->broker.urls,
                                      .url_count = c->broker.url_count,
                                      .creds = c->broker.creds,
                                      .nkey_seed = c->broker.nkey_seed,
                                      .user = c->broker.user,
                                      .password = c->broker.password,
                                      .token = c->broker.token,
                                      .tls_ca = c->broker.tls_ca,
                                      .tls_cert = c->broker.tls_cert,
                                      .tls_key = c->broker.tls_key,
                                      .name = "kanal" };
    if (c->broker.url_count == 0) {
        if (broker_embedded_start(&g->embedded, &g->loop, c->data_dir, on_embedded_exit, g, reason) != 0)
            return gateway_fail(g, CLI_BROKER, "the embedded broker", reason);
        url = broker_embedded_url(g->embedded);
        options.urls = &url;
        options.url_count = 1;
        options.user = broker_embedded_user(g->embedded);
        options.password = broker_embedded_password(g->embedded);
        log_write(g->log, KANAL_LOG_INFO, "broker", NULL, "embedded nats-server on %s, data under %s/nats",
                  url, c->data_dir);
    }
    if (broker_new(&g->broker, &g->loop, &options, cluster_broker_state, g, reason) != 0)
        return gateway_fail(g, CLI_CONFIG, "broker", reason);
    return CLI_OK;
}

/* Where media URLs point to: the public URL, or else the address that is listened on. */
static void make_base_url(struct gateway *g)
{
    const struct config *c = g->setup.config;
    if (c->http.public_url) {
        snprintf(g->base_url, sizeof g->base_url, "%s", c->http.public_url);
        return;
    }
    const char *colon = strrchr(c->http.listen, ':');
    int host_len = colon ? (int)(colon - c->http.listen) : 0;
    int any = host_len == 0 || strncmp(c->http.listen, "0.0.0.0", (size_t)host_len) == 0 ||
              strncmp(c->http.listen, "[::]", (size_t)host_len) == 0;
    snprintf(g->base_url, sizeof g->base_url, "http://%.*s:%u", any ? 9 : host_len,
             any ? "localhost" : c->http.listen, front_port(g->front));
}

static int start_host(struct gateway *g)
{
    const struct config *c = g->setup.config;
    struct http_client_options client = { .connections = 256,
                                          .connections_per_host = 64,
                                          .user_agent = "kanal/" KANAL_VERSION,
                                          .ca_file = c->outgoing.ca };
    struct host_options options = { .loop = &g->loop,
                                    .log = g->log,
                                    .metrics = g->metrics,
                                    .broker = g->broker,
                                    .ids = g->ids,
                                    .prefix = c->broker.prefix,
                                    .base_url = g->base_url,
                                    .public_url = c->http.public_url,
                                    .ca_file = c->outgoing.ca };
    if (instance_open(&g->instance, c->data_dir) == 0)
        options.instance = g->instance.id;
    if (http_client_new(&g->http, &g->loop, &client) != 0)
        return gateway_fail(g, CLI_FAILED, "the HTTP client", "out of memory");
    options.http = g->http;
    if (c->outgoing.ca && access(c->outgoing.ca, R_OK) != 0)
        return gateway_fail(g, CLI_CONFIG, c->outgoing.ca, "outgoing.ca cannot be read");
    if (host_new(&g->host, &options) != 0)
        return gateway_fail(g, CLI_FAILED, "the host", "out of memory");
    for (size_t i = 0; i < c->channel_count; i++)
        if (!host_add(g->host, &c->channels[i], g->setup.of_channel[i]))
            return gateway_fail(g, CLI_FAILED, c->channels[i].id, "out of memory");
    return CLI_OK;
}

static int start_detour(struct gateway *g)
{
    const struct config *c = g->setup.config;
    char reason[STORE_REASON_BYTES] = "";
    struct detour_options options = { .host = g->host,
                                      .prefix = c->broker.prefix,
                                      .data_dir = c->data_dir,
                                      .window_ms = c->broker.duplicate_window_ms,
                                      .max_bytes = (uint64_t)c->spool.bytes,
                                      .max_events = c->spool.events };
    return detour_new(&g->detour, &options, reason) == 0 ? CLI_OK
                                                         : gateway_fail(g, CLI_FAILED, "the spool", reason);
}

static int start_listeners(struct gateway *g)
{
    const struct config *c = g->setup.config;
    struct front_options front = { .host = g->host,
                                   .body_bytes = c->http.body_bytes,
                                   .server = { .listen = c->http.listen,
                                               .limits = c->http.limits,
                                               .trusted_proxies = c->http.trusted_proxies,
                                               .trusted_proxy_count = c->http.trusted_proxy_count } };
    if (front_new(&g->front, &front) != 0)
        return gateway_fail(g, CLI_FAILED, c->http.listen, strerror(errno));
    make_base_url(g);
    g->host->envelope.base_url = kanal_str_c(g->base_url);
    if (admin_new(&g->admin, g->host, c->admin.listen) != 0)
        return gateway_fail(g, CLI_FAILED, c->admin.listen, strerror(errno));
    return CLI_OK;
}

struct link_wanted {
    outbound_linked_fn *done;
    void *user;
};

static void on_link(void *user, const struct handoff_answer *answer)
{
    struct link_wanted wanted = *(struct link_wanted *)user;
    free(user);
    wanted.done(wanted.user, answer->status == 503 ? KANAL_E_NETWORK : KANAL_OK, answer->code,
                answer->detail);
}

/* A command link.create out of the stream. */
static void make_link(void *user, yyjson_val *command, outbound_linked_fn *done, void *done_user)
{
    const struct gateway *g = user;
    struct link_wanted *wanted = malloc(sizeof *wanted);
    if (!wanted) {
        done(done_user, KANAL_E_BUSY, NULL, (kanal_str){ 0 });
        return;
    }
    *wanted = (struct link_wanted){ done, done_user };
    handoff_create(g->handoff, command, on_link, wanted);
}

static int start(struct gateway *g)
{
    const struct config *c = g->setup.config;
    int code = start_broker(g);
    if (code == CLI_OK && ids_new(&g->ids, c->identity.salt) != 0)
        code = gateway_fail(g, CLI_CONFIG, "identity.salt", "at least 16 bytes are needed");
    if (code == CLI_OK)
        code = start_host(g);
    if (code == CLI_OK)
        code = start_detour(g);
    struct handoff_options handoff = { .host = g->host,
                                       .prefix = c->broker.prefix,
                                       .kept_ms = c->retention.handoffs_ms };
    if (code == CLI_OK && handoff_new(&g->handoff, &handoff) != 0)
        code = gateway_fail(g, CLI_FAILED, "hand-off links", "out of memory");
    struct outbound_options outbound = { .host = g->host,
                                         .prefix = c->broker.prefix,
                                         .replica = g->instance_id,
                                         .reach = gateway_reach(g),
                                         .timezone = c->routing.timezone,
                                         .require_consent = c->routing.require_consent,
                                         .make_link = make_link,
                                         .make_link_user = g };
    if (code == CLI_OK && outbound_new(&g->outbound, &outbound) != 0)
        code = gateway_fail(g, CLI_FAILED, "outbound", "out of memory");
    if (code == CLI_OK)
        code = gateway_project_new(g);
    if (code == CLI_OK)
        code = gateway_control_new(g);
    if (code == CLI_OK)
        code = start_listeners(g);
    if (code != CLI_OK)
        return code;
    host_start(g->host);
    if (broker_get_state(g->broker) == BROKER_UP)
        cluster_ensure(g);
    admin_set_ready(g->admin, 1);
    log_write(g->log, KANAL_LOG_INFO, "run", NULL,
              "kanal " KANAL_VERSION " with %zu channels on %s, admin on port %u", c->channel_count,
              g->base_url, admin_port(g->admin));
    return CLI_OK;
}

/* ---- Stopping: no new requests, what is under way drains, channels stop, all is freed ---- */

static void on_lingered(uv_timer_t *timer)
{
    struct gateway *g = timer->data;
    if ((front_open(g->front) > 0 || publisher_pending(g->host->publisher) > 0) &&
        uv_now(&g->loop) < g->linger_until_ms)
        return;
    uv_timer_stop(timer);
    uv_stop(&g->loop);
}

static void on_host_stopped(void *user)
{
    struct gateway *g = user;
    g->linger_until_ms = uv_now(&g->loop) + LINGER_MS;
    uv_timer_start(&g->timer, on_lingered, 0, 20);
}

static int is_request_under_way(const struct gateway *g)
{
    int patient = uv_now(&g->loop) < g->drain_until_ms - DRAIN_MS + ANSWER_MS;
    for (const struct channel *channel = g->host->first_channel; patient && channel; channel = channel->next)
        if (channel->http > 0)
            return 1;
    return publisher_pending(g->host->publisher) > 0;
}

/* A channel that stops refuses what it has not answered: first the answers that wait for the broker. */
static void on_answering(uv_timer_t *timer)
{
    struct gateway *g = timer->data;
    if (is_request_under_way(g) && uv_now(&g->loop) < g->drain_until_ms)
        return;
    uv_timer_stop(timer);
    host_stop(g->host, on_host_stopped, g);
}

static void on_drained(void *user)
{
    struct gateway *g = user;
    outbound_leave(g->outbound);
    uv_timer_start(&g->timer, on_answering, 0, 20);
}

void gateway_stop(struct gateway *g)
{
    if (g->stopping)
        return;
    g->stopping = 1;
    if (!g->admin) { /* still starting */
        uv_stop(&g->loop);
        return;
    }
    log_write(g->log, KANAL_LOG_INFO, "run", NULL,
              "stopping: requests and deliveries under way are finished first");
    admin_set_ready(g->admin, 0);
    uv_timer_stop(&g->timer);
    g->drain_until_ms = uv_now(&g->loop) + DRAIN_MS;
    front_drain(g->front);
    projector_leave(g->projector);
    outbound_drain(g->outbound, DRAIN_MS, on_drained, g);
}

static void on_signal(uv_signal_t *signal, int number)
{
    struct gateway *g = signal->data;
    (void)number;
    if (g->stopping) { /* asked twice: now */
        g->code = CLI_FAILED;
        uv_stop(&g->loop);
        return;
    }
    gateway_stop(g);
}

static void on_hangup(uv_signal_t *signal, int number)
{
    struct gateway *g = signal->data;
    (void)number;
    if (!g->stopping)
        gateway_reload(g);
}

static void close_handles(struct gateway *g)
{
    uv_close((uv_handle_t *)&g->sighup, NULL);
    uv_close((uv_handle_t *)&g->sigterm, NULL);
    uv_close((uv_handle_t *)&g->sigint, NULL);
    uv_close((uv_handle_t *)&g->timer, NULL);
}

static void gateway_release(struct gateway *g)
{
    g->stopping = 1;
    /* First whatever may still call back is told that it is over, while those it calls are all there. */
    http_client_free(g->http);
    broker_shut(g->broker);
    detour_free(g->detour);
    gateway_control_free(g);
    admin_free(g->admin);
    front_free(g->front);
    outbound_free(g->outbound);
    gateway_project_free(g);
    handoff_free(g->handoff);
    host_free(g->host);
    broker_free(g->broker);
    broker_embedded_stop(g->embedded);
    close_handles(g);
    uv_run(&g->loop, UV_RUN_DEFAULT);
    instance_close(&g->instance);
    uv_loop_close(&g->loop);
    json_schema_free(g->contract);
    ids_free(g->ids);
    metrics_free(g->metrics);
    log_write(g->log, KANAL_LOG_INFO, "run", NULL, "stopped");
    setup_release(&g->setup);
    log_free(g->log);
}

/* ---- The command ---- */

static void raise_limits(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static int log_level(const char *name)
{
    static const char *const names[] = { "debug", "info", "warn", "error" };
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return KANAL_LOG_INFO;
}

static void mask_secrets(struct gateway *g)
{
    const struct config *c = g->setup.config;
    log_mask(g->log, c->identity.salt);
    log_mask(g->log, kanal_str_c(c->broker.password));
    log_mask(g->log, kanal_str_c(c->broker.token));
    for (size_t i = 0; i < c->channel_count; i++)
        for (size_t s = 0; s < c->channels[i].secret_count; s++)
            log_mask(g->log, c->channels[i].secrets[s].value);
}

static void tell_groups(const struct gateway *g)
{
    const struct setup *setup = &g->setup;
    char text[CGROUP_REASON_MAX * 3];
    int is_whole = cgroups_controllers(setup->groups) == CGROUP_ALL;
    int is_wanted = setup->config->cgroup != CONFIG_CGROUP_OFF;
    if (setup->groups)
        cgroups_text(setup->groups, text, sizeof text);
    if (setup->groups)
        log_write(g->log, is_whole ? KANAL_LOG_INFO : KANAL_LOG_WARN, "worker", NULL,
                  "each worker is held by a control group of its own: %s", text);
    else
        log_write(g->log, is_wanted ? KANAL_LOG_WARN : KANAL_LOG_INFO, "worker", NULL,
                  "workers are held by their rlimits alone, without control groups: %s",
                  setup->groups_reason);
}

static void init_loop(struct gateway *g)
{
    uv_loop_init(&g->loop);
    uv_signal_init(&g->loop, &g->sigterm);
    uv_signal_init(&g->loop, &g->sigint);
    uv_signal_init(&g->loop, &g->sighup);
    uv_timer_init(&g->loop, &g->timer);
    g->sigterm.data = g->sigint.data = g->sighup.data = g->timer.data = g;
    uv_signal_start(&g->sigterm, on_signal, SIGTERM);
    uv_signal_start(&g->sigint, on_signal, SIGINT);
    uv_signal_start(&g->sighup, on_hangup, SIGHUP);
}

static int gateway_run(const char *path, const char *plugins)
{
    struct gateway g = { .config_path = path, .plugin_path = { plugins, NULL }, .instance = { .fd = -1 } };
    signal(SIGXFSZ, SIG_IGN); /* a limit on files is a full disk to the spool, not the end */
    int code = setup_load(&g.setup, SETUP_GATEWAY, path, plugins);
    if (code != CLI_OK) {
        fprintf(stderr, "%s: %zu error%s; nothing was started\n", path, g.setup.errors,
                g.setup.errors == 1 ? "" : "s");
        setup_release(&g.setup);
        return code;
    }
    signal(SIGPIPE, SIG_IGN);
    raise_limits();
    if (log_new(&g.log, STDERR_FILENO, g.setup.config->log.format, log_level(g.setup.config->log.level)) !=
            0 ||
        metrics_new(&g.metrics) != 0) {
        setup_release(&g.setup);
        return CLI_FAILED;
    }
    mask_secrets(&g);
    tell_groups(&g);
    init_loop(&g);
    code = start(&g);
    if (code == CLI_OK && !g.stopping)
        uv_run(&g.loop, UV_RUN_DEFAULT);
    if (code == CLI_OK)
        code = g.code;
    gateway_release(&g);
    return code;
}

static int run(const struct cli_command *command, int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "plugins", required_argument, NULL, 'p' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    const char *path = CLI_CONFIG_DEFAULT, *plugins = NULL;
    for (int c; (c = getopt_long(argc, argv, "c:p:h", options, NULL)) != -1;) {
        if (c == 'h') {
            cli_help(command);
            return CLI_OK;
        }
        if (c == 'c')
            path = optarg;
        else if (c == 'p')
            plugins = optarg;
        else
            return cli_usage(command, "unknown option");
    }
    if (optind < argc)
        return cli_usage(command, "unexpected argument '%s'", argv[optind]);
    return gateway_run(path, plugins);
}

const struct cli_command command_run = {
    .name = "run",
    .arguments = "[-c FILE] [-p DIR]",
    .summary = "Runs the gateway until SIGTERM or SIGINT; a second signal ends it at once.",
    .help = "  -c, --config FILE   the configuration (kanal.yaml); - is standard input\n"
            "  -p, --plugins DIR   look for plugins there instead of plugins.path\n\n"
            "Without a configured broker it starts a nats-server of its own on loopback, with its data under "
            "data_dir.\n"
            "Logs go to stderr as JSON lines (log.format: text for people).\n"
            "SIGHUP: reads the configuration again; channels that were added, changed or removed are, the "
            "others go on.\n"
            "Exit code 0: stopped; 1: failed; 3: the configuration is wrong; 4: the broker refused.\n",
    .run = run,
};
