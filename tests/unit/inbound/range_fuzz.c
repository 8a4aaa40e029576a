/* Range, as any client may send it, and Content-Range, as any provider may. What is understood keeps what the header promises. */
#include <stdlib.h>

#include "inbound/range.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str header = kanal_str_of((const char *)data, size);
    struct range range, again;
    char text[RANGE_TEXT_BYTES];
    uint64_t from, end, bytes;

    if (range_parse(header, &range) == 0) {
        must(range_parse(range_write(&range, text), &again) == 0);
        must(again.first == range.first && again.last == range.last);
        if (range_of(&range, size, &from, &end) == 0)
            must(from < end && end <= size);
    }
    if (range_content_parse(header, &bytes) == 0)
        must(bytes <= INT64_MAX);
    return 0;
}
