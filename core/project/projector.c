#include "project/projector.h"

#include <stdio.h>

#include "broker/kv.h"
#include "project/inside.h"

#define TICK_MS 500u

/* ---- The position ---- */

static void write_position(struct projector *p);

static void lose(struct projector *p, const char *why)
{
    if (why && p->term)
        log_write(p->host->log, KANAL_LOG_WARN, "projector", NULL, "it stops and begins anew: %s", why);
    snprintf(p->trouble, sizeof p->trouble, "%s", why ? why : "");
    p->term = 0;
    p->is_known = p->is_unwritten = 0;
    p->unsure = 0;
    reader_stop(p->live);
    reader_stop(p->anew);
}

static void on_written(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct position_put *put = user;
    struct projector *p = put->projector;
    (void)value;
    int is_current = put->term == p->term && p->is_known;
    free(put);
    p->is_writing = 0;
    if (!is_current)
        return;
    if (status == KANAL_OK) {
        p->position.revision = revision;
        p->unsure -= p->writing_events;
        reader_hold(p->live, 0);
        if (p->is_unwritten)
            write_position(p);
    } else if (status == KANAL_E_REJECTED || status == KANAL_E_TIMEOUT || status == KANAL_E_MAYBE) {
        /* Another gateway asked for a rebuild, or is the projector now, or it is there already. */
        lose(p, status == KANAL_E_REJECTED ? "the position was changed by another gateway"
                                           : "nobody knows whether the position was stored");
    } else {
        p->is_unwritten = 1; /* the clock tries again */
    }
}

/* One write at a time; what changes meanwhile is in the next one. */
static void write_position(struct projector *p)
{
    struct kanal_buffer text = { 0 };
    struct position_put *put = p->is_writing ? NULL : malloc(sizeof *put);
    p->is_unwritten = 1;
    if (!put)
        return;
    position_write(&p->position, &text);
    *put = (struct position_put){ p, p->term };
    p->is_writing = 1;
    p->is_unwritten = 0;
    p->writing_events = p->unsure;
    kv_put(p->host->broker, p->bucket, KANAL_LIT(POSITION_KEY), kanal_buffer_view(&text),
           p->position.revision, on_written, put);
    kanal_buffer_release(&text);
}

void projector_write_position(struct projector *p)
{
    write_position(p);
}

static void on_advanced(void *user, const uint64_t at[PROJECTED_STREAMS], size_t events)
{
    struct projector *p = user;
    memcpy(p->position.at, at, sizeof p->position.at);
    p->events->value += (double)events;
    p->unsure += events;
    if (p->unsure > PROJECTOR_AGAIN_MAX / 2) /* no more than that is ever said again */
        reader_hold(p->live, 1);
    write_position(p);
}

/* ---- Taking over ---- */

/* A stream that ends before the position is another one than there was. */
static void on_state(void *user, kanal_status status, const struct js_state *state)
{
    struct state_ask *ask = user;
    struct projector *p = ask->projector;
    uint64_t *at = &p->position.at[ask->index];
    int is_current = ask->term == p->term;
    int index = ask->index;
    free(ask);
    if (!is_current)
        return;
    if (status != KANAL_OK) {
        lose(p, "the streams' state cannot be read");
        return;
    }
    if (state->last_sequence < *at) {
        log_write(p->host->log, KANAL_LOG_ERROR, "projector", NULL,
                  "the stream of %s ends before what was projected: it was made anew. It is read from its "
                  "beginning; "
                  "`kanal profiles rebuild` makes the profiles fit",
                  index == PROJECTED_EVENTS ? "events" : "activity");
        *at = 0;
    }
    p->state[index] = *state;
    if (--p->asking > 0)
        return;
    p->is_known = 1;
    profiles_set_generation(p->profiles, p->position.generation);
    reader_start(p->live, p->position.at);
    rebuild_go_on(p);
}

static void ask_states(struct projector *p)
{
    p->asking = PROJECTED_STREAMS;
    for (int i = 0; i < PROJECTED_STREAMS; i++) {
        struct state_ask *ask = malloc(sizeof *ask);
        if (!ask) {
            lose(p, "out of memory");
            return;
        }
        *ask = (struct state_ask){ p, p->term, i };
        js_stream_state(p->host->broker, p->streams[i], on_state, ask);
    }
}

static void on_position(void *user, kanal_status status, kanal_str value, uint64_t revision)
{
    struct position_put *ask = user;
    struct projector *p = ask->projector;
    int is_current = ask->term == p->term;
    free(ask);
    if (!is_current)
        return;
    if (status != KANAL_OK && status != KANAL_E_NOT_FOUND)
        lose(p, "the position cannot be read");
    else if (position_read(&p->position, value, revision) != 0)
        lose(p, "the record _position of the profiles is no position of this version");
    else
        ask_states(p);
}

static void take_over(struct projector *p)
{
    struct position_put *ask = malloc(sizeof *ask);
    if (!ask) {
        lose(p, "out of memory");
        return;
    }
    *ask = (struct position_put){ p, p->term };
    kv_get(p->host->broker, p->bucket, KANAL_LIT(POSITION_KEY), on_position, ask);
}

static void on_lease(struct lease_member *member)
{
    struct projector *p = (struct projector *)((char *)member - offsetof(struct projector, lease));
    uint64_t lease = p->is_leaving ? 0 : lease_term(member);
    if (lease == p->lease_held)
        return;
    if (p->term)
        lose(p, NULL);
    p->lease_held = lease;
    if (lease) {
        p->term = ++p->terms;
        take_over(p);
    }
}

/* ---- The clock ---- */

static void measure(struct projector *p)
{
    struct host_projector *told = &p->host->projector;
    int64_t oldest = p->is_known ? reader_oldest_ms(p->live) : 0, now = host_now_ms();
    told->is_held = p->lease_held != 0;
    told->lag = p->is_known ? reader_lag(p->live) : 0;
    told->behind_s = oldest > 0 && now > oldest ? (double)(now - oldest) / 1000 : 0;
    told->rebuild = p->is_known && p->position.rebuild.state != REBUILD_NONE
                        ? rebuild_word(p->position.rebuild.state)
                        : NULL;
    snprintf(told->trouble, sizeof told->trouble, "%s",
             told->is_held && !p->is_known ? p->trouble : reader_trouble(p->live));
    p->lag->value = (double)told->lag;
    p->lag_seconds->value = told->behind_s;
    p->held->value = told->is_held;
}

static void on_tick(uv_timer_t *timer)
{
    struct projector *p = timer->data;
    on_lease(&p->lease);
    if (p->lease_held && !p->term &&
        broker_get_state(p->host->broker) == BROKER_UP) { /* it was lost for another reason */
        p->term = ++p->terms;
        take_over(p);
    }
    if (p->is_known && p->is_unwritten)
        write_position(p);
    if (p->is_known)
        rebuild_tick(p);
    measure(p);
}

/* ---- Life ---- */

static struct metric *metric_of(struct projector *p, enum metric_kind kind, const char *name,
                                const char *help)
{
    return metric_series(metrics_family(p->host->metrics, kind, name, help, NULL), NULL);
}

static int make_readers(struct projector *p)
{
    struct reader_options live = {
        .host = p->host, .prefix = p->prefix, .durable = LIVE_DURABLE, .advanced = on_advanced, .user = p
    };
    struct reader_options anew = { .host = p->host,
                                   .prefix = p->prefix,
                                   .durable = REBUILD_DURABLE,
                                   .advanced = rebuild_advanced,
                                   .user = p };
    return reader_new(&p->live, &live) == 0 && reader_new(&p->anew, &anew) == 0 &&
                   profiles_new(&p->profiles, p->host, p->prefix) == 0 &&
                   profiles_new(&p->profiles_anew, p->host, p->prefix) == 0
               ? 0
               : KANAL_E_INTERNAL;
}

int projector_new(struct projector **ret_projector, const struct projector_options *options)
{
    struct projector *p = calloc(1, sizeof *p);
    if (!p)
        return KANAL_E_INTERNAL;
    p->host = options->host;
    p->is_enabled = options->is_enabled;
    snprintf(p->prefix, sizeof p->prefix, "%s", options->prefix);
    profiles_bucket(p->prefix, p->bucket);
    topology_stream_name(p->prefix, "EVENTS", p->streams[PROJECTED_EVENTS]);
    topology_stream_name(p->prefix, "ACTIVITY", p->streams[PROJECTED_ACTIVITY]);
    p->clock = malloc(sizeof *p->clock);
    if (!p->clock || make_readers(p) != 0) {
        free(p->clock);
        p->clock = NULL;
        projector_free(p);
        return KANAL_E_INTERNAL;
    }
    uv_timer_init(p->host->loop, p->clock);
    p->clock->data = p;
    reader_add(p->anew, profiles_projection(p->profiles_anew));
    p->lag = metric_of(p, METRIC_GAUGE, "kanal_projector_lag_messages",
                       "Events that are not projected yet, on the gateway that projects.");
    p->lag_seconds = metric_of(p, METRIC_GAUGE, "kanal_projector_lag_seconds",
                               "Age of the oldest event that waits to be projected.");
    p->held = metric_of(p, METRIC_GAUGE, "kanal_projector_held", "1: this gateway is the one that projects.");
    p->events = metric_of(p, METRIC_COUNTER, "kanal_projector_events_total", "Events that were projected.");
    *ret_projector = p;
    return 0;
}

void projector_add(struct projector *p, struct projection *projection)
{
    reader_add(p->live, projection);
}

struct projection *projector_profiles(struct projector *p)
{
    return profiles_projection(p->profiles);
}

void projector_start(struct projector *p)
{
    if (!p->is_enabled || p->is_started || p->is_leaving)
        return;
    p->is_started = p->host->projector.is_enabled = 1;
    p->lease.changed = on_lease;
    p->lease.ttl_ms = LEASE_TTL_DEFAULT_MS;
    rebuild_watch(p);
    lease_join_named(p->host, "_.projector", &p->lease);
    uv_timer_start(p->clock, on_tick, TICK_MS, TICK_MS);
    on_lease(&p->lease);
}

void projector_leave(struct projector *p)
{
    p->is_leaving = 1;
    if (p->term)
        lose(p, NULL);
    p->lease_held = 0;
    uv_timer_stop(p->clock);
    if (p->is_started)
        lease_leave(&p->lease);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void projector_free(struct projector *p)
{
    if (!p)
        return;
    if (p->clock) {
        projector_leave(p);
        uv_close((uv_handle_t *)p->clock, on_closed);
    }
    kv_watch_stop(p->watch);
    reader_free(p->live);
    reader_free(p->anew);
    profiles_free(p->profiles);
    profiles_free(p->profiles_anew);
    free(p);
}
