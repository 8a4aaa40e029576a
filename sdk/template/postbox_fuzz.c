/* Bytes of a stranger: the body of a request, and the answer of the app's server. `make fuzz` (clang). */
#include <kanal/testing/fakehost.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const secrets[][2] = { { "token", "a-token" }, { "webhook", "a-shared-secret" } };
    const kanal_delivery delivery = { .address = KANAL_LIT("postbox:anna"),
                                      .data =
                                          KANAL_LIT("{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}") };
    struct fake_host *host =
        fake_new(kanal_plugin_v1(), "{\"api_url\":\"https://app.example.com\"}", secrets, 2);
    kanal_str input = kanal_str_of((const char *)bytes, size < 65536 ? size : 65536);
    const kanal_http_response reply = { .struct_size = sizeof reply, .code = 200, .body = input };
    fake_http_signed(host, "POST", "/", NULL, 0, input);
    fake_deliver(host, &delivery);
    fake_request_answer_with(host, 0, &reply);
    if (fake_free(host) != 0)
        abort();
    return 0;
}
