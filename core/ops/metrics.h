/* ops/metrics.h - counters, gauges and histograms, written as Prometheus text (exposition format 0.0.4).
 *
 * A family is declared once; a series is a family with label values, found once and kept by its user, so that counting
 * is one addition. Everything is [loop]. */
#ifndef KANAL_OPS_METRICS_H
#define KANAL_OPS_METRICS_H
#include <stddef.h>
#include <stdint.h>
#include "kanal/plugin.h"
#include "kanal/sdk/buffer.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metrics;
struct metric_family;
struct metric { /* one series; add to value directly, or use metric_observe() */
    double value;
};

int metrics_new(struct metrics **ret_metrics);
void metrics_free(struct metrics *);

/* labels: names, NULL-ended, at most 4, static like name and help. Histogram buckets are those of seconds, 0.0005 to 60.
 * The same name again gives the same family. */
struct metric_family *metrics_family(struct metrics *, enum metric_kind, const char *name, const char *help,
                                     const char *const *labels);
/* values: as many as labels; copied. Never NULL: out of memory or over 100,000 series gives a common spill series. */
struct metric *metric_series(struct metric_family *, const kanal_str *values);
/* 1: there is such a series. */
int metric_known(const struct metric_family *, const kanal_str *values);
void metric_observe(struct metric_family *, struct metric *, double seconds);
/* Drops every series whose first label value is this (a removed channel). */
void metrics_forget(struct metrics *, kanal_str first_label_value);

/* Appends the exposition text. */
int metrics_write(const struct metrics *, struct kanal_buffer *out);

#endif
