#include "identity_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

#include "identity/record.h"
#include "kanal/sdk/str.h"
#include "load.h"
#include "process.h"

#define MANY 64
#define SECONDS 2.0
#define PATIENCE_SECONDS 180
#define SETTLE_EVERY 2000u /* a loaded broker keeps no more unconfirmed */
#define SALT "sixteen bytes and more for the bench"

/* One gateway with streams of its own at the same broker. */
struct gateway {
    const char *prefix, *events; /* its stream of events */
    uint16_t http_port, admin_port;
    pid_t pid;
    char config[512], log[512];
};

static void die(const char *what, const char *where)
{
    fprintf(stderr, "bench: identity: %s%s%s\n", what, where ? "; see " : "", where ? where : "");
    exit(1);
}

/* The projector stands still: what it does beside the way in is another measurement. */
static void write_config(const struct worker_part *part, const struct gateway *g)
{
    FILE *file = fopen(g->config, "we");
    if (!file)
        die("cannot write a configuration", g->config);
    fprintf(file,
            "broker: { url: [\"nats://127.0.0.1:%u\"], prefix: %s }\n"
            "http: { listen: \"127.0.0.1:%u\" }\n"
            "admin: { listen: \"127.0.0.1:%u\" }\n"
            "data_dir: \"%s/%s\"\n"
            "identity: { salt: \"" SALT "\" }\n"
            "projector: { enabled: false }\n"
            "log: { level: error }\n"
            "plugins: { path: [\"%s\"], telegram: { isolation: none } }\n"
            "channels:\n"
            "  - { id: " LOAD_CHANNEL ", plugin: telegram, egress: [127.0.0.1],\n"
            "      settings: { mode: webhook, api_url: \"http://127.0.0.1:%u\" },\n"
            "      secrets: { token: \"77:token\", webhook: \"" LOAD_SECRET "\" } }\n",
            part->broker_port, g->prefix, g->http_port, g->admin_port, part->directory, g->prefix,
            part->plugins, part->sink_port);
    fclose(file);
}

static void gateway_start(const struct worker_part *part, struct gateway *g, const char *prefix,
                          const char *events)
{
    *g = (struct gateway){
        .prefix = prefix, .events = events, .http_port = free_port(), .admin_port = free_port()
    };
    snprintf(g->config, sizeof g->config, "%s/%s.yaml", part->directory, prefix);
    snprintf(g->log, sizeof g->log, "%s/%s.log", part->directory, prefix);
    write_config(part, g);
    const char *const argv[] = { part->kanal, "run", "-c", g->config, NULL };
    g->pid = process_start(g->log, argv);
    double until = bench_seconds() + PATIENCE_SECONDS;
    if (!wait_for_accept(g->http_port, until))
        die("a gateway does not listen", g->log);
    while (load_run(g->http_port, 1, 0.05).good == 0)
        if (bench_seconds() > until)
            die("no update is taken", g->log);
}

/* ---- Links ---- */

/* telegram:N and tel:+7N are one customer, told already. */
static void lay_link(const struct worker_part *part, struct ids *ids, const char *prefix, uint32_t person)
{
    struct link_draft draft;
    struct kanal_buffer value = { 0 };
    struct id id;
    char addresses[2][32], subject[128];
    struct identity_link link = { .strength = IDENTITY_VERIFIED, .evidence = { .kind = IDENTITY_CONTACT } };
    snprintf(addresses[0], sizeof addresses[0], "telegram:%u", person);
    snprintf(addresses[1], sizeof addresses[1], "tel:+7916%07u", person);
    for (int i = 0; i < 2; i++) {
        link.addresses[i] = kanal_str_c(addresses[i]);
        if (ids_node(ids, link.addresses[i], &link.nodes[i]) != 0)
            die("hashing failed", NULL);
    }
    if (link_draft_init(&draft, ids, &link, 1, &id) != 0)
        die("no link can be written", NULL);
    draft.state = GRAPH_LINKED;
    draft.count = 1;
    draft.customer_count = 1;
    ids_customer(&link.nodes[0], &draft.customers[0]);
    link_draft_write(&draft, 1, &value);
    snprintf(subject, sizeof subject, "$KV.%s_links.%s", prefix, id.text);
    raw_store(part->raw, subject, value.data, value.len);
    kanal_buffer_release(&value);
    link_draft_release(&draft);
}

static size_t keep(char *bytes, size_t size, size_t count, void *user)
{
    struct kanal_buffer *out = user;
    kanal_buffer_append(out, bytes, size * count);
    return size * count;
}

static unsigned links_known(const struct gateway *g)
{
    static const char name[] = "\nkanal_identity_links ";
    struct kanal_buffer text = { 0 };
    char url[64];
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "http://127.0.0.1:%u/metrics", g->admin_port);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
    if (curl_easy_perform(curl) != CURLE_OK)
        die("its metrics cannot be read", g->log);
    curl_easy_cleanup(curl);
    kanal_buffer_byte(&text, 0);
    const char *found = text.data ? strstr(text.data, name) : NULL;
    unsigned known = found ? (unsigned)strtoul(found + sizeof name - 1, NULL, 10) : 0;
    kanal_buffer_release(&text);
    return known;
}

static void lay_links(const struct worker_part *part, const struct gateway *g)
{
    struct ids *ids = NULL;
    double until = bench_seconds() + PATIENCE_SECONDS;
    if (ids_new(&ids, KANAL_LIT(SALT)) != 0)
        die("no ids", NULL);
    for (uint32_t i = 0; i < IDENTITY_LINKS; i++) {
        lay_link(part, ids, g->prefix, LOAD_FIRST_PERSON + i);
        if ((i + 1) % SETTLE_EVERY == 0)
            raw_settle(part->raw);
    }
    raw_settle(part->raw);
    ids_free(ids);
    while (links_known(g) < IDENTITY_LINKS) {
        if (bench_seconds() > until || !process_lives(g->pid))
            die("its links are not known", g->log);
        bench_sleep_ms(50);
    }
}

/* ---- In turns ---- */

static double rate_of(const struct worker_part *part, const struct gateway *g, struct samples *cpu_us)
{
    double cpu = process_cpu_seconds(g->pid);
    struct load_result result = load_run(g->http_port, MANY, SECONDS);
    if (result.bad > 0)
        die("answers other than 200", g->log);
    if (cpu_us)
        samples_add(cpu_us, (process_cpu_seconds(g->pid) - cpu) * 1e6 / (double)result.good);
    raw_purge(part->raw, g->events);
    return result.rate;
}

void identity_part_run(const struct worker_part *part, struct identity_results *results)
{
    struct gateway without, with;
    fprintf(stderr, "bench: identity: laying %u links\n", IDENTITY_LINKS);
    gateway_start(part, &without, "alone", "ALONE_EVENTS");
    gateway_start(part, &with, "linked", "LINKED_EVENTS");
    double before_mb = process_status_mb(with.pid, "VmRSS:");
    lay_links(part, &with);
    results->memory_mb = process_status_mb(with.pid, "VmRSS:") - before_mb;
    load_people(IDENTITY_PEOPLE);
    rate_of(part, &without, NULL);
    rate_of(part, &with, NULL);
    for (int i = 0; i < part->rounds; i++) {
        fprintf(stderr, "bench: identity: round %d of %d\n", i + 1, part->rounds);
        /* Whoever comes second in one round comes first in the next. */
        if (i % 2 == 0)
            samples_add(&results->without, rate_of(part, &without, &results->without_cpu_us));
        samples_add(&results->with, rate_of(part, &with, &results->with_cpu_us));
        if (i % 2 == 1)
            samples_add(&results->without, rate_of(part, &without, &results->without_cpu_us));
    }
    load_people(0);
    process_stop(without.pid);
    process_stop(with.pid);
}
