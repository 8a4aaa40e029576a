#include "broker/topology.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/kv.h"

#define SENT_LEDGER_MS (7 * 24 * INT64_C(3600000))
#define OFFERS_MS (7 * 24 * INT64_C(3600000))
#define LEASE_MS 10000
#define LOG_BYTES_MAX (256 * INT64_C(1048576)) /* a provider that is down for days fills no disk */

/* What a stream is for; the rest follows from it. */
static const struct stream_fact {
    const char *what; /* the name after the prefix */
    const char *subject;
    enum js_retention retention;
    size_t age; /* offset of its retention in topology_options; 0: none */
    int64_t max_bytes;
} stream_facts[] = {
    { "EVENTS", "events.>", JS_LIMITS, offsetof(struct topology_options, events_ms), 0 },
    { "ACTIVITY", "activity.>", JS_LIMITS, offsetof(struct topology_options, activity_ms), 0 },
    { "FACTS", "facts.>", JS_LIMITS, offsetof(struct topology_options, facts_ms), 0 },
    { "COMMANDS", "commands.>", JS_WORK_QUEUE, 0, 0 },
    { "LANES", "lanes.>", JS_WORK_QUEUE, 0, 0 },
    { "ATTEMPTS", "attempts.*", JS_LIMITS, 0, 0 },
    { "SCHEDULED", "scheduled.*", JS_LIMITS, 0, 0 },
    { "PARKED", "parked.>", JS_LIMITS, 0, 0 },
    { "DEAD", "dead.>", JS_LIMITS, offsetof(struct topology_options, dead_ms), 0 },
    { "RAW", "raw.>", JS_LIMITS, offsetof(struct topology_options, raw_ms), 0 },
    { "LOG", "log.>", JS_LIMITS, offsetof(struct topology_options, log_ms), LOG_BYTES_MAX },
};

static const struct bucket_fact {
    const char *what;
    int64_t ttl_ms;
} bucket_facts[] = { { "state", 0 }, { "channels", 0 }, { "sent", SENT_LEDGER_MS }, { "leases", LEASE_MS },
                     { "links", 0 }, { "profiles", 0 }, { "offers", OFFERS_MS } };

#define STREAMS (sizeof stream_facts / sizeof *stream_facts)
#define BUCKETS (sizeof bucket_facts / sizeof *bucket_facts)

struct ensuring {
    struct broker *broker;
    struct topology_options options;
    char prefix[33], name[64];
    size_t step; /* streams, then buckets, then the object store */
    void (*different)(void *, const char *, kanal_str);
    void (*done)(void *, kanal_status, const char *, kanal_str);
    void *user;
};

static void next(struct ensuring *e);

void topology_stream_name(const char *prefix, const char *what, char ret_name[64])
{
    snprintf(ret_name, 64, "%s_%s", prefix, what);
    for (char *c = ret_name; *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

static void finish(struct ensuring *e, kanal_status status, kanal_str reason)
{
    e->done(e->user, status, e->name, reason);
    free(e);
}

static void on_step(void *user, kanal_status status, kanal_str reason)
{
    struct ensuring *e = user;
    if (status == KANAL_E_REJECTED)
        e->different(e->user, e->name, reason);
    else if (status != KANAL_OK) {
        finish(e, status, reason);
        return;
    }
    e->step++;
    next(e);
}

static void ensure_stream(struct ensuring *e, const struct stream_fact *fact)
{
    char subject[64];
    snprintf(subject, sizeof subject, "%s.%s", e->prefix, fact->subject);
    topology_stream_name(e->prefix, fact->what, e->name);
    const char *const subjects[] = { subject, NULL };
    struct js_stream stream = { .name = e->name,
                                .subjects = subjects,
                                .retention = fact->retention,
                                .duplicate_window_ms = e->options.duplicate_window_ms,
                                .max_bytes = fact->max_bytes,
                                .replicas = e->options.replicas,
                                .allow_direct = fact->retention == JS_LIMITS };
    if (fact->age)
        memcpy(&stream.max_age_ms, (const char *)&e->options + fact->age, sizeof stream.max_age_ms);
    /* A duplicate window longer than the retention is refused by the server. */
    if (stream.max_age_ms > 0 && stream.max_age_ms < stream.duplicate_window_ms)
        stream.duplicate_window_ms = stream.max_age_ms;
    js_stream_ensure(e->broker, &stream, on_step, e);
}

static void ensure_bucket(struct ensuring *e, const struct bucket_fact *fact)
{
    snprintf(e->name, sizeof e->name, "%s_%s", e->prefix, fact->what);
    struct kv_bucket bucket = {
        .name = e->name, .ttl_ms = fact->ttl_ms, .history = 1, .replicas = e->options.replicas
    };
    kv_ensure(e->broker, &bucket, on_step, e);
}

static void next(struct ensuring *e)
{
    if (e->step < STREAMS) {
        ensure_stream(e, &stream_facts[e->step]);
    } else if (e->step < STREAMS + BUCKETS) {
        ensure_bucket(e, &bucket_facts[e->step - STREAMS]);
    } else if (e->step == STREAMS + BUCKETS) {
        snprintf(e->name, sizeof e->name, "%s_media", e->prefix);
        object_store_ensure(e->broker, e->name, e->options.media_ms, e->options.replicas, on_step, e);
    } else {
        finish(e, KANAL_OK, (kanal_str){ 0 });
    }
}

void topology_ensure(struct broker *broker, const struct topology_options *options,
                     void (*different)(void *, const char *, kanal_str),
                     void (*done)(void *, kanal_status, const char *, kanal_str), void *user)
{
    struct ensuring *e = calloc(1, sizeof *e);
    if (!e) {
        done(user, KANAL_E_INTERNAL, "", (kanal_str){ 0 });
        return;
    }
    e->broker = broker;
    e->options = *options;
    snprintf(e->prefix, sizeof e->prefix, "%s", options->prefix);
    e->different = different;
    e->done = done;
    e->user = user;
    next(e);
}
