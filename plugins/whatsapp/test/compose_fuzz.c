/* Deliveries of any shape: what is asked must be a JSON object, or refused with a code. The first byte chooses the verb. */
#include <stdint.h>

#include "../compose.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const verbs[] = { "message.send", "message.react", "message.read", "typing.start",
                                         "message.edit" };
    if (len == 0)
        return 0;
    yyjson_doc *document = kanal_json_parse(kanal_str_of((const char *)bytes + 1, len - 1));
    struct wa_wish wish = { .type = kanal_str_c(verbs[bytes[0] % 5]),
                            .data = yyjson_doc_get_root(document),
                            .list_label = KANAL_LIT("Menu") };
    kanal_str to = kanal_json_text_at(wish.data, "to");
    if (wa_to_of_chat(&wish.to, to) != 0 && wa_to_of_address(&wish.to, to) != 0)
        wa_to_of_chat(&wish.to, KANAL_LIT("79161234567"));
    wish.target = kanal_json_text_at(wish.data, "target");
    wish.way = bytes[0] & 0x40 ? META_MEDIA_UPLOAD : META_MEDIA_URL;
    if (bytes[0] & 0x80)
        wish.media_id = KANAL_LIT("1003383421387256");
    struct wa_outgoing outgoing;
    kanal_status status = wa_compose(&outgoing, &wish);
    if (status == KANAL_OK) {
        yyjson_doc *body = kanal_json_parse(kanal_buffer_view(&outgoing.json));
        if (!yyjson_is_obj(yyjson_doc_get_root(body)))
            __builtin_trap();
        yyjson_doc_free(body);
    } else if (status == KANAL_E_REJECTED && (!outgoing.refusal.error_code || !outgoing.refusal.reason)) {
        __builtin_trap();
    }
    wa_outgoing_release(&outgoing);
    yyjson_doc_free(document);
    return 0;
}
