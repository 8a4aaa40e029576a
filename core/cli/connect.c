#include "cli/connect.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "broker/embedded.h"
#include "broker/servers.h"
#include "kanal/sdk/str.h"

#define CONNECT_MS 3000
#define PING_MS 5000 /* two unanswered ones: the connection is lost */
#define AGAIN_MS 500

/* ---- Options ---- */

int client_option(struct client_options *o, int c, const char *value)
{
    const char **member = c == 'c'                      ? &o->config
                          : c == CLIENT_OPTION_CREDS    ? &o->creds
                          : c == CLIENT_OPTION_NKEY     ? &o->nkey
                          : c == CLIENT_OPTION_USER     ? &o->user
                          : c == CLIENT_OPTION_TLS_CA   ? &o->tls_ca
                          : c == CLIENT_OPTION_TLS_CERT ? &o->tls_cert
                          : c == CLIENT_OPTION_TLS_KEY  ? &o->tls_key
                          : c == CLIENT_OPTION_PREFIX   ? &o->prefix
                          : c == CLIENT_OPTION_DATA_DIR ? &o->data_dir
                                                        : NULL;

    if (member) {
        *member = value;
        return 1;
    }
    if (c != 's')
        return 0;
    if (o->server_count == CLIENT_SERVERS)
        return -1;
    o->servers[o->server_count++] = value;
    return 1;
}

/* ---- Which broker, as whom ---- */

/* Everything that opening needs besides the client; wiped at the end. */
struct opening {
    const struct cli_command *command;
    const struct client_options *options;
    struct client *client;
    struct broker_options broker;
    struct broker_embedded_access embedded;
    const char *urls[CLIENT_SERVERS + 1];
    char *environment; /* KANAL_SERVER, taken apart */
};

static int complain(const struct opening *o, int code, const char *what, const char *why)
{
    fprintf(stderr, "kanal %s: %s%s%s\n", o->command->name, what, why ? ": " : "", why ? why : "");
    return code;
}

static void on_config_error(void *user, kanal_str text)
{
    (void)user;
    fprintf(stderr, "%.*s\n", (int)text.len, text.ptr);
}

static const char *from_environment(const char *name)
{
    const char *value = getenv(name);

    return value && value[0] != '\0' ? value : NULL;
}

static int take_servers(struct opening *o)
{
    const char *variable = from_environment("KANAL_SERVER");
    char *rest = NULL, *url;

    for (size_t i = 0; i < o->options->server_count; i++)
        o->urls[o->broker.url_count++] = o->options->servers[i];
    if (o->broker.url_count > 0 || !variable || o->options->data_dir)
        return CLI_OK;
    o->environment = strdup(variable);
    if (!o->environment)
        return complain(o, CLI_FAILED, "out of memory", NULL);
    url = strtok_r(o->environment, ", ", &rest);
    for (; url && o->broker.url_count < CLIENT_SERVERS; url = strtok_r(NULL, ", ", &rest))
        o->urls[o->broker.url_count++] = url;
    return CLI_OK;
}

/* 1: somebody said as whom. */
static int take_credentials(struct opening *o)
{
    const struct client_options *options = o->options;
    struct broker_options *b = &o->broker;

    b->tls_ca = options->tls_ca;
    b->tls_cert = options->tls_cert;
    b->tls_key = options->tls_key;
    b->creds = options->creds;
    b->nkey_seed = options->nkey;
    b->user = options->user;
    if (!b->creds && !b->nkey_seed && !b->user)
        b->creds = from_environment("KANAL_CREDS");
    if (!b->creds && !b->nkey_seed && !b->user)
        b->user = from_environment("KANAL_USER");
    if (!b->creds && !b->nkey_seed && !b->user)
        b->token = from_environment("KANAL_TOKEN");
    if (b->user)
        b->password = from_environment("KANAL_PASSWORD");
    return b->creds || b->nkey_seed || b->user || b->token;
}

static int take_embedded(struct opening *o, const char *data_dir)
{
    char reason[256];
    int r = broker_embedded_find(data_dir, &o->embedded, reason);

    if (r != 0)
        return complain(o, CLI_BROKER, "no broker", reason);
    o->urls[0] = o->embedded.url;
    o->broker.url_count = 1;
    o->broker.user = o->embedded.user;
    o->broker.password = o->embedded.password;
    return CLI_OK;
}

static int take_config(struct opening *o, const char *path, int has_credentials)
{
    const struct config *c;
    struct broker_options *b = &o->broker;

    if (config_load_broker(&o->client->config, path, on_config_error, NULL) != 0)
        return CLI_CONFIG;
    c = o->client->config;
    snprintf(o->client->prefix, sizeof o->client->prefix, "%s", c->broker.prefix);
    if (!has_credentials) {
        b->creds = c->broker.creds;
        b->nkey_seed = c->broker.nkey_seed;
        b->user = c->broker.user;
        b->password = c->broker.password;
        b->token = c->broker.token;
    }
    b->tls_ca = b->tls_ca ? b->tls_ca : c->broker.tls_ca;
    b->tls_cert = b->tls_cert ? b->tls_cert : c->broker.tls_cert;
    b->tls_key = b->tls_key ? b->tls_key : c->broker.tls_key;
    if (b->url_count > 0)
        return CLI_OK;
    if (c->broker.url_count == 0)
        return take_embedded(o, c->data_dir);
    for (; b->url_count < c->broker.url_count && b->url_count < CLIENT_SERVERS; b->url_count++)
        o->urls[b->url_count] = c->broker.urls[b->url_count];
    return CLI_OK;
}

static int prefix_valid(const char *prefix)
{
    size_t n = strspn(prefix, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return prefix[0] >= 'a' && prefix[0] <= 'z' && prefix[n] == '\0' && n <= 32;
}

static int find_broker(struct opening *o)
{
    const struct client_options *options = o->options;
    const char *path = options->config;
    int has_credentials, code = take_servers(o);

    snprintf(o->client->prefix, sizeof o->client->prefix, "kanal");
    if (code != CLI_OK)
        return code;
    if (options->prefix && !prefix_valid(options->prefix))
        return cli_usage(o->command,
                         "--prefix: expected a letter and up to 31 of a-z, 0-9, _ and -, found '%s'",
                         options->prefix);
    has_credentials = take_credentials(o);
    if (!path && o->broker.url_count == 0 && !options->data_dir && access(CLI_CONFIG_DEFAULT, F_OK) == 0)
        path = CLI_CONFIG_DEFAULT;
    if (options->data_dir && o->broker.url_count == 0)
        code = take_embedded(o, options->data_dir);
    if (code == CLI_OK && path)
        code = take_config(o, path, has_credentials || options->data_dir);
    if (code != CLI_OK)
        return code;
    if (options->prefix)
        snprintf(o->client->prefix, sizeof o->client->prefix, "%s", options->prefix);
    if (o->broker.url_count == 0)
        return complain(
            o, CLI_BROKER,
            "no broker is named: use --server URL, KANAL_SERVER, or -c FILE (there is no " CLI_CONFIG_DEFAULT
            " here)",
            NULL);
    return CLI_OK;
}

/* ---- What libnats' threads tell ---- */

static void note(struct client *client, int *flag)
{
    pthread_mutex_lock(&client->lock);
    *flag = 1;
    pthread_mutex_unlock(&client->lock);
    client_wake(client);
}

static void on_lost(natsConnection *connection, void *user)
{
    struct client *client = user;

    (void)connection;
    note(client, &client->lost);
}

static void on_back(natsConnection *connection, void *user)
{
    struct client *client = user;

    (void)connection;
    note(client, &client->back);
}

static void on_closed(natsConnection *connection, void *user)
{
    struct client *client = user;

    (void)connection;
    note(client, &client->closed);
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *user)
{
    struct client *client = user;
    const char *text = NULL;

    (void)subscription;
    if (status != NATS_NOT_PERMITTED)
        return;
    natsConnection_GetLastError(connection, &text);
    pthread_mutex_lock(&client->lock);
    snprintf(client->violation, sizeof client->violation, "%s", text ? text : "permissions violation");
    pthread_mutex_unlock(&client->lock);
    client_wake(client);
}

/* ---- Connecting ---- */

static natsStatus set_ways(struct opening *o, natsOptions *options, const char *const *urls, size_t count)
{
    struct client *client = o->client;
    natsStatus s = natsOptions_SetServers(options, (const char **)(uintptr_t)urls, (int)count);

    if (s == NATS_OK)
        s = natsOptions_SetNoRandomize(options, true);
    if (s == NATS_OK)
        s = natsOptions_SetTimeout(options, CONNECT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetAllowReconnect(options, true);
    if (s == NATS_OK)
        s = natsOptions_SetMaxReconnect(options, -1);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectWait(options, AGAIN_MS);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectJitter(options, AGAIN_MS, AGAIN_MS);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(options, PING_MS);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPingsOut(options, 2);
    if (s == NATS_OK)
        s = natsOptions_SetFailRequestsOnDisconnect(options, true);
    /* One thread brings all messages, so that they stay in the order in which the server sent them. */
    if (s == NATS_OK)
        s = natsOptions_UseGlobalMessageDelivery(options, true);
    if (s == NATS_OK)
        s = natsOptions_SetDisconnectedCB(options, on_lost, client);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectedCB(options, on_back, client);
    if (s == NATS_OK)
        s = natsOptions_SetClosedCB(options, on_closed, client);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(options, on_error, client);
    return s;
}

/* To the first of these that is there; libnats goes on to the others when it is lost. Credentials that stand in URLs are those of `first`. */
static natsStatus connect_to(struct opening *o, const struct broker_server *servers, size_t count,
                             size_t first)
{
    struct client *client = o->client;
    const char *urls[CLIENT_SERVERS];
    natsOptions *options = NULL;
    natsStatus s = broker_access_options(client->access, &servers[first], &options);

    for (size_t i = 0; i < count; i++)
        urls[i] = servers[(first + i) % count].url;
    if (s == NATS_OK)
        s = set_ways(o, options, urls, count);
    if (s == NATS_OK)
        s = natsConnection_Connect(&client->connection, options);
    natsOptions_Destroy(options);
    if (s == NATS_OK &&
        natsConnection_GetConnectedUrl(client->connection, client->server, sizeof client->server) != NATS_OK)
        snprintf(client->server, sizeof client->server, "%s", servers[first].url);
    return s;
}

static void explain(const struct opening *o, natsStatus s, const struct broker_server *servers, size_t count)
{
    fprintf(stderr, "kanal %s: ", o->command->name);
    fprintf(stderr, s == NATS_CONNECTION_AUTH_FAILED ? "the broker at" : "no broker at");
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s %s", i > 0 ? "," : "", servers[i].url);
    if (s == NATS_CONNECTION_AUTH_FAILED)
        fprintf(stderr, " refuses these credentials\n");
    else
        fprintf(stderr, ": %s%s\n", natsStatus_GetText(s),
                s == NATS_NO_SERVER ? " (does it run, and is the address right?)" : "");
}

/* One attempt with each of the credentials: those of the options, and those in URLs. */
static int connect_any(struct opening *o)
{
    struct broker_server *servers = calloc(CLIENT_SERVERS, sizeof *servers);
    size_t count = o->broker.url_count;
    natsStatus status = NATS_NO_SERVER;
    char reason[256];
    int code = CLI_OK;

    if (!servers)
        return complain(o, CLI_FAILED, "out of memory", NULL);
    for (size_t i = 0; code == CLI_OK && i < count; i++)
        if (broker_server_parse(kanal_str_c(o->urls[i]), &servers[i], reason) != 0)
            code = complain(o, CLI_USAGE, "the broker's URL", reason);
    for (size_t i = 0; code == CLI_OK && status != NATS_OK && i < count; i++)
        if (i == 0 || strcmp(servers[i].user, servers[i - 1].user) != 0 ||
            strcmp(servers[i].password, servers[i - 1].password) != 0)
            status = connect_to(o, servers, count, i);
    if (code == CLI_OK && status != NATS_OK) {
        explain(o, status, servers, count);
        code = CLI_BROKER;
    }
    explicit_bzero(servers, CLIENT_SERVERS * sizeof *servers);
    free(servers);
    return code;
}

/* Blocked before the first thread of libnats exists: it inherits that. */
static int prepare_waiting(struct client *client)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    client->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (client->wake_fd < 0 || client->signal_fd < 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    nats_Open(-1);
    return nats_SetMessageDeliveryPoolSize(1) == NATS_OK ? 0 : -1;
}

int client_open(struct client *client, const struct client_options *options,
                const struct cli_command *command)
{
    struct opening o = { .command = command, .options = options, .client = client };
    char reason[256], name[64];
    int code;

    *client = (struct client){ .wake_fd = -1, .signal_fd = -1 };
    pthread_mutex_init(&client->lock, NULL);
    snprintf(name, sizeof name, "kanal %s", command->name);
    o.broker.urls = o.urls;
    o.broker.name = name;
    code = find_broker(&o);
    if (code == CLI_OK && prepare_waiting(client) != 0)
        code = complain(&o, CLI_FAILED, "cannot prepare", strerror(errno));
    if (code == CLI_OK && broker_access_new(&client->access, &o.broker, reason) != 0)
        code = complain(&o, CLI_USAGE, reason, NULL);
    if (code == CLI_OK)
        code = connect_any(&o);
    free(o.environment);
    explicit_bzero(&o.embedded, sizeof o.embedded);
    return code;
}

void client_close(struct client *client)
{
    if (client->connection) {
        natsConnection_Close(client->connection);
        natsConnection_Destroy(client->connection);
    }
    if (client->wake_fd >= 0)
        nats_CloseAndWait(2000); /* its threads are gone, so nobody looks at the client any more */
    broker_access_release(client->access);
    config_free(client->config);
    if (client->wake_fd >= 0)
        close(client->wake_fd);
    if (client->signal_fd >= 0)
        close(client->signal_fd);
    pthread_mutex_destroy(&client->lock);
}

/* ---- Waiting ---- */

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t client_now_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t client_unix_ms(void)
{
    return read_clock(CLOCK_REALTIME);
}

void client_wake(struct client *client)
{
    uint64_t one = 1;

    (void)!write(client->wake_fd, &one, sizeof one);
}

void client_take_violation(struct client *client, char ret_text[256])
{
    pthread_mutex_lock(&client->lock);
    snprintf(ret_text, 256, "%s", client->violation);
    client->violation[0] = '\0';
    pthread_mutex_unlock(&client->lock);
}

/* A change that was not told yet, or -1. */
static int take_change(struct client *client)
{
    int change = -1;

    pthread_mutex_lock(&client->lock);
    if (client->lost) {
        client->lost = 0;
        change = CLIENT_LOST;
    } else if (client->closed) {
        client->closed = 0;
        change = CLIENT_CLOSED;
    } else if (client->back) {
        client->back = 0;
        change = CLIENT_BACK;
    }
    pthread_mutex_unlock(&client->lock);
    return change;
}

enum client_event client_wait(struct client *client, int64_t timeout_ms)
{
    int64_t until = client_now_ms() + (timeout_ms > 0 ? timeout_ms : 0);
    struct pollfd fds[] = { { .fd = client->signal_fd, .events = POLLIN },
                            { .fd = client->wake_fd, .events = POLLIN } };

    for (;;) {
        int change = take_change(client);
        int64_t left = timeout_ms < 0 ? -1 : until - client_now_ms();
        uint64_t count;
        int n;

        if (change >= 0)
            return (enum client_event)change;
        n = poll(fds, 2, left < 0 ? (timeout_ms < 0 ? -1 : 0) : left > 3600000 ? 3600000 : (int)left);
        if (fds[0].revents && n > 0)
            return CLIENT_INTERRUPTED;
        if (n > 0 && read(client->wake_fd, &count, sizeof count) == sizeof count) {
            change = take_change(client);
            return change >= 0 ? (enum client_event)change : CLIENT_WOKEN;
        }
        if (timeout_ms >= 0 && client_now_ms() >= until)
            return CLIENT_TIMEOUT;
    }
}
