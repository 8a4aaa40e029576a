/* Whatever an address is: its normal form is its own, and so is what identifies. */
#include <stdlib.h>
#include "event/address.h"
#include "event/identifier.h"
#include "kanal/sdk/str.h"

static void check(int fine)
{
    if (!fine)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct identifier_rules rules = { .cuts_plus_tags = 1 };
    struct kanal_buffer normal = { 0 }, again = { 0 }, canonical = { 0 };
    if (address_normalise(kanal_str_of((const char *)data, size), &normal) == 0) {
        check(address_normalise(kanal_buffer_view(&normal), &again) == 0);
        check(kanal_str_equal(kanal_buffer_view(&normal), kanal_buffer_view(&again)));
        kanal_buffer_clear(&again);
        if (identifier_canonical(&rules, kanal_buffer_view(&normal), &canonical) == 1) {
            check(address_normalise(kanal_buffer_view(&canonical), &again) == 0);
            check(kanal_str_equal(kanal_buffer_view(&canonical), kanal_buffer_view(&again)));
        }
    }
    kanal_buffer_release(&normal);
    kanal_buffer_release(&again);
    kanal_buffer_release(&canonical);
    return 0;
}
