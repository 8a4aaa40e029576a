#include "api.h"
#include "consumers.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS INT64_C(1000000)

/* One call under way. */
struct call {
    struct broker *broker;
    js_result_fn *fn;
    void *user;
    char stream[160], name[160];
    struct kanal_buffer request; /* of CREATE: {"stream_name":…,"config":{…}} */
    char filter[512];
};

static void done(struct call *c, kanal_status status, kanal_str reason)
{
    c->fn(c->user, status, reason);
    kanal_buffer_release(&c->request);
    free(c);
}

void js_consumer_request(const struct js_consumer *c, enum js_deliver deliver, int ephemeral,
                         struct kanal_buffer *out)
{
    struct kanal_json j;
    int from_sequence = deliver == JS_DELIVER_ALL && c->start_sequence > 0;

    kanal_json_init(&j, out);
    kanal_json_object(&j);
    kanal_json_member_text(&j, "stream_name", c->stream);
    kanal_json_member_text(&j, "action", "create"); /* from 2.10: an existing one is never changed */
    kanal_json_key(&j, "config");
    kanal_json_object(&j);
    kanal_json_member_text(&j, "name", c->durable);
    kanal_json_member_text(&j, "durable_name", ephemeral ? NULL : c->durable);
    kanal_json_member_text(&j, "filter_subject", c->filter);
    kanal_json_member_text(&j, "deliver_policy",
                           deliver == JS_DELIVER_LAST_PER_SUBJECT ? "last_per_subject"
                           : from_sequence                        ? "by_start_sequence"
                                                                  : "all");
    if (from_sequence)
        kanal_json_member_int(&j, "opt_start_seq", (int64_t)c->start_sequence);
    kanal_json_member_text(&j, "ack_policy", c->ack_none ? "none" : c->ack_all ? "all" : "explicit");
    if (!c->ack_none) {
        if (c->ack_wait_ms > 0)
            kanal_json_member_int(&j, "ack_wait", c->ack_wait_ms * NS_PER_MS);
        if (c->max_ack_pending > 0)
            kanal_json_member_int(&j, "max_ack_pending", c->max_ack_pending);
        kanal_json_member_int(&j, "max_deliver", c->max_deliver ? c->max_deliver : -1);
    }
    kanal_json_member_text(&j, "replay_policy", "instant");
    if (c->inactive_ms > 0)
        kanal_json_member_int(&j, "inactive_threshold", c->inactive_ms * NS_PER_MS);
    if (ephemeral) {
        kanal_json_member_bool(&j, "mem_storage", 1);
        kanal_json_member_int(&j, "num_replicas", 1);
    }
    kanal_json_object_end(&j);
    kanal_json_object_end(&j);
}

void js_consumer_create(struct broker *b, const char *stream, const char *name, const char *filter,
                        kanal_str request, js_api_fn *fn, void *user)
{
    char subject[1024];

    /* Since 2.9; the filter stands in the subject so that permissions can name it. */
    snprintf(subject, sizeof subject, "CONSUMER.CREATE.%s.%s%s%s", stream, name,
             filter && filter[0] ? "." : "", filter ? filter : "");
    js_api(b, subject, request, fn, user);
}

static void ask(struct call *c, const char *what, js_api_fn *fn)
{
    char subject[400];

    snprintf(subject, sizeof subject, "CONSUMER.%s.%s.%s", what, c->stream, c->name);
    js_api(c->broker, subject, kanal_str_of(NULL, 0), fn, c);
}

static void created(void *user, const struct js_answer *answer)
{
    done(user, answer->status, answer->reason);
}

static void create(struct call *c)
{
    js_consumer_create(c->broker, c->stream, c->name, c->filter, kanal_buffer_view(&c->request), created, c);
}

static void deleted_first(void *user, const struct js_answer *answer)
{
    struct call *c = user;

    if (answer->status == KANAL_OK || answer->err_code == JS_ERR_CONSUMER_NOT_FOUND)
        create(c);
    else
        done(c, answer->status, answer->reason);
}

static void compare(struct call *c, yyjson_val *info)
{
    struct kanal_buffer text;
    yyjson_doc *request = kanal_json_parse(kanal_buffer_view(&c->request));
    yyjson_val *expected = kanal_json_at(yyjson_doc_get_root(request), "config");

    kanal_buffer_init(&text);
    kanal_buffer_text(&text, "consumer ");
    kanal_buffer_text(&text, c->name);
    kanal_buffer_text(&text, ": ");
    if (js_config_differences(kanal_json_at(info, "config"), expected, &text) == 0)
        done(c, KANAL_OK, KANAL_LIT(""));
    else
        done(c, KANAL_E_REJECTED, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    yyjson_doc_free(request);
}

static void got_info(void *user, const struct js_answer *answer)
{
    struct call *c = user;

    if (answer->status == KANAL_OK)
        compare(c, answer->root);
    else if (answer->err_code == JS_ERR_CONSUMER_NOT_FOUND)
        create(c);
    else
        done(c, answer->status, answer->reason);
}

static void fail_later(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    (void)in;
    ((js_result_fn *)asker->fn)(asker->user, status, js_status_reason(status));
}

static struct call *call_new(struct broker *b, const char *stream, const char *name, js_result_fn *fn,
                             void *user)
{
    struct broker_asker asker = { fail_later, (void (*)(void))fn, user };
    int valid = js_name_valid(kanal_str_c(stream)) && js_name_valid(kanal_str_c(name));
    struct call *c = valid ? calloc(1, sizeof *c) : NULL;

    if (!c) {
        broker_defer(b, &asker, valid ? KANAL_E_BUSY : KANAL_E_INVALID);
        return NULL;
    }
    c->broker = b;
    c->fn = fn;
    c->user = user;
    snprintf(c->stream, sizeof c->stream, "%s", stream);
    snprintf(c->name, sizeof c->name, "%s", name);
    return c;
}

void js_consumer_ensure(struct broker *b, const struct js_consumer *consumer, int recreate, js_result_fn *fn,
                        void *user)
{
    struct broker_asker asker = { fail_later, (void (*)(void))fn, user };
    struct call *c = call_new(b, consumer->stream, consumer->durable, fn, user);

    if (!c)
        return;
    js_consumer_request(consumer, JS_DELIVER_ALL, 0, &c->request);
    if (consumer->filter &&
        ((size_t)snprintf(c->filter, sizeof c->filter, "%s", consumer->filter) >= sizeof c->filter ||
         !broker_subject_valid(kanal_str_c(consumer->filter), 1))) {
        kanal_buffer_release(&c->request);
        free(c);
        broker_defer(b, &asker, KANAL_E_INVALID);
    } else if (recreate) {
        ask(c, "DELETE", deleted_first);
    } else {
        ask(c, "INFO", got_info);
    }
}

static void deleted(void *user, const struct js_answer *answer)
{
    done(user, answer->err_code == JS_ERR_CONSUMER_NOT_FOUND ? KANAL_E_NOT_FOUND : answer->status,
         answer->reason);
}

void js_consumer_delete(struct broker *b, const char *stream, const char *durable, js_result_fn *fn,
                        void *user)
{
    struct call *c = call_new(b, stream, durable, fn, user);

    if (c)
        ask(c, "DELETE", deleted);
}
