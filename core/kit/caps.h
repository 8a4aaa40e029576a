/* kit/caps.h - the names of capabilities, as people read and write them. */
#ifndef KANAL_KIT_CAPS_H
#define KANAL_KIT_CAPS_H
#include "kanal/plugin.h"

struct cap_name {
    kanal_caps cap;
    const char *name;
};
extern const struct cap_name cap_names[];
extern const size_t cap_name_count;

#endif
