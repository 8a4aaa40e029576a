/* What is done to stored messages and asked of consumers, beside publishing and reading. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "api.h"

struct asked {
    js_result_fn *done;
    js_pending_fn *pending;
    void *user;
};

static struct asked *asked_new(void *user)
{
    struct asked *asked = calloc(1, sizeof *asked);
    if (asked)
        asked->user = user;
    return asked;
}

static void on_done(void *user, const struct js_answer *answer)
{
    struct asked *asked = user;
    if (asked->done)
        asked->done(asked->user, answer->status, answer->reason);
    free(asked);
}

static void ask(struct broker *b, const char *what, const char *stream, const struct kanal_buffer *request,
                js_result_fn *done, void *user)
{
    char subject[192];
    struct asked *asked = asked_new(user);
    if (!asked) {
        if (done)
            done(user, KANAL_E_BUSY, KANAL_LIT("out of memory"));
        return;
    }
    asked->done = done;
    snprintf(subject, sizeof subject, "STREAM.%s.%s", what, stream);
    js_api(b, subject, kanal_buffer_view(request), on_done, asked);
}

void js_purge_before(struct broker *b, const char *stream, const char *filter, uint64_t sequence,
                     js_result_fn *done, void *user)
{
    struct kanal_buffer request = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &request);
    kanal_json_object(&json);
    kanal_json_member_text(&json, "filter", filter);
    kanal_json_key(&json, "seq");
    kanal_json_uint(&json, sequence);
    kanal_json_object_end(&json);
    ask(b, "PURGE", stream, &request, done, user);
    kanal_buffer_release(&request);
}

void js_message_delete(struct broker *b, const char *stream, uint64_t sequence, js_result_fn *done,
                       void *user)
{
    struct kanal_buffer request = { 0 };
    struct kanal_json json;
    kanal_json_init(&json, &request);
    kanal_json_object(&json);
    kanal_json_key(&json, "seq");
    kanal_json_uint(&json, sequence);
    kanal_json_member_bool(&json, "no_erase", 1);
    kanal_json_object_end(&json);
    ask(b, "MSG.DELETE", stream, &request, done, user);
    kanal_buffer_release(&request);
}

static void on_info(void *user, const struct js_answer *answer)
{
    struct asked *asked = user;
    yyjson_val *pending = kanal_json_at(answer->root, "num_pending");
    asked->pending(asked->user, answer->status, yyjson_get_uint(pending));
    free(asked);
}

void js_consumer_pending(struct broker *b, const char *stream, const char *durable, js_pending_fn *fn,
                         void *user)
{
    char subject[192];
    struct asked *asked = asked_new(user);
    if (!asked) {
        fn(user, KANAL_E_BUSY, 0);
        return;
    }
    asked->pending = fn;
    snprintf(subject, sizeof subject, "CONSUMER.INFO.%s.%s", stream, durable);
    js_api(b, subject, (kanal_str){ 0 }, on_info, asked);
}
