/* What a stream holds, and taking messages out of it. */
#include "api.h"

#include <stdio.h>
#include <stdlib.h>

struct asking {
    js_state_fn *state;
    js_result_fn *result;
    js_consumer_state_fn *consumer;
    void *user;
};

static void tell_later(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    (void)in;
    ((js_state_fn *)asker->fn)(asker->user, status, NULL);
}

static void tell_result_later(const struct broker_asker *asker, kanal_status status,
                              const struct broker_in *in)
{
    (void)in;
    ((js_result_fn *)asker->fn)(asker->user, status, js_status_reason(status));
}

static void got_state(void *user, const struct js_answer *answer)
{
    struct asking *a = user;
    yyjson_val *state = kanal_json_at(answer->root, "state");
    struct js_state told = { .messages = (uint64_t)kanal_json_int_at(state, "messages", 0),
                             .first_sequence = (uint64_t)kanal_json_int_at(state, "first_seq", 0),
                             .last_sequence = (uint64_t)kanal_json_int_at(state, "last_seq", 0) };
    kanal_status status = answer->err_code == JS_ERR_STREAM_NOT_FOUND ? KANAL_E_NOT_FOUND : answer->status;

    a->state(a->user, status, status == KANAL_OK ? &told : NULL);
    free(a);
}

void js_stream_state(struct broker *b, const char *stream, js_state_fn *fn, void *user)
{
    struct broker_asker asker = { tell_later, (void (*)(void))fn, user };
    struct asking *a = js_name_valid(kanal_str_c(stream)) ? malloc(sizeof *a) : NULL;
    char subject[200];

    if (!a) {
        broker_defer(b, &asker, js_name_valid(kanal_str_c(stream)) ? KANAL_E_BUSY : KANAL_E_INVALID);
        return;
    }
    *a = (struct asking){ .state = fn, .user = user };
    snprintf(subject, sizeof subject, "STREAM.INFO.%s", stream);
    js_api(b, subject, kanal_str_of(NULL, 0), got_state, a);
}

/* ---- Subjects ---- */

static void tell_subjects_later(const struct broker_asker *asker, kanal_status status,
                                const struct broker_in *in)
{
    (void)in;
    ((void (*)(void *, kanal_status))asker->fn)(asker->user, status);
}

static void got_subjects(void *user, const struct js_answer *answer)
{
    struct js_subjects *s = user;
    yyjson_val *subjects = kanal_json_at(kanal_json_at(answer->root, "state"), "subjects"), *subject, *count;
    size_t i, max;

    yyjson_obj_foreach (subjects, i, max, subject, count)
        s->each(s->user, kanal_json_text(subject), yyjson_get_uint(count));
    s->done(s->user, answer->status);
    free(s);
}

void js_stream_subjects(struct broker *b, const char *stream, const char *filter,
                        const struct js_subjects *fns)
{
    struct broker_asker asker = { tell_subjects_later, (void (*)(void))fns->done, fns->user };
    struct js_subjects *s = js_name_valid(kanal_str_c(stream)) ? malloc(sizeof *s) : NULL;
    struct kanal_buffer body = { 0 };
    struct kanal_json json;
    char subject[200];

    if (!s) {
        broker_defer(b, &asker, js_name_valid(kanal_str_c(stream)) ? KANAL_E_BUSY : KANAL_E_INVALID);
        return;
    }
    *s = *fns;
    snprintf(subject, sizeof subject, "STREAM.INFO.%s", stream);
    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "subjects_filter", filter);
    kanal_json_object_end(&json);
    js_api(b, subject, kanal_buffer_view(&body), got_subjects, s);
    kanal_buffer_release(&body);
}

static void got_deleted(void *user, const struct js_answer *answer)
{
    struct asking *a = user;
    /* The server has one code for all that its store says; two of these words say that nothing lies there. */
    int is_nothing =
        answer->err_code == JS_ERR_DELETE_FAILED && (kanal_str_is(answer->reason, "no message found") ||
                                                     kanal_str_is(answer->reason, "stream store EOF"));
    int is_gone = is_nothing || answer->err_code == JS_ERR_NO_MESSAGE_FOUND ||
                  answer->err_code == JS_ERR_STREAM_NOT_FOUND ||
                  answer->err_code == JS_ERR_SEQUENCE_NOT_FOUND;

    a->result(a->user, is_gone ? KANAL_E_NOT_FOUND : answer->status, answer->reason);
    free(a);
}

static void got_purged(void *user, const struct js_answer *answer)
{
    struct asking *a = user;

    a->result(a->user, answer->status, answer->reason);
    free(a);
}

static void ask(struct broker *b, const char *what, const char *stream, kanal_str body, js_api_fn *got,
                const struct asking *asking)
{
    struct broker_asker asker = { tell_result_later, (void (*)(void))asking->result, asking->user };
    struct asking *a = js_name_valid(kanal_str_c(stream)) ? malloc(sizeof *a) : NULL;
    char subject[200];

    if (!a) {
        broker_defer(b, &asker, js_name_valid(kanal_str_c(stream)) ? KANAL_E_BUSY : KANAL_E_INVALID);
        return;
    }
    *a = *asking;
    snprintf(subject, sizeof subject, "STREAM.%s.%s", what, stream);
    js_api(b, subject, body, got, a);
}

void js_delete_sequence(struct broker *b, const char *stream, uint64_t sequence, js_result_fn *fn, void *user)
{
    struct asking asking = { .result = fn, .user = user };
    char body[64];

    snprintf(body, sizeof body, "{\"seq\":%llu}", (unsigned long long)sequence);
    ask(b, "MSG.DELETE", stream, kanal_str_c(body), got_deleted, &asking);
}

void js_purge_before(struct broker *b, const char *stream, const char *filter, uint64_t sequence,
                     js_result_fn *fn, void *user)
{
    struct asking asking = { .result = fn, .user = user };
    struct kanal_buffer body = { 0 };
    struct kanal_json json;

    kanal_json_init(&json, &body);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "filter", filter);
    kanal_json_key(&json, "seq");
    kanal_json_uint(&json, sequence);
    kanal_json_object_end(&json);
    ask(b, "PURGE", stream, kanal_buffer_view(&body), got_purged, &asking);
    kanal_buffer_release(&body);
}

/* ---- Consumers ---- */

static void tell_consumer_later(const struct broker_asker *asker, kanal_status status,
                                const struct broker_in *in)
{
    (void)in;
    ((js_consumer_state_fn *)asker->fn)(asker->user, status, NULL);
}

static void got_consumer(void *user, const struct js_answer *answer)
{
    struct asking *a = user;
    struct js_consumer_state told = { .pending = (uint64_t)kanal_json_int_at(answer->root, "num_pending", 0),
                                      .unacknowledged =
                                          (uint64_t)kanal_json_int_at(answer->root, "num_ack_pending", 0) };

    a->consumer(a->user, answer->status, answer->status == KANAL_OK ? &told : NULL);
    free(a);
}

void js_consumer_state(struct broker *b, const char *stream, const char *durable, js_consumer_state_fn *fn,
                       void *user)
{
    struct broker_asker asker = { tell_consumer_later, (void (*)(void))fn, user };
    int valid = js_name_valid(kanal_str_c(stream)) && js_name_valid(kanal_str_c(durable));
    struct asking *a = valid ? malloc(sizeof *a) : NULL;
    char subject[400];

    if (!a) {
        broker_defer(b, &asker, valid ? KANAL_E_BUSY : KANAL_E_INVALID);
        return;
    }
    *a = (struct asking){ .consumer = fn, .user = user };
    snprintf(subject, sizeof subject, "CONSUMER.INFO.%s.%s", stream, durable);
    js_api(b, subject, kanal_str_of(NULL, 0), got_consumer, a);
}
