/* bench/raw_publish.h - the bench's own connection to the broker, by cnats alone: the ceiling of the way in, and what the way out needs laid
 * ready and counted. Every call waits; a failure ends the bench. */
#ifndef KANAL_BENCH_RAW_PUBLISH_H
#define KANAL_BENCH_RAW_PUBLISH_H
#include <stddef.h>
#include <stdint.h>

struct raw;

/* send_asap: without cnats' flusher thread, which is the faster way on some machines and the slower on others. */
struct raw *raw_connect(uint16_t port, int send_asap);
void raw_close(struct raw *);

/* A stored message, as it is published again. Freed with free(). */
struct raw_event {
    size_t payload_bytes;
    char subject[256];
    char payload[4096];
};
struct raw_event *raw_last_event(struct raw *, const char *stream);

/* js_PublishAsync of the same bytes for so long, each with a Nats-Msg-Id of its own, until all are confirmed. Messages a second. */
double raw_publish_run(struct raw *, const struct raw_event *, double seconds);

/* Lays `count` commands of `recipients` customers ready; ids begin with prefix. */
/* The first recipient is telegram:RAW_FIRST_RECIPIENT. */
#define RAW_FIRST_RECIPIENT 3527065
void raw_lay_commands(struct raw *, const char *channel, const char *prefix, size_t count, size_t recipients);

/* Lays `count` events as that one is, of `nodes` customers in turns, four of each, as a message and its steps come; each with an id of its own. */
void raw_lay_events(struct raw *, const struct raw_event *, unsigned round, size_t count, size_t nodes);
/* Pulls `count` messages of the stream from its beginning, in batches, each acknowledged; nothing is done with them. Seconds. */
double raw_consume(struct raw *, const char *stream, size_t count);

uint64_t raw_messages(struct raw *, const char *stream);
void raw_purge(struct raw *, const char *stream);

/* Stores a message under the subject, without an id; raw_settle() waits until all are confirmed. */
void raw_store(struct raw *, const char *subject, const char *payload, size_t bytes);
void raw_settle(struct raw *);

#endif
