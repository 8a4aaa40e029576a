/* Updates of any shape: what is told must be well-formed JSON within the host's limits. */
#include <stdint.h>

#include "update.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check(const struct tg_batch *batch)
{
    for (size_t i = 0; i < batch->events.count; i++) {
        const kanal_event *event = &batch->events.items[i]->event;
        yyjson_doc *document = kanal_json_parse(event->data);
        if (!yyjson_is_obj(yyjson_doc_get_root(document)) || event->data.len > 512 * 1024 ||
            event->dedupe.len == 0 || !kanal_str_starts(event->address, "telegram:"))
            __builtin_trap();
        yyjson_doc_free(document);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct tg_self self = { .id = 110201543, .username = "kanal_shop_bot" };
    struct tg_batch batch;
    yyjson_doc *document = kanal_json_parse(kanal_str_of((const char *)bytes, len));
    tg_batch_init(&batch, &self, KANAL_LIT("shop"));
    if (tg_update_read(&batch, yyjson_doc_get_root(document)) == KANAL_OK)
        check(&batch);
    if (tg_update_fallback(&batch, yyjson_doc_get_root(document)) == KANAL_OK)
        check(&batch);
    tg_batch_release(&batch);
    yyjson_doc_free(document);
    return 0;
}
