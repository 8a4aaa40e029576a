/* A TZif file, and the rule behind it. */
#include "outbound/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = { INT64_MIN, -9000000000, -1, 0, 1, 1795000000, 4102444800, INT64_MAX };
    struct zone *zone = NULL;
    if (zone_read(&zone, data, size) != 0)
        return 0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        int32_t offset = zone_offset(zone, times[i]);
        if (offset < -200000 || offset > 200000)
            __builtin_trap();
    }
    zone_free(zone);
    return 0;
}
