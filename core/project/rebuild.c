/* Folding everything anew, beside what goes on: into the next generation of records, which then takes the place of the present one. It is asked for
 * in the record `_rebuild`, by any gateway; what it has done stands in the position, so that it survives whoever does it. */
#include <inttypes.h>
#include <stdio.h>

#include "broker/kv.h"
#include "project/inside.h"

#define NEAR 256u /* messages that may be left when the new generation takes over: these are told once more */

/* ---- Beginning ---- */

static void run(struct projector *p)
{
    profiles_set_generation(p->profiles_anew, p->position.rebuild.generation);
    reader_start(p->anew, p->position.rebuild.at);
}

static void begin(struct projector *p)
{
    struct position *position = &p->position;
    uint64_t last = position->rebuild.generation > position->generation ? position->rebuild.generation
                                                                        : position->generation;
    struct rebuild r = { .state = REBUILD_RUNNING,
                         .id = p->wanted,
                         .generation = last + 1,
                         .asked_ms = p->wanted_ms,
                         .started_ms = host_now_ms() };
    for (size_t i = 0; i < PROJECTED_STREAMS; i++) {
        r.first[i] = p->state[i].messages > 0 ? p->state[i].first_sequence : p->state[i].last_sequence + 1;
        r.target[i] =
            position->at[i] > p->state[i].last_sequence ? position->at[i] : p->state[i].last_sequence;
    }
    position->rebuild = r;
    log_write(p->host->log, KANAL_LOG_INFO, "projector", NULL,
              "profiles are made anew (%s), beside what goes on", r.id.text);
    projector_write_position(p);
    run(p);
}

static int is_wanted(const struct projector *p)
{
    return p->wanted.text[0] && strcmp(p->wanted.text, p->position.rebuild.id.text) != 0;
}

static void on_wanted(void *user, kanal_str key, kanal_str value, uint64_t revision)
{
    struct projector *p = user;
    (void)revision;
    if (key.len == 0)
        return;
    yyjson_doc *document = kanal_json_parse(value);
    yyjson_val *root = yyjson_doc_get_root(document);
    kanal_str_keep(p->wanted.text, sizeof p->wanted.text, kanal_json_text_at(root, "id"));
    p->wanted_ms = kanal_json_int_at(root, "asked", 0);
    yyjson_doc_free(document);
}

void rebuild_watch(struct projector *p)
{
    if (!p->watch && kv_watch_start(p->host->broker, p->bucket, REBUILD_KEY, on_wanted, p, &p->watch) != 0)
        log_write(p->host->log, KANAL_LOG_ERROR, "projector", NULL, "%s cannot be watched: out of memory",
                  p->bucket);
}

void rebuild_go_on(struct projector *p)
{
    if (p->position.rebuild.state == REBUILD_RUNNING)
        run(p);
}

/* ---- Going on ---- */

void rebuild_advanced(void *user, const uint64_t at[PROJECTED_STREAMS], size_t events)
{
    struct projector *p = user;
    (void)events;
    memcpy(p->position.rebuild.at, at, sizeof p->position.rebuild.at);
    projector_write_position(p);
}

/* ---- Taking the place ---- */

static void on_cleared(void *user, kanal_status status, kanal_str reason)
{
    struct state_ask *ask = user;
    struct projector *p = ask->projector;
    int is_current = ask->term == p->term && p->position.rebuild.state == REBUILD_CLEARING;
    free(ask);
    p->is_clearing = 0;
    if (!is_current)
        return;
    if (status != KANAL_OK) {
        log_write(p->host->log, KANAL_LOG_WARN, "projector", NULL,
                  "the former profiles cannot be removed: %.*s (tried again)", (int)reason.len,
                  reason.ptr ? reason.ptr : "");
        return;
    }
    p->position.rebuild.state = REBUILD_DONE;
    p->position.rebuild.ended_ms = host_now_ms();
    log_write(p->host->log, KANAL_LOG_INFO, "projector", NULL, "profiles were made anew (%s)",
              p->position.rebuild.id.text);
    projector_write_position(p);
}

/* The records of the generation before. By then every gateway reads the new one. */
static void clear_former(struct projector *p)
{
    char stream[80], filter[128];
    struct state_ask *ask = p->is_clearing ? NULL : malloc(sizeof *ask);
    if (!ask)
        return;
    p->is_clearing = 1;
    *ask = (struct state_ask){ p, p->term, 0 };
    snprintf(stream, sizeof stream, "KV_%s", p->bucket);
    snprintf(filter, sizeof filter, "$KV.%s.%" PRIu64 ".>", p->bucket, p->position.rebuild.former);
    js_purge_before(p->host->broker, stream, filter, 0, on_cleared, ask);
}

static void on_deleted(void *user, kanal_status status, kanal_str reason)
{
    struct projector *p = user;
    if (status != KANAL_OK && status != KANAL_E_CANCELLED)
        log_write(p->host->log, KANAL_LOG_WARN, "projector", NULL,
                  "a consumer " REBUILD_DURABLE " is left over: %.*s", (int)reason.len,
                  reason.ptr ? reason.ptr : "");
}

/* Both go on from the earlier place: what the new records have seen changes nothing in them. */
static void take_place(struct projector *p)
{
    uint64_t anew[PROJECTED_STREAMS];
    reader_at(p->anew, anew);
    reader_stop(p->anew);
    for (size_t i = 0; i < PROJECTED_STREAMS; i++) {
        js_consumer_delete(p->host->broker, p->streams[i], REBUILD_DURABLE, on_deleted, p);
        if (anew[i] < p->position.at[i])
            p->position.at[i] = anew[i];
    }
    memcpy(p->position.rebuild.at, anew, sizeof anew);
    p->position.rebuild.former = p->position.generation;
    p->position.generation = p->position.rebuild.generation;
    p->position.rebuild.state = REBUILD_CLEARING;
    reader_stop(p->live);
    profiles_set_generation(p->profiles, p->position.generation);
    projector_write_position(p);
    reader_start(p->live, p->position.at);
}

/* One question to the broker: what is left of both streams. */
struct look {
    struct projector *projector;
    uint64_t term;
    size_t waiting;
    int is_near;
};

static void look_end(struct look *look)
{
    struct projector *p = look->projector;
    if (--look->waiting > 0)
        return;
    p->is_looking = 0;
    if (look->is_near && look->term == p->term && p->is_known && p->position.rebuild.state == REBUILD_RUNNING)
        take_place(p);
    free(look);
}

static void on_left(void *user, kanal_status status, const struct js_consumer_state *state)
{
    struct look *look = user;
    if (status != KANAL_OK || state->pending + state->unacknowledged > NEAR)
        look->is_near = 0;
    look_end(look);
}

static void look_at_what_is_left(struct projector *p)
{
    struct look *look = p->is_looking || reader_lag(p->anew) > NEAR ? NULL : malloc(sizeof *look);
    if (!look)
        return;
    p->is_looking = 1;
    *look = (struct look){ .projector = p, .term = p->term, .waiting = PROJECTED_STREAMS, .is_near = 1 };
    for (size_t i = 0; i < PROJECTED_STREAMS; i++)
        js_consumer_state(p->host->broker, p->streams[i], REBUILD_DURABLE, on_left, look);
}

void rebuild_tick(struct projector *p)
{
    switch (p->position.rebuild.state) {
    case REBUILD_RUNNING:
        look_at_what_is_left(p);
        break;
    case REBUILD_CLEARING:
        if (!p->is_writing && !p->is_unwritten) /* the others know the new generation */
            clear_former(p);
        break;
    case REBUILD_NONE:
    case REBUILD_ASKED:
    case REBUILD_DONE:
        if (is_wanted(p))
            begin(p);
    }
}
