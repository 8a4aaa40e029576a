/* What stands in the stream of kept payloads: any text, any cuts. */
#include <stdlib.h>
#include <string.h>
#include "inbound/kept.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct config_secret secrets[] = { { "token", "literal", { "100:tok", 7 } },
                                                    { "hook", "literal", { "s&cret", 6 } } };
    static const struct config_channel channel = { .id = "shop", .secrets = secrets, .secret_count = 2 };
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    kanal_str cuts = kanal_str_of((const char *)data, end ? (size_t)(end - data) : 0);
    kanal_str text = kanal_str_of((const char *)data + cuts.len, size - cuts.len);
    struct kanal_buffer restored = { 0 }, kept = { 0 }, own = { 0 }, again = { 0 };
    struct kept_request read;
    size_t missing = 0;
    kept_restore(&channel, text, cuts, &restored, &missing);
    if (kept_read(kanal_buffer_view(&restored), &read) == 0) {
        kanal_http_request request = { .struct_size = sizeof request,
                                       .method = read.method,
                                       .headers = read.headers,
                                       .header_count = read.header_count,
                                       .body = read.body };
        kept_write(&channel, KANAL_LIT("/"), &request, &kept, &own);
        kept_restore(&channel, kanal_buffer_view(&kept), kanal_buffer_view(&own), &again, &missing);
        struct kept_request twice;
        if (missing == 0 && own.len < 100 && kept_read(kanal_buffer_view(&again), &twice) == 0 &&
            !kanal_str_equal(twice.body, read.body))
            abort();
    }
    kanal_buffer_release(&restored);
    kanal_buffer_release(&kept);
    kanal_buffer_release(&own);
    kanal_buffer_release(&again);
    return 0;
}
