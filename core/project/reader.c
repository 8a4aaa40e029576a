#include "project/reader.h"

#include <stdio.h>

#include "broker/topology.h"

#define AGAIN_MS 1000u
#define ACK_WAIT_MS 60000 /* longer than a batch takes; what is told once more after it is dropped */
#define PULL_BATCH 256u

struct batch;

/* An event that came and is not done with. */
struct told {
    struct told *next;
    struct batch *batch; /* NULL: it still waits */
    struct projected event;
    yyjson_doc *document; /* NULL: it is no event of ours */
    struct js_token token;
    size_t bytes;
    char *text; /* subject, then JSON: copies */
};

struct batch {
    struct reader *reader; /* NULL: nobody waits for it */
    struct told *first, **last;
    size_t events, waiting; /* answers of projections */
    kanal_status status;
};

struct source {
    struct reader *reader;
    enum projected_stream index;
    char stream[64];
    struct js_pull *pull;
    uint64_t at;                /* stored up to here */
    uint64_t came;              /* the last message that came */
    uint64_t consumer_sequence; /* of that */
    uint64_t pending;           /* in the stream, after it */
    uint32_t repeated;          /* came once more, and are settled with the next ones */
};

struct reader {
    struct reader_options options;
    struct broker *broker;
    struct source sources[PROJECTED_STREAMS];
    struct projection *first, **last;
    uv_timer_t *again;
    uv_check_t *turn;
    struct batch *batch;          /* under way */
    struct told *waiting, **tail; /* the next ones */
    size_t waiting_count, held_count, held_bytes;
    uint64_t term; /* of the present start; 0: stopped */
    uint64_t terms;
    size_t unready; /* projections that begin */
    int telling, paused, is_held;
    char trouble[256];
};

/* A start that is asked of somebody: it may have been stopped meanwhile. */
struct asked {
    struct source *source;
    struct reader *reader;
    uint64_t term;
};

static void go_again(struct reader *r, const char *why);
static void work(struct reader *r);

/* ---- Events that came ---- */

static void told_free(struct told *t)
{
    yyjson_doc_free(t->document);
    free(t->text);
    free(t);
}

/* Memory is bounded: nothing more is asked for until half of it is done with. */
static void balance(struct reader *r)
{
    int is_full = r->held_bytes > (r->paused ? PROJECTOR_BYTES_MAX / 2 : PROJECTOR_BYTES_MAX);
    if (is_full == r->paused)
        return;
    r->paused = is_full;
    for (size_t i = 0; i < PROJECTED_STREAMS; i++)
        if (r->sources[i].pull && is_full)
            js_pull_pause(r->sources[i].pull);
        else if (r->sources[i].pull)
            js_pull_resume(r->sources[i].pull);
}

static struct told *told_new(struct source *s, const struct js_delivered *delivered)
{
    size_t subject = delivered->subject.len, json = delivered->payload.len;
    struct told *t = calloc(1, sizeof *t);
    char *text = malloc(subject + json + 1);
    if (!t || !text) {
        free(t);
        free(text);
        return NULL;
    }
    memcpy(text, delivered->subject.ptr, subject);
    if (json > 0)
        memcpy(text + subject, delivered->payload.ptr, json);
    t->text = text;
    t->token = delivered->token;
    t->bytes = sizeof *t + subject + json;
    projected_read(&t->event, s->index, kanal_str_of(text, subject), kanal_str_of(text + subject, json),
                   &t->document);
    t->event.stream = s->index;
    t->event.sequence = delivered->stream_sequence;
    t->event.stored_ms = delivered->time_ms;
    return t;
}

static void on_message(void *user, const struct js_delivered *delivered)
{
    struct source *s = user;
    struct reader *r = s->reader;
    if (delivered->consumer_sequence > s->consumer_sequence + 1) {
        go_again(r, "a message was lost on the way"); /* given into a connection that broke */
        return;
    }
    s->consumer_sequence = delivered->consumer_sequence;
    s->pending = delivered->pending;
    if (delivered->stream_sequence <= s->came) { /* because a batch takes long */
        s->repeated++;
        return;
    }
    struct told *t = told_new(s, delivered);
    if (!t) {
        go_again(r, "out of memory");
        return;
    }
    s->came = delivered->stream_sequence;
    *r->tail = t;
    r->tail = &t->next;
    r->waiting_count++;
    r->held_count++;
    r->held_bytes += t->bytes;
    balance(r);
}

/* ---- A batch ---- */

static void batch_free(struct batch *b)
{
    for (struct told *t = b->first, *next; t; t = next) {
        next = t->next;
        told_free(t);
    }
    free(b);
}

/* Everything of it is stored: the position moves, and the broker is told. */
static void acknowledge(struct reader *r, const struct batch *b)
{
    uint32_t counts[PROJECTED_STREAMS] = { 0 };
    const struct told *newest[PROJECTED_STREAMS] = { NULL };
    uint64_t at[PROJECTED_STREAMS];
    for (const struct told *t = b->first; t; t = t->next) {
        counts[t->event.stream]++;
        newest[t->event.stream] = t;
        r->held_count--;
        r->held_bytes -= t->bytes;
    }
    for (size_t i = 0; i < PROJECTED_STREAMS; i++) {
        struct source *s = &r->sources[i];
        if (newest[i])
            s->at = newest[i]->event.sequence;
        if (newest[i] && s->pull) {
            js_settle_through(s->pull, &newest[i]->token, counts[i] + s->repeated);
            s->repeated = 0;
        }
        at[i] = s->at;
    }
    r->trouble[0] = '\0';
    balance(r);
    r->options.advanced(r->options.user, at, b->events);
}

static void end_batch(struct batch *b)
{
    struct reader *r = b->reader;
    char why[96];
    if (r) {
        r->batch = NULL;
        if (b->status == KANAL_OK) {
            acknowledge(r, b);
        } else {
            snprintf(why, sizeof why, "an effect could not be stored (status %d)", b->status);
            go_again(r, why);
        }
    }
    batch_free(b);
    if (r)
        work(r);
}

static void on_done(void *user, kanal_status status)
{
    struct told *t = user;
    struct batch *b = t->batch;
    if (status != KANAL_OK && b->status == KANAL_OK)
        b->status = status;
    if (--b->waiting == 0)
        end_batch(b);
}

static struct batch *take_batch(struct reader *r)
{
    struct batch *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->reader = r;
    b->last = &b->first;
    while (r->waiting && b->events < PROJECTOR_BATCH) {
        struct told *t = r->waiting;
        r->waiting = t->next;
        if (!r->waiting)
            r->tail = &r->waiting;
        t->next = NULL;
        t->batch = b;
        *b->last = t;
        b->last = &t->next;
        b->events++;
        r->waiting_count--;
    }
    return b;
}

/* Says every event to every projection. One answer more is waited for: that of this function. */
static void tell(struct reader *r, struct batch *b)
{
    size_t projections = 0;
    for (const struct projection *p = r->first; p; p = p->next)
        projections++;
    b->waiting = 1;
    for (const struct told *t = b->first; t; t = t->next)
        b->waiting += t->document ? projections : 0;
    for (struct told *t = b->first; t; t = t->next)
        for (const struct projection *p = r->first; p && t->document; p = p->next)
            p->event(p->user, &t->event, on_done, t);
    for (const struct projection *p = r->first; p; p = p->next)
        if (p->flush)
            p->flush(p->user);
    if (--b->waiting == 0)
        end_batch(b);
}

/* A loop, not a recursion: a batch may end while it is told. */
static void work(struct reader *r)
{
    if (r->telling)
        return;
    r->telling = 1;
    while (r->term && r->unready == 0 && !r->is_held && !r->batch && r->waiting) {
        struct batch *b = take_batch(r);
        if (!b) {
            go_again(r, "out of memory");
            break;
        }
        r->batch = b;
        tell(r, b);
    }
    r->telling = 0;
}

void reader_hold(struct reader *r, int is_held)
{
    r->is_held = is_held;
    work(r);
}

static void on_turn(uv_check_t *turn)
{
    work(turn->data);
}

/* ---- Starting and stopping ---- */

static void on_error(void *user, kanal_str reason)
{
    struct source *s = user;
    snprintf(s->reader->trouble, sizeof s->reader->trouble, "%s cannot be read: %.*s", s->stream,
             (int)reason.len, reason.ptr ? reason.ptr : "");
}

static void on_consumer(void *user, kanal_status status, kanal_str reason)
{
    struct asked *asked = user;
    struct source *s = asked->source;
    struct reader *r = asked->reader;
    struct js_pull_options options = { .stream = s->stream,
                                       .durable = r->options.durable,
                                       .batch = PULL_BATCH,
                                       .window = 2 * PROJECTOR_BATCH,
                                       .known = 1 };
    int is_current = asked->term == r->term;
    free(asked);
    if (!is_current)
        return;
    if (status != KANAL_OK) {
        on_error(s, reason);
        go_again(r, r->trouble);
    } else {
        js_pull_start(r->broker, &options, on_message, on_error, s, &s->pull);
    }
}

static void make_consumer(struct reader *r, struct source *s)
{
    struct js_consumer consumer = { .stream = s->stream,
                                    .durable = r->options.durable,
                                    .start_sequence = s->at + 1,
                                    .ack_wait_ms = ACK_WAIT_MS,
                                    .max_ack_pending = 8 * PROJECTOR_BATCH,
                                    .ack_all = 1 };
    struct asked *asked = malloc(sizeof *asked);
    if (!asked) {
        go_again(r, "out of memory");
        return;
    }
    *asked = (struct asked){ s, r, r->term };
    js_consumer_ensure(r->broker, &consumer, 1, on_consumer, asked);
}

static void on_ready(void *user, kanal_status status)
{
    struct asked *asked = user;
    struct reader *r = asked->reader;
    int is_current = asked->term == r->term;
    free(asked);
    if (!is_current)
        return;
    if (status != KANAL_OK)
        go_again(r, "a projection cannot begin");
    else if (--r->unready == 0)
        for (size_t i = 0; i < PROJECTED_STREAMS && r->term; i++)
            make_consumer(r, &r->sources[i]);
}

/* One answer more is waited for: so that ready() may be called at once. */
static void begin(struct reader *r)
{
    uint64_t term = r->term;
    r->unready = 1;
    for (const struct projection *p = r->first; p; p = p->next)
        r->unready += p->begin != NULL;
    for (const struct projection *p = r->first; p && r->term == term; p = p->next) {
        struct asked *asked = p->begin ? malloc(sizeof *asked) : NULL;
        if (!asked && p->begin) {
            go_again(r, "out of memory");
            return;
        }
        if (!asked)
            continue;
        *asked = (struct asked){ NULL, r, term };
        p->begin(p->user, on_ready, asked);
    }
    struct asked *own = malloc(sizeof *own);
    if (!own || r->term != term) {
        free(own);
        if (r->term == term)
            go_again(r, "out of memory");
        return;
    }
    *own = (struct asked){ NULL, r, term };
    on_ready(own, KANAL_OK);
}

static void drop(struct reader *r)
{
    r->term = 0;
    for (size_t i = 0; i < PROJECTED_STREAMS; i++) {
        js_pull_stop(r->sources[i].pull);
        r->sources[i].pull = NULL;
        r->sources[i].pending = 0;
    }
    if (r->batch)
        r->batch->reader = NULL; /* its answers still come */
    r->batch = NULL;
    for (struct told *t = r->waiting, *next; t; t = next) {
        next = t->next;
        told_free(t);
    }
    r->waiting = NULL;
    r->tail = &r->waiting;
    r->waiting_count = r->held_count = r->held_bytes = 0;
    r->paused = 0;
    for (const struct projection *p = r->first; p; p = p->next)
        if (p->reset)
            p->reset(p->user);
}

static void start_term(struct reader *r)
{
    r->term = ++r->terms;
    r->is_held = 0;
    for (size_t i = 0; i < PROJECTED_STREAMS; i++) {
        r->sources[i].came = r->sources[i].at;
        r->sources[i].consumer_sequence = 0;
        r->sources[i].repeated = 0;
    }
    begin(r);
}

static void on_again(uv_timer_t *timer)
{
    struct reader *r = timer->data;
    start_term(r);
}

/* Everything that is not stored is forgotten and read again. */
static void go_again(struct reader *r, const char *why)
{
    char words[256];
    snprintf(words, sizeof words, "%s", why); /* it may be ours */
    memcpy(r->trouble, words, sizeof words);
    if (!r->term)
        return;
    log_write(r->options.host->log, KANAL_LOG_WARN, "projector", NULL,
              "%s goes again from what is stored: %s", r->options.durable, words);
    drop(r);
    uv_timer_start(r->again, on_again, AGAIN_MS, 0);
}

void reader_start(struct reader *r, const uint64_t at[PROJECTED_STREAMS])
{
    reader_stop(r);
    for (size_t i = 0; i < PROJECTED_STREAMS; i++)
        r->sources[i].at = at[i];
    start_term(r);
}

void reader_stop(struct reader *r)
{
    uv_timer_stop(r->again);
    if (r->term)
        drop(r);
    r->trouble[0] = '\0';
}

/* ---- Life ---- */

int reader_new(struct reader **ret_reader, const struct reader_options *options)
{
    struct reader *r = calloc(1, sizeof *r);
    uv_timer_t *again = malloc(sizeof *again);
    uv_check_t *turn = malloc(sizeof *turn);
    if (!r || !again || !turn) {
        free(r);
        free(again);
        free(turn);
        return KANAL_E_INTERNAL;
    }
    r->options = *options;
    r->broker = options->host->broker;
    for (size_t i = 0; i < PROJECTED_STREAMS; i++) {
        r->sources[i].reader = r;
        r->sources[i].index = (enum projected_stream)i;
        topology_stream_name(options->prefix, i == PROJECTED_EVENTS ? "EVENTS" : "ACTIVITY",
                             r->sources[i].stream);
    }
    r->last = &r->first;
    r->tail = &r->waiting;
    r->again = again;
    r->turn = turn;
    uv_timer_init(options->host->loop, again);
    uv_check_init(options->host->loop, turn);
    again->data = turn->data = r;
    uv_check_start(turn, on_turn);
    *ret_reader = r;
    return 0;
}

void reader_add(struct reader *r, struct projection *projection)
{
    projection->next = NULL;
    *r->last = projection;
    r->last = &projection->next;
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

void reader_free(struct reader *r)
{
    if (!r)
        return;
    reader_stop(r);
    uv_close((uv_handle_t *)r->again, on_closed);
    uv_close((uv_handle_t *)r->turn, on_closed);
    free(r);
}

int reader_is_running(const struct reader *r)
{
    return r->term != 0 || uv_is_active((const uv_handle_t *)r->again);
}

void reader_at(const struct reader *r, uint64_t ret_at[PROJECTED_STREAMS])
{
    for (size_t i = 0; i < PROJECTED_STREAMS; i++)
        ret_at[i] = r->sources[i].at;
}

uint64_t reader_lag(const struct reader *r)
{
    uint64_t lag = r->held_count;
    for (size_t i = 0; i < PROJECTED_STREAMS; i++)
        lag += r->sources[i].pending;
    return lag;
}

int64_t reader_oldest_ms(const struct reader *r)
{
    const struct told *oldest = r->batch ? r->batch->first : r->waiting;
    return oldest ? oldest->event.stored_ms : 0;
}

const char *reader_trouble(const struct reader *r)
{
    return r->trouble;
}
