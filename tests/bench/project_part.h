/* bench/project_part.h - how fast the projector works off what is stored, beside a reader that does nothing with it. */
#ifndef KANAL_BENCH_PROJECT_PART_H
#define KANAL_BENCH_PROJECT_PART_H
#include <stdint.h>
#include <sys/types.h>

#include "raw_publish.h"
#include "report.h"

struct project_part {
    struct raw *raw;
    const struct raw_event *event;            /* as the gateway stored one */
    pid_t (*start)(void *user, int projects); /* a gateway */
    void *user;
    pid_t broker_pid;
    int rounds;
};

/* A failure ends the bench. */
void project_part_run(const struct project_part *, struct project_results *);

#endif
