/* broker/embedded.h - the embedded default: a nats-server of our own as a child process on loopback.
 *
 * Its data lie under data_dir/nats, its configuration is written there (0600) with a random password, it
 * listens on 127.0.0.1 on a free port and on nothing else. It dies with us: PR_SET_PDEATHSIG in the child
 * and a stop at broker_embedded_stop(). A second `kanal run` on the same data_dir is refused by a lock
 * file. [loop] */
#ifndef KANAL_BROKER_EMBEDDED_H
#define KANAL_BROKER_EMBEDDED_H
#include <uv.h>
#include "kanal/plugin.h"

struct broker_embedded;
/* exited(): it ended without being asked to; it is started again after a second (the port stays the same). */
typedef void broker_embedded_exit_fn(void *user, const char *reason);
/* Writes the configuration, locks, spawns, waits until it accepts connections (at most 10 s; blocking, at
 * start only). reason (256 bytes) says what failed and what to do: nats-server not in PATH, directory not
 * writable, locked … */
int broker_embedded_start(struct broker_embedded **ret_child, uv_loop_t *, const char *data_dir,
                          broker_embedded_exit_fn *, void *user, char reason[256]);
const char *broker_embedded_url(const struct broker_embedded *); /* nats://127.0.0.1:PORT */
const char *broker_embedded_user(const struct broker_embedded *);
const char *broker_embedded_password(const struct broker_embedded *);
/* SIGTERM (lame duck off), waits up to 5 s, SIGKILL; frees. NULL is fine. */
void broker_embedded_stop(struct broker_embedded *);

/* For another process (`kanal tail`): the nats-server that a running gateway started under data_dir. Reads
 * nats/nats.conf there, which only the gateway's user may (0600). 0; KANAL_E_NOT_FOUND: no gateway with an
 * embedded nats-server runs on it; KANAL_E_DENIED: it is another user's. reason says so, and what to do.
 * [any thread] */
struct broker_embedded_access {
    char url[64], user[33], password[65]; /* to be wiped */
};
int broker_embedded_find(const char *data_dir, struct broker_embedded_access *ret_access, char reason[256]);

#endif
