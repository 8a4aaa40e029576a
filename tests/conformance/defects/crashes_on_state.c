/* When state_put() fails, it crashes. */
#define TINY_ON_STATE(channel, status, value)                                                                \
    if ((status) != KANAL_OK)                                                                                \
    *(volatile int *)NULL = 1
#include "tiny.h"
