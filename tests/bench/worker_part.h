/* bench/worker_part.h - what a worker costs: the way in with the plugin in a worker beside the same with it in the gateway's own process, its
 * memory, and thousands of channels of one plugin. */
#ifndef KANAL_BENCH_WORKER_PART_H
#define KANAL_BENCH_WORKER_PART_H
#include <stdint.h>

#include "raw_publish.h"
#include "report.h"

struct worker_part {
    const char *kanal, *plugins, *directory;
    uint16_t broker_port, sink_port;
    struct raw *raw;
    int rounds;
};

/* A failure ends the bench. */
void worker_part_run(const struct worker_part *, struct worker_results *);

#endif
