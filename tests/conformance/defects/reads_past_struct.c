/* It looks for a member of a later minor without asking whether it is there. */
#include "kanal/sdk/sdk.h"
struct later_config {
    kanal_config now;
    kanal_str region;
};
#define TINY_MEMBERS size_t region_len;
#define TINY_IN_CREATE(channel, config)                                                                      \
    (channel)->region_len = ((const volatile struct later_config *)(const void *)(config))->region.len
#include "tiny.h"
