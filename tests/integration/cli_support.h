/* What the tests of `kanal tail`, `send` and `consumer` share: a nats-server with Kanal's streams, libnats' connection of the test itself,
 * and the built `kanal` as a child process whose output is read. */
#ifndef KANAL_TESTS_CLI_SUPPORT_H
#define KANAL_TESTS_CLI_SUPPORT_H
#include <criterion/criterion.h>
#include <nats/nats.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "nats.h"

struct broker_of_test {
    struct nats_server nats;
    natsConnection *connection;
    jsCtx *js;
};

/* A server with the streams of core/broker/topology.c; extra as nats_start(). KANAL_SERVER names it for the children. The test's own
 * connection is that of user, if one is given. */
void cli_up(struct broker_of_test *, const char *extra, const char *user, const char *password);
void cli_connect(struct broker_of_test *, const char *user, const char *password);
void cli_disconnect(struct broker_of_test *);
void cli_down(struct broker_of_test *);
/* By JetStream, so that it is stored when this returns. */
void cli_publish(struct broker_of_test *, const char *subject, const char *payload);
/* Messages that the stream holds. */
uint64_t cli_stored(struct broker_of_test *, const char *stream);

/* An event of the contract: subject and JSON in static memory until the next call. */
struct cli_event {
    char subject[256], json[2048];
};
const struct cli_event *cli_message_received(const char *channel, const char *address, const char *text,
                                             int number);

/* A running `kanal`. */
struct child {
    pid_t pid;
    int out, err;          /* pipes */
    char *output, *errors; /* what came so far, NUL-ended */
    size_t output_bytes, error_bytes;
    int code; /* after child_wait() */
};
/* words: NULL-ended, without "kanal". input: for its standard input, or NULL. */
void child_start(struct child *, const char *const *words, const char *input);
/* With its standard output on a terminal. */
void child_start_terminal(struct child *, const char *const *words);
/* Reads until the text stands in its output (errors), for at most 20 s. */
void child_expect(struct child *, const char *text);
void child_expect_error(struct child *, const char *text);
/* Until it has ended; the exit code. */
int child_wait(struct child *);
int child_signal(struct child *, int signal); /* and waits */
void child_release(struct child *);

/* Starts, waits; the exit code. */
int cli_run(struct child *, const char *const *words, const char *input);
#define RUN(child, ...) cli_run(child, (const char *const[]){ __VA_ARGS__, NULL }, NULL)
#define START(child, ...) child_start(child, (const char *const[]){ __VA_ARGS__, NULL }, NULL)

/* How often the text stands there. */
size_t cli_count(const char *text, const char *in);

#endif
