/* bench/identity_part.h - what recognising customers costs the way in: two gateways with a million customers each, one of which has 200,000 links in
 * memory, in turns. */
#ifndef KANAL_BENCH_IDENTITY_PART_H
#define KANAL_BENCH_IDENTITY_PART_H
#include "worker_part.h"

/* A failure ends the bench. */
void identity_part_run(const struct worker_part *, struct identity_results *);

#endif
