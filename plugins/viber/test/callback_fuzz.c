/* Callbacks of any shape: what is told must be well-formed JSON within the host's limits. */
#include <stdint.h>

#include "address.h"
#include "callback.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct viber_us us = { .account = "pa:75346594275468546724", .channel_id = KANAL_LIT("shop") };
    const kanal_str raw = kanal_str_of((const char *)bytes, len);
    struct viber_callback callback;
    char user[VIBER_USER_BYTES_MAX + 1];
    yyjson_doc *document = kanal_json_parse(raw);
    viber_callback_init(&callback, &us);
    if (viber_callback_read(&callback, yyjson_doc_get_root(document), raw) == KANAL_OK)
        for (uint32_t i = 0; i < callback.batch.count; i++) {
            const kanal_event *event = &callback.batch.items[i]->event;
            yyjson_doc *data = kanal_json_parse(event->data);
            if (!yyjson_is_obj(yyjson_doc_get_root(data)) || event->dedupe.len == 0 ||
                viber_address_read(user, us.account, event->address) != 0)
                __builtin_trap();
            yyjson_doc_free(data);
        }
    viber_callback_release(&callback);
    yyjson_doc_free(document);
    return 0;
}
