/* Webhooks of Messenger and Instagram of any shape: what is told must be well-formed JSON within the host's limits. */
#include <stdint.h>

#include "../page/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct meta_batch *batch, const char *scheme)
{
    for (size_t i = 0; i < batch->count; i++) {
        const kanal_event *event = &batch->items[i]->event;
        yyjson_doc *document = kanal_json_parse(event->data);
        if (!yyjson_is_obj(yyjson_doc_get_root(document)) || event->dedupe.len == 0 ||
            event->dedupe.len > 1024 || event->external_id.len > 512 || event->chat.len > 512 ||
            !kanal_str_starts(event->address, scheme))
            __builtin_trap();
        yyjson_doc_free(document);
    }
}

static void read(yyjson_val *payload, const struct page_brand *brand, kanal_str page)
{
    const struct page_self self = { brand, KANAL_LIT("shop"), page };
    struct meta_batch batch;
    meta_batch_init(&batch);
    if (page_webhook_read(&batch, &self, payload) == KANAL_OK)
        check(&batch, brand->id);
    meta_batch_release(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const struct page_brand messenger = { .id = "messenger", .object = "page" };
    static const struct page_brand instagram = { .id = "instagram", .object = "instagram" };
    yyjson_doc *document = kanal_json_parse(kanal_str_of((const char *)bytes, len));
    read(yyjson_doc_get_root(document), &messenger, KANAL_LIT("1906385232743451"));
    read(yyjson_doc_get_root(document), &instagram, KANAL_LIT("17841405822304914"));
    yyjson_doc_free(document);
    return 0;
}
