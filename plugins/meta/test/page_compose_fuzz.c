/* Deliveries to Messenger and Instagram of any shape: what is asked must be a JSON object, or refused with a code. The first byte
 * chooses the verb and the product. */
#include <stdint.h>

#include "../page/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const char *const verbs[] = { "message.send", "message.react", "message.read", "typing.start",
                                         "message.edit" };
    static const struct page_brand brands[] = {
        { .id = "messenger", .text_max = 2000, .has_files = 1, .has_uploads = 1, .has_phone = 1 },
        { .id = "instagram", .text_max = 1000, .text_in_bytes = 1, .has_reactions = 1 },
    };
    if (len == 0)
        return 0;
    const struct page_brand *brand = &brands[bytes[0] >> 7];
    const struct page_self self = { brand, KANAL_LIT("shop"), KANAL_LIT("1906385232743451") };
    yyjson_doc *document = kanal_json_parse(kanal_str_of((const char *)bytes + 1, len - 1));
    struct page_wish wish = { .brand = brand,
                              .type = kanal_str_c(verbs[bytes[0] % 5]),
                              .data = yyjson_doc_get_root(document) };
    kanal_str to = kanal_json_text_at(wish.data, "to");
    if (page_person_of(&wish.person, &self, to, to) != 0 &&
        page_person_of(&wish.person, &self, kanal_str_of(NULL, 0), to) != 0)
        wish.person = KANAL_LIT("7654321098765432");
    wish.target = kanal_json_text_at(wish.data, "target");
    wish.way = bytes[0] & 0x40 ? META_MEDIA_UPLOAD : META_MEDIA_URL;
    struct page_outgoing outgoing;
    kanal_status status = page_compose(&outgoing, &wish);
    if (status == KANAL_OK) {
        yyjson_doc *body = kanal_json_parse(kanal_buffer_view(&outgoing.json));
        if (!yyjson_is_obj(yyjson_doc_get_root(body)))
            __builtin_trap();
        yyjson_doc_free(body);
    } else if (status == KANAL_E_REJECTED && (!outgoing.refusal.error_code || !outgoing.refusal.reason)) {
        __builtin_trap();
    }
    page_outgoing_release(&outgoing);
    yyjson_doc_free(document);
    return 0;
}
