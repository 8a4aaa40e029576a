/* A watch: an ephemeral consumer of our own on the bucket's stream, in memory, pulled, without
 * acknowledgements. Lost messages are therefore not sent again; so whenever anything is in doubt (the
 * connection came back, a gap in the consumer's own numbers, the consumer is gone) it is made anew, from
 * the revision after the last one told. If the stream is not the same any more (its time of creation),
 * everything is told once more. */
#include "kv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "api.h"
#include "consumers.h"
#include "kv_entry.h"

#define INACTIVE_MS 60000
#define RETRY_MS 1000u

struct kv_watch {
    struct broker *broker;
    kv_entry_fn *entry;
    void *user;
    char stream[160], prefix[160], filter[512];
    char created[48]; /* the stream's time of creation when it was last looked at */
    char consumer[48];
    struct js_pull *pull;
    struct broker_listener listener;
    uv_timer_t retry;
    uint64_t told; /* the last revision told, 0: none */
    uint64_t last; /* the last one that stood there at the beginning */
    uint64_t consumer_sequence;
    uint64_t starts;
    int all_told; /* "this was all" was said */
    int busy;     /* a request to the API is under way */
    int stopped, closed;
};

static void start(struct kv_watch *w);

static void retry_cb(uv_timer_t *timer)
{
    start(timer->data);
}

static void maybe_free(struct kv_watch *w)
{
    if (w->closed && !w->busy)
        free(w);
}

static void retry_closed(uv_handle_t *handle)
{
    struct kv_watch *w = handle->data;

    w->closed = 1;
    maybe_free(w);
}

static void ignore_answer(void *user, const struct js_answer *answer)
{
    (void)user, (void)answer;
}

static void drop_consumer(struct kv_watch *w)
{
    char subject[400];

    js_pull_stop(w->pull);
    w->pull = NULL;
    if (w->consumer[0] == '\0' || broker_get_state(w->broker) != BROKER_UP)
        return;
    snprintf(subject, sizeof subject, "CONSUMER.DELETE.%s.%s", w->stream, w->consumer);
    js_api(w->broker, subject, kanal_str_of(NULL, 0), ignore_answer, NULL);
    w->consumer[0] = '\0';
}

static void again(struct kv_watch *w, uint64_t after_ms)
{
    drop_consumer(w);
    if (!w->stopped)
        uv_timer_start(&w->retry, retry_cb, after_ms, 0);
}

static void tell_all_told(struct kv_watch *w)
{
    if (w->all_told || w->stopped)
        return;
    w->all_told = 1;
    w->entry(w->user, kanal_str_of(NULL, 0), kanal_str_of(NULL, 0), 0);
}

static void on_message(void *user, const struct js_delivered *d)
{
    struct kv_watch *w = user;
    kanal_str value = d->payload, operation = { NULL, 0 };
    uint64_t pending = d->pending;

    if (w->stopped)
        return;
    if (d->consumer_sequence != w->consumer_sequence + 1) {
        again(w, 0); /* something was lost on the way */
        return;
    }
    w->consumer_sequence = d->consumer_sequence;
    w->told = d->stream_sequence;
    /* Only an empty value can be a delete marker. */
    if (value.len == 0)
        operation = broker_in_header(d->in, "KV-Operation");
    if (kv_is_removed(operation))
        value = kanal_str_of(NULL, 0);
    else if (!value.ptr)
        value = KANAL_LIT("");
    if (kanal_str_starts(d->subject, w->prefix))
        w->entry(w->user, kanal_str_from(d->subject, strlen(w->prefix)), value, d->stream_sequence);
    /* Of values that are written over while they are delivered the server (2.9.10) may count some that never come: its number of those
     * that are left then stays above 0 for ever. What came after the beginning says as well that all is told. */
    if (pending == 0 || w->told >= w->last)
        tell_all_told(w);
}

static void on_error(void *user, kanal_str reason)
{
    (void)reason;
    again(user, RETRY_MS);
}

static void consumer_created(void *user, const struct js_answer *answer)
{
    struct kv_watch *w = user;
    struct js_pull_options options = {
        .stream = w->stream, .durable = w->consumer, .ack_none = 1, .known = 1
    };

    w->busy = 0;
    if (w->stopped) {
        drop_consumer(w);
        maybe_free(w);
        return;
    }
    if (answer->status != KANAL_OK ||
        js_pull_start(w->broker, &options, on_message, on_error, w, &w->pull) != 0) {
        again(w, RETRY_MS);
        return;
    }
    if (kanal_json_int_at(answer->root, "num_pending", 0) == 0)
        tell_all_told(w);
}

static void create_consumer(struct kv_watch *w)
{
    struct js_consumer consumer = { .stream = w->stream,
                                    .durable = w->consumer,
                                    .filter = w->filter,
                                    .ack_none = 1,
                                    .inactive_ms = INACTIVE_MS,
                                    .start_sequence = w->told > 0 ? w->told + 1 : 0 };
    struct kanal_buffer request;

    snprintf(w->consumer, sizeof w->consumer, "kanal_watch_%016" PRIx64 "_%" PRIu64, broker_random(w->broker),
             ++w->starts);
    w->consumer_sequence = 0;
    w->busy = 1;
    kanal_buffer_init(&request);
    js_consumer_request(&consumer, w->told > 0 ? JS_DELIVER_ALL : JS_DELIVER_LAST_PER_SUBJECT, 1, &request);
    js_consumer_create(w->broker, w->stream, w->consumer, w->filter, kanal_buffer_view(&request),
                       consumer_created, w);
    kanal_buffer_release(&request);
}

static void got_info(void *user, const struct js_answer *answer)
{
    struct kv_watch *w = user;
    kanal_str created;

    w->busy = 0;
    if (w->stopped) {
        maybe_free(w);
        return;
    }
    if (answer->status != KANAL_OK) {
        again(w, RETRY_MS);
        return;
    }
    uint64_t last = (uint64_t)kanal_json_int_at(kanal_json_at(answer->root, "state"), "last_seq", 0);
    created = kanal_json_text_at(answer->root, "created");
    if (!kanal_str_is(created, w->created) || last < w->told)
        w->told = 0;
    w->last = last;
    snprintf(w->created, sizeof w->created, "%.*s", (int)(created.len < 47 ? created.len : 47),
             created.ptr ? created.ptr : "");
    create_consumer(w);
}

static void start(struct kv_watch *w)
{
    char subject[200];

    if (w->stopped || w->busy || broker_get_state(w->broker) != BROKER_UP)
        return;
    uv_timer_stop(&w->retry);
    drop_consumer(w);
    w->busy = 1;
    snprintf(subject, sizeof subject, "STREAM.INFO.%s", w->stream);
    js_api(w->broker, subject, kanal_str_of(NULL, 0), got_info, w);
}

static void state_changed(void *user, enum broker_state state)
{
    struct kv_watch *w = user;

    if (state == BROKER_UP) {
        /* After a mere stall the same consumer goes on; a gap in its numbers would show a loss. */
        if (!w->pull)
            start(w);
    } else if (state != BROKER_STALLED) {
        js_pull_stop(w->pull);
        w->pull = NULL;
    }
}

int kv_watch_start(struct broker *b, const char *bucket, const char *filter, kv_entry_fn *entry, void *user,
                   struct kv_watch **ret_watch)
{
    struct kv_watch *w;

    if (!js_name_valid(kanal_str_c(bucket)) || !broker_subject_valid(kanal_str_c(filter), 1) ||
        strlen(filter) > 256)
        return KANAL_E_INVALID;
    w = calloc(1, sizeof *w);
    if (!w)
        return KANAL_E_INTERNAL;
    w->broker = b;
    w->entry = entry;
    w->user = user;
    snprintf(w->stream, sizeof w->stream, "KV_%s", bucket);
    snprintf(w->prefix, sizeof w->prefix, "$KV.%s.", bucket);
    snprintf(w->filter, sizeof w->filter, "$KV.%s.%s", bucket, filter);
    w->listener.changed = state_changed;
    w->listener.user = w;
    broker_listen(b, &w->listener);
    uv_timer_init(b->loop, &w->retry);
    w->retry.data = w;
    start(w);
    *ret_watch = w;
    return 0;
}

void kv_watch_stop(struct kv_watch *w)
{
    if (!w || w->stopped)
        return;
    w->stopped = 1;
    broker_unlisten(w->broker, &w->listener);
    if (!w->busy)
        drop_consumer(w);
    uv_close((uv_handle_t *)&w->retry, retry_closed);
}
