/* What a plugin's translation costs: one typical webhook payload of each, beside one bare jansson parse of the same bytes. `./dev bench` builds
 * and runs it before the gateway's own; `./dev bench --only plugins` runs it alone.
 *
 *   counted    all CPU of the thread (CLOCK_THREAD_CPUTIME_ID) from the call of on_http() until the plugin has published its events, answered the
 *              request and has no callback left: parsing, translating, writing the events, allocating, freeing; and the bench's host calls.
 *   the peer   json_loadb() and json_decref(), nothing else. It does not even look at a member.
 *   left out   what the host does for every plugin alike: HTTP, the check of signatures, copying, validating and storing events. The host's
 *              calls are those of quick_host.c, a queue and a few counters. What they cost is measured by themselves and told, never subtracted.
 *   proved     before anything is measured, the same request goes through the fake host, which checks the proof of origin and every event by the
 *              contract. Each measured translation has to publish as many events as that one, and the same code.
 *
 * The two take turns of TURN repetitions each, the order changing from round to round; a ratio is taken within each round, and the median of the
 * rounds counts. A form has no JSON: there the peer parses the same fields as one JSON object, which is kinder to the peer than the form's escapes. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugin_fixture.h"
#include "quick_host.h"

#define ROUNDS 101
#define TURN 200
#define WARM_UP 3

/* A webhook plugin and its typical payload: the webhook of fixtures/conformance.json with that body_file, or name. A new plugin is a new line. */
static const struct row {
    const char *plugin, *payload;
} rows[] = {
    { "telegram", "text.json" },  { "whatsapp", "text.json" }, { "messenger", "text.json" },
    { "instagram", "text.json" }, { "vk", "text.json" },       { "viber", "text.json" },
    { "events", "track.json" },   { "webhook", "order.json" }, { "webform", "callback.json" },
    { "twilio", "text" },
};
#define ROW_COUNT (sizeof rows / sizeof rows[0])

struct measured { /* a number a round, in microseconds of one repetition */
    double plugin_us[ROUNDS], host_us[ROUNDS], jansson_us[ROUNDS], ratio[ROUNDS];
    size_t payload_bytes, event_bytes;
};

/* ---- Turns ---- */

static double thread_cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double jansson_turn(kanal_str text)
{
    double from = thread_cpu_us();
    for (int i = 0; i < TURN; i++) {
        json_t *root = json_loadb(text.ptr, text.len, 0, NULL);
        if (!root)
            return -1;
        json_decref(root);
    }
    return (thread_cpu_us() - from) / TURN;
}

static double plugin_turn(struct quick_host *host, const struct fixture *f)
{
    double from = thread_cpu_us();
    for (int i = 0; i < TURN; i++)
        quick_host_request(host, f->plugin, f->channel, &f->request);
    return (thread_cpu_us() - from) / TURN;
}

/* The host's calls without a plugin between them. */
static double host_turn(struct quick_host *host, const struct fixture *f)
{
    double from = thread_cpu_us();
    for (int i = 0; i < TURN; i++)
        quick_host_request(host, NULL, f->channel, &f->request);
    return (thread_cpu_us() - from) / TURN;
}

static void one_round(struct quick_host *host, struct quick_host *alone, const struct fixture *f,
                      struct measured *m, int number)
{
    if (number % 2 == 0)
        m->plugin_us[number] = plugin_turn(host, f);
    m->jansson_us[number] = jansson_turn(f->json);
    if (number % 2 == 1)
        m->plugin_us[number] = plugin_turn(host, f);
    m->host_us[number] = host_turn(alone, f);
    m->ratio[number] = m->plugin_us[number] / m->jansson_us[number];
}

/* 0, or what went otherwise than it should. */
static const char *measure(struct fixture *f, struct measured *m)
{
    struct quick_host host, alone;
    json_t *parsed = json_loadb(f->json.ptr, f->json.len, 0, NULL);
    json_decref(parsed);
    if (!parsed)
        return "jansson cannot read the payload";
    quick_host_init(&alone);
    quick_host_begin(&host, f->host);
    for (int i = 0; i < WARM_UP; i++)
        plugin_turn(&host, f);
    for (int i = 0; i < ROUNDS; i++)
        one_round(&host, &alone, f, m, i);
    m->payload_bytes = f->request.body.len;
    m->event_bytes = host.requests ? host.event_bytes / host.requests : 0;
    const char *wrong = host.wrong;
    if (!wrong && (host.requests != (uint64_t)(WARM_UP + ROUNDS) * TURN ||
                   host.events != host.requests * f->event_count || host.answers != host.requests ||
                   host.code != f->code))
        wrong = "not every request was translated as the first one";
    quick_host_end(&host);
    return wrong;
}

/* ---- What is told ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the rounds; the median. */
static double median(double rounds[ROUNDS])
{
    qsort(rounds, ROUNDS, sizeof(double), compare);
    return rounds[ROUNDS / 2];
}

static void tell(const struct row *row, struct measured *m, FILE *json)
{
    double plugin = median(m->plugin_us), jansson = median(m->jansson_us), host = median(m->host_us);
    double ratio = median(m->ratio);
    printf("%-10s %-18s %6zu %6zu %8.2f %7.2f %8.2f   %5.2f  %5.2f - %-5.2f  < 1 %s\n", row->plugin,
           row->payload, m->payload_bytes, m->event_bytes, plugin, host, jansson, ratio,
           m->ratio[ROUNDS / 20], m->ratio[ROUNDS - 1 - ROUNDS / 20], ratio < 1 ? "met" : "MISSED");
    if (json)
        fprintf(json, "%s\"%s\":{\"ratio_jansson\":%.3f,\"cpu_us\":%.2f,\"jansson_us\":%.2f}",
                row == rows ? "" : ",", row->plugin, ratio, plugin, jansson);
}

static int run_row(const struct row *row, const char *plugins, const char *sources, FILE *json)
{
    struct fixture fixture;
    struct measured measured;
    const char *wrong = fixture_open(&fixture, plugins, sources, row->plugin, row->payload);
    if (!wrong)
        wrong = measure(&fixture, &measured);
    if (wrong)
        fprintf(stderr, "bench: %s, %s: %s\n", row->plugin, row->payload, wrong);
    else
        tell(row, &measured, json);
    fixture_close(&fixture);
    return wrong ? -1 : 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: plugins-bench --plugins DIR --sources DIR [--json FILE] [--only NAME]\n"
                    "  --plugins  where NAME/NAME.so was built; --sources: where NAME/fixtures/ are\n");
    return 2;
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "plugins", required_argument, NULL, 'p' },
                                             { "sources", required_argument, NULL, 's' },
                                             { "json", required_argument, NULL, 'j' },
                                             { "only", required_argument, NULL, 'o' },
                                             { 0 } };
    const char *plugins = NULL, *sources = NULL, *json_file = NULL, *only = NULL;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        const char **to = c == 'p'   ? &plugins
                          : c == 's' ? &sources
                          : c == 'j' ? &json_file
                          : c == 'o' ? &only
                                     : NULL;
        if (!to)
            return usage();
        *to = optarg;
    }
    FILE *json = json_file ? fopen(json_file, "we") : NULL;
    if (!plugins || !sources || (json_file && !json))
        return usage();
    printf("%-10s %-18s %6s %6s %8s %7s %8s   %5s  %13s\n", "CPU us of", "", "bytes", "bytes", "", "of it",
           "", "", "5 - 95 % of");
    printf("%-10s %-18s %6s %6s %8s %7s %8s   %5s  %13s\n", "plugin", "payload", "in", "out", "plugin",
           "host's", "jansson", "ratio", "the rounds");
    int status = 0;
    if (json)
        fputc('{', json);
    for (size_t i = 0; i < ROW_COUNT; i++)
        if (!only || strcmp(only, rows[i].plugin) == 0)
            status |= run_row(&rows[i], plugins, sources, json);
    if (json && (fputc('}', json) == EOF || fclose(json) != 0))
        status = -1;
    return status ? 1 : 0; /* a missed target is said, and no failure of the bench */
}
