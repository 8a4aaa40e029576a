#include "ops/metrics.h"

#include <math.h>
#include <stdio.h>

#include "kanal/sdk/str.h"

#define METRIC_LABELS_MAX 4
#define METRIC_SERIES_MAX 100000

static const double bucket_bounds[] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                        0.25,   0.5,   1,      2.5,   5,    10,    30,   60 };
#define BUCKETS (sizeof bucket_bounds / sizeof *bucket_bounds)

struct series {
    struct metric metric;        /* first: a metric is its series. Of a histogram: the sum */
    struct series *next;         /* of the family, in the order that they came */
    struct series *next_in_slot; /* of the family's hash table */
    uint64_t hash;
    char *values[METRIC_LABELS_MAX];
    size_t lens[METRIC_LABELS_MAX];
    uint64_t count;
    uint64_t *buckets; /* of a histogram: BUCKETS of them, not cumulative */
};

struct metric_family {
    struct metrics *owner;
    struct metric_family *next;
    enum metric_kind kind;
    const char *name, *help;
    const char *const *labels;
    size_t label_count;
    struct series *first, *last;
    struct series **slots; /* a power of two */
    size_t slot_count, series_count;
    struct series *recent; /* the last one asked for: on the hot path it is the one as a rule */
};

struct metrics {
    struct metric_family *first, *last;
    size_t series_count;
    struct series spill; /* what does not fit is counted here, unseen */
};

int metrics_new(struct metrics **ret_metrics)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (!metrics)
        return KANAL_E_INTERNAL;
    *ret_metrics = metrics;
    return 0;
}

static void series_free(struct series *series)
{
    if (!series)
        return;
    for (size_t i = 0; i < METRIC_LABELS_MAX; i++)
        free(series->values[i]);
    free(series->buckets);
    free(series);
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (struct metric_family *family = metrics->first; family;) {
        for (struct series *series = family->first; series;) {
            struct series *next = series->next;
            series_free(series);
            series = next;
        }
        struct metric_family *next = family->next;
        free(family->slots);
        free(family);
        family = next;
    }
    free(metrics);
}

struct metric_family *metrics_family(struct metrics *metrics, enum metric_kind kind, const char *name,
                                     const char *help, const char *const *labels)
{
    for (struct metric_family *family = metrics->first; family; family = family->next)
        if (strcmp(family->name, name) == 0)
            return family;
    struct metric_family *family = calloc(1, sizeof *family);
    if (!family)
        return NULL;
    family->owner = metrics;
    family->kind = kind;
    family->name = name;
    family->help = help;
    family->labels = labels;
    while (labels && family->label_count < METRIC_LABELS_MAX && labels[family->label_count])
        family->label_count++;
    if (metrics->last)
        metrics->last->next = family;
    else
        metrics->first = family;
    metrics->last = family;
    return family;
}

static int same_values(const struct metric_family *family, const struct series *series,
                       const kanal_str *values)
{
    for (size_t i = 0; i < family->label_count; i++)
        if (!kanal_str_equal(values[i], kanal_str_of(series->values[i], series->lens[i])))
            return 0;
    return 1;
}

static struct series *series_new(const struct metric_family *family, const kanal_str *values)
{
    struct series *series = calloc(1, sizeof *series);
    if (!series)
        return NULL;
    for (size_t i = 0; i < family->label_count; i++) {
        if (!(series->values[i] = kanal_str_dup(values[i])))
            goto fail;
        series->lens[i] = values[i].len;
    }
    if (family->kind == METRIC_HISTOGRAM && !(series->buckets = calloc(BUCKETS, sizeof *series->buckets)))
        goto fail;
    return series;
fail:
    series_free(series);
    return NULL;
}

static uint64_t hash_of(const struct metric_family *family, const kanal_str *values)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < family->label_count; i++) {
        for (size_t at = 0; at < values[i].len; at++)
            hash = (hash ^ (unsigned char)values[i].ptr[at]) * 1099511628211u;
        hash = (hash ^ 0xff) * 1099511628211u; /* where one ends and the next begins */
    }
    return hash;
}

static void put_in_slot(struct metric_family *family, struct series *series)
{
    struct series **slot = &family->slots[series->hash & (family->slot_count - 1)];
    series->next_in_slot = *slot;
    *slot = series;
}

static int grow_slots(struct metric_family *family)
{
    if (family->series_count < family->slot_count)
        return 0;
    size_t count = family->slot_count ? family->slot_count * 2 : 4;
    struct series **slots = calloc(count, sizeof(struct series *));
    if (!slots)
        return -1;
    free(family->slots);
    family->slots = slots;
    family->slot_count = count;
    for (struct series *series = family->first; series; series = series->next)
        put_in_slot(family, series);
    return 0;
}

static struct series *find_series(const struct metric_family *family, const kanal_str *values, uint64_t hash)
{
    struct series *series = family->slot_count > 0 ? family->slots[hash & (family->slot_count - 1)] : NULL;
    while (series && (series->hash != hash || !same_values(family, series, values)))
        series = series->next_in_slot;
    return series;
}

struct metric *metric_series(struct metric_family *family, const kanal_str *values)
{
    if (family->recent && same_values(family, family->recent, values))
        return &family->recent->metric;
    uint64_t hash = hash_of(family, values);
    struct series *series = find_series(family, values, hash);
    struct metrics *metrics = family->owner;
    if (series) {
        family->recent = series;
        return &series->metric;
    }
    if (metrics->series_count >= METRIC_SERIES_MAX || grow_slots(family) != 0 ||
        !(series = series_new(family, values)))
        return &metrics->spill.metric;
    series->hash = hash;
    put_in_slot(family, series);
    if (family->last)
        family->last->next = series;
    else
        family->first = series;
    family->last = series;
    family->series_count++;
    metrics->series_count++;
    return &series->metric;
}

int metric_known(const struct metric_family *family, const kanal_str *values)
{
    return find_series(family, values, hash_of(family, values)) != NULL;
}

void metric_observe(struct metric_family *family, struct metric *metric, double seconds)
{
    struct series *series = (struct series *)metric;
    if (family->kind != METRIC_HISTOGRAM || !series->buckets)
        return;
    series->metric.value += seconds;
    series->count++;
    for (size_t i = 0; i < BUCKETS; i++)
        if (seconds <= bucket_bounds[i]) {
            series->buckets[i]++;
            break;
        }
}

static void take_from_slot(struct metric_family *family, const struct series *series)
{
    struct series **link = &family->slots[series->hash & (family->slot_count - 1)];
    while (*link != series)
        link = &(*link)->next_in_slot;
    *link = series->next_in_slot;
}

void metrics_forget(struct metrics *metrics, kanal_str first_label_value)
{
    for (struct metric_family *family = metrics->first; family; family = family->next) {
        struct series **link = &family->first;
        family->recent = family->last = NULL;
        while (*link) {
            struct series *series = *link;
            if (family->label_count > 0 && kanal_str_is(first_label_value, series->values[0])) {
                *link = series->next;
                take_from_slot(family, series);
                series_free(series);
                family->series_count--;
                metrics->series_count--;
            } else {
                family->last = series;
                link = &series->next;
            }
        }
    }
}

static void write_number(struct kanal_buffer *out, double number)
{
    char text[32];
    int n = fabs(number) < 1e15 && number == (double)(int64_t)number
                ? snprintf(text, sizeof text, "%.0f", number)
                : snprintf(text, sizeof text, "%.9g", number);
    kanal_buffer_append(out, text, n > 0 ? (size_t)n : 0);
}

/* Label values: backslash, quote and newline are escaped. */
static void write_labels(struct kanal_buffer *out, const struct metric_family *family,
                         const struct series *series, const char *le)
{
    if (family->label_count == 0 && !le)
        return;
    kanal_buffer_byte(out, '{');
    for (size_t i = 0; i < family->label_count; i++) {
        if (i > 0)
            kanal_buffer_byte(out, ',');
        kanal_buffer_text(out, family->labels[i]);
        kanal_buffer_text(out, "=\"");
        for (const char *c = series->values[i]; *c; c++) {
            if (*c == '\\' || *c == '"')
                kanal_buffer_byte(out, '\\');
            kanal_buffer_text(out, *c == '\n' ? "\\n" : (char[]){ *c, 0 });
        }
        kanal_buffer_byte(out, '"');
    }
    if (le) {
        kanal_buffer_text(out, family->label_count > 0 ? ",le=\"" : "le=\"");
        kanal_buffer_text(out, le);
        kanal_buffer_byte(out, '"');
    }
    kanal_buffer_byte(out, '}');
}

static void write_sample(struct kanal_buffer *out, const struct metric_family *family,
                         const struct series *series, const char *suffix, const char *le, double value)
{
    kanal_buffer_text(out, family->name);
    kanal_buffer_text(out, suffix);
    write_labels(out, family, series, le);
    kanal_buffer_byte(out, ' ');
    write_number(out, value);
    kanal_buffer_byte(out, '\n');
}

static void write_histogram(struct kanal_buffer *out, const struct metric_family *family,
                            const struct series *series)
{
    uint64_t cumulative = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        char le[32];
        cumulative += series->buckets[i];
        snprintf(le, sizeof le, "%g", bucket_bounds[i]);
        write_sample(out, family, series, "_bucket", le, (double)cumulative);
    }
    write_sample(out, family, series, "_bucket", "+Inf", (double)series->count);
    write_sample(out, family, series, "_sum", NULL, series->metric.value);
    write_sample(out, family, series, "_count", NULL, (double)series->count);
}

int metrics_write(const struct metrics *metrics, struct kanal_buffer *out)
{
    static const char *const kinds[] = { "counter", "gauge", "histogram" };
    for (const struct metric_family *family = metrics->first; family; family = family->next) {
        kanal_buffer_text(out, "# HELP ");
        kanal_buffer_text(out, family->name);
        kanal_buffer_byte(out, ' ');
        kanal_buffer_text(out, family->help);
        kanal_buffer_text(out, "\n# TYPE ");
        kanal_buffer_text(out, family->name);
        kanal_buffer_byte(out, ' ');
        kanal_buffer_text(out, kinds[family->kind]);
        kanal_buffer_byte(out, '\n');
        for (const struct series *series = family->first; series; series = series->next) {
            if (family->kind == METRIC_HISTOGRAM)
                write_histogram(out, family, series);
            else
                write_sample(out, family, series, "", NULL, series->metric.value);
        }
    }
    return out->failed ? KANAL_E_INTERNAL : 0;
}
