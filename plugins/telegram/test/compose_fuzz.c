/* Deliveries of any shape: what is asked must be a JSON object, or refused with a code. The first byte
 * chooses the verb. */
#include <stdint.h>

#include "compose.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const verbs[] = { "message.send", "message.edit", "message.delete", "message.react",
                                         "typing.start" };
    if (len == 0)
        return 0;
    yyjson_doc *document = kanal_json_parse(kanal_str_of((const char *)bytes + 1, len - 1));
    struct tg_wish wish = { .type = kanal_str_c(verbs[bytes[0] % 5]), .data = yyjson_doc_get_root(document) };
    wish.way = bytes[0] & 0x40 ? TG_WAY_UPLOAD : TG_WAY_URL;
    wish.as_caption = bytes[0] >> 7;
    kanal_str target = kanal_json_text_at(wish.data, "target");
    if (tg_target_of_message(&wish.target, &wish.message_id, target) != 0 &&
        tg_target_of_chat(&wish.target, target) != 0)
        tg_target_of_address(&wish.target, KANAL_LIT("telegram:3527065"));
    struct tg_outgoing outgoing;
    kanal_status status = tg_compose(&outgoing, &wish);
    if (status == KANAL_OK) {
        yyjson_doc *parameters = kanal_json_parse(kanal_buffer_view(&outgoing.json));
        if (!outgoing.method || !yyjson_is_obj(yyjson_doc_get_root(parameters)))
            __builtin_trap();
        yyjson_doc_free(parameters);
    } else if (status == KANAL_E_REJECTED && (!outgoing.error_code || !outgoing.reason)) {
        __builtin_trap();
    }
    tg_outgoing_release(&outgoing);
    yyjson_doc_free(document);
    return 0;
}
