/* Two filters, divided by a line break: what covers overlaps, what is right covers itself. */
#include "cli/filter.h"
#include "kanal/sdk/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str text = kanal_str_of((const char *)data, size), a = text, b = { "", 0 };
    const char *end = size > 0 ? memchr(text.ptr, '\n', size) : NULL;
    struct kanal_buffer error = { 0 };
    enum filter_branch branch;
    int a_right, b_right;

    if (end) {
        a.len = (size_t)(end - text.ptr);
        b = kanal_str_from(text, a.len + 1);
    }
    a_right = filter_check(KANAL_LIT("kanal"), a, &branch, &error) == 0;
    b_right = filter_check(KANAL_LIT("kanal"), b, &branch, &error) == 0;
    if (a_right && (!filter_covers(a, a) || !filter_overlaps(a, a)))
        __builtin_trap();
    if (a_right && b_right && filter_covers(a, b) && !filter_overlaps(b, a))
        __builtin_trap();
    (void)filter_is_slow(a);
    (void)filter_overlaps(a, b);
    kanal_buffer_release(&error);
    return 0;
}
