/* Reading single stored messages: DIRECT.GET, or STREAM.MSG.GET where the stream does not allow the
 * former. */
#include "api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "kanal/sdk/base64.h"
#include "kanal/sdk/time.h"
#include "find.h"
#include "stored.h"

struct get {
    struct broker *broker;
    js_message_fn *fn;
    void *user;
    char stream[160];
    struct kanal_buffer request; /* the same JSON for both calls */
};

static void done(struct get *g, kanal_status status, const struct js_message *message)
{
    g->fn(g->user, status, message);
    kanal_buffer_release(&g->request);
    free(g);
}

int js_message_of_direct(const struct broker_in *in, struct js_message *ret_message)
{
    kanal_str sequence = broker_in_header(in, "Nats-Sequence");
    kanal_str time = broker_in_header(in, "Nats-Time-Stamp");
    int64_t number = 0;

    memset(ret_message, 0, sizeof *ret_message);
    if (kanal_str_int(sequence, &number) != 0 || number <= 0)
        return KANAL_E_INTERNAL;
    ret_message->sequence = (uint64_t)number;
    (void)kanal_time_parse_rfc3339(time, &ret_message->time_ms);
    ret_message->subject = broker_in_header(in, "Nats-Subject");
    ret_message->payload = in->payload;
    ret_message->operation = broker_in_header(in, "KV-Operation");
    ret_message->msg_id = broker_in_header(in, "Nats-Msg-Id");
    return 0;
}

kanal_str js_raw_header(kanal_str raw, const char *name)
{
    size_t len = strlen(name);

    while (raw.len > 0) {
        const char *end = memchr(raw.ptr, '\n', raw.len);
        kanal_str line = kanal_str_of(raw.ptr, end ? (size_t)(end - raw.ptr) : raw.len);

        raw = kanal_str_from(raw, line.len + 1);
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len <= len || line.ptr[len] != ':' || memcmp(line.ptr, name, len) != 0)
            continue;
        line = kanal_str_from(line, len + 1);
        while (line.len > 0 && line.ptr[0] == ' ')
            line = kanal_str_from(line, 1);
        return line;
    }
    return kanal_str_of(NULL, 0);
}

int js_message_of_json(yyjson_val *root, struct kanal_buffer *payload, struct kanal_buffer *headers,
                       struct js_message *ret_message)
{
    yyjson_val *message = kanal_json_at(root, "message");
    int64_t sequence = kanal_json_int_at(message, "seq", 0);

    memset(ret_message, 0, sizeof *ret_message);
    if (sequence <= 0 || kanal_base64_decode(payload, kanal_json_text_at(message, "data"), 0) != 0 ||
        kanal_base64_decode(headers, kanal_json_text_at(message, "hdrs"), 0) != 0 || payload->failed ||
        headers->failed)
        return KANAL_E_INTERNAL;
    ret_message->sequence = (uint64_t)sequence;
    (void)kanal_time_parse_rfc3339(kanal_json_text_at(message, "time"), &ret_message->time_ms);
    ret_message->subject = kanal_json_text_at(message, "subject");
    ret_message->payload = payload->len > 0 ? kanal_buffer_view(payload) : KANAL_LIT("");
    ret_message->operation = js_raw_header(kanal_buffer_view(headers), "KV-Operation");
    ret_message->msg_id = js_raw_header(kanal_buffer_view(headers), "Nats-Msg-Id");
    return 0;
}

static void got_json(void *user, const struct js_answer *answer)
{
    struct get *g = user;
    struct kanal_buffer payload, headers;
    struct js_message message;
    int r = answer->status;

    kanal_buffer_init(&payload);
    kanal_buffer_init(&headers);
    if (r == KANAL_OK)
        r = js_message_of_json(answer->root, &payload, &headers, &message);
    else if (answer->err_code == JS_ERR_NO_MESSAGE_FOUND || answer->err_code == JS_ERR_STREAM_NOT_FOUND)
        r = KANAL_E_NOT_FOUND;
    done(g, r, r == KANAL_OK ? &message : NULL);
    kanal_buffer_release(&payload);
    kanal_buffer_release(&headers);
}

/* ---- Which streams answer DIRECT.GET ---- */

static struct broker_known_stream *find_known(struct broker *b, const char *stream)
{
    for (uint32_t i = 0; b->known && i < BROKER_KNOWN_STREAMS; i++)
        if (strcmp(b->known[i].name, stream) == 0)
            return &b->known[i];
    return NULL;
}

void js_stream_forget(struct broker *b, const char *stream)
{
    struct broker_known_stream *known = find_known(b, stream);

    if (known)
        known->name[0] = '\0';
}

void js_stream_learn(struct broker *b, const char *stream, yyjson_val *info)
{
    struct broker_known_stream *known = find_known(b, stream);

    if (!b->known)
        b->known = calloc(BROKER_KNOWN_STREAMS, sizeof *b->known);
    if (!b->known)
        return;
    if (!known)
        known = &b->known[b->known_next++ % BROKER_KNOWN_STREAMS];
    snprintf(known->name, sizeof known->name, "%s", stream);
    known->direct = kanal_json_bool_at(kanal_json_at(info, "config"), "allow_direct");
    known->window_ms = kanal_json_int_at(kanal_json_at(info, "config"), "duplicate_window", 0) / 1000000;
}

int64_t js_stream_window_ms(struct broker *b, const char *stream)
{
    const struct broker_known_stream *known = find_known(b, stream);

    return known ? known->window_ms : 0;
}

static void got_direct(void *user, kanal_status status, const struct broker_in *in)
{
    struct get *g = user;
    struct js_message message;

    /* It may be gone, or changed by hand. */
    if (status == KANAL_E_TIMEOUT || status == KANAL_E_NOT_FOUND)
        js_stream_forget(g->broker, g->stream);
    if (status == KANAL_OK && in->code == 404)
        status = KANAL_E_NOT_FOUND;
    else if (status == KANAL_OK && in->code != 0)
        status = KANAL_E_REJECTED;
    else if (status == KANAL_OK)
        status = js_message_of_direct(in, &message);
    done(g, status, status == KANAL_OK ? &message : NULL);
}

static void ask(struct get *g, int direct)
{
    struct broker_out out = { .payload = kanal_buffer_view(&g->request) };
    char subject[200];

    if (direct) {
        snprintf(subject, sizeof subject, "$JS.API.DIRECT.GET.%s", g->stream);
        out.subject = kanal_str_c(subject);
        broker_request(g->broker, &out, 0, got_direct, g);
    } else {
        snprintf(subject, sizeof subject, "STREAM.MSG.GET.%s", g->stream);
        js_api(g->broker, subject, out.payload, got_json, g);
    }
}

static void got_info(void *user, const struct js_answer *answer)
{
    struct get *g = user;

    if (answer->status == KANAL_OK) {
        js_stream_learn(g->broker, g->stream, answer->root);
        ask(g, kanal_json_bool_at(kanal_json_at(answer->root, "config"), "allow_direct"));
    } else {
        done(g, answer->err_code == JS_ERR_STREAM_NOT_FOUND ? KANAL_E_NOT_FOUND : answer->status, NULL);
    }
}

static void fail_later(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    (void)in;
    ((js_message_fn *)asker->fn)(asker->user, status, NULL);
}

/* member: "last_by_subj" or "next_by_subj", with subject; sequence 0: none. */
static void get(struct broker *b, const char *stream, uint64_t sequence, const char *member,
                kanal_str subject, js_message_fn *fn, void *user)
{
    struct broker_asker asker = { fail_later, (void (*)(void))fn, user };
    const struct broker_known_stream *known = find_known(b, stream);
    struct get *g = calloc(1, sizeof *g);
    struct kanal_json j;
    char info[200];

    if (!g || !js_name_valid(kanal_str_c(stream)) || (member && !broker_subject_valid(subject, 0))) {
        broker_defer(b, &asker, g ? KANAL_E_INVALID : KANAL_E_BUSY);
        free(g);
        return;
    }
    g->broker = b;
    g->fn = fn;
    g->user = user;
    snprintf(g->stream, sizeof g->stream, "%s", stream);
    kanal_json_init(&j, &g->request);
    kanal_json_object(&j);
    if (sequence > 0)
        kanal_json_member_int(&j, "seq", (int64_t)sequence);
    if (member)
        kanal_json_member_str(&j, member, subject);
    kanal_json_object_end(&j);
    snprintf(info, sizeof info, "STREAM.INFO.%s", stream);
    if (known)
        ask(g, known->direct);
    else
        js_api(b, info, kanal_str_of(NULL, 0), got_info, g);
}

void js_get_last(struct broker *b, const char *stream, kanal_str subject, js_message_fn *fn, void *user)
{
    get(b, stream, 0, "last_by_subj", subject, fn, user);
}

void js_get_sequence(struct broker *b, const char *stream, uint64_t sequence, js_message_fn *fn, void *user)
{
    get(b, stream, sequence, NULL, kanal_str_of(NULL, 0), fn, user);
}

void js_get_next(struct broker *b, const char *stream, kanal_str subject, uint64_t sequence,
                 js_message_fn *fn, void *user)
{
    get(b, stream, sequence > 0 ? sequence : 1, "next_by_subj", subject, fn, user);
}
