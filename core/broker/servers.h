/* broker/servers.h - the list of servers: the configured ones, and those the cluster told of. No I/O. [loop]
 *
 * A URL is [nats://|tls://][user[:password]@]host[:port]; a user without a password is a token.
 * Credentials are taken out of the URL, so that `url` can be shown. */
#ifndef KANAL_BROKER_SERVERS_H
#define KANAL_BROKER_SERVERS_H
#include "kanal/plugin.h"

#define BROKER_SERVERS 64u

struct broker_server {
    char url[280];                 /* scheme://host:port */
    char user[128], password[512]; /* or "" */
    int configured;                /* 0: the cluster told of it */
};

struct broker_servers {
    struct broker_server *list;
    uint32_t count, next;
};

/* 0, or KANAL_E_INVALID and the reason. ret_server->configured is 1. */
int broker_server_parse(kanal_str url, struct broker_server *ret_server, char reason[256]);
int broker_server_is_tls(const struct broker_server *);

void broker_servers_init(struct broker_servers *);
void broker_servers_release(struct broker_servers *);
/* Already there: nothing happens. 0, KANAL_E_INVALID (reason), KANAL_E_BUSY (the list is full). */
int broker_servers_add(struct broker_servers *, kanal_str url, char reason[256]);
/* Forgets those the cluster told of: it is about to tell again. */
void broker_servers_forget(struct broker_servers *);
/* One the cluster told of ("host:port"): takes scheme and credentials of the server that told. Malformed
 * ones are ignored. */
void broker_servers_learn(struct broker_servers *, kanal_str address, const struct broker_server *teller);
/* The one to try next; the list is walked round. */
const struct broker_server *broker_servers_next(struct broker_servers *);

#endif
