/* Medians of the rounds, ratios within a round, and the tables made of them. */
#include <stdio.h>
#include <stdlib.h>

#include "report.h"

void samples_add(struct samples *s, double value)
{
    s->values[s->count++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct spread {
    double median, min, max;
};

static struct spread spread_of(const struct samples *s)
{
    struct samples sorted = *s;
    if (s->count == 0)
        return (struct spread){ 0 };
    qsort(sorted.values, (size_t)s->count, sizeof(double), compare);
    return (struct spread){ sorted.values[s->count / 2], sorted.values[0], sorted.values[s->count - 1] };
}

/* Round by round. */
static struct samples ratio_of(const struct samples *a, const struct samples *b)
{
    struct samples ratios = { 0 };
    for (int i = 0; i < a->count && i < b->count; i++)
        samples_add(&ratios, a->values[i] / b->values[i]);
    return ratios;
}

/* ---- What is told ---- */

/* Median, least and most; then what is known besides. Nothing of what was not measured. */
static void line(const char *name, int digits, const struct samples *samples, const struct samples *cpu,
                 const struct samples *broker, const struct service_samples *latency)
{
    struct spread s = spread_of(samples);
    if (samples->count == 0)
        return;
    printf("%-34s", name);
    printf(" %9.*f %9.*f %9.*f", digits, s.median, digits, s.min, digits, s.max);
    if (cpu && broker)
        printf(" %8.1f %8.1f", spread_of(cpu).median, spread_of(broker).median);
    if (latency)
        printf(" %7.2f %7.2f", spread_of(&latency->p50_ms).median, spread_of(&latency->p99_ms).median);
    printf("\n");
}

static void service_line(const char *name, const struct service_samples *s)
{
    line(name, 0, &s->rate, &s->cpu_us, &s->broker_us, s);
}

void report_table(const struct results *b)
{
    printf("\n%-34s %9s %9s %9s %8s %8s %7s %7s\n", "", "", "", "", "CPU us", "broker's", "", "");
    printf("%-34s %9s %9s %9s %8s %8s %7s %7s\n", "a second", "median", "min", "max", "each", "CPU us",
           "p50 ms", "p99 ms");
    line("raw js_PublishAsync", 0, &b->raw_rate, NULL, NULL, NULL);
    line("raw js_PublishAsync, SendAsap", 0, &b->raw_asap_rate, NULL, NULL, NULL);
    service_line("way in, 64 connections: Kanal", &b->kanal_many);
    service_line("way in, 64 connections: Node", &b->node_many);
    service_line("way in, 1 connection: Kanal", &b->kanal_one);
    service_line("way in, 1 connection: Node", &b->node_one);
    line("way out, 64 at once: Kanal", 0, &b->out_rate, &b->out_cpu_us, &b->out_broker_us, NULL);
    line("way out, 64 at once: bare libcurl", 0, &b->curl_rate, NULL, NULL, NULL);
    line("way in, 64: in its own process", 0, &b->worker.inside_many, NULL, NULL, NULL);
    line("way in, 64: in a worker", 0, &b->worker.many, NULL, NULL, NULL);
    line("way in, 1: in its own process", 0, &b->worker.inside_one, NULL, NULL, NULL);
    line("way in, 1: in a worker", 0, &b->worker.one, NULL, NULL, NULL);
    line("way in, 64: one channel", 0, &b->worker.one_rate, NULL, NULL, NULL);
    line("way in, 64: one of 5,000", 0, &b->worker.fleet_rate, NULL, NULL, NULL);
    line("events projected", 0, &b->project.rate, &b->project.cpu_us, &b->project.broker_us, NULL);
    line("events read by a raw consumer", 0, &b->project.raw_rate, NULL, NULL, NULL);
    printf("milliseconds\n");
    line("exec to up: one channel", 1, &b->worker.one_ready_ms, NULL, NULL, NULL);
    line("exec to up: 5,000 channels", 1, &b->worker.fleet_ready_ms, NULL, NULL, NULL);
    line("exec to ready: kanal", 1, &b->kanal_start_ms, NULL, NULL, NULL);
    line("exec to accepting: nats-server", 1, &b->broker_start_ms, NULL, NULL, NULL);
    if (b->event_bytes == 0)
        return;
    printf("highest resident size: Kanal %.1f MB", b->rss_mb);
    if (!b->node_reason)
        printf(", Node %.1f MB", b->node_rss_mb);
    printf("; the event: Kanal's %zu bytes", b->event_bytes);
    if (!b->node_reason)
        printf(", Node's %zu", b->node_event_bytes);
    printf("; %d rounds\n", b->rounds);
}

/* A value with what is demanded of it. */
static void judge(const char *name, struct spread s, double target, int is_limit)
{
    int met = is_limit ? s.median <= target : s.median >= target;
    printf("%-32s %8.2f %8.2f %8.2f   %s %-5g %s\n", name, s.median, s.min, s.max,
           is_limit ? "<=" : ">=", target, met ? "met" : "MISSED");
}

struct ratios {
    struct spread raw, node, single, curl, start;
    struct spread worker, worker_single, worker_rss, worker_private;
    struct spread fleet_kb, fleet_ready, fleet_rate;
};

static struct spread spread_of_one(double value)
{
    return (struct spread){ value, value, value };
}

static void add_worker_ratios(const struct worker_results *w, struct ratios *r)
{
    struct samples many = ratio_of(&w->many, &w->inside_many), one = ratio_of(&w->one, &w->inside_one);
    struct samples ready = ratio_of(&w->fleet_ready_ms, &w->one_ready_ms);
    struct samples rate = ratio_of(&w->fleet_rate, &w->one_rate);
    r->worker = spread_of(&many);
    r->worker_single = spread_of(&one);
    r->worker_rss = spread_of_one(w->rss_mb);
    r->worker_private = spread_of_one(w->private_mb);
    r->fleet_kb = spread_of(&w->fleet_kb_each);
    r->fleet_ready = spread_of(&ready);
    r->fleet_rate = spread_of(&rate);
}

static struct ratios ratios_of(const struct results *b)
{
    /* The ceiling is the better of the two ways. */
    int asap = spread_of(&b->raw_asap_rate).median > spread_of(&b->raw_rate).median;
    struct samples raw = ratio_of(&b->kanal_many.rate, asap ? &b->raw_asap_rate : &b->raw_rate);
    struct samples node = ratio_of(&b->kanal_many.rate, &b->node_many.rate);
    struct samples single = ratio_of(&b->kanal_one.rate, &b->node_one.rate);
    struct samples curl = ratio_of(&b->out_rate, &b->curl_rate);
    struct samples start = ratio_of(&b->kanal_start_ms, &b->broker_start_ms);
    struct ratios ratios = { .raw = spread_of(&raw),
                             .node = spread_of(&node),
                             .single = spread_of(&single),
                             .curl = spread_of(&curl),
                             .start = spread_of(&start) };
    add_worker_ratios(&b->worker, &ratios);
    return ratios;
}

static void judge_worker(const struct ratios *r)
{
    judge("worker.ratio_inprocess", r->worker, 0.9, 0);
    judge("worker_single.ratio_inprocess", r->worker_single, 0.7, 0);
    judge("worker.rss_mb", r->worker_rss, 6, 1);
    judge("worker.private_mb", r->worker_private, 2, 1);
    judge("fleet.kb_each", r->fleet_kb, 20, 1);
    judge("fleet.ratio_ready", r->fleet_ready, 50, 1);
    judge("fleet.ratio_message", r->fleet_rate, 0.9, 0);
}

void report_worker(const struct results *b)
{
    struct ratios ratios = ratios_of(b);
    judge_worker(&ratios);
}

/* The same bench before the delivery engine (leases, log of attempts, ledger, receipts): medians of five rounds on idle cores. */
#define RATIO_RAW_BEFORE 0.34
#define RATIO_CURL_BEFORE 0.28

static struct spread divided(struct spread s, double by)
{
    return (struct spread){ s.median / by, s.min / by, s.max / by };
}

void report_backlog(const struct results *b)
{
    const struct backlog_results *l = &b->backlog;
    if (l->commands == 0)
        return;
    printf("\nbacklog of %llu commands for %llu recipients: %.0f a second in its first half, %.0f in the "
           "second; one recipient "
           "answers after seconds: its last message came %.0f s after all others'\n",
           (unsigned long long)l->commands, (unsigned long long)l->recipients, l->first_half, l->second_half,
           l->slow_waits_s);
    judge("backlog.ratio_steady", spread_of_one(l->second_half / l->first_half), 0.8, 0);
    judge("backlog.rss_mb", spread_of_one(l->rss_mb), 150, 1);
}

static struct spread identity_ratio(const struct results *b)
{
    struct samples ratio = ratio_of(&b->identity.with, &b->identity.without);
    return spread_of(&ratio);
}

void report_identity(const struct results *b)
{
    if (b->identity.with.count == 0)
        return;
    const struct identity_results *r = &b->identity;
    printf("\n%u customers, %u links: %.0f updates a second of %.1f us each, without links %.0f of %.1f us; "
           "%.1f MB more\n",
           IDENTITY_PEOPLE, IDENTITY_LINKS, spread_of(&r->with).median, spread_of(&r->with_cpu_us).median,
           spread_of(&r->without).median, spread_of(&r->without_cpu_us).median, r->memory_mb);
    judge("identity.ratio_inbound", identity_ratio(b), 0.95, 0);
}

/* One of the two is demanded. */
void report_project(const struct results *b)
{
    struct samples ratio = ratio_of(&b->project.rate, &b->project.raw_rate);
    if (ratio.count == 0)
        return;
    judge("projector.ratio_raw", spread_of(&ratio), 0.5, 0);
    judge("  or projector.per_second", spread_of(&b->project.rate), 20000, 0);
}

void report_ratios(const struct results *b)
{
    struct ratios ratios = ratios_of(b), *r = &ratios;
    struct spread rss = { b->rss_mb, b->rss_mb, b->rss_mb };
    printf("\n%-32s %8s %8s %8s   target\n", "ratio, round by round", "median", "min", "max");
    judge("inbound.ratio_raw", r->raw, 0.40, 0);
    if (!b->node_reason) {
        judge("inbound.ratio_node", r->node, 5, 0);
        judge("inbound_single.ratio_node", r->single, 2, 0);
    } else {
        printf("inbound.ratio_node, inbound_single.ratio_node: not measured: %s\n", b->node_reason);
    }
    judge("outbound.ratio_curl", r->curl, 0.45, 0);
    judge("rss_mb", rss, 25, 1);
    judge("start.ratio_broker", r->start, 1, 1);
    judge("engine.ratio_in", divided(r->raw, RATIO_RAW_BEFORE), 0.75, 0);
    judge("engine.ratio_out", divided(r->curl, RATIO_CURL_BEFORE), 0.75, 0);
    judge_worker(r);
    report_backlog(b);
    report_project(b);
    report_identity(b);
}

static void json_ratio(const char *name, const struct results *b, struct spread s)
{
    if (!b->node_reason)
        printf("\"%s\":%.3f", name, s.median);
    else
        printf("\"%s\":null", name);
}

/* "plugins": the file's object, as it stands. */
static void json_plugins(const char *path)
{
    char chunk[4096];
    FILE *file = path ? fopen(path, "re") : NULL;
    if (!file)
        return;
    printf("\"plugins\":");
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, file)) > 0;)
        fwrite(chunk, 1, n, stdout);
    printf(",");
    fclose(file);
}

void report_json(const struct results *b)
{
    struct ratios ratios = ratios_of(b), *r = &ratios;
    printf("{");
    json_plugins(b->plugins_json);
    printf("\"inbound\":{\"ratio_raw\":%.3f,", r->raw.median);
    json_ratio("ratio_node", b, r->node);
    printf("},\"inbound_single\":{");
    json_ratio("ratio_node", b, r->single);
    printf("},\"outbound\":{\"ratio_curl\":%.3f},\"rss_mb\":%.1f,\"start\":{\"ratio_broker\":%.3f},",
           r->curl.median, b->rss_mb, r->start.median);
    printf(
        "\"worker\":{\"ratio_inprocess\":%.3f,\"rss_mb\":%.2f,\"private_mb\":%.2f},\"worker_single\":{"
        "\"ratio_inprocess\":%.3f},\"fleet\":{\"channels\":%d,\"kb_each\":%.1f,\"ratio_ready\":%.1f,\"ratio_"
        "message\":%.3f},",
        r->worker.median, b->worker.rss_mb, b->worker.private_mb, r->worker_single.median, FLEET,
        r->fleet_kb.median, r->fleet_ready.median, r->fleet_rate.median);
    printf("\"engine\":{\"ratio_in\":%.3f,\"ratio_out\":%.3f},", r->raw.median / RATIO_RAW_BEFORE,
           r->curl.median / RATIO_CURL_BEFORE);
    struct samples projector = ratio_of(&b->project.rate, &b->project.raw_rate);
    printf("\"projector\":{\"ratio_raw\":%.3f,\"per_second\":%.0f},", spread_of(&projector).median,
           spread_of(&b->project.rate).median);
    printf("\"backlog\":{\"commands\":%llu,\"rss_mb\":%.1f,\"ratio_steady\":%.3f},",
           (unsigned long long)b->backlog.commands, b->backlog.rss_mb,
           b->backlog.first_half > 0 ? b->backlog.second_half / b->backlog.first_half : 0);
    printf("\"identity\":{\"links\":%u,\"ratio_inbound\":%.3f,\"memory_mb\":%.1f},", IDENTITY_LINKS,
           identity_ratio(b).median, b->identity.memory_mb);
    if (b->node_reason)
        printf("\"node_reason\":\"%s\",", b->node_reason);
    printf("\"per_second\":{\"raw\":%.0f,\"raw_asap\":%.0f,\"inbound\":%.0f,\"inbound_node\":%.0f,\"inbound_"
           "single\":%.0f,"
           "\"inbound_single_node\":%.0f,\"outbound\":%.0f,\"curl\":%.0f},",
           spread_of(&b->raw_rate).median, spread_of(&b->raw_asap_rate).median,
           spread_of(&b->kanal_many.rate).median, spread_of(&b->node_many.rate).median,
           spread_of(&b->kanal_one.rate).median, spread_of(&b->node_one.rate).median,
           spread_of(&b->out_rate).median, spread_of(&b->curl_rate).median);
    printf("\"cpu_us\":{\"inbound\":%.1f,\"inbound_node\":%.1f,\"outbound\":%.1f},\"start_ms\":{\"kanal\":%."
           "1f,\"nats_server\":%.1f}}\n",
           spread_of(&b->kanal_many.cpu_us).median, spread_of(&b->node_many.cpu_us).median,
           spread_of(&b->out_cpu_us).median, spread_of(&b->kanal_start_ms).median,
           spread_of(&b->broker_start_ms).median);
}
