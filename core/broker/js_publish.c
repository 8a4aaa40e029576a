#include "api.h"

#include <string.h>

#define OWN_HEADERS 2
#define FURTHER_HEADERS 6

/* The hot path: the answer is about 50 bytes, so the parser's memory fits on the stack. */
static void ack_answer(const struct broker_asker *asker, kanal_status status, const struct broker_in *in)
{
    js_ack_fn *fn = (js_ack_fn *)asker->fn;
    struct js_ack ack = { 0, 0 };
    char memory[2048];
    yyjson_alc alc;
    yyjson_doc *doc = NULL;
    yyjson_val *root, *error;

    if (status != KANAL_OK) {
        fn(asker->user, status, NULL, js_status_reason(status));
        return;
    }
    if (in->payload.len < 400 && yyjson_alc_pool_init(&alc, memory, sizeof memory))
        doc = yyjson_read_opts((char *)(uintptr_t)in->payload.ptr, in->payload.len, 0, &alc, NULL);
    if (!doc)
        doc = kanal_json_parse(in->payload);
    root = yyjson_doc_get_root(doc);
    error = kanal_json_at(root, "error");
    if (error) {
        kanal_str reason = kanal_json_text_at(error, "description");

        fn(asker->user, kanal_json_int_at(error, "code", 0) == 503 ? KANAL_E_BUSY : KANAL_E_REJECTED, NULL,
           reason);
    } else if (!yyjson_is_uint(kanal_json_at(root, "seq"))) {
        /* Somebody else answers on this subject: it is not known whether anything was stored. */
        fn(asker->user, KANAL_E_MAYBE, NULL, KANAL_LIT("the answer is not an acknowledgement of JetStream"));
    } else {
        ack.sequence = yyjson_get_uint(kanal_json_at(root, "seq"));
        ack.duplicate = kanal_json_bool_at(root, "duplicate");
        fn(asker->user, KANAL_OK, &ack, KANAL_LIT(""));
    }
    yyjson_doc_free(doc);
}

static size_t format_number(uint64_t number, char out[24])
{
    char digits[24];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

void js_publish(struct broker *b, const struct broker_out *out, kanal_str msg_id, uint64_t expected_last,
                uint32_t timeout_ms, js_ack_fn *fn, void *user)
{
    struct broker_asker asker = { ack_answer, (void (*)(void))fn, user };
    kanal_field headers[OWN_HEADERS + FURTHER_HEADERS];
    struct broker_out full = *out;
    char number[24];
    size_t n = 0;

    if (out->header_count > FURTHER_HEADERS) {
        broker_defer(b, &asker, KANAL_E_INVALID);
        return;
    }
    if (msg_id.len > 0) {
        headers[n].name = KANAL_LIT("Nats-Msg-Id");
        headers[n++].value = msg_id;
    }
    if (expected_last != JS_ANY_SEQUENCE) {
        headers[n].name = KANAL_LIT("Nats-Expected-Last-Subject-Sequence");
        headers[n++].value = kanal_str_of(number, format_number(expected_last, number));
    }
    for (size_t i = 0; i < out->header_count; i++)
        headers[n++] = out->headers[i];
    full.headers = headers;
    full.header_count = n;
    broker_ask(b, &full, timeout_ms, &asker);
}
