#include "kit/kit.h"
int kit_new(const char *name, const char *directory, struct kanal_buffer *error)
{
    (void)name;
    (void)directory;
    kanal_buffer_text(error, "later");
    return -1;
}
