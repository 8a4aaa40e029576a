/* Answers of any shape: an outcome. The first byte chooses the HTTP code and what was asked. */
#include <stdint.h>

#include "outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const int codes[] = { 200, 400, 401, 403, 404, 413, 429, 500, 502, 302 };
    if (len == 0)
        return 0;
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = codes[bytes[0] % (sizeof codes / sizeof *codes)] };
    response.body = kanal_str_of((const char *)bytes + 1, len - 1);
    struct vk_reply reply;
    kanal_result result;
    char scratch[24];
    yyjson_doc *document = vk_reply_read(&reply, KANAL_OK, &response, bytes[0] & 0x40 ? "photo" : NULL);
    vk_status_of_reply(&reply);
    if (!reply.is_ok) {
        vk_result_of_reply(&result, &reply, bytes[0] >> 5, scratch);
        if (result.outcome < KANAL_RETRY || result.outcome > KANAL_UNKNOWN || result.code.len == 0 ||
            result.scope < 0 || result.scope > KANAL_SCOPE_CHANNEL || result.reason.len == 0)
            __builtin_trap();
    }
    yyjson_doc_free(document);
    return 0;
}
