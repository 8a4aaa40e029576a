/* bench/report.h - what a run of the bench measured, and how it is told. */
#ifndef KANAL_BENCH_REPORT_H
#define KANAL_BENCH_REPORT_H
#include <stddef.h>
#include <stdint.h>

#define ROUNDS_MAX 21

/* What was measured of one thing, a number a round. */
struct samples {
    double values[ROUNDS_MAX];
    int count;
};

struct service_samples {
    struct samples rate, p50_ms, p99_ms, cpu_us, broker_us;
};

#define FLEET 5000 /* channels of one plugin */

/* The plugin in a worker, and (inside) in the gateway's own process: updates a second. */
struct worker_results {
    struct samples inside_many, inside_one, many, one;
    double rss_mb, private_mb; /* of an idle worker */
    struct samples one_ready_ms, fleet_ready_ms, fleet_kb_each, one_rate, fleet_rate;
};

/* A million commands that lie ready, for 100,000 recipients of whom one answers after seconds. */
struct backlog_results {
    double rss_mb;                  /* highest resident size of the gateway */
    double first_half, second_half; /* messages a second */
    double slow_waits_s;            /* how much longer the slow recipient's messages took than all others' */
    uint64_t commands, recipients;  /* 0: not measured */
};

#define IDENTITY_LINKS 200000u
#define IDENTITY_PEOPLE 1000000u

/* The way in of a million customers, with links in memory and without: updates a second. */
struct identity_results {
    struct samples with, without, with_cpu_us, without_cpu_us;
    double memory_mb; /* what the links added to the resident size */
};

/* Events of a backlog that were projected, and merely read, a second. */
struct project_results {
    struct samples rate, raw_rate, cpu_us, broker_us;
};

struct results {
    int rounds;
    const char *node_reason; /* why nothing of Node was measured, or NULL */
    struct samples raw_rate, raw_asap_rate, out_rate, out_cpu_us, out_broker_us, curl_rate;
    struct service_samples kanal_many, kanal_one, node_many, node_one;
    struct samples kanal_start_ms, broker_start_ms;
    struct worker_results worker;
    struct backlog_results backlog;
    struct project_results project;
    struct identity_results identity;
    double rss_mb, node_rss_mb;
    size_t event_bytes, node_event_bytes; /* 0: there was none */
    const char *plugins_json;             /* what plugins-bench measured, a file with one object; or NULL */
};

void samples_add(struct samples *, double value);

/* On standard output: what was measured; the ratios beside their targets; both as one JSON line. */
void report_table(const struct results *);
void report_ratios(const struct results *);
/* The ratios of workers alone. */
void report_worker(const struct results *);
void report_backlog(const struct results *);
void report_project(const struct results *);
void report_identity(const struct results *);
void report_json(const struct results *);

#endif
