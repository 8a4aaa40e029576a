#include "hook.h"

#define EVENTS_PER_PUBLISH 256 /* as many as the host takes at once */
#define CHALLENGE_MAX 256

static void respond(struct meta_channel *channel, kanal_op op, int32_t code, kanal_str words)
{
    const kanal_field headers[] = { { KANAL_LIT("content-type"), KANAL_LIT("text/plain; charset=utf-8") },
                                    { KANAL_LIT("x-content-type-options"), KANAL_LIT("nosniff") } };
    kanal_http_response response = { .struct_size = sizeof response, .code = code, .body = words };
    if (words.len > 0) {
        response.headers = headers;
        response.header_count = 2;
    }
    channel->host->respond(channel->host, op, &response);
}

/* ---- The handshake ---- */

/* What we repeat is a word of letters and digits; nothing else is. */
static int is_word(kanal_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && c != '_' && c != '-' &&
            c != '.')
            return 0;
    }
    return text.len > 0 && text.len <= CHALLENGE_MAX;
}

static void shake_hands(struct meta_channel *channel, kanal_op op, kanal_str query)
{
    struct kanal_buffer mode = { 0 }, challenge = { 0 };
    kanal_form_get(query, "hub.mode", &mode);
    kanal_form_get(query, "hub.challenge", &challenge);
    if (kanal_str_is(kanal_buffer_view(&mode), "subscribe") && is_word(kanal_buffer_view(&challenge))) {
        kanal_log(channel->host, op, KANAL_LOG_INFO, "the webhook was verified by Meta",
                  kanal_str_of(NULL, 0));
        respond(channel, op, 200, kanal_buffer_view(&challenge));
    } else {
        respond(channel, op, 400, KANAL_LIT("expected hub.mode=subscribe and hub.challenge"));
    }
    kanal_buffer_release(&mode);
    kanal_buffer_release(&challenge);
}

/* ---- What it tells ---- */

static void publish(struct meta_channel *channel, kanal_op op, struct meta_batch *batch, kanal_str raw)
{
    const kanal_event *events[EVENTS_PER_PUBLISH];
    for (size_t start = 0; start < batch->count; start += EVENTS_PER_PUBLISH) {
        size_t count = batch->count - start < EVENTS_PER_PUBLISH ? batch->count - start : EVENTS_PER_PUBLISH;
        for (size_t i = 0; i < count; i++)
            events[i] = &batch->items[start + i]->event;
        if (start == 0)
            batch->items[0]->event.raw = raw;
        channel->host->publish(channel->host, op, events, count, NULL, NULL);
    }
}

static void take(struct meta_channel *channel, kanal_op op, struct meta_batch *batch, kanal_str raw,
                 meta_noted_fn *noted)
{
    if (batch->ignored > 0) {
        const double ignored = (double)batch->ignored;
        kanal_log(channel->host, op, KANAL_LOG_DEBUG, "a part of a webhook makes no event", batch->why);
        channel->host->metric_add(channel->host, KANAL_LIT("webhook_ignored"), ignored, NULL, 0);
    }
    publish(channel, op, batch, raw);
    if (noted && batch->count > 0)
        noted(channel, batch);
    respond(channel, op, 200, kanal_str_of(NULL, 0));
}

void meta_on_http(struct meta_channel *channel, kanal_op op, const kanal_http_request *request,
                  meta_translate_fn *translate, meta_noted_fn *noted)
{
    char memory[KANAL_JSON_MEMORY];
    struct meta_batch batch;
    if (!kanal_str_is(request->method, "POST")) {
        shake_hands(channel, op, request->query);
        return;
    }
    yyjson_doc *document = kanal_json_parse_in(request->body, memory, sizeof memory);
    meta_batch_init(&batch);
    kanal_status status = translate(channel, &batch, yyjson_doc_get_root(document));
    if (status == KANAL_OK && !batch.failed) {
        take(channel, op, &batch, request->body, noted);
    } else if (status == KANAL_E_INVALID) {
        kanal_log(channel->host, op, KANAL_LOG_WARN, "the request is no webhook of this product",
                  kanal_str_of(NULL, 0));
        kanal_count(channel->host, "webhook_unreadable");
        respond(channel, op, 400, KANAL_LIT("expected a webhook of this product as JSON"));
    } else {
        respond(channel, op, 503, KANAL_LIT("out of memory"));
    }
    meta_batch_release(&batch);
    yyjson_doc_free(document);
}
