#include "broker_support.h"

uint64_t clock_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void tick_cb(uv_timer_t *timer)
{
    (void)timer;
}

int run_until(uv_loop_t *loop, const int *flag, int wanted, uint64_t ms)
{
    uint64_t until = clock_ms() + ms;
    uv_timer_t timer;

    /* The flag may be set by a timer or at the end of a turn, after which the loop would sleep. */
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, tick_cb, 1, 1);
    while (clock_ms() < until && *flag < wanted)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    return *flag >= wanted;
}

void run_for(uv_loop_t *loop, uint64_t ms)
{
    int never = 0;

    run_until(loop, &never, 1, ms);
}

int run_until_state(struct fixture *f, enum broker_state state, uint64_t ms)
{
    uint64_t until = clock_ms() + ms;

    while (f->state != state && clock_ms() < until)
        run_for(&f->loop, 5);
    return f->state == state;
}

void note_state(void *user, enum broker_state state, const char *reason)
{
    struct fixture *f = user;

    f->changes++;
    f->stalls += state == BROKER_STALLED;
    f->downs += state == BROKER_DOWN && f->state != BROKER_DOWN;
    f->state = state;
    snprintf(f->reason, sizeof f->reason, "%s", reason);
}

void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    uv_loop_init(&f->loop);
}

void fixture_connect(struct fixture *f, const struct broker_options *given)
{
    struct broker_options options = *given;
    const char *url = f->nats.url;
    char reason[256];

    f->state = BROKER_CONNECTING;
    if (options.url_count == 0) {
        options.urls = &url;
        options.url_count = 1;
    }
    cr_assert_eq(broker_new(&f->broker, &f->loop, &options, note_state, f, reason), 0, "%s", reason);
}

void fixture_up(struct fixture *f, const char *extra)
{
    struct broker_options options = { 0 };

    fixture_init(f);
    nats_start(&f->nats, extra);
    fixture_connect(f, &options);
    cr_assert(run_until_state(f, BROKER_UP, 5000), "%s", f->reason);
}

void fixture_down(struct fixture *f)
{
    broker_free(f->broker);
    f->broker = NULL;
    uv_run(&f->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&f->loop), 0, "handles are left open");
    nats_release(&f->nats);
}

static void note_text(struct noted *n, kanal_str text)
{
    snprintf(n->text, sizeof n->text, "%.*s", (int)text.len, text.ptr ? text.ptr : "");
}

void note_ack(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct noted *n = user;

    n->calls++;
    n->status = status;
    if (ack) {
        n->sequence = ack->sequence;
        n->duplicate = ack->duplicate;
    }
    note_text(n, reason);
}

void note_result(void *user, kanal_status status, kanal_str reason)
{
    struct noted *n = user;

    n->calls++;
    n->status = status;
    note_text(n, reason);
}

void note_reply(void *user, kanal_status status, const struct broker_in *in)
{
    struct noted *n = user;

    n->calls++;
    n->status = status;
    n->code = in ? in->code : 0;
    note_text(n, in ? in->payload : kanal_str_of(NULL, 0));
}

void note_message(void *user, kanal_status status, const struct js_message *m)
{
    struct noted *n = user;

    n->calls++;
    n->status = status;
    n->sequence = m ? m->sequence : 0;
    note_text(n, m ? m->payload : kanal_str_of(NULL, 0));
}

struct broker_out text_out(const char *subject, const char *payload)
{
    struct broker_out out = { .subject = kanal_str_c(subject), .payload = kanal_str_c(payload) };

    return out;
}

kanal_status publish(struct fixture *f, const char *subject, const char *payload, const char *msg_id,
                     uint64_t expected, struct noted *n)
{
    struct broker_out out = text_out(subject, payload);

    memset(n, 0, sizeof *n);
    js_publish(f->broker, &out, kanal_str_c(msg_id), expected, 2000, note_ack, n);
    cr_assert_eq(n->calls, 0, "answered inside the call");
    cr_assert(run_until(&f->loop, &n->calls, 1, 5000), "no answer");
    return n->status;
}

kanal_status make_stream(struct fixture *f, const char *name, const char *subject)
{
    const char *subjects[] = { subject, NULL };
    struct js_stream stream = {
        .name = name, .subjects = subjects, .replicas = 1, .duplicate_window_ms = 120000, .allow_direct = 1
    };
    struct noted n = { 0 };

    js_stream_ensure(f->broker, &stream, note_result, &n);
    cr_assert(run_until(&f->loop, &n.calls, 1, 5000), "no answer");
    return n.status;
}

static void tally_ack(void *user, kanal_status status, const struct js_ack *ack, kanal_str reason)
{
    struct tally *t = user;

    (void)reason;
    t->calls++;
    t->ok += status == KANAL_OK;
    t->other += status != KANAL_OK;
    if (ack) {
        t->duplicates += ack->duplicate;
        cr_assert(ack->duplicate || ack->sequence > t->last);
        t->last = ack->sequence;
    }
}

void publish_many(struct fixture *f, int from, int to, struct tally *t)
{
    char id[32], payload[64];

    for (int i = from; i < to; i++) {
        struct broker_out out = text_out("events.many", payload);

        out.payload.len = (size_t)snprintf(payload, sizeof payload, "message %d", i);
        snprintf(id, sizeof id, "many-%d", i);
        js_publish(f->broker, &out, kanal_str_c(id), JS_ANY_SEQUENCE, 5000, tally_ack, t);
    }
}
