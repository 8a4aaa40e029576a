#include "project_part.h"

#include <stdio.h>
#include <stdlib.h>

#include "process.h"

#define EVENTS 60000u
#define NODES 6000u
#define PATIENCE_SECONDS 60

/* Facts are the last thing that is stored of an event. */
static double wait_for_facts(const struct project_part *part, pid_t kanal, uint64_t facts)
{
    double until = bench_seconds() + PATIENCE_SECONDS;
    while (raw_messages(part->raw, "KANAL_FACTS") < facts) {
        if (bench_seconds() > until || !process_lives(kanal)) {
            fprintf(stderr, "bench: the projector does not work off its backlog\n");
            exit(1);
        }
        bench_sleep_ms(5);
    }
    return bench_seconds();
}

static void measure_round(const struct project_part *part, int round, struct project_results *results)
{
    raw_purge(part->raw, "KANAL_EVENTS");
    raw_purge(part->raw, "KANAL_FACTS");
    raw_lay_events(part->raw, part->event, (unsigned)round, EVENTS, NODES);
    samples_add(&results->raw_rate, EVENTS / raw_consume(part->raw, "KANAL_EVENTS", EVENTS));
    pid_t kanal = part->start(part->user, 1);
    double first = wait_for_facts(part, kanal, 1), cpu = process_cpu_seconds(kanal);
    double broker_cpu = process_cpu_seconds(part->broker_pid);
    uint64_t told = raw_messages(part->raw, "KANAL_FACTS");
    double last = wait_for_facts(part, kanal, EVENTS), events = (double)(EVENTS - told);
    samples_add(&results->rate, events / (last - first));
    samples_add(&results->cpu_us, (process_cpu_seconds(kanal) - cpu) * 1e6 / events);
    samples_add(&results->broker_us, (process_cpu_seconds(part->broker_pid) - broker_cpu) * 1e6 / events);
    process_stop(kanal);
}

void project_part_run(const struct project_part *part, struct project_results *results)
{
    for (int i = 0; i < part->rounds; i++) {
        fprintf(stderr, "bench: projector: round %d of %d\n", i + 1, part->rounds);
        measure_round(part, i, results);
    }
    raw_purge(part->raw, "KANAL_EVENTS");
    raw_purge(part->raw, "KANAL_FACTS");
}
