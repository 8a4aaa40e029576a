#include "api.h"
#include "stored.h"

#include <stdio.h>
#include <stdlib.h>

#define NS_PER_MS INT64_C(1000000)

/* One js_stream_ensure() under way. */
struct ensure {
    struct broker *broker;
    js_result_fn *fn;
    void *user;
    char name[160];
    struct kanal_buffer config; /* what the stream must be */
    int created;                /* CREATE was tried */
};

static void done(struct ensure *e, kanal_status status, kanal_str reason)
{
    e->fn(e->user, status, reason);
    kanal_buffer_release(&e->config);
    free(e);
}

static void write_config(const struct js_stream *s, struct kanal_buffer *out)
{
    struct kanal_json j;

    kanal_json_init(&j, out);
    kanal_json_object(&j);
    kanal_json_member_text(&j, "name", s->name);
    kanal_json_key(&j, "subjects");
    kanal_json_array(&j);
    for (const char *const *subject = s->subjects; *subject; subject++)
        kanal_json_str(&j, kanal_str_c(*subject));
    kanal_json_array_end(&j);
    kanal_json_member_text(&j, "retention", s->retention == JS_WORK_QUEUE ? "workqueue" : "limits");
    kanal_json_member_text(&j, "storage", s->memory ? "memory" : "file");
    kanal_json_member_text(&j, "discard", s->discard_new ? "new" : "old");
    kanal_json_member_int(&j, "max_age", s->max_age_ms * NS_PER_MS);
    kanal_json_member_int(&j, "max_bytes", s->max_bytes ? s->max_bytes : -1);
    kanal_json_member_int(&j, "max_msgs_per_subject", s->max_msgs_per_subject ? s->max_msgs_per_subject : -1);
    kanal_json_member_int(&j, "max_msg_size", s->max_msg_size ? s->max_msg_size : -1);
    kanal_json_member_int(&j, "max_msgs", -1);
    kanal_json_member_int(&j, "max_consumers", -1);
    kanal_json_member_int(&j, "num_replicas", s->replicas ? s->replicas : 1);
    if (s->duplicate_window_ms > 0)
        kanal_json_member_int(&j, "duplicate_window", s->duplicate_window_ms * NS_PER_MS);
    kanal_json_member_bool(&j, "allow_direct", s->allow_direct);
    kanal_json_member_bool(&j, "allow_rollup_hdrs", s->allow_rollup);
    kanal_json_member_bool(&j, "deny_delete", s->deny_delete);
    kanal_json_member_bool(&j, "deny_purge", s->deny_purge);
    kanal_json_object_end(&j);
}

static void compare(struct ensure *e, yyjson_val *info)
{
    struct kanal_buffer text;
    yyjson_doc *expected = kanal_json_parse(kanal_buffer_view(&e->config));

    kanal_buffer_init(&text);
    kanal_buffer_text(&text, "stream ");
    kanal_buffer_text(&text, e->name);
    kanal_buffer_text(&text, ": ");
    if (js_config_differences(kanal_json_at(info, "config"), yyjson_doc_get_root(expected), &text) == 0)
        done(e, KANAL_OK, KANAL_LIT(""));
    else
        done(e, KANAL_E_REJECTED, kanal_buffer_view(&text));
    kanal_buffer_release(&text);
    yyjson_doc_free(expected);
}

static void info(struct ensure *e);

static void created(void *user, const struct js_answer *answer)
{
    struct ensure *e = user;

    if (answer->status == KANAL_OK)
        js_stream_learn(e->broker, e->name, answer->root);
    if (answer->err_code == JS_ERR_STREAM_NAME_IN_USE)
        info(e); /* another replica was faster, with another configuration */
    else
        done(e, answer->status, answer->reason);
}

static void got_info(void *user, const struct js_answer *answer)
{
    struct ensure *e = user;
    char subject[200];

    if (answer->status == KANAL_OK) {
        js_stream_learn(e->broker, e->name, answer->root);
        compare(e, answer->root);
    } else if (answer->err_code == JS_ERR_STREAM_NOT_FOUND && !e->created) {
        e->created = 1;
        snprintf(subject, sizeof subject, "STREAM.CREATE.%s", e->name);
        js_api(e->broker, subject, kanal_buffer_view(&e->config), created, e);
    } else {
        done(e, answer->status, answer->reason);
    }
}

static void info(struct ensure *e)
{
    char subject[200];

    snprintf(subject, sizeof subject, "STREAM.INFO.%s", e->name);
    js_api(e->broker, subject, kanal_str_of(NULL, 0), got_info, e);
}

static void fail_later(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    (void)in;
    ((js_result_fn *)asker->fn)(asker->user, status, js_status_reason(status));
}

void js_stream_ensure(struct broker *b, const struct js_stream *stream, js_result_fn *fn, void *user)
{
    struct broker_asker asker = { fail_later, (void (*)(void))fn, user };
    struct ensure *e;

    if (!js_name_valid(kanal_str_c(stream->name))) {
        broker_defer(b, &asker, KANAL_E_INVALID);
        return;
    }
    e = calloc(1, sizeof *e);
    if (e)
        write_config(stream, &e->config);
    if (!e || e->config.failed) {
        if (e)
            kanal_buffer_release(&e->config);
        free(e);
        broker_defer(b, &asker, KANAL_E_BUSY);
        return;
    }
    e->broker = b;
    e->fn = fn;
    e->user = user;
    snprintf(e->name, sizeof e->name, "%s", stream->name);
    info(e);
}
