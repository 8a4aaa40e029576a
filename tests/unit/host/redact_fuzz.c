/* Any text: no secret stays in it, and what is written is bounded by what was read. */
#include <stdlib.h>
#include <string.h>
#include "host/redact.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const kanal_str secrets[] = { { "s3cr3t/x", 8 }, { "100:tok", 7 } };
    kanal_str text = kanal_str_of((const char *)data + (size > 0), size - (size > 0));
    struct kanal_buffer out = { 0 };
    redact(&out, text, size > 0 && data[0] & 1, secrets, 2);
    for (size_t i = 0; out.len > 0 && i < 2; i++)
        if (memmem(out.data, out.len, secrets[i].ptr, secrets[i].len))
            abort();
    if (out.len > 3 * text.len)
        abort();
    kanal_buffer_release(&out);
    return 0;
}
