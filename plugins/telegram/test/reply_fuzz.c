/* Answers of any shape to calls and to getFile: an outcome, and never a path outside of the bot's folder. */
#include <stdint.h>

#include "media.h"
#include "outcome.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const int codes[] = { 200, 400, 401, 403, 404, 409, 413, 429, 500, 502, 302 };
    if (len == 0)
        return 0;
    kanal_http_response response = { .struct_size = sizeof response,
                                     .code = codes[bytes[0] % (sizeof codes / sizeof *codes)] };
    response.body = kanal_str_of((const char *)bytes + 1, len - 1);
    struct tg_reply reply;
    struct tg_ask ask = { .is_upload = bytes[0] >> 7, .is_group = bytes[0] >> 6 & 1 };
    kanal_result result;
    char scratch[24];
    yyjson_doc *document = tg_reply_read(&reply, KANAL_OK, &response);
    tg_again_of(&reply);
    tg_status_of_reply(&reply);
    tg_result_of_reply(&result, &reply, &ask, scratch);
    if (result.outcome < KANAL_SENT || result.outcome > KANAL_UNKNOWN || result.code.len == 0 ||
        result.scope < 0 || result.scope > KANAL_SCOPE_CHANNEL)
        __builtin_trap();
    struct kanal_buffer path = { 0 };
    if (tg_file_path(&path, kanal_json_text_at(reply.result, "file_path")) == 0 &&
        (memmem(path.data, path.len, "/../", 4) || memmem(path.data, path.len, "//", 2) ||
         memmem(path.data, path.len, "?", 1)))
        __builtin_trap();
    kanal_buffer_release(&path);
    yyjson_doc_free(document);
    return 0;
}
