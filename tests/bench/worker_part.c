#include "worker_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "process.h"

#define MANY 64
#define MANY_SECONDS 2.0
#define SINGLE_SECONDS 1.5
#define PATIENCE_SECONDS 30
#define FLEET_ROUNDS 3

/* One gateway of its own configuration. */
struct gateway {
    const struct worker_part *part;
    const char *name, *isolation;
    int channels;
    uint16_t http_port, admin_port;
    pid_t pid;
};

static void die(const char *what, const char *where)
{
    fprintf(stderr, "bench: workers: %s%s%s\n", what, where ? "; see " : "", where ? where : "");
    exit(1);
}

static void path_of(const struct gateway *g, const char *suffix, char path[512])
{
    snprintf(path, 512, "%s/%s.%s", g->part->directory, g->name, suffix);
}

/* The first channel is the one that is loaded. */
static void write_config(const struct gateway *g)
{
    const struct worker_part *part = g->part;
    char path[512];
    path_of(g, "yaml", path);
    FILE *file = fopen(path, "we");
    if (!file)
        die("cannot write a configuration", path);
    fprintf(file,
            "broker: { url: [\"nats://127.0.0.1:%u\"] }\n"
            "http: { listen: \"127.0.0.1:%u\" }\n"
            "admin: { listen: \"127.0.0.1:%u\" }\n"
            "data_dir: \"%s\"\n"
            "projector: { enabled: false }\n"
            "identity: { salt: \"sixteen bytes and more for the bench\" }\n"
            "log: { level: error }\n"
            "plugins: { path: [\"%s\"], telegram: { isolation: %s } }\n"
            "channels:\n",
            part->broker_port, g->http_port, g->admin_port, part->directory, part->plugins, g->isolation);
    for (int i = 0; i < g->channels; i++) {
        char id[64] = LOAD_CHANNEL;
        if (i > 0)
            snprintf(id, sizeof id, "fleet-%d", i);
        fprintf(file,
                "  - { id: %s, plugin: telegram, egress: [127.0.0.1],\n"
                "      settings: { mode: webhook, api_url: \"http://127.0.0.1:%u\" },\n"
                "      secrets: { token: \"77:token\", webhook: \"" LOAD_SECRET "\" } }\n",
                id, part->sink_port);
    }
    fclose(file);
}

static void gateway_start(struct gateway *g)
{
    char config[512], log[512];
    path_of(g, "yaml", config);
    path_of(g, "log", log);
    const char *const argv[] = { g->part->kanal, "run", "-c", config, NULL };
    g->pid = process_start(log, argv);
}

static void gateway_init(struct gateway *g, const struct worker_part *part, const char *name,
                         const char *isolation, int channels)
{
    *g = (struct gateway){ .part = part, .name = name, .isolation = isolation, .channels = channels };
    g->http_port = free_port();
    g->admin_port = free_port();
    write_config(g);
}

static void wait_until_served(const struct gateway *g)
{
    double until = bench_seconds() + PATIENCE_SECONDS;
    char log[512];
    path_of(g, "log", log);
    if (!wait_for_accept(g->http_port, until))
        die("a gateway does not listen", log);
    while (load_run(g->http_port, 1, 0.05).good == 0)
        if (bench_seconds() > until)
            die("no update is taken", log);
}

/* Until each channel's channel.up is stored: seconds from exec. */
static double start_until_up(struct gateway *g)
{
    char log[512];
    path_of(g, "log", log);
    raw_purge(g->part->raw, "KANAL_EVENTS");
    double from = bench_seconds();
    gateway_start(g);
    while (raw_messages(g->part->raw, "KANAL_EVENTS") < (uint64_t)g->channels) {
        if (bench_seconds() > from + PATIENCE_SECONDS || !process_lives(g->pid))
            die("its channels do not come up", log);
        bench_sleep_ms(2);
    }
    return bench_seconds() - from;
}

/* ---- In one process and in two ---- */

static double rate_of(const struct gateway *g, unsigned connections, double seconds)
{
    struct load_result result = load_run(g->http_port, connections, seconds);
    if (result.bad > 0)
        die("answers other than 200", g->part->directory);
    raw_purge(g->part->raw, "KANAL_EVENTS");
    return result.rate;
}

static void measure_memory(const struct gateway *g, struct worker_results *results)
{
    pid_t worker = process_child(g->pid);
    if (worker <= 0)
        die("the gateway has no worker", g->part->directory);
    results->rss_mb = process_status_mb(worker, "VmRSS:");
    results->private_mb = process_rollup_mb(worker, "Private_");
}

static void compare(const struct worker_part *part, struct worker_results *results)
{
    struct gateway inside, outside;
    gateway_init(&inside, part, "in-process", "none", 1);
    gateway_init(&outside, part, "worker", "worker", 1);
    gateway_start(&inside);
    gateway_start(&outside);
    wait_for_200(outside.admin_port, "/readyz", bench_seconds() + PATIENCE_SECONDS);
    bench_sleep_ms(300);
    measure_memory(&outside, results); /* idle: nothing was sent to it yet */
    wait_until_served(&inside);
    wait_until_served(&outside);
    rate_of(&inside, MANY, 1.0);
    rate_of(&outside, MANY, 1.0);
    for (int i = 0; i < part->rounds; i++) {
        fprintf(stderr, "bench: workers: round %d of %d\n", i + 1, part->rounds);
        samples_add(&results->inside_many, rate_of(&inside, MANY, MANY_SECONDS));
        samples_add(&results->many, rate_of(&outside, MANY, MANY_SECONDS));
        samples_add(&results->inside_one, rate_of(&inside, 1, SINGLE_SECONDS));
        samples_add(&results->one, rate_of(&outside, 1, SINGLE_SECONDS));
    }
    process_stop(inside.pid);
    process_stop(outside.pid);
}

/* ---- Thousands of channels ---- */

static double resident_mb(const struct gateway *g)
{
    return process_status_mb(g->pid, "VmRSS:") + process_status_mb(process_child(g->pid), "VmRSS:");
}

static void measure_fleet(const struct worker_part *part, struct worker_results *results)
{
    struct gateway one, fleet;
    gateway_init(&one, part, "one", "worker", 1);
    gateway_init(&fleet, part, "fleet", "worker", FLEET);
    for (int i = 0; i < FLEET_ROUNDS; i++) {
        fprintf(stderr, "bench: %d channels: round %d of %d\n", FLEET, i + 1, FLEET_ROUNDS);
        samples_add(&results->one_ready_ms, start_until_up(&one) * 1e3);
        samples_add(&results->fleet_ready_ms, start_until_up(&fleet) * 1e3);
        bench_sleep_ms(500);
        samples_add(&results->fleet_kb_each, (resident_mb(&fleet) - resident_mb(&one)) * 1024 / (FLEET - 1));
        wait_until_served(&one);
        wait_until_served(&fleet);
        samples_add(&results->one_rate, rate_of(&one, MANY, MANY_SECONDS));
        samples_add(&results->fleet_rate, rate_of(&fleet, MANY, MANY_SECONDS));
        process_stop(one.pid);
        process_stop(fleet.pid);
    }
}

void worker_part_run(const struct worker_part *part, struct worker_results *results)
{
    compare(part, results);
    measure_fleet(part, results);
}
