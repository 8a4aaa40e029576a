/* Webhooks of any shape: what is told must be well-formed JSON within the host's limits. */
#include <stdint.h>

#include "../webhook.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct meta_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const kanal_event *event = &batch->items[i]->event;
        yyjson_doc *document = kanal_json_parse(event->data);
        if (!yyjson_is_obj(yyjson_doc_get_root(document)) || event->dedupe.len == 0 ||
            event->dedupe.len > 1024 || event->external_id.len > 512 || event->command_id.len > 256 ||
            event->chat.len > 512)
            __builtin_trap();
        if (event->address.len > 0 && !kanal_str_starts(event->address, "tel:+") &&
            !kanal_str_starts(event->address, "whatsapp:"))
            __builtin_trap();
        yyjson_doc_free(document);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct meta_batch batch;
    yyjson_doc *document = kanal_json_parse(kanal_str_of((const char *)bytes, len));
    meta_batch_init(&batch);
    if (wa_webhook_read(&batch, KANAL_LIT("shop"), KANAL_LIT("106540352242922"),
                        yyjson_doc_get_root(document)) == KANAL_OK)
        check(&batch);
    meta_batch_release(&batch);
    yyjson_doc_free(document);
    return 0;
}
