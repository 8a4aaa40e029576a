/* Events' data, and records of links, of any bytes. */
#include "identity/evidence.h"
#include "identity/record.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void read_evidence(struct ids *ids, yyjson_val *data, const char *type, const char *address)
{
    static const char *const trust[] = { "p", NULL };
    struct evidence_rules rules = { trust, "RU" };
    struct evidence evidence;
    struct projected event = { .root = data,
                               .data = data,
                               .type = kanal_str_c(type),
                               .plugin = KANAL_LIT("p"),
                               .channel = KANAL_LIT("c"),
                               .address = kanal_str_c(address) };
    if (ids_node(ids, event.address, &event.node) != 0 || !evidence_is_likely(&event))
        return;
    if (evidence_read(&evidence, ids, &rules, &event) != 0)
        return;
    for (size_t i = 0; i < evidence.count; i++)
        if (evidence.items[i].address.len == 0 || evidence.items[i].address.len > 512 ||
            !kanal_str_utf8(evidence.items[i].address))
            __builtin_trap();
    evidence_release(&evidence);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct ids *ids;
    struct link_record record;
    kanal_str text = kanal_str_of((const char *)bytes, len);
    if (!ids && ids_new(&ids, KANAL_LIT("0123456789abcdef")) != 0)
        return 0;
    yyjson_doc *document = kanal_json_parse(text);
    yyjson_val *root = yyjson_doc_get_root(document);
    if (yyjson_is_obj(root)) {
        read_evidence(ids, root, "form.submitted", "visitor:1");
        read_evidence(ids, root, "message.received", "mailto:a@b.ru");
    }
    yyjson_doc_free(document);
    /* The key stands before the first line end. */
    const uint8_t *end = memchr(bytes, '\n', len);
    size_t key_len = end ? (size_t)(end - bytes) : 0;
    if (end && link_record_read(&record, ids, kanal_str_of(text.ptr, key_len),
                                kanal_str_from(text, key_len + 1)) == 0)
        link_record_release(&record);
    return 0;
}
