/* bench/load.h - the load: Telegram's webhook requests over kept connections, each with an update of its own. */
#ifndef KANAL_BENCH_LOAD_H
#define KANAL_BENCH_LOAD_H
#include <stdint.h>

#define LOAD_UPDATE_BYTES 795
#define LOAD_CHANNEL "shop-telegram"
#define LOAD_SECRET "the-secret-of-the-bench"

struct load_result {
    double rate;           /* answers 200 a second */
    double p50_ms, p99_ms; /* from the request's first byte sent to the answer's last byte read */
    uint64_t good, bad;    /* answers 200, and all others */
};

/* POSTs updates to 127.0.0.1:port for so long, each connection one at a time, and waits for the answers. Ids are never used twice
 * while the bench runs. */
struct load_result load_run(uint16_t port, unsigned connections, double seconds);

/* From now on the updates come from so many customers, telegram:LOAD_FIRST_PERSON and those after it, in no order; 0: from one, as at
 * first. At most 7,000,000. */
#define LOAD_FIRST_PERSON 3000000u
void load_people(uint32_t count);

#endif
