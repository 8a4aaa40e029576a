/* What decodes must encode to the same text again: nothing has two spellings. */
#include "kanal/sdk/base64.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str text = { (const char *)data, size };
    struct kanal_buffer bytes = { 0 }, again = { 0 };
    for (uint32_t flags = 0; flags < 4; flags++) {
        kanal_buffer_clear(&bytes);
        kanal_buffer_clear(&again);
        if (kanal_base64_decode(&bytes, text, flags) != KANAL_OK)
            continue;
        kanal_base64_encode(&again, kanal_buffer_view(&bytes), flags);
        int padded = size > 0 && data[size - 1] == '='; /* unpadded decoding takes padding too */
        check(padded || (again.len == size && (size == 0 || memcmp(again.data, data, size) == 0)));
    }
    kanal_buffer_clear(&bytes);
    check(kanal_hex_decode(&bytes, text) != KANAL_OK || bytes.len * 2 == size);
    kanal_buffer_clear(&bytes);
    kanal_base32_encode(&bytes, text);
    check(bytes.len == (size * 8 + 4) / 5);
    kanal_buffer_release(&bytes);
    kanal_buffer_release(&again);
    return 0;
}
