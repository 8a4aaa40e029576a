/* Answers of any shape to a call: always an outcome with a code. The first byte chooses the HTTP code. */
#include <stdint.h>

#include "../outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const int codes[] = { 200, 400, 401, 403, 404, 413, 429, 500, 503, 302 };
    if (len < 2)
        return 0;
    /* The second byte says where a header's value ends. */
    size_t split = bytes[1] < len - 2 ? bytes[1] : len - 2;
    const kanal_field headers[] = {
        { KANAL_LIT("retry-after"), kanal_str_of((const char *)bytes + 2, split) },
        { KANAL_LIT("x-business-use-case-usage"), kanal_str_of((const char *)bytes + 2, split) },
    };
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = codes[bytes[0] % (sizeof codes / sizeof *codes)],
                                     .body = kanal_str_of((const char *)bytes + 2 + split, len - 2 - split),
                                     .headers = headers + (bytes[0] >> 7),
                                     .header_count = 1 };
    uint32_t exchange = bytes[0] >> 5 & 7u;
    struct meta_reply reply;
    kanal_result result;
    char scratch[META_CODE_MAX];
    yyjson_doc *document = meta_reply_read(&reply, KANAL_OK, &response, INT64_C(1795300000000));
    meta_status_of_reply(&reply);
    meta_result_of_reply(&result, &reply, NULL, exchange, scratch);
    if (!reply.is_ok && (result.outcome < KANAL_SENT || result.outcome > KANAL_UNKNOWN ||
                         result.code.len == 0 || result.scope < 0 || result.scope > KANAL_SCOPE_CHANNEL))
        __builtin_trap();
    yyjson_doc_free(document);
    return 0;
}
