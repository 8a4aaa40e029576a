/* bench/sink.h - the other end of the way out: an HTTP server that answers every POST at once with what Telegram would answer. It runs on a
 * thread of its own and serves both the gateway and the bare client. */
#ifndef KANAL_BENCH_SINK_H
#define KANAL_BENCH_SINK_H
#include <stdint.h>

struct sink;

/* NULL: it could not listen. */
struct sink *sink_start(void);
uint16_t sink_port(const struct sink *);
/* Calls of sendMessage so far. [any thread] */
uint64_t sink_messages(const struct sink *);
/* bench_seconds() when the last of them came, and when the first came after sink_reset(). [any thread] */
double sink_first_at(const struct sink *);
double sink_last_at(const struct sink *);
/* Counts from zero. */
void sink_reset(struct sink *);
/* From now on calls for this chat are answered after so long; 0: nobody's. [any thread] */
void sink_slow_chat(struct sink *, uint64_t chat_id, int delay_ms);
uint64_t sink_slow_messages(const struct sink *);
void sink_stop(struct sink *);

#endif
