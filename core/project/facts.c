#include "project/facts.h"

#include "broker/jetstream.h"
#include "broker/topology.h"
#include "kanal/sdk/str.h"

#define LOOKS 128u /* at stored facts, under way at once */

/* What was said last, as far as it may be asked to be said again. */
struct said {
    struct id *ids; /* sorted */
    size_t count;
    uint64_t next, last; /* sequences to look at */
    size_t under_way;
    kanal_status status;
    projected_fn *ready;
    void *ready_user;
};

struct facts {
    struct projection projection;
    struct host *host;
    char prefix[33], stream[64];
    struct kanal_buffer subject, json;
    struct said said;
    size_t events; /* told since begin() */
};

/* One publication under way. */
struct saying {
    projected_fn *done;
    void *user;
};

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

/* ---- What was said before ---- */

static void forget_said(struct facts *f)
{
    free(f->said.ids);
    f->said.ids = NULL;
    f->said.count = 0;
}

static void look_on(struct facts *f);

static void on_fact(void *user, kanal_status status, const struct js_message *message)
{
    struct facts *f = user;
    struct said *said = &f->said;
    said->under_way--;
    if (status == KANAL_OK && message->msg_id.len == ID_LEN && said->ids && said->count < PROJECTOR_AGAIN_MAX)
        kanal_str_keep(said->ids[said->count++].text, sizeof said->ids[0].text, message->msg_id);
    else if (status != KANAL_OK && status != KANAL_E_NOT_FOUND)
        said->status = status;
    look_on(f);
}

static void look_on(struct facts *f)
{
    struct said *said = &f->said;
    while (said->status == KANAL_OK && said->next <= said->last && said->under_way < LOOKS) {
        said->under_way++;
        js_get_sequence(f->host->broker, f->stream, said->next++, on_fact, f);
    }
    if (said->under_way > 0 || !said->ready)
        return;
    projected_fn *ready = said->ready;
    said->ready = NULL;
    if (said->count > 0)
        qsort(said->ids, said->count, sizeof *said->ids, compare_ids);
    ready(said->ready_user, said->status);
}

static void on_state(void *user, kanal_status status, const struct js_state *state)
{
    struct facts *f = user;
    struct said *said = &f->said;
    said->under_way--;
    said->status = status;
    if (status == KANAL_OK) {
        said->last = state->last_sequence;
        said->next = said->last > PROJECTOR_AGAIN_MAX ? said->last - PROJECTOR_AGAIN_MAX + 1 : 1;
        if (said->next < state->first_sequence)
            said->next = state->first_sequence;
    }
    look_on(f);
}

static void on_begin(void *user, projected_fn *ready, void *ready_user)
{
    struct facts *f = user;
    if (f->said.under_way > 0) { /* of a begin that was given up */
        ready(ready_user, KANAL_E_BUSY);
        return;
    }
    forget_said(f);
    f->events = 0;
    f->said = (struct said){ .ids = calloc(PROJECTOR_AGAIN_MAX, sizeof(struct id)),
                             .ready = ready,
                             .ready_user = ready_user };
    if (!f->said.ids) {
        f->said.ready = NULL;
        ready(ready_user, KANAL_E_INTERNAL);
        return;
    }
    f->said.under_way = 1;
    js_stream_state(f->host->broker, f->stream, on_state, f);
}

static int was_said(struct facts *f, kanal_str id)
{
    struct id key = { { 0 } };
    if (!f->said.ids)
        return 0;
    if (++f->events > PROJECTOR_AGAIN_MAX) {
        forget_said(f);
        return 0;
    }
    kanal_str_keep(key.text, sizeof key.text, id);
    return f->said.count > 0 && bsearch(&key, f->said.ids, f->said.count, sizeof key, compare_ids) != NULL;
}

/* ---- Saying ---- */

static void on_stored(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct saying *saying = user;
    (void)ack;
    (void)reason;
    saying->done(saying->user, status);
    free(saying);
}

static void on_event(void *user, const struct projected *event, projected_fn *done, void *done_user)
{
    struct facts *f = user;
    const kanal_field header = { KANAL_LIT("Content-Type"), KANAL_LIT("application/cloudevents+json") };
    if (was_said(f, event->id)) {
        done(done_user, KANAL_OK);
        return;
    }
    struct saying *saying = malloc(sizeof *saying);
    kanal_buffer_clear(&f->subject);
    kanal_buffer_clear(&f->json);
    if (!saying || fact_write(event, kanal_str_c(f->prefix), &f->subject, &f->json) != 0) {
        free(saying);
        done(done_user, KANAL_E_INTERNAL);
        return;
    }
    *saying = (struct saying){ done, done_user };
    struct broker_out out = { .subject = kanal_buffer_view(&f->subject),
                              .payload = kanal_buffer_view(&f->json),
                              .headers = &header,
                              .header_count = 1 };
    js_publish(f->host->broker, &out, event->id, JS_ANY_SEQUENCE, 0, on_stored, saying);
}

int facts_new(struct facts **ret_facts, struct host *host, const char *prefix)
{
    struct facts *f = calloc(1, sizeof *f);
    if (!f)
        return KANAL_E_INTERNAL;
    f->host = host;
    kanal_str_keep(f->prefix, sizeof f->prefix, kanal_str_c(prefix));
    topology_stream_name(prefix, "FACTS", f->stream);
    f->projection = (struct projection){ .name = "facts", .event = on_event, .begin = on_begin, .user = f };
    *ret_facts = f;
    return 0;
}

struct projection *facts_projection(struct facts *f)
{
    return &f->projection;
}

void facts_free(struct facts *f)
{
    if (!f)
        return;
    forget_said(f);
    kanal_buffer_release(&f->subject);
    kanal_buffer_release(&f->json);
    free(f);
}
