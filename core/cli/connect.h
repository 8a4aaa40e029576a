/* cli/connect.h - the broker as a subcommand of a moment sees it: which one, as whom, and libnats' ordinary connection to it.
 *
 * Which: --server, else KANAL_SERVER, else the configuration's broker.url, else the nats-server that the running gateway of the
 * configuration's data_dir started for itself. As whom: what stands in the URL, else the options, else KANAL_CREDS (or KANAL_USER
 * and KANAL_PASSWORD, or KANAL_TOKEN), else the configuration; its credentials go only to its own servers, or where -c is given beside
 * --server. Passwords are no options: every user of the machine can read those.
 *
 * One thread uses a client; libnats' threads only set what is guarded here and wake it. Signals SIGINT and SIGTERM are blocked from
 * client_open() on and told by client_wait(). */
#ifndef KANAL_CLI_CONNECT_H
#define KANAL_CLI_CONNECT_H
#include <getopt.h>
#include <nats/nats.h>
#include <pthread.h>

#include "broker/access.h"
#include "cli/cli.h"
#include "config/config.h"
#include "kanal/sdk/buffer.h"

#define CLIENT_SERVERS 16u

struct client_options {
    const char *config; /* NULL: not given */
    const char *servers[CLIENT_SERVERS];
    size_t server_count;
    const char *creds, *nkey, *user, *tls_ca, *tls_cert, *tls_key, *prefix, *data_dir;
};

/* Values of getopt_long() for what client_option() takes. */
enum {
    CLIENT_OPTION_CREDS = 1000,
    CLIENT_OPTION_NKEY,
    CLIENT_OPTION_USER,
    CLIENT_OPTION_TLS_CA,
    CLIENT_OPTION_TLS_CERT,
    CLIENT_OPTION_TLS_KEY,
    CLIENT_OPTION_PREFIX,
    CLIENT_OPTION_DATA_DIR,
    CLIENT_OPTION_OWN /* a command's own begin here */
};

#define CLIENT_SHORT "c:s:h"
/* Stand in a command's struct option[] and its help. */
#define CLIENT_LONG                                                                                          \
    { "config", required_argument, NULL, 'c' }, { "server", required_argument, NULL, 's' },                  \
        { "creds", required_argument, NULL, CLIENT_OPTION_CREDS },                                           \
        { "nkey", required_argument, NULL, CLIENT_OPTION_NKEY },                                             \
        { "user", required_argument, NULL, CLIENT_OPTION_USER },                                             \
        { "tls-ca", required_argument, NULL, CLIENT_OPTION_TLS_CA },                                         \
        { "tls-cert", required_argument, NULL, CLIENT_OPTION_TLS_CERT },                                     \
        { "tls-key", required_argument, NULL, CLIENT_OPTION_TLS_KEY },                                       \
        { "prefix", required_argument, NULL, CLIENT_OPTION_PREFIX },                                         \
        { "data-dir", required_argument, NULL, CLIENT_OPTION_DATA_DIR }, { "help", no_argument, NULL, 'h' }, \
    {                                                                                                        \
        0                                                                                                    \
    }
#define CLIENT_HELP                                                                                          \
    "Broker:\n"                                                                                              \
    "  -c, --config FILE    take broker, credentials and prefix from here (kanal.yaml, if it is there)\n"    \
    "  -s, --server URL     this broker: nats://host:4222; may be repeated (or KANAL_SERVER)\n"              \
    "      --creds FILE     credentials: JWT and key (or KANAL_CREDS)\n"                                     \
    "      --nkey FILE      credentials: an nkey seed\n"                                                     \
    "      --user NAME      credentials: a user; the password comes from KANAL_PASSWORD\n"                   \
    "      --tls-ca FILE    trust this authority; --tls-cert FILE and --tls-key FILE: show this "            \
    "certificate\n"                                                                                          \
    "      --prefix WORD    first token of all subjects (kanal)\n"                                           \
    "      --data-dir DIR   of the running gateway, whose own nats-server is used\n"

/* 1: c was one of the above and is noted; 0: it is the command's own; -1: too many servers. */
int client_option(struct client_options *, int c, const char *value);

enum client_event {
    CLIENT_WOKEN, /* client_wake(), or what changed is in the queue of whoever waits */
    CLIENT_TIMEOUT,
    CLIENT_INTERRUPTED, /* SIGINT or SIGTERM */
    CLIENT_LOST,        /* the connection broke; libnats tries again for ever */
    CLIENT_BACK,
    CLIENT_CLOSED /* for good: the credentials are refused */
};

struct client {
    natsConnection *connection;
    char prefix[33];
    char server[280]; /* without credentials */
    int wake_fd, signal_fd;
    pthread_mutex_t lock;
    int lost, back, closed; /* changes that were not told yet */
    char violation[256];    /* the server's last words about missing permissions */
    struct broker_access *access;
    struct config *config;
};

/* CLI_OK; else what is wrong was said on stderr in the command's name, and the exit code is returned. client_close() follows in any
 * case. */
int client_open(struct client *, const struct client_options *, const struct cli_command *);
void client_close(struct client *);

/* Until something happens or the time passes; timeout_ms below 0: for ever. Changes of the connection come one by one, before
 * CLIENT_WOKEN. */
enum client_event client_wait(struct client *, int64_t timeout_ms);
/* [any thread] */
void client_wake(struct client *);
/* Copies the last permissions violation and forgets it; empty: none. */
void client_take_violation(struct client *, char ret_text[256]);

int64_t client_now_ms(void); /* monotonic */
int64_t client_unix_ms(void);

#endif
