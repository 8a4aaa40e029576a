/* Events of any shape: what is told must be well-formed JSON within the host's limits. */
#include <stdint.h>

#include "callback.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct vk_us us = { .group_id = 205112233, .channel_id = KANAL_LIT("shop") };
    const kanal_str raw = kanal_str_of((const char *)bytes, len);
    struct vk_callback callback;
    yyjson_doc *document = kanal_json_parse(raw);
    vk_callback_init(&callback, &us);
    if (vk_callback_read(&callback, yyjson_doc_get_root(document), raw) == KANAL_OK)
        for (uint32_t i = 0; i < callback.batch.count; i++) {
            const kanal_event *event = &callback.batch.items[i]->event;
            yyjson_doc *data = kanal_json_parse(event->data);
            if (!yyjson_is_obj(yyjson_doc_get_root(data)) || event->dedupe.len == 0 ||
                !kanal_str_starts(event->address, "vk:"))
                __builtin_trap();
            yyjson_doc_free(data);
        }
    vk_callback_release(&callback);
    yyjson_doc_free(document);
    return 0;
}
