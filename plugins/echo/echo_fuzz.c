/* Bytes as a posted body, as a query and as a delivery's data: the fake host sees to it that every op is answered once and that
 * every event is well-formed. */
#include <stdio.h>
#include "kanal/testing/fakehost.h"
#include "kanal/sdk/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str bytes = { (const char *)data, size };
    struct fake_host *host = fake_new(kanal_plugin_v1(), "{\"outbox\":3}", NULL, 0);
    struct kanal_buffer target = { 0 };
    fake_http(host, "POST", "/", NULL, 0, bytes);
    fake_deliver(host, &(kanal_delivery){ .address = KANAL_LIT("echo:a"), .data = bytes });
    fake_deliver(
        host, &(kanal_delivery){ .address = bytes, .data = KANAL_LIT("{\"content\":[{\"text\":\"t\"}]}") });
    kanal_buffer_text(&target, "/outbox?to=a&");
    kanal_buffer_append(&target, data, size);
    kanal_buffer_byte(&target, 0);
    fake_http(host, "GET", target.data, NULL, 0, kanal_str_of(NULL, 0));
    kanal_buffer_release(&target);
    if (fake_free(host) != 0)
        __builtin_trap();
    return 0;
}
