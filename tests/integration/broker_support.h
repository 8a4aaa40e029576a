/* What the tests of core/broker share: a loop that is run until something is true, and callbacks that note
 * what they were told. */
#ifndef KANAL_TESTS_BROKER_SUPPORT_H
#define KANAL_TESTS_BROKER_SUPPORT_H
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>
#include "broker/broker.h"
#include "broker/jetstream.h"
#include "kanal/sdk/str.h"
#include "nats.h"

struct fixture {
    uv_loop_t loop;
    struct nats_server nats;
    struct broker *broker;
    enum broker_state state;
    char reason[256];
    int changes, stalls, downs;
};

/* Runs the loop until *flag is at least `wanted`; false after ms. */
int run_until(uv_loop_t *, const int *flag, int wanted, uint64_t ms);
int run_until_state(struct fixture *, enum broker_state, uint64_t ms);
void run_for(uv_loop_t *, uint64_t ms);
uint64_t clock_ms(void);

void fixture_init(struct fixture *);
/* Server and broker, connected. */
void fixture_up(struct fixture *, const char *extra_config);
void fixture_connect(struct fixture *, const struct broker_options *); /* url: the server's if none is set */
void fixture_down(struct fixture *);
void note_state(void *fixture, enum broker_state, const char *reason);

struct noted { /* by the callbacks below */
    int calls;
    kanal_status status;
    uint64_t sequence;
    int duplicate, code;
    char text[4096];
};
void note_ack(void *noted, kanal_status, const struct js_ack *, kanal_str reason);
void note_result(void *noted, kanal_status, kanal_str reason);
void note_reply(void *noted, kanal_status, const struct broker_in *);
void note_message(void *noted, kanal_status, const struct js_message *);

/* Each waits for the answer and returns the status. */
kanal_status publish(struct fixture *, const char *subject, const char *payload, const char *msg_id,
                     uint64_t expected, struct noted *);
kanal_status make_stream(struct fixture *, const char *name, const char *subject);

struct broker_out text_out(const char *subject, const char *payload);

/* Many at once, to events.many with the ids many-<number>: they leave in few writes and all come back. */
struct tally {
    int calls, ok, other, duplicates;
    uint64_t last;
};
void publish_many(struct fixture *, int from, int to, struct tally *);

#endif
