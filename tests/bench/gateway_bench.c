/* Kanal, the raw broker, a Node service and a bare HTTP client side by side, in one run on one machine. `./dev bench` builds and runs it.
 *
 * What a machine does in a second changes from minute to minute, and here all peers, the load and the broker share it. So the peers take
 * turns in short rounds, a ratio is taken within each round, and the median of the rounds counts.
 *
 *   way in   795-byte Telegram updates over HTTP; 200 only after JetStream (file storage) has confirmed the event. Compared with publishing the
 *            very event that Kanal stored, without HTTP and JSON (raw), and with a Node service that does the same job (node/service.mjs).
 *   way out  commands that lie ready in the stream; each becomes a POST to a local sink, two status events and two acknowledgements. The
 *            clock runs from the first POST until every stream of work is empty. Compared with libcurl alone, POSTing to the same sink.
 *   backlog  a million commands for 100,000 recipients, one of whom answers after seconds: how steadily they are worked off, in how much
 *            memory, and whether the slow one delays the others.
 *   workers  the way in once more, with the plugin in a worker and in the gateway's own process, as in all the other parts; the memory of an idle
 *            worker; one channel and 5,000 of one plugin: memory, time from exec until each is up, and the way in of one of them.
 *   project  60,000 stored events of 6,000 customers (four of each in a row, as a message and its steps are), folded into profiles and facts by the projector; compared with a consumer that pulls them in
 *            the same batches and does nothing. In all other parts nobody projects.
 *   identity the way in of a million customers, with 200,000 links between addresses in memory and without.
 *   start    exec to GET /readyz 200, against a running broker; compared with nats-server's exec to its first accepted connection.
 *
 * Everything is on loopback, in a scratch folder, and is ended with the bench. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bare_curl.h"
#include "identity_part.h"
#include "load.h"
#include "process.h"
#include "project_part.h"
#include "raw_publish.h"
#include "report.h"
#include "sink.h"
#include "worker_part.h"

#define STARTS ROUNDS_MAX
#define MANY 64 /* connections of the way in, requests at once of the way out */
#define ROUND_SECONDS 3.0
#define SINGLE_SECONDS 2.0
#define RAW_SECONDS 1.5
#define COMMANDS 30000
#define RECIPIENTS 2048
#define PATIENCE_SECONDS 30
#define BACKLOG_COMMANDS 1000000u
#define BACKLOG_RECIPIENTS 100000u
#define BACKLOG_PATIENCE_SECONDS 400
#define SLOW_MS 3000
#define RUN_SECONDS_MAX 1200u

static const char curl_body[] = "{\"chat_id\":3527065,\"text\":\"Your order 12345 is on its way; it will be "
                                "with you tomorrow before noon.\"}";

struct bench {
    const char *kanal, *plugins, *directory;
    const char *node; /* the folder of the service, or NULL */
    const char *
        only; /* start, in, out, backlog, worker, project or identity: only this part, for whoever makes it faster; or NULL */
    int with_json;
    uint16_t broker_port, http_port, admin_port, node_port;
    pid_t broker_pid, kanal_pid, node_pid;
    struct raw *raw, *raw_asap;
    struct raw_event *event;
    struct sink *sink;
    struct results results;
};

static void progress(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
}

static void die(const char *what, const char *where)
{
    fprintf(stderr, "bench: %s%s%s\n", what, where ? "; see " : "", where ? where : "");
    exit(1);
}

static const char *in_directory(const struct bench *b, const char *name, char path[512])
{
    snprintf(path, 512, "%s/%s", b->directory, name);
    return path;
}

/* ---- The programs ---- */

static pid_t start_broker(const struct bench *b, const char *name, uint16_t port)
{
    char folder[512], config[520], log[520];
    in_directory(b, name, folder);
    mkdir(folder, 0700);
    snprintf(config, sizeof config, "%s.conf", folder);
    snprintf(log, sizeof log, "%s.log", folder);
    FILE *file = fopen(config, "we");
    if (!file)
        die("cannot write the broker's configuration", config);
    fprintf(file, "listen: 127.0.0.1:%u\njetstream { store_dir: \"%s\" }\n", port, folder);
    fclose(file);
    const char *binary = getenv("NATS_SERVER");
    const char *const argv[] = { binary && *binary ? binary : "nats-server", "-c", config, NULL };
    return process_start(log, argv);
}

static void write_kanal_config(const struct bench *b, int projects)
{
    char path[512];
    FILE *file = fopen(in_directory(b, "kanal.yaml", path), "we");
    if (!file)
        die("cannot write Kanal's configuration", path);
    fprintf(file,
            "broker: { url: [\"nats://127.0.0.1:%u\"] }\n"
            "http: { listen: \"127.0.0.1:%u\" }\n"
            "admin: { listen: \"127.0.0.1:%u\" }\n"
            "data_dir: \"%s\"\n"
            "projector: { enabled: %s }\n"
            "identity: { salt: \"sixteen bytes and more for the bench\" }\n"
            "plugins: { path: [\"%s\"], telegram: { isolation: none } }\n"
            "channels:\n"
            "  - id: " LOAD_CHANNEL "\n"
            "    plugin: telegram\n"
            "    settings: { mode: webhook, api_url: \"http://127.0.0.1:%u\" }\n"
            "    egress: [127.0.0.1]\n"
            "    rate: { per_second: 1000000, per_recipient_second: 1000000 } # of the gateway, not of what "
            "Telegram allows\n"
            "    secrets: { token: \"77:token\", webhook: \"" LOAD_SECRET "\" }\n",
            b->broker_port, b->http_port, b->admin_port, b->directory, projects ? "true" : "false",
            b->plugins, sink_port(b->sink));
    fclose(file);
}

static pid_t start_kanal(const struct bench *b)
{
    char config[512], log[512];
    in_directory(b, "kanal.yaml", config);
    in_directory(b, "kanal.log", log);
    const char *const argv[] = { b->kanal, "run", "-c", config, NULL };
    return process_start(log, argv);
}

static pid_t start_node(const struct bench *b)
{
    char script[512], log[512], port[8], broker[64];
    snprintf(script, sizeof script, "%s/service.mjs", b->node);
    snprintf(port, sizeof port, "%u", b->node_port);
    snprintf(broker, sizeof broker, "nats://127.0.0.1:%u", b->broker_port);
    in_directory(b, "node.log", log);
    setenv("BENCH_PORT", port, 1);
    setenv("BENCH_BROKER", broker, 1);
    setenv("BENCH_SECRET", LOAD_SECRET, 1);
    setenv("BENCH_CHANNEL", LOAD_CHANNEL, 1);
    setenv("NODE_ENV", "production", 1);
    const char *const argv[] = { "node", script, NULL };
    return process_start(log, argv);
}

static void wait_until_served(uint16_t port, const char *who)
{
    double until = bench_seconds() + PATIENCE_SECONDS;
    if (!wait_for_accept(port, until))
        die("does not listen", who);
    while (load_run(port, 1, 0.1).good == 0)
        if (bench_seconds() > until)
            die("no update is taken", who);
}

/* Kanal makes them when it runs for the first time. */
static void make_streams(struct bench *b)
{
    char path[512];
    pid_t kanal = start_kanal(b);
    wait_until_served(b->http_port, in_directory(b, "kanal.log", path));
    process_stop(kanal);
}

/* ---- Start ---- */

static void measure_starts(struct bench *b)
{
    char name[64];
    progress("start: exec to ready");
    for (int i = 0; i < STARTS; i++) {
        uint16_t port = free_port();
        snprintf(name, sizeof name, "broker-start-%d", i);
        double from = bench_seconds();
        pid_t broker = start_broker(b, name, port);
        if (!wait_for_accept(port, from + PATIENCE_SECONDS))
            die("nats-server does not start", b->directory);
        samples_add(&b->results.broker_start_ms, (bench_seconds() - from) * 1e3);
        process_stop(broker);
        from = bench_seconds();
        pid_t kanal = start_kanal(b);
        if (!wait_for_200(b->admin_port, "/readyz", from + PATIENCE_SECONDS))
            die("kanal does not get ready", b->directory);
        samples_add(&b->results.kanal_start_ms, (bench_seconds() - from) * 1e3);
        process_stop(kanal);
    }
}

/* ---- The way in ---- */

static void measure_service(struct bench *b, struct service_samples *samples, pid_t pid, uint16_t port,
                            unsigned connections, double seconds)
{
    double cpu = process_cpu_seconds(pid), broker_cpu = process_cpu_seconds(b->broker_pid);
    struct load_result result = load_run(port, connections, seconds);
    if (result.bad > 0)
        die("answers other than 200", b->directory);
    double done = (double)result.good;
    samples_add(&samples->rate, result.rate);
    samples_add(&samples->p50_ms, result.p50_ms);
    samples_add(&samples->p99_ms, result.p99_ms);
    samples_add(&samples->cpu_us, (process_cpu_seconds(pid) - cpu) * 1e6 / done);
    samples_add(&samples->broker_us, (process_cpu_seconds(b->broker_pid) - broker_cpu) * 1e6 / done);
    raw_purge(b->raw, "KANAL_EVENTS");
}

static void start_services(struct bench *b)
{
    char path[512];
    b->kanal_pid = start_kanal(b);
    wait_until_served(b->http_port, in_directory(b, "kanal.log", path));
    load_run(b->http_port, MANY, 1.0);
    b->event = raw_last_event(b->raw, "KANAL_EVENTS");
    b->results.event_bytes = b->event->payload_bytes;
    if (!b->node)
        return;
    b->node_pid = start_node(b);
    wait_until_served(b->node_port, in_directory(b, "node.log", path));
    load_run(b->node_port, MANY, 2.0); /* its code is compiled as it runs */
    struct raw_event *event = raw_last_event(b->raw, "KANAL_EVENTS");
    b->results.node_event_bytes = event->payload_bytes;
    free(event);
    raw_purge(b->raw, "KANAL_EVENTS");
}

static void measure_inbound(struct bench *b)
{
    progress("way in: warming up");
    start_services(b);
    for (int i = 0; i < b->results.rounds; i++) {
        fprintf(stderr, "bench: way in: round %d of %d\n", i + 1, b->results.rounds);
        samples_add(&b->results.raw_rate, raw_publish_run(b->raw, b->event, RAW_SECONDS));
        raw_purge(b->raw, "KANAL_EVENTS");
        measure_service(b, &b->results.kanal_many, b->kanal_pid, b->http_port, MANY, ROUND_SECONDS);
        if (b->node)
            measure_service(b, &b->results.node_many, b->node_pid, b->node_port, MANY, ROUND_SECONDS);
        measure_service(b, &b->results.kanal_one, b->kanal_pid, b->http_port, 1, SINGLE_SECONDS);
        if (b->node)
            measure_service(b, &b->results.node_one, b->node_pid, b->node_port, 1, SINGLE_SECONDS);
        samples_add(&b->results.raw_asap_rate, raw_publish_run(b->raw_asap, b->event, RAW_SECONDS));
        raw_purge(b->raw, "KANAL_EVENTS");
    }
    b->results.rss_mb = process_status_mb(b->kanal_pid, "VmHWM:");
    b->results.node_rss_mb = process_status_mb(b->node_pid, "VmHWM:");
    process_stop(b->node_pid);
    process_stop(b->kanal_pid);
    b->node_pid = b->kanal_pid = 0;
}

/* ---- The way out ---- */

/* Nothing is left in the streams of work: all is acknowledged. */
static int all_done(struct bench *b)
{
    return raw_messages(b->raw, "KANAL_COMMANDS") == 0 && raw_messages(b->raw, "KANAL_LANES") == 0;
}

static void outbound_round(struct bench *b, int round)
{
    char prefix[32];
    snprintf(prefix, sizeof prefix, "out-%d", round);
    raw_lay_commands(b->raw, LOAD_CHANNEL, prefix, COMMANDS, RECIPIENTS);
    raw_purge(b->raw, "KANAL_EVENTS");
    sink_reset(b->sink);
    pid_t kanal = start_kanal(b);
    double until = bench_seconds() + PATIENCE_SECONDS, broker_cpu = process_cpu_seconds(b->broker_pid);
    while (sink_messages(b->sink) < COMMANDS || !all_done(b)) {
        if (bench_seconds() > until || !process_lives(kanal))
            die("commands are not delivered", b->directory);
        bench_sleep_ms(10);
    }
    double took = bench_seconds() - sink_first_at(b->sink);
    samples_add(&b->results.out_rate, COMMANDS / took);
    samples_add(&b->results.out_cpu_us, process_cpu_seconds(kanal) * 1e6 / COMMANDS);
    samples_add(&b->results.out_broker_us,
                (process_cpu_seconds(b->broker_pid) - broker_cpu) * 1e6 / COMMANDS);
    uint64_t events = raw_messages(b->raw, "KANAL_EVENTS") - 1,
             posts = sink_messages(b->sink); /* the one is channel.up */
    if (events != 2 * COMMANDS || posts != COMMANDS)
        die("not what was to be done", b->directory);
    process_stop(kanal);
}

static void measure_outbound(struct bench *b)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/bot77:token/sendMessage", sink_port(b->sink));
    for (int i = 0; i < b->results.rounds; i++) {
        fprintf(stderr, "bench: way out: round %d of %d\n", i + 1, b->results.rounds);
        samples_add(&b->results.curl_rate, bare_curl_run(url, curl_body, MANY, COMMANDS));
        outbound_round(b, i);
    }
}

/* ---- A backlog ---- */

static double wait_for_messages(struct bench *b, pid_t kanal, uint64_t messages)
{
    double until = bench_seconds() + BACKLOG_PATIENCE_SECONDS;
    while (sink_messages(b->sink) < messages) {
        if (bench_seconds() > until || !process_lives(kanal))
            die("the backlog is not worked off", b->directory);
        bench_sleep_ms(5);
    }
    return bench_seconds();
}

static void measure_backlog(struct bench *b)
{
    struct backlog_results *l = &b->results.backlog;
    uint64_t slow = BACKLOG_COMMANDS / BACKLOG_RECIPIENTS, others = BACKLOG_COMMANDS - slow;
    progress("backlog: laying a million commands");
    raw_lay_commands(b->raw, LOAD_CHANNEL, "backlog", BACKLOG_COMMANDS, BACKLOG_RECIPIENTS);
    sink_reset(b->sink);
    sink_slow_chat(b->sink, RAW_FIRST_RECIPIENT, SLOW_MS);
    progress("backlog: working it off");
    pid_t kanal = start_kanal(b);
    wait_for_messages(b, kanal, 1);
    double first = sink_first_at(b->sink), half = wait_for_messages(b, kanal, BACKLOG_COMMANDS / 2);
    double end = half;
    while (sink_messages(b->sink) - sink_slow_messages(b->sink) < others)
        end = wait_for_messages(b, kanal, sink_messages(b->sink) + 1);
    double last = wait_for_messages(b, kanal, BACKLOG_COMMANDS);
    l->commands = BACKLOG_COMMANDS;
    l->recipients = BACKLOG_RECIPIENTS;
    l->first_half = BACKLOG_COMMANDS / 2 / (half - first);
    l->second_half = BACKLOG_COMMANDS / 2 / (end - half);
    l->slow_waits_s = last - end;
    l->rss_mb = process_status_mb(kanal, "VmHWM:");
    sink_slow_chat(b->sink, 0, 0);
    process_stop(kanal);
    raw_purge(b->raw, "KANAL_EVENTS");
}

/* ---- The run ---- */

static void on_alarm(int number)
{
    static const char words[] = "bench: not done in time\n";
    (void)number;
    (void)!write(STDERR_FILENO, words, sizeof words - 1);
    _exit(1); /* its children are killed with it */
}

static int is_wanted(const struct bench *b, const char *part)
{
    return !b->only || strcmp(b->only, part) == 0;
}

static struct worker_part part_of(const struct bench *b)
{
    return (struct worker_part){ .kanal = b->kanal,
                                 .plugins = b->plugins,
                                 .directory = b->directory,
                                 .broker_port = b->broker_port,
                                 .sink_port = sink_port(b->sink),
                                 .raw = b->raw,
                                 .rounds = b->results.rounds };
}

static void measure_workers(struct bench *b)
{
    struct worker_part part = part_of(b);
    worker_part_run(&part, &b->results.worker);
}

static void measure_identity(struct bench *b)
{
    struct worker_part part = part_of(b);
    identity_part_run(&part, &b->results.identity);
}

static pid_t start_projecting(void *user, int projects)
{
    struct bench *b = user;
    write_kanal_config(b, projects);
    return start_kanal(b);
}

static void measure_projector(struct bench *b)
{
    char path[512];
    if (!b->event) { /* no other part has made one */
        pid_t kanal = start_kanal(b);
        wait_until_served(b->http_port, in_directory(b, "kanal.log", path));
        b->event = raw_last_event(b->raw, "KANAL_EVENTS");
        process_stop(kanal);
    }
    struct project_part part = { .raw = b->raw,
                                 .event = b->event,
                                 .start = start_projecting,
                                 .user = b,
                                 .broker_pid = b->broker_pid,
                                 .rounds = b->results.rounds };
    project_part_run(&part, &b->results.project);
    write_kanal_config(b, 0);
}

static void run(struct bench *b)
{
    b->sink = sink_start();
    if (!b->sink)
        die("no sink", NULL);
    b->broker_port = free_port();
    b->http_port = free_port();
    b->admin_port = free_port();
    b->node_port = free_port();
    b->broker_pid = start_broker(b, "broker", b->broker_port);
    if (!wait_for_accept(b->broker_port, bench_seconds() + PATIENCE_SECONDS))
        die("nats-server does not start", b->directory);
    b->raw = raw_connect(b->broker_port, 0);
    b->raw_asap = raw_connect(b->broker_port, 1);
    write_kanal_config(b, 0);
    make_streams(b);
    if (is_wanted(b, "start"))
        measure_starts(b);
    if (is_wanted(b, "in"))
        measure_inbound(b);
    if (is_wanted(b, "out"))
        measure_outbound(b);
    if (is_wanted(b, "worker"))
        measure_workers(b);
    if (is_wanted(b, "identity"))
        measure_identity(b);
    if (is_wanted(b, "backlog"))
        measure_backlog(b);
    if (is_wanted(b, "project"))
        measure_projector(b);
    raw_close(b->raw);
    raw_close(b->raw_asap);
    process_stop(b->broker_pid);
    sink_stop(b->sink);
}

static int usage(void)
{
    fprintf(stderr, "usage: gateway-bench --kanal FILE --plugins DIR --scratch DIR (--node DIR | --no-node "
                    "REASON) [--rounds N] [--json]\n"
                    "       [--only start|in|out|backlog|worker|project|identity] [--plugins-json FILE]\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "kanal", required_argument, NULL, 'k' },
                                             { "plugins", required_argument, NULL, 'p' },
                                             { "scratch", required_argument, NULL, 's' },
                                             { "node", required_argument, NULL, 'n' },
                                             { "no-node", required_argument, NULL, 'N' },
                                             { "rounds", required_argument, NULL, 'r' },
                                             { "json", no_argument, NULL, 'j' },
                                             { "only", required_argument, NULL, 'o' },
                                             { "plugins-json", required_argument, NULL, 'P' },
                                             { 0 } };
    static struct bench b = { .results.rounds = 5 };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'k':
            b.kanal = optarg;
            break;
        case 'p':
            b.plugins = optarg;
            break;
        case 's':
            b.directory = optarg;
            break;
        case 'n':
            b.node = optarg;
            break;
        case 'N':
            b.results.node_reason = optarg;
            break;
        case 'r':
            b.results.rounds = (int)strtol(optarg, NULL, 10);
            break;
        case 'o':
            b.only = optarg;
            break;
        case 'P':
            b.results.plugins_json = optarg;
            break;
        case 'j':
            b.with_json = 1;
            break;
        default:
            return usage();
        }
    }
    if (!b.kanal || !b.plugins || !b.directory || (!b.node && !b.results.node_reason) ||
        b.results.rounds < 1 || b.results.rounds > ROUNDS_MAX)
        return usage();
    signal(SIGALRM, on_alarm);
    alarm(RUN_SECONDS_MAX);
    run(&b);
    report_table(&b.results);
    if (!b.only)
        report_ratios(&b.results);
    if (b.with_json && !b.only)
        report_json(&b.results);
    if (b.only && strcmp(b.only, "worker") == 0)
        report_worker(&b.results);
    if (b.only && strcmp(b.only, "backlog") == 0)
        report_backlog(&b.results);
    if (b.only && strcmp(b.only, "project") == 0)
        report_project(&b.results);
    if (b.only && strcmp(b.only, "identity") == 0)
        report_identity(&b.results);
    free(b.event);
    return 0; /* a missed target is said, and no failure of the bench */
}
