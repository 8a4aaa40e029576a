/* Deliveries of any shape, and answers to them: what is asked must be a JSON object with a type, or refused with a code; an
 * answer must have an outcome. The first byte chooses which. */
#include <stdint.h>

#include "compose.h"
#include "outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void compose(kanal_str text)
{
    yyjson_doc *document = kanal_json_parse(text);
    struct viber_wish wish = { .type = KANAL_LIT("message.send"),
                               .data = yyjson_doc_get_root(document),
                               .receiver = KANAL_LIT("abc"),
                               .sender_name = KANAL_LIT("Shop") };
    struct viber_outgoing outgoing;
    kanal_status status = viber_compose(&outgoing, &wish);
    if (status == KANAL_OK) {
        yyjson_doc *call = kanal_json_parse(kanal_buffer_view(&outgoing.json));
        if (kanal_json_text_at(yyjson_doc_get_root(call), "type").len == 0)
            __builtin_trap();
        yyjson_doc_free(call);
    } else if (status == KANAL_E_REJECTED && (!outgoing.error_code || !outgoing.reason)) {
        __builtin_trap();
    }
    viber_outgoing_release(&outgoing);
    yyjson_doc_free(document);
}

static void answer(int code, kanal_str text)
{
    kanal_http_response response = { .struct_size = sizeof response, .code = code, .body = text };
    struct viber_reply reply;
    kanal_result result;
    char scratch[24];
    yyjson_doc *document = viber_reply_read(&reply, KANAL_OK, &response);
    viber_status_of_reply(&reply);
    if (!reply.is_ok) {
        viber_result_of_reply(&result, &reply, 0, scratch);
        if (result.outcome < KANAL_RETRY || result.outcome > KANAL_UNKNOWN || result.code.len == 0 ||
            result.scope < 0 || result.scope > KANAL_SCOPE_CHANNEL || result.reason.len == 0)
            __builtin_trap();
    }
    yyjson_doc_free(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const int codes[] = { 200, 400, 401, 413, 429, 502 };
    if (len == 0)
        return 0;
    kanal_str text = kanal_str_of((const char *)bytes + 1, len - 1);
    if (bytes[0] & 1)
        answer(codes[(bytes[0] >> 1) % (sizeof codes / sizeof *codes)], text);
    else
        compose(text);
    return 0;
}
