/* How fast is core/broker at publishing to JetStream, beside the client library used plainly?
 *
 * Ceiling: cnats' own js_PublishAsync (its threads, its buffers) with as many messages pending as it
 * likes. Ours: js_publish from one loop thread with 1, 64 and 1,024 in flight. Both: 758-byte messages
 * with a Nats-Msg-Id each, one stream on file, each message acknowledged. Rounds are interleaved because
 * machines drift; the medians count. Starts its own nats-server (NATS_SERVER names another binary) in a
 * temporary folder. Usage: broker_bench [messages a round] [rounds] */
#include <nats/nats.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "broker/broker.h"
#include "broker/jetstream.h"
#include "kanal/sdk/str.h"

#define PAYLOAD 758
#define SUBJECT "kanal.events.telegram.shop-telegram.message.received.a_5kq2abcdefgh"
#define MAX_ROUNDS 21

static char payload[PAYLOAD + 1];

static double seconds(void)
{
    return (double)uv_hrtime() / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

struct result {
    double rate, cpu_us;
};

/* ---- The ceiling ---- */

static struct result raw_round(const char *url, int count, int round, int asap)
{
    natsOptions *options = NULL;
    natsConnection *nc = NULL;
    jsCtx *js = NULL;
    jsOptions js_options;
    jsPubOptions publish;
    double start, cpu;
    char id[64];
    natsStatus s;

    natsOptions_Create(&options);
    natsOptions_SetURL(options, url);
    natsOptions_SetSendAsap(options, asap);
    s = natsConnection_Connect(&nc, options);
    jsOptions_Init(&js_options);
    js_options.PublishAsync.MaxPending = 16384;
    if (s == NATS_OK)
        s = natsConnection_JetStream(&js, nc, &js_options);
    jsPubOptions_Init(&publish);
    publish.MsgId = id;
    start = seconds();
    cpu = cpu_seconds();
    for (int i = 0; i < count && s == NATS_OK; i++) {
        snprintf(id, sizeof id, "raw-%d-%d-%d", asap, round, i);
        s = js_PublishAsync(js, SUBJECT, payload, PAYLOAD, &publish);
    }
    jsPubOptions_Init(&publish);
    publish.MaxWait = 30000;
    if (s == NATS_OK)
        s = js_PublishAsyncComplete(js, &publish);
    if (s != NATS_OK) {
        fprintf(stderr, "raw: %s\n", natsStatus_GetText(s));
        exit(1);
    }
    struct result r = { count / (seconds() - start), (cpu_seconds() - cpu) * 1e6 / count };
    jsCtx_Destroy(js);
    natsConnection_Destroy(nc);
    natsOptions_Destroy(options);
    return r;
}

/* ---- Ours ---- */

struct run {
    struct broker *broker;
    uv_loop_t *loop;
    int count, sent, done, failed, round, window;
};

static void acked(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason);

static void publish_one(struct run *run)
{
    struct broker_out out = { .subject = KANAL_LIT(SUBJECT), .payload = kanal_str_of(payload, PAYLOAD) };
    char id[64];
    int n = snprintf(id, sizeof id, "own-%d-%d-%d", run->window, run->round, run->sent++);

    js_publish(run->broker, &out, kanal_str_of(id, (size_t)n), JS_ANY_SEQUENCE, 30000, acked, run);
}

static void acked(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct run *run = user;

    (void)ack;
    if (status != KANAL_OK && run->failed++ == 0)
        fprintf(stderr, "own: %d %.*s\n", status, (int)reason.len, reason.ptr);
    if (++run->done == run->count)
        uv_stop(run->loop);
    else if (run->sent < run->count)
        publish_one(run);
}

static struct result own_round(struct broker *broker, uv_loop_t *loop, int window, int count, int round)
{
    struct run run = { .broker = broker, .loop = loop, .count = count, .round = round, .window = window };
    double start = seconds(), cpu = cpu_seconds();

    for (int i = 0; i < window; i++)
        publish_one(&run);
    uv_run(loop, UV_RUN_DEFAULT);
    if (run.failed > 0)
        exit(1);
    return (struct result){ count / (seconds() - start), (cpu_seconds() - cpu) * 1e6 / count };
}

/* ---- The rest ---- */

static void stop_when_up(void *user, enum broker_state state, const char *reason)
{
    (void)reason;
    if (state == BROKER_UP)
        uv_stop(user);
}

static void ensured(void *user, kanal_status status, kanal_str reason)
{
    if (status != KANAL_OK) {
        fprintf(stderr, "stream: %.*s\n", (int)reason.len, reason.ptr);
        exit(1);
    }
    uv_stop(user);
}

static pid_t start_server(const char *dir, int port)
{
    char text[512], config[256];
    const char *binary = getenv("NATS_SERVER");
    FILE *f;
    pid_t pid;

    snprintf(config, sizeof config, "%s/nats.conf", dir);
    f = fopen(config, "we");
    if (!f)
        exit(1);
    snprintf(text, sizeof text,
             "listen: 127.0.0.1:%d\njetstream { store_dir: \"%s\" }\nlog_file: \"%s/log\"\n", port, dir, dir);
    fputs(text, f);
    fclose(f);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp(binary ? binary : "nats-server", "nats-server", "-c", config, (char *)NULL);
        execl("/usr/sbin/nats-server", "nats-server", "-c", config, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static int compare(const void *a, const void *b)
{
    double x = ((const struct result *)a)->rate, y = ((const struct result *)b)->rate;

    return (x > y) - (x < y);
}

static double report(const char *name, struct result *results, int rounds, double ceiling)
{
    double median;

    qsort(results, (size_t)rounds, sizeof *results, compare);
    median = results[rounds / 2].rate;
    printf("%-34s %9.0f %9.0f %9.0f %8.2f", name, median, results[0].rate, results[rounds - 1].rate,
           results[rounds / 2].cpu_us);
    if (ceiling > 0)
        printf(" %7.2f", median / ceiling);
    printf("\n");
    return median;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 100000;
    int rounds = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 5;
    char dir[] = "/tmp/kanal-bench-XXXXXX", url[64], reason[256], command[128];
    const char *urls[] = { url }, *subjects[] = { "kanal.events.>", NULL };
    struct result raw[MAX_ROUNDS], asap[MAX_ROUNDS], one[MAX_ROUNDS], some[MAX_ROUNDS], many[MAX_ROUNDS];
    struct broker_options options = { .urls = urls, .url_count = 1 };
    struct js_stream stream = { .name = "EVENTS", .subjects = subjects, .duplicate_window_ms = 120000 };
    struct broker *broker = NULL;
    uv_loop_t loop;
    double ceiling, second;
    pid_t server;

    if (count < 1 || rounds < 1 || rounds > MAX_ROUNDS || !mkdtemp(dir))
        return 2;
    memset(payload, 'x', PAYLOAD);
    snprintf(url, sizeof url, "nats://127.0.0.1:%d", 20000 + (int)(getpid() % 10000));
    server = start_server(dir, 20000 + (int)(getpid() % 10000));
    uv_loop_init(&loop);
    if (broker_new(&broker, &loop, &options, stop_when_up, &loop, reason) != 0) {
        fprintf(stderr, "%s\n", reason);
        return 1;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    js_stream_ensure(broker, &stream, ensured, &loop);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (int i = 0; i < rounds; i++) {
        raw[i] = raw_round(url, count, i, 0);
        many[i] = own_round(broker, &loop, 1024, count, i);
        asap[i] = raw_round(url, count, i, 1);
        some[i] = own_round(broker, &loop, 64, count, i);
        one[i] = own_round(broker, &loop, 1, count / 20, i);
    }
    printf("%-34s %9s %9s %9s %8s %7s\n", "messages/s", "median", "least", "most", "cpu us", "ratio");
    ceiling = report("cnats js_PublishAsync", raw, rounds, 0);
    second = report("cnats js_PublishAsync, SendAsap", asap, rounds, 0);
    if (second > ceiling)
        ceiling = second;
    report("js_publish, 1,024 in flight", many, rounds, ceiling);
    report("js_publish, 64 in flight", some, rounds, ceiling);
    report("js_publish, 1 in flight", one, rounds, ceiling);
    broker_free(broker);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    return system(command) == 0 ? 0 : 1;
}
