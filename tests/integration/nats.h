/* A real nats-server for integration tests: on a free port of the loopback, with JetStream in a temporary
 * folder. It dies with the test. NATS_SERVER in the environment names another binary than the one in PATH. */
#ifndef KANAL_TESTS_NATS_H
#define KANAL_TESTS_NATS_H
#include <sys/types.h>

struct nats_server {
    pid_t pid; /* 0: not running */
    int port;
    char url[64];
    char dir[128];    /* temporary; nats_release() removes it */
    char config[192]; /* dir/nats.conf */
};

/* extra: further lines of the configuration ("authorization { … }"), or NULL; "%d" in it stands for dir.
 * Fails the test if the server does not accept connections within 10 s. */
void nats_start(struct nats_server *, const char *extra);
void nats_stop(struct nats_server *);    /* SIGTERM, waits */
void nats_kill(struct nats_server *);    /* SIGKILL, waits */
void nats_restart(struct nats_server *); /* after stop or kill: same port, same data */
void nats_reconfigure(struct nats_server *,
                      const char *extra); /* writes the configuration; the next restart uses it */
void nats_pause(struct nats_server *);    /* SIGSTOP */
void nats_resume(struct nats_server *);   /* SIGCONT */
void nats_release(struct nats_server *);  /* kills it and removes dir */
/* Of the binary, e.g. 2.10.27 is 21027. */
int nats_version(void);
const char *nats_binary(void);
int free_port(void);
/* Removes a folder and everything in it. */
void remove_tree(const char *path);

#endif
