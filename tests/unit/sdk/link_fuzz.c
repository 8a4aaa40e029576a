/* What passes for a template is one: printable ASCII, and one variable. */
#include "kanal/sdk/link.h"

static void check(int holds)
{
    if (!holds)
        __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kanal_str text = { (const char *)data, size };
    size_t braces = 0;
    if (!kanal_link_template_is_valid(text))
        return 0;
    check(size <= KANAL_LINK_TEMPLATE_MAX && memchr(data, ':', size) != NULL);
    for (size_t i = 0; i < size; i++) {
        check(data[i] > ' ' && data[i] < 0x7F && data[i] != '"' && data[i] != '<' && data[i] != '\\');
        braces += data[i] == '{';
    }
    check(braces == 1);
    return 0;
}
